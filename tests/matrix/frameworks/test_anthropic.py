"""Anthropic's own clients, synchronous and asynchronous: for InvokeModel, for
bedrock-mantle, and the usual one.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from anthropic import (
    Anthropic,
    AnthropicBedrock,
    AnthropicBedrockMantle,
    AsyncAnthropic,
    AsyncAnthropicBedrock,
    AsyncAnthropicBedrockMantle,
    RateLimitError,
)

from bedtape_replayer.engine.session import Session

# A model id of InvokeModel, and one of Messages.
MODEL, SHORT = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-haiku-4-5"
CLIENTS: dict[str, tuple[Any, str]] = {
    "sync": (AnthropicBedrock, MODEL),
    "async": (AsyncAnthropicBedrock, MODEL),
    "mantle-sync": (AnthropicBedrockMantle, SHORT),
    "mantle-async": (AsyncAnthropicBedrockMantle, SHORT),
    "base-url-sync": (Anthropic, SHORT),
    "base-url-async": (AsyncAnthropic, SHORT),
}
KINDS = list(CLIENTS)
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def create(kind: str, **arguments: Any) -> Any:
    """What `messages.create` gives; of a stream, all of its events."""
    make, model = CLIENTS[kind]
    arguments = {"model": model, "max_tokens": 99, **arguments}
    if not kind.endswith("async"):
        with make() as client:
            given = client.messages.create(**arguments)
            return list(given) if arguments.get("stream") else given

    async def created() -> Any:
        async with make() as client:
            given = await client.messages.create(**arguments)
            return [event async for event in given] if arguments.get("stream") else given

    return asyncio.run(created())


def say(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("kind", KINDS)
def test_chat(kind: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    message = create(kind, messages=say("why record?"), system="Be brief.")
    assert [block.text for block in message.content] == [SAID]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 22)
    operation = "InvokeModel" if CLIENTS[kind][1] == MODEL else "Messages"
    bedrock.assert_called(
        "why record?", times=1, operation=operation, system="Be brief.", max_tokens=99
    )


@pytest.mark.parametrize("kind", KINDS)
def test_stream(kind: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    events = create(kind, messages=say("why record?"), stream=True)
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    pieces = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(pieces) == SAID
    assert len(pieces) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_tools(kind: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    messages = say("What is the weather in Oslo?")
    calling = create(kind, messages=messages, tools=[WEATHER])
    (call,) = calling.content
    assert (calling.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny in Oslo"}
    messages += [
        {"role": "assistant", "content": calling.content},
        {"role": "user", "content": [result]},
    ]
    assert create(kind, messages=messages, tools=[WEATHER]).content[0].text == "It is sunny."
    assert [given.text for given in bedrock.calls[1].tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("kind", KINDS)
def test_retries(kind: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert create(kind, messages=say("again")).content[0].text == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.endswith("sync") and "async" not in kind]
)
def test_errors(kind: str, bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", message="Slow down.", times=9)
    make, model = CLIENTS[kind]
    with (
        make(max_retries=0) as client,
        pytest.raises(RateLimitError, match=r"Slow down\.") as caught,
    ):
        client.messages.create(model=model, max_tokens=9, messages=say("hello"))
    assert model == MODEL or caught.value.type == "rate_limit_error"


def test_count_tokens(bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11})
    with AnthropicBedrockMantle() as client:
        assert (
            client.messages.count_tokens(model=SHORT, messages=say("why record?")).input_tokens
            == 11
        )


@pytest.mark.parametrize("kind", ["sync", "async", "mantle-sync", "mantle-async", "base-url-sync"])
def test_trouble(kind: str, trouble: Callable[..., None]) -> None:
    asked = say("why record?")
    trouble(lambda: create(kind, messages=asked), lambda: create(kind, messages=asked, stream=True))


def ask_about_oslo() -> str:
    texts = {create(kind, messages=say("Weather in Oslo?")).content[0].text for kind in KINDS}
    return " ".join(texts)


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
