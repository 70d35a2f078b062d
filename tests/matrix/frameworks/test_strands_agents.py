"""Strands Agents: an agent on BedrockModel, streaming as it does by default, and whole."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from strands import Agent, tool
from strands.models import BedrockModel

from bedtape_replayer.engine.session import Session

MODELS = {
    "claude": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "us.amazon.nova-lite-v1:0",
    "llama": "us.meta.llama3-3-70b-instruct-v1:0",
    "gpt-oss": "openai.gpt-oss-20b-1:0",
}
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
    return Agent(model=BedrockModel(model_id=MODELS[which], streaming=streaming), callback_handler=None, **more)


@pytest.mark.parametrize("which", MODELS)
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
    bedrock.assert_called(times=1, operation="ConverseStream")


@pytest.mark.parametrize("which", MODELS)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_tools(streaming: bool, which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    result = agent(which, streaming=streaming, tools=[weather])("What is the weather in Oslo?")
    assert str(result).strip() == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert first.stop_reason == "tool_use"
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", ["claude", "nova"])
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", tool_offered="Label", tool={"name": "Label", "input": {"label": "spam"}}, times=1)
    bedrock.respond(text="done")
    result = agent(which)("an offer", structured_output_model=Label)
    assert result.structured_output == Label(label="spam")
    assert bedrock.calls[0].tools == ("Label",)


def test_retries(bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert str(agent("claude")("again")).strip() == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_trouble(streaming: bool, trouble: Callable[..., None]) -> None:
    trouble(lambda: agent("claude", streaming=streaming)("why record?"))
