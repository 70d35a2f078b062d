"""Pydantic AI: agents on Converse, Chat Completions, Responses and Messages, as its pages
show them, and its embedder.
"""

import asyncio
from collections.abc import Callable

import pytest
from anthropic import AsyncAnthropicBedrockMantle
from openai import AsyncBedrockOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, Embedder
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock_mantle import BedrockMantleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from bedtape_replayer.engine.session import Session

MODELS: dict[str, Callable[[], Model]] = {
    "claude": lambda: BedrockConverseModel("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "nova": lambda: BedrockConverseModel("us.amazon.nova-lite-v1:0"),
    "llama": lambda: BedrockConverseModel("us.meta.llama3-3-70b-instruct-v1:0"),
    "mistral": lambda: BedrockConverseModel("mistral.mistral-large-2402-v1:0"),
    "gpt-oss": lambda: BedrockConverseModel("openai.gpt-oss-20b-1:0"),
    "chat-completions": lambda: OpenAIChatModel(
        "openai.gpt-oss-120b", provider=OpenAIProvider(openai_client=AsyncBedrockOpenAI())
    ),
    "responses": lambda: OpenAIResponsesModel(
        "openai.gpt-5.4", provider=BedrockMantleProvider(openai_client=AsyncBedrockOpenAI())
    ),
    "messages": lambda: AnthropicModel(
        "anthropic.claude-haiku-4-5",
        provider=AnthropicProvider(anthropic_client=AsyncAnthropicBedrockMantle()),
    ),
}
OPERATIONS = {
    "chat-completions": "ChatCompletions",
    "responses": "Responses",
    "messages": "Messages",
}
OTHERS = list(OPERATIONS)
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    agent = Agent(MODELS[which](), instructions="Be brief.")
    run = agent.run_sync("why record?", model_settings={"temperature": 0.5, "max_tokens": 99})
    assert run.output == SAID
    assert (run.usage.input_tokens, run.usage.output_tokens) == (11, 22)
    bedrock.assert_called(
        "why record?", times=1, operation=OPERATIONS.get(which, "Converse"), max_tokens=99
    )
    (call,) = bedrock.calls
    assert "Be brief." in call.prompt.text


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def streamed() -> list[str]:
        async with Agent(MODELS[which]()).run_stream("why record?") as answer:
            return [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]

    pieces = asyncio.run(streamed())
    assert "".join(pieces) == SAID
    assert len(pieces) > 1
    bedrock.assert_called(times=1, operation=OPERATIONS.get(which, "ConverseStream"))


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    agent = Agent(MODELS[which]())

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"sunny in {city}"

    assert agent.run_sync("What is the weather in Oslo?").output == "It is sunny."
    first, second = bedrock.calls
    assert first.tools == ("weather",)
    assert [given.text for given in second.tool_results] == ["sunny in Oslo"]


@pytest.mark.parametrize("which", ["claude", "nova", *OTHERS])
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", tool={"name": "final_result", "input": {"label": "spam"}})
    agent = Agent(MODELS[which](), output_type=Label)
    assert agent.run_sync("an offer").output == Label(label="spam")
    bedrock.assert_called("offer", times=1, tools=["final_result"])


def test_embeddings(embedding_model: tuple[str, int], bedrock: Session) -> None:
    name, dimension = embedding_model
    bedrock.respond(embedding="auto")
    one, other = (
        Embedder(f"bedrock:{name}").embed_documents_sync(["a cat", "a tax return"]).embeddings
    )
    assert len(one) == len(other) == dimension
    assert one != other


@pytest.mark.parametrize("which", ["claude", *OTHERS])
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert Agent(MODELS[which]()).run_sync("again").output == "at last"
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


@pytest.mark.parametrize("which", ["claude", *OTHERS])
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    """A model keeps its client, and an asynchronous client belongs to one event loop."""

    async def read() -> str:
        async with Agent(MODELS[which]()).run_stream("why record?") as answer:
            return await answer.get_output()

    trouble(lambda: Agent(MODELS[which]()).run_sync("why record?"), lambda: asyncio.run(read()))


def ask_about_oslo() -> str:
    return " ".join(
        {Agent(MODELS[which]()).run_sync("Weather in Oslo?").output for which in MODELS}
    )


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
