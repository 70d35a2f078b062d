"""Each test fails, each in another way. `failures.txt` is what pytest prints about them."""

import threading
from typing import Any

import boto3
import httpx
import pytest
from service import MODEL, app
from test_service import ask, web  # noqa: F401 - a fixture

from bedtape_replayer import Bedrock, Call

pytestmark = pytest.mark.asyncio


async def test_its_own_assertion(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    bedrock.fail("ThrottlingException", model=MODEL, times=2)
    bedrock.respond("opening hours", text="Nine to five.")
    assert "".join(await ask(web, "What are the opening hours?")) == "Ten to six.done"


async def test_a_call_that_no_rule_answers(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    bedrock.respond("blue mug", tool={"name": "get_stock", "input": {"item": "blue mug"}}, times=1)
    bedrock.respond("order", text="It is on its way.")
    await ask(web, "Is there a blue mug?")


async def test_a_call_that_was_not_recorded(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    await ask(web, "Is there a blue mug?")


async def test_a_function_that_raises(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    def answer(call: Call) -> Any:
        stock: dict[str, Any] = {}
        return {"text": stock[call.prompt.messages[-1].text]}

    bedrock.respond(answer)
    await ask(web, "blue mug")


@pytest.mark.bedrock(unused="fail")
async def test_a_rule_that_is_not_used(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    bedrock.respond("hello", text="Hi.")
    bedrock.respond("good bye", text="Bye.")
    bedrock.fail("ThrottlingException", prompt_contains="good bye")
    await ask(web, "hello")


async def test_a_forgotten_fixture() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as client:
        await ask(client, "hello")


async def test_a_forgotten_fixture_in_a_thread() -> None:
    """No test sees an exception of a thread."""

    def warm_up() -> None:
        try:
            boto3.client("bedrock-runtime", "us-east-1").converse(modelId=MODEL, messages=[])
        except Exception:  # noqa: BLE001 - as programs do
            pass

    thread = threading.Thread(target=warm_up, name="warm-up")
    thread.start()
    thread.join()


async def test_a_rule_that_is_wrong(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    bedrock.respond(promt_contains="hello", text="Hi.", stop_reason="finished")
    await ask(web, "hello")


async def test_an_error_in_a_stream(bedrock: Bedrock, web: httpx.AsyncClient) -> None:  # noqa: F811
    bedrock.respond("hello", text="How do you do?")
    bedrock.fail("ThrottlingException", after_events=3)
    assert (await ask(web, "hello"))[-1] == "done"
