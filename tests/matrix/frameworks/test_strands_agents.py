"""Strands Agents: an agent on BedrockModel and on OpenAI's and Anthropic's models, streaming as by default, and whole."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel
from strands import Agent, tool
from strands.models import BedrockModel, Model
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel
from strands.models.openai_responses import OpenAIResponsesModel

from bedtape_replayer.engine.session import Session

MODELS: dict[str, Callable[..., Model]] = {
    "claude": partial(BedrockModel, model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "nova": partial(BedrockModel, model_id="us.amazon.nova-lite-v1:0"),
    "llama": partial(BedrockModel, model_id="us.meta.llama3-3-70b-instruct-v1:0"),
    "gpt-oss": partial(BedrockModel, model_id="openai.gpt-oss-20b-1:0"),
    "chat-completions": partial(OpenAIModel, model_id="openai.gpt-oss-120b"),
    "responses": partial(OpenAIResponsesModel, model_id="openai.gpt-5.4"),
    "messages": partial(AnthropicModel, model_id="anthropic.claude-haiku-4-5", max_tokens=99),
}
# The others always stream.
BEDROCK = ["claude", "nova", "llama", "gpt-oss"]
OPERATIONS = {"chat-completions": "ChatCompletions", "responses": "Responses", "messages": "Messages"}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


@tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Which.
    """
    return f"sunny in {city}"


def agent(which: str, *, streaming: bool = True, **more: Any) -> Agent:
    model = MODELS[which]() if streaming else MODELS[which](streaming=False)
    return Agent(model=model, callback_handler=None, **more)


@pytest.mark.parametrize("which", BEDROCK)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    result = agent(which, streaming=False, system_prompt="Be brief.")("why record?")
    assert str(result).strip() == SAID
    assert result.metrics.accumulated_usage["outputTokens"] == 22
    bedrock.assert_called("why record?", times=1, operation="Converse", system="Be brief.")


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed() -> list[str]:
        return [event["data"] async for event in agent(which).stream_async("why record?") if "data" in event]

    pieces = asyncio.run(streamed())
    assert "".join(pieces) == SAID
    assert len(pieces) > 1
    bedrock.assert_called(times=1, operation=OPERATIONS.get(which, "ConverseStream"))


@pytest.mark.parametrize(
    ("which", "streaming"), [*((which, False) for which in BEDROCK), *((which, True) for which in MODELS)]
)
def test_tools(which: str, streaming: bool, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    result = agent(which, streaming=streaming, tools=[weather])("What is the weather in Oslo?")
    assert str(result).strip() == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert first.stop_reason == "tool_use"
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", ["claude", "nova", *OPERATIONS])
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", tool_offered="Label", tool={"name": "Label", "input": {"label": "spam"}}, times=1)
    bedrock.respond(text="done")
    result = agent(which)("an offer", structured_output_model=Label)
    assert result.structured_output == Label(label="spam")
    assert bedrock.calls[0].tools == ("Label",)


@pytest.mark.parametrize("which", ["claude", *OPERATIONS])
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert str(agent(which)("again")).strip() == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_trouble(streaming: bool, trouble: Callable[..., None]) -> None:
    trouble(lambda: agent("claude", streaming=streaming)("why record?"))


def ask_about_oslo() -> str:
    return " ".join({str(agent(which)("Weather in Oslo?")).strip() for which in MODELS})


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
