"""LlamaIndex: BedrockConverse and BedrockEmbedding, as its pages show them;
asynchronous calls go by aioboto3.
"""

import asyncio
from collections.abc import Callable

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.bedrock import BedrockEmbedding
from llama_index.llms.bedrock_converse import BedrockConverse
from pydantic import BaseModel

from bedtape_replayer.engine.session import Session

MODELS = {
    "claude": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "us.amazon.nova-lite-v1:0",
    "llama": "us.meta.llama3-3-70b-instruct-v1:0",
    "mistral": "mistral.mistral-large-2402-v1:0",
}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."
ASKED = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="why record?"),
]


class Label(BaseModel):
    """What a mail is."""

    label: str


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    answer = BedrockConverse(model=MODELS[which], temperature=0.5, max_tokens=99).chat(ASKED)
    assert answer.message.content == SAID
    bedrock.assert_called(
        "why record?",
        times=1,
        operation="Converse",
        system="Be brief.",
        max_tokens=99,
        temperature=0.5,
    )


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    pieces = list(
        filter(
            None, (piece.delta for piece in BedrockConverse(model=MODELS[which]).stream_chat(ASKED))
        )
    )
    assert "".join(pieces) == SAID
    assert len(pieces) > 1
    bedrock.assert_called(times=1, operation="ConverseStream")


@pytest.mark.parametrize("which", ["claude", "nova"])
def test_async(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def asked() -> tuple[str | None, str]:
        model = BedrockConverse(model=MODELS[which])
        whole = (await model.achat(ASKED)).message.content
        return whole, "".join(
            [piece.delta or "" async for piece in await model.astream_chat(ASKED)]
        )

    assert asyncio.run(asked()) == (SAID, SAID)
    assert [call.operation for call in bedrock.calls] == ["Converse", "ConverseStream"]


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    model = BedrockConverse(model=MODELS[which])
    answer = model.predict_and_call(
        [FunctionTool.from_defaults(weather)], "What is the weather in Oslo?"
    )
    assert str(answer) == "sunny in Oslo"
    bedrock.assert_called("Oslo", times=1, tools=["weather"], stop_reason="tool_use")


@pytest.mark.parametrize("which", ["claude", "nova"])
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("offer", tool={"name": "Label", "input": {"label": "spam"}})
    model = BedrockConverse(model=MODELS[which]).as_structured_llm(Label)
    assert model.complete("an offer").raw == Label(label="spam")
    bedrock.assert_called("offer", times=1, tools=["Label"])


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("amazon.titan-embed-text-v2:0", 1024),
        ("cohere.embed-english-v3", 1024),
        ("cohere.embed-v4:0", 1536),
    ],
    ids=["titan", "cohere-v3", "cohere-v4"],
)
def test_embeddings(name: str, dimension: int, bedrock: Session) -> None:
    bedrock.respond(embedding="auto")
    one, other = BedrockEmbedding(model_name=name).get_text_embedding_batch(
        ["a cat", "a tax return"]
    )
    assert len(one) == len(other) == dimension
    assert one != other


def test_retries(bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    assert BedrockConverse(model=MODELS["claude"]).chat(ASKED).message.content == "at last"
    assert [call.status for call in bedrock.calls] == [429, 200]


@pytest.mark.parametrize("which", ["claude", "nova"])
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    model = BedrockConverse(model=MODELS[which])
    trouble(lambda: model.chat(ASKED), lambda: list(model.stream_chat(ASKED)))


def ask_about_oslo() -> str:
    return str(BedrockConverse(model=MODELS["claude"]).chat(ASKED).message.content)


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
