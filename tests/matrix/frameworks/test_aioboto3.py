"""aioboto3: the asynchronous boto3, on aiohttp."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aioboto3
import pytest

from bedtape_replayer.engine.session import Session

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MODELS = {
    "claude": CLAUDE,
    "nova": "us.amazon.nova-lite-v1:0",
    "llama": "us.meta.llama3-3-70b-instruct-v1:0",
}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


def run(use: Callable[[Any], Awaitable[Any]]) -> Any:
    """What a function gives that uses a client."""

    async def used() -> Any:
        async with aioboto3.Session().client("bedrock-runtime") as client:
            return await use(client)

    return asyncio.run(used())


def say(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    answer = run(lambda client: client.converse(modelId=MODELS[which], messages=say("why record?")))
    assert answer["output"]["message"]["content"] == [{"text": SAID}]
    bedrock.assert_called("why record?", times=1, operation="Converse")


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed(client: Any) -> list[str]:
        answer = await client.converse_stream(modelId=MODELS[which], messages=say("why record?"))
        deltas = [
            event["contentBlockDelta"]["delta"]
            async for event in answer["stream"]
            if "contentBlockDelta" in event
        ]
        return [delta["text"] for delta in deltas]

    pieces = run(streamed)
    assert "".join(pieces) == SAID
    assert len(pieces) > 1


def test_invoke(bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    asked = {"role": "user", "content": "why record?"}
    body = json.dumps(
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": [asked]}
    )

    async def invoked(client: Any) -> Any:
        answer = await client.invoke_model(modelId=CLAUDE, body=body)
        return json.loads(await answer["body"].read())

    assert run(invoked)["content"] == [{"type": "text", "text": SAID}]


def test_embeddings(bedrock: Session) -> None:
    bedrock.respond(embedding=[0.5, 0.25])

    async def embedded(client: Any) -> Any:
        body = json.dumps({"inputText": "a cat", "dimensions": 256})
        answer = await client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=body)
        return json.loads(await answer["body"].read())

    assert run(embedded)["embedding"] == [0.5, 0.25]


def test_retries(bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    run(lambda client: client.converse(modelId=CLAUDE, messages=say("again")))
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


def test_many_at_once(bedrock: Session) -> None:
    bedrock.respond(lambda call: f"you said {call.prompt.last}")

    async def many(client: Any) -> list[str]:
        asked = (client.converse(modelId=CLAUDE, messages=say(str(number))) for number in range(20))
        return [
            answer["output"]["message"]["content"][0]["text"]
            for answer in await asyncio.gather(*asked)
        ]

    assert run(many) == [f"you said {number}" for number in range(20)]


def test_trouble(trouble: Callable[..., None]) -> None:
    async def read(client: Any) -> None:
        answer = await client.converse_stream(modelId=CLAUDE, messages=say("why record?"))
        async for _ in answer["stream"]:
            pass

    trouble(
        lambda: run(lambda client: client.converse(modelId=CLAUDE, messages=say("why record?"))),
        lambda: run(read),
    )


def ask_about_oslo() -> str:
    answer = run(lambda client: client.converse(modelId=CLAUDE, messages=say("Weather in Oslo?")))
    return str(answer["output"]["message"]["content"][0]["text"])


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
