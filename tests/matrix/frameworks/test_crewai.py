"""CrewAI: a model called directly, and a crew with an agent, a task and a tool."""

from collections.abc import Callable

import pytest
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from bedtape_replayer import Bedrock

MODELS = {
    "claude": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "bedrock/us.amazon.nova-lite-v1:0",
}


@tool("get_weather")
def get_weather(city: str) -> str:
    """Returns the weather of a city."""
    return f"rain in {city}"


def _kick_off(model: str) -> str:
    agent = Agent(
        role="clerk", goal="report the weather", backstory="a careful clerk", llm=LLM(model=model)
    )
    task = Task(
        description="What is the weather in Oslo?",
        expected_output="a sentence",
        agent=agent,
        tools=[get_weather],
    )
    return str(Crew(agents=[agent], tasks=[task]).kickoff().raw)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_chat(model: str, bedrock: Bedrock) -> None:
    bedrock.respond("an offer", text="spam")
    assert LLM(model=model).call("an offer") == "spam"
    bedrock.assert_called("an offer", times=1, operation="Converse")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_stream(model: str, bedrock: Bedrock) -> None:
    bedrock.respond("an offer", text="spam or ham")
    assert LLM(model=model, stream=True).call("an offer") == "spam or ham"
    bedrock.assert_called("an offer", times=1, operation="ConverseStream")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_tools(model: str, bedrock: Bedrock) -> None:
    """A crew calls the tool, and sends its result. It counts the tokens of its prompt first."""
    bedrock.respond("Oslo", tool={"name": "get_weather", "input": {"city": "Oslo"}})
    bedrock.respond(tool_result="get_weather", text="It rains in Oslo.")
    assert _kick_off(model) == "It rains in Oslo."
    bedrock.assert_called(operation="CountTokens")
    bedrock.assert_called(operation="Converse", times=2, tools=["get_weather"])
    assert "rain in Oslo" in bedrock.calls.filter(operation="Converse")[1].body.decode()


def test_retries(bedrock: Bedrock) -> None:
    bedrock.respond(text="spam")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert LLM(model=MODELS["nova"]).call("an offer") == "spam"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


def test_trouble(trouble: Callable[..., None]) -> None:
    model = LLM(model=MODELS["nova"])
    trouble(lambda: model.call("an offer"))


def _ask() -> str:
    return str(LLM(model=MODELS["nova"]).call("How is the weather?"))


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(_ask) == "It rains in Oslo."
