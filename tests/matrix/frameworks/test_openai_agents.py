"""The OpenAI Agents SDK: on Responses, as it does by default, and on Chat Completions, through
OpenAI's Bedrock client.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agents import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
)
from openai import AsyncBedrockOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

from bedtape_replayer.engine.session import Session

MODELS: dict[str, Callable[[], Model]] = {
    "responses": lambda: OpenAIResponsesModel("openai.gpt-5.4", AsyncBedrockOpenAI()),
    "chat-completions": lambda: OpenAIChatCompletionsModel(
        "openai.gpt-oss-120b", AsyncBedrockOpenAI()
    ),
}
OPERATIONS = {"responses": "Responses", "chat-completions": "ChatCompletions"}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def run(which: str, text: str, **more: Any) -> Any:
    return asyncio.run(Runner.run(Agent(name="Helper", model=MODELS[which](), **more), text))


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    result = run(which, "why record?", instructions="Be brief.")
    assert result.final_output == SAID
    usage = result.context_wrapper.usage
    assert (usage.input_tokens, usage.output_tokens) == (11, 22)
    bedrock.assert_called("why record?", times=1, operation=OPERATIONS[which], system="Be brief.")


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed() -> list[str]:
        result = Runner.run_streamed(Agent(name="Helper", model=MODELS[which]()), "why record?")
        events = [event async for event in result.stream_events()]
        data = [event.data for event in events if event.type == "raw_response_event"]
        return [each.delta for each in data if isinstance(each, ResponseTextDeltaEvent)]

    pieces = asyncio.run(streamed())
    assert "".join(pieces) == SAID
    assert len(pieces) > 1


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    assert (
        run(which, "What is the weather in Oslo?", tools=[weather]).final_output == "It is sunny."
    )
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", MODELS)
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", json={"label": "spam"})
    assert run(which, "an offer", output_type=Label).final_output == Label(label="spam")


@pytest.mark.parametrize("which", MODELS)
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert run(which, "again").final_output == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("which", MODELS)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    async def read() -> None:
        streaming = Runner.run_streamed(Agent(name="Helper", model=MODELS[which]()), "why record?")
        async for _ in streaming.stream_events():
            pass

    trouble(lambda: run(which, "why record?"), lambda: asyncio.run(read()))


def ask_about_oslo() -> str:
    return str(run("responses", "Weather in Oslo?").final_output)


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
