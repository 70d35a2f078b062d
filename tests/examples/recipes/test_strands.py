"""Strands Agents: an agent with a tool."""

from strands import Agent, tool
from strands.models import BedrockModel

from bedtape_replayer import Bedrock


@tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: The name of the city.
    """
    return f"sunny in {city}"


def run(question: str) -> str:
    model = BedrockModel(model_id="us.amazon.nova-lite-v1:0")
    return str(Agent(model=model, tools=[weather], callback_handler=None)(question)).strip()


def test_the_agent_calls_its_tool(bedrock: Bedrock) -> None:
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    bedrock.respond(tool_result="weather", text="It is sunny.")
    assert run("What is the weather in Oslo?") == "It is sunny."
    assert bedrock.calls[1].tool_results[0].text == "sunny in Oslo"


def test_a_model_that_calls_an_unknown_tool(bedrock: Bedrock) -> None:
    bedrock.respond("Oslo", tool={"name": "news"}, allow_unoffered_tools=True)
    bedrock.respond(tool_result="news", text="I do not know.")
    assert run("What is the weather in Oslo?") == "I do not know."
    assert "Unknown tool: news" in bedrock.calls[1].tool_results[0].text
