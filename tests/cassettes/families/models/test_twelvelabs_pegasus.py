"""Pegasus: a text and one of two words for its end, whole and in chunks."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import STOP_REASONS, Message, Reasoning, Text, ToolUse
from bedtape_cassettes.families.family import ModelRequest, RenderError
from bedtape_cassettes.families.models.twelvelabs_pegasus import TWELVELABS_PEGASUS
from support.native import invoke

MODEL = "us.twelvelabs.pegasus-1-2-v1:0"
REQUEST = {"inputPrompt": "What is it?", "temperature": 0.5, "maxOutputTokens": 99}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
STOPS = st.sampled_from(["end_turn", "max_tokens"])


def _chunks(content: Message, seed: int = 0) -> list[Any]:
    stream = TWELVELABS_PEGASUS.stream
    assert stream
    asked = dict(REQUEST)
    return list(
        stream(content, ModelRequest(MODEL, asked, TWELVELABS_PEGASUS.prompt(asked), Random(seed)))
    )


@given(TEXTS, STOPS)
def test_what_is_written_is_read_again(text: str, stop: str) -> None:
    content = Message((Text(text),), stop=stop)
    assert TWELVELABS_PEGASUS.read(invoke(MODEL, REQUEST, content)) == content
    gather = TWELVELABS_PEGASUS.gather
    assert gather
    assert gather(_chunks(content)) == content
    assert _chunks(content, 3) == _chunks(content, 3)


@pytest.mark.parametrize("stop", STOP_REASONS)
def test_every_stop_has_a_word_of_its_two(stop: str) -> None:
    made = invoke(MODEL, REQUEST, Message((Text("A dog."),), stop=stop))
    limits = ("max_tokens", "model_context_window_exceeded")
    assert made["finishReason"] == ("length" if stop in limits else "stop")


@pytest.mark.parametrize("block", [ToolUse("look", {}), Reasoning("Hm.")])
def test_what_is_no_text_is_refused(block: ToolUse | Reasoning) -> None:
    with pytest.raises(
        RenderError,
        match=f"twelvelabs_pegasus family answer with text alone, found {type(block).__name__}",
    ):
        invoke(MODEL, REQUEST, Message((Text("A dog."), block)))


def test_chunks_are_many() -> None:
    assert len(_chunks(Message((Text("word " * 50),)))) > 10


def test_the_request_is_read() -> None:
    prompt = TWELVELABS_PEGASUS.prompt(dict(REQUEST))
    assert (prompt.last, prompt.temperature, prompt.max_tokens) == ("What is it?", 0.5, 99)
