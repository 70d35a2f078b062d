"""OpenAI's own client: for bedrock-mantle its Bedrock client and provider, for
bedrock-runtime the usual client.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncBedrockOpenAI, BedrockOpenAI, OpenAI
from openai.providers import bedrock as provider
from pydantic import BaseModel

from bedtape_replayer.engine.session import Session

CLIENTS: dict[str, Callable[..., OpenAI]] = {
    "BedrockOpenAI": BedrockOpenAI,
    "provider": lambda **options: OpenAI(provider=provider(), **options),
    "base URL": OpenAI,
}
GPT, OSS = "openai.gpt-5.4", "openai.gpt-oss-120b"
MODELS = {"gpt": GPT, "gpt-oss": OSS}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."
ASKED: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "why record?"},
]
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


class Label(BaseModel):
    """What a mail is."""

    label: str


@pytest.fixture(params=CLIENTS)
def client(bedrock: Session, request: pytest.FixtureRequest) -> Any:
    with CLIENTS[request.param]() as client:
        yield client


def test_chat(client: OpenAI, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    answer = client.chat.completions.create(
        model=OSS, messages=ASKED, temperature=0.5, max_completion_tokens=99
    )
    assert answer.choices[0].message.content == SAID
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 22)
    bedrock.assert_called(
        "why record?",
        times=1,
        operation="ChatCompletions",
        model=OSS,
        system="Be brief.",
        max_tokens=99,
    )


def test_stream(client: OpenAI, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    chunks = client.chat.completions.create(model=OSS, messages=ASKED, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in chunks]
    assert "".join(filter(None, pieces)) == SAID
    assert len(list(filter(None, pieces))) > 1


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_tools(client: OpenAI, streaming: bool, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})

    def ask(messages: list[Any]) -> Any:
        arguments: Any = {
            "model": OSS,
            "messages": messages,
            "tools": [{"type": "function", "function": WEATHER}],
        }
        if not streaming:
            return client.chat.completions.create(**arguments).choices[0].message
        with client.chat.completions.stream(**arguments) as stream:
            return stream.until_done().get_final_completion().choices[0].message

    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    calling = ask(messages)
    (call,) = calling.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "weather",
        {"city": "Oslo"},
    )
    messages += [calling, {"role": "tool", "tool_call_id": call.id, "content": "sunny in Oslo"}]
    assert ask(messages).content == "It is sunny."
    first, second = bedrock.calls
    assert (first.tools, first.stop_reason) == (("weather",), "tool_use")
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


def test_parse(client: OpenAI, bedrock: Session) -> None:
    bedrock.respond("offer", json={"label": "spam"})
    messages: Any = [{"role": "user", "content": "an offer"}]
    answer = client.chat.completions.parse(model=OSS, messages=messages, response_format=Label)
    assert answer.choices[0].message.parsed == Label(label="spam")
    assert client.responses.parse(
        model=GPT, input="an offer", text_format=Label
    ).output_parsed == Label(label="spam")


@pytest.mark.parametrize("which", MODELS)
def test_responses(client: OpenAI, which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    answer = client.responses.create(
        model=MODELS[which], input="why record?", instructions="Be brief."
    )
    assert answer.output_text == SAID
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 22)
    bedrock.assert_called(
        "why record?", times=1, operation="Responses", model=MODELS[which], system="Be brief."
    )


@pytest.mark.parametrize("which", MODELS)
def test_responses_stream(client: OpenAI, which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", reasoning="I think.", text=SAID)
    with client.responses.stream(model=MODELS[which], input="why record?") as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        answer = events.get_final_response()
    assert "".join(pieces) == answer.output_text == SAID
    assert len(pieces) > 1
    assert [item.type for item in answer.output] == ["reasoning", "message"]


def test_responses_tools(client: OpenAI, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    tools: Any = [{"type": "function", **WEATHER}]
    calling = client.responses.create(model=GPT, input="What is the weather in Oslo?", tools=tools)
    call: Any = calling.output[0]
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Oslo"})
    result: Any = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": "sunny in Oslo",
    }
    answer = client.responses.create(
        model=GPT, input=[result], previous_response_id=calling.id, tools=tools
    )
    assert answer.output_text == "It is sunny."
    assert [given.text for given in bedrock.calls[1].tool_results] == ["sunny in Oslo"]


def test_async(bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed() -> str:
        async with AsyncBedrockOpenAI() as client:
            chunks = await client.chat.completions.create(model=OSS, messages=ASKED, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    assert asyncio.run(streamed()) == SAID


def test_retries(client: OpenAI, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert (
        client.chat.completions.create(model=OSS, messages=ASKED).choices[0].message.content
        == "at last"
    )
    assert client.responses.create(model=GPT, input="again").output_text == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2), (200, 1)]


def test_errors(client: OpenAI, bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", message="Slow down.", times=9)
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as caught:
        client.with_options(max_retries=0).responses.create(model=GPT, input="why record?")
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("which", ["BedrockOpenAI", "base URL"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_trouble(which: str, stream: bool, trouble: Callable[..., None]) -> None:
    def read(answer: Any) -> None:
        if stream:
            list(answer)

    with CLIENTS[which]() as client:
        trouble(
            lambda: read(client.chat.completions.create(model=OSS, messages=ASKED, stream=stream)),
            lambda: read(client.responses.create(model=GPT, input="why record?", stream=stream)),
        )


def ask_about_oslo() -> str:
    with BedrockOpenAI() as client, OpenAI() as other:
        answer = client.responses.create(model=GPT, input="Weather in Oslo?")
        messages: Any = [{"role": "user", "content": "Weather in Oslo?"}]
        assert (
            other.chat.completions.create(model=OSS, messages=messages).choices[0].message.content
        )
        return answer.output_text


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
