"""DSPy: its language models, which call Bedrock through LiteLLM, on Converse, InvokeModel, Chat
Completions and Responses.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import dspy
import pytest

from bedtape_replayer.engine.session import Session

MODELS: dict[str, dict[str, Any]] = {
    "converse": {"model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    "invoke": {"model": "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    "chat-completions": {"model": "bedrock_mantle/openai.gpt-oss-120b"},
    "responses": {"model": "bedrock/us.openai.gpt-5.4", "model_type": "responses"},
}
OPERATIONS = {
    "converse": "Converse",
    "invoke": "InvokeModel",
    "chat-completions": "ChatCompletions",
    "responses": "Responses",
}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


def write(**fields: str) -> str:
    """What a model writes that follows DSPy's instructions."""
    parts = "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items())
    return f"{parts}[[ ## completed ## ]]\n"


def model(which: str) -> dspy.LM:
    """Without DSPy's own cache, as a test that counts calls wants it."""
    return dspy.LM(**MODELS[which], cache=False)


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    (answer,) = model(which)("why record?")
    assert (answer["text"] if which == "responses" else answer) == SAID
    bedrock.assert_called("why record?", times=1, operation=OPERATIONS[which])


@pytest.mark.parametrize("which", MODELS)
def test_structured(which: str, bedrock: Session) -> None:
    bedrock.respond("an offer", text=write(reasoning="It sells.", spam="True"))
    with dspy.context(lm=model(which)):
        prediction = dspy.ChainOfThought("mail -> spam: bool")(mail="an offer")
    assert (prediction.reasoning, prediction.spam) == ("It sells.", True)
    bedrock.assert_called("an offer", times=1, operation=OPERATIONS[which])


@pytest.mark.parametrize("which", ["converse", "invoke", "chat-completions"])
def test_stream(which: str, bedrock: Session) -> None:
    """DSPy holds back the last words, in which a field might end."""
    story = " ".join([SAID] * 9)
    bedrock.respond("why record?", text=write(answer=story))

    async def streamed() -> tuple[list[str], str]:
        with dspy.context(lm=model(which)):
            listener = dspy.streaming.StreamListener(signature_field_name="answer")
            program = dspy.streamify(
                dspy.Predict("question -> answer"), stream_listeners=[listener]
            )
            values = [value async for value in program(question="why record?")]
        pieces = [
            value.chunk for value in values if isinstance(value, dspy.streaming.StreamResponse)
        ]
        return pieces, values[-1].answer

    pieces, answer = asyncio.run(streamed())
    assert "".join(pieces).strip() == answer == story
    assert len(pieces) > 1


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Session) -> None:
    """ReAct writes its calls as text."""
    first = write(next_thought="Look.", next_tool_name="weather", next_tool_args='{"city": "Oslo"}')
    last = write(next_thought="Done.", next_tool_name="finish", next_tool_args="{}")
    bedrock.respond("next_tool_name", answers=[{"text": first}, {"text": last}])
    bedrock.respond(text=write(reasoning="It is so.", answer="It is sunny."))
    with dspy.context(lm=model(which)):
        agent = dspy.ReAct("question -> answer", tools=[weather])
        assert agent(question="What is the weather in Oslo?").answer == "It is sunny."
    assert "sunny in Oslo" in bedrock.calls[1].body.decode()


def test_embeddings(embedding_model: tuple[str, int], bedrock: Session) -> None:
    name, dimension = embedding_model
    bedrock.respond(embedding="auto")
    one, other = dspy.Embedder(f"bedrock/{name}", caching=False)(["a cat", "a tax return"])
    assert len(one) == len(other) == dimension
    assert list(one) != list(other)
    assert {call.operation for call in bedrock.calls} == {"InvokeModel"}


def test_embeddings_of_openais_api(bedrock: Session) -> None:
    bedrock.respond(embedding="auto", dimension=64)
    model = dspy.Embedder("openai/amazon.titan-embed-text-v2:0", caching=False)
    one, other = model(["a cat", "a tax return"])
    assert len(one) == len(other) == 64
    assert list(one) != list(other)
    assert {call.operation for call in bedrock.calls} == {"Embeddings"}


@pytest.mark.parametrize("which", MODELS)
def test_retries(which: str, bedrock: Session) -> None:
    bedrock.respond("again", text=write(answer="at last"))
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    with dspy.context(lm=model(which)):
        assert dspy.Predict("question -> answer")(question="again").answer == "at last"
    assert [call.status for call in bedrock.calls] == [429, 200]


@pytest.mark.parametrize("which", MODELS)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    trouble(lambda: model(which)("why record?"))


def ask_about_oslo() -> str:
    texts = {
        model(which)("Weather in Oslo?")[0] for which in ("converse", "invoke", "chat-completions")
    }
    return " ".join(texts)


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
