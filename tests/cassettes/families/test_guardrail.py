"""The guardrail's assessment; its members are held against a real one in test_rendering."""

from random import Random
from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import Embeddings, Message, Prompt, Text, Turn
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.guardrail import render_assessment
from support import contents


@given(contents.messages(contents.TEXTS))
def test_it_says_the_message_only_when_it_steps_in(message: Message) -> None:
    assessment: Any = render_assessment(message, Prompt(turns=(Turn("user", "x"),)), Random(0))
    stopped = message.stop == "guardrail_intervened"
    assert assessment["action"] == ("GUARDRAIL_INTERVENED" if stopped else "NONE")
    assert assessment["outputs"] == ([{"text": message.text}] if stopped else [])


@pytest.mark.parametrize(("length", "units"), [(0, 0), (1, 1), (1000, 1), (1001, 2)])
def test_texts_are_counted_in_thousands(length: int, units: int) -> None:
    assessment: Any = render_assessment(
        Message((Text("x"),)), Prompt(turns=(Turn("user", "x" * length),)), Random(0)
    )
    assert assessment["usage"]["topicPolicyUnits"] == units


def test_only_a_message_will_do() -> None:
    with pytest.raises(RenderError, match="found Embeddings"):
        render_assessment(Embeddings(), Prompt(), Random(0))
