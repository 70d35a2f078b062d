"""Frameworks for agents that share an environment: agno, Haystack and Semantic Kernel."""

import asyncio
from collections.abc import Callable

import pytest
from agno.agent import Agent
from agno.models.aws import AwsBedrock
from haystack.components.agents import Agent as HaystackAgent
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack_integrations.components.embedders.amazon_bedrock import AmazonBedrockTextEmbedder
from haystack_integrations.components.generators.amazon_bedrock import AmazonBedrockChatGenerator
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.bedrock import (
    BedrockChatCompletion,
    BedrockChatPromptExecutionSettings,
    BedrockTextEmbedding,
)
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function

from bedtape_replayer import Bedrock

NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"


def get_weather(city: str) -> str:
    """Returns the weather of a city."""
    return f"rain in {city}"


# -- agno ------------------------------------------------------------------------------------------


def _agno() -> Agent:
    return Agent(model=AwsBedrock(id=NOVA), tools=[get_weather], telemetry=False)


def _run_agno(prompt: str) -> str:
    return str(_agno().run(prompt).content)


def _stream_agno(prompt: str) -> str:
    return "".join(
        event.content for event in _agno().run(prompt, stream=True) if event.event == "RunContent"
    )


# -- Haystack --------------------------------------------------------------------------------------


def _run_haystack(prompt: str) -> str:
    agent = HaystackAgent(
        chat_generator=AmazonBedrockChatGenerator(model=NOVA),
        tools=[create_tool_from_function(get_weather)],
    )
    return str(agent.run(messages=[ChatMessage.from_user(prompt)])["last_message"].text)


def _stream_haystack(prompt: str) -> str:
    chunks: list[str] = []
    model = AmazonBedrockChatGenerator(model=NOVA)
    model.run(
        [ChatMessage.from_user(prompt)],
        streaming_callback=lambda chunk: chunks.append(chunk.content),
    )
    return "".join(chunks)


def _embed_haystack(text: str) -> int:
    return len(AmazonBedrockTextEmbedder(model=TITAN).run(text)["embedding"])


# -- Semantic Kernel -------------------------------------------------------------------------------


class _Weather:
    """A plugin with one function."""

    @kernel_function(name="get_weather")
    def get_weather(self, city: str) -> str:
        """Returns the weather of a city."""
        return get_weather(city)


def _kernel_arguments(prompt: str) -> dict[str, object]:
    kernel = Kernel()
    kernel.add_plugin(_Weather(), "weather")
    history = ChatHistory()
    history.add_user_message(prompt)
    settings = BedrockChatPromptExecutionSettings(
        function_choice_behavior=FunctionChoiceBehavior.Auto()
    )
    return {"chat_history": history, "settings": settings, "kernel": kernel}


def _run_kernel(prompt: str) -> str:
    model = BedrockChatCompletion(model_id=NOVA)
    return str(asyncio.run(model.get_chat_message_content(**_kernel_arguments(prompt))))


def _stream_kernel(prompt: str) -> str:
    async def read() -> str:
        model = BedrockChatCompletion(model_id=NOVA)
        chunks = model.get_streaming_chat_message_content(**_kernel_arguments(prompt))
        return "".join([str(chunk) async for chunk in chunks])

    return asyncio.run(read())


def _embed_kernel(text: str) -> int:
    vectors = asyncio.run(BedrockTextEmbedding(model_id=TITAN).generate_embeddings([text]))
    return len(vectors[0])


RUN = {"agno": _run_agno, "haystack": _run_haystack, "semantic-kernel": _run_kernel}
STREAM = {"agno": _stream_agno, "haystack": _stream_haystack, "semantic-kernel": _stream_kernel}
EMBED = {"haystack": _embed_haystack, "semantic-kernel": _embed_kernel}


@pytest.mark.parametrize("which", RUN)
def test_chat(which: str, bedrock: Bedrock) -> None:
    bedrock.respond("an offer", text="spam")
    assert RUN[which]("an offer") == "spam"
    bedrock.assert_called("an offer", times=1, operation="Converse")


@pytest.mark.parametrize("which", STREAM)
def test_stream(which: str, bedrock: Bedrock) -> None:
    bedrock.respond("an offer", text="spam or ham")
    assert STREAM[which]("an offer") == "spam or ham"
    bedrock.assert_called("an offer", times=1, operation="ConverseStream")


@pytest.mark.parametrize("which", RUN)
def test_tools(which: str, bedrock: Bedrock) -> None:
    """The framework calls the tool that the answer names, and sends the tool's result."""
    name = "weather-get_weather" if which == "semantic-kernel" else "get_weather"
    bedrock.respond("Oslo", tool={"name": name, "input": {"city": "Oslo"}})
    bedrock.respond(tool_result=name, text="It rains in Oslo.")
    assert RUN[which]("How is the weather in Oslo?") == "It rains in Oslo."
    bedrock.assert_called(times=2, tools=[name])
    assert "rain in Oslo" in bedrock.calls[1].body.decode()


@pytest.mark.parametrize("which", EMBED)
def test_embeddings(which: str, bedrock: Bedrock) -> None:
    bedrock.respond(embedding="auto")
    assert EMBED[which]("an offer") == 1024


@pytest.mark.parametrize("which", RUN)
def test_retries(which: str, bedrock: Bedrock) -> None:
    bedrock.respond(text="spam")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert RUN[which]("an offer") == "spam"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("which", RUN)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    trouble(lambda: RUN[which]("an offer"))


def _ask_agno() -> str:
    return _run_agno("How is the weather?")


def _ask_haystack() -> str:
    return _run_haystack("How is the weather?")


def _ask_kernel() -> str:
    return _run_kernel("How is the weather?")


@pytest.mark.parametrize(
    "ask", [_ask_agno, _ask_haystack, _ask_kernel], ids=["agno", "haystack", "semantic-kernel"]
)
def test_bedtape_run(
    ask: Callable[[], str], run_program: Callable[[Callable[[], str]], str]
) -> None:
    assert run_program(ask) == "It rains in Oslo."
