import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from service import FALLBACK, MODEL, app

from bedtape_replayer import Bedrock, Call

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def web(bedrock: Bedrock) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://shop"
    ) as client:
        yield client


async def ask(web: httpx.AsyncClient, question: str) -> list[Any]:
    """Returns texts and, last, the name of the event that ended the answer."""
    answer = await web.post("/chat", json={"question": question})
    events = [event.splitlines() for event in answer.text.split("\n\n") if event]
    return [
        json.loads(event[0].removeprefix("data: "))["text"]
        if len(event) == 1
        else event[0].removeprefix("event: ")
        for event in events
    ]


async def test_the_answer_is_streamed(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    bedrock.respond("opening hours", text="Nine to five.")
    *texts, end = await ask(web, "What are the opening hours?")
    assert len(texts) > 1
    assert ("".join(texts), end) == ("Nine to five.", "done")
    bedrock.assert_called(times=1, operation="ConverseStream", tools=["get_stock"])


async def test_the_agent_looks_into_the_stock(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    bedrock.respond("mug", tool={"name": "get_stock", "input": {"item": "blue mug"}})
    bedrock.respond(tool_result="get_stock", text="We have 12.")
    assert "".join(await ask(web, "Is there a blue mug?")) == "We have 12.done"
    first, second = bedrock.calls
    assert first.stop_reason == "tool_use"
    assert [json.loads(result.text) for result in second.tool_results] == [{"in_stock": 12}]


async def test_the_answer_depends_on_the_stock(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    async def answer(call: Call) -> Any:
        if call.prompt.tool_results:
            return (
                "Sold out."
                if '"in_stock":0' in call.prompt.tool_results[-1].text.replace(" ", "")
                else "We have it."
            )
        return {"tool": {"name": "get_stock", "input": {"item": "red mug"}}}

    bedrock.respond(answer)
    assert "".join(await ask(web, "Is there a red mug?")) == "Sold out.done"


async def test_an_agent_that_never_ends_is_ended(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    bedrock.respond(tool={"name": "get_stock", "input": {"item": "blue mug"}})
    assert await ask(web, "Is there a blue mug?") == ["I could not find out.", "done"]
    bedrock.assert_called(times=4)


@pytest.mark.parametrize("error", ["ThrottlingException", "ServiceUnavailableException"])
async def test_if_the_model_is_busy_the_other_model_answers(
    error: str, bedrock: Bedrock, web: httpx.AsyncClient
) -> None:
    bedrock.fail(error, model=MODEL, times=2)
    bedrock.respond("hello", text="Hi.")
    assert "".join(await ask(web, "hello")) == "Hi.done"
    assert [(call.model, call.attempt) for call in bedrock.calls] == [
        (MODEL, 1),
        (MODEL, 2),
        (FALLBACK, 1),
    ]


async def test_a_stream_that_breaks_is_reported(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    bedrock.respond("hello", text="How do you do?")
    bedrock.fail("ModelStreamErrorException", after_events=3)
    *texts, end = await ask(web, "hello")
    assert "How do you do?".startswith("".join(texts))
    assert end == "broken"


async def test_many_customers_at_once(bedrock: Bedrock, web: httpx.AsyncClient) -> None:
    for number in range(8):
        bedrock.respond(f"number {number}.", text=f"{number}")
    answers = await asyncio.gather(*(ask(web, f"Say number {number}.") for number in range(8)))
    assert ["".join(answer) for answer in answers] == [f"{number}done" for number in range(8)]
