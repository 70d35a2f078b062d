"""Jurassic-2: a text and the tokens that it is made of; it does not stream."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from bedtape_cassettes.families.content import Message, Text, Usage
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.ai21_j2 import AI21_J2
from bedtape_cassettes.families.rendering import render
from support.corpus import needs_corpus
from support.messages import TEXTS, model_request
from support.native import list_exchanges

MODEL = "ai21.j2-ultra-v1"
REQUEST = {
    "prompt": "Say\nhi  you",
    "maxTokens": 9,
    "temperature": 0.5,
    "topP": 0.9,
    "stopSequences": ["|"],
}


@given(TEXTS)
def test_tokens_follow_each_other_through_the_text(text: str) -> None:
    made: Any = AI21_J2.render(
        Message((Text(text),), "max_tokens"), model_request(AI21_J2, MODEL, REQUEST)
    )
    ranges = [token["textRange"] for token in made["completions"][0]["data"]["tokens"]]
    assert all(0 <= a["start"] < a["end"] <= b["start"] for a, b in pairwise(ranges))
    assert "".join("".join(text[at["start"] : at["end"]].split()) for at in ranges) == "".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("stop", "finish", "last"),
    [
        ("end_turn", {"reason": "endoftext"}, "<|endoftext|>"),
        ("max_tokens", {"reason": "length", "length": 2}, "▁you"),
        ("stop_sequence", {"reason": "stop", "sequence": "|"}, "▁you"),
    ],
)
def test_how_it_ended(stop: str, finish: dict[str, Any], last: str) -> None:
    made: Any = AI21_J2.render(
        Message((Text("Hi, you"),), stop, usage=Usage(7, 2)), model_request(AI21_J2, MODEL, REQUEST)
    )
    (completion,) = made["completions"]
    assert completion["finishReason"] == finish
    assert completion["data"]["tokens"][-1]["generatedToken"]["token"] == last


@pytest.mark.corpus
@needs_corpus
def test_tokens_have_the_members_of_recorded_ones() -> None:
    """Their number is the tokenizer's, so the shapes of whole answers cannot tell."""

    def members(token: Any) -> list[Any]:
        generated = token["generatedToken"]
        return [
            list(token),
            [(name, type(value)) for name, value in generated.items()],
            list(token["textRange"]),
        ]

    rows = list_exchanges("ai21.j2")
    assert rows
    made: Any = AI21_J2.render(Message((Text("Hi."),)), model_request(AI21_J2, MODEL, REQUEST))
    for row in rows:
        real = json.loads(row.response_body)
        for mine, theirs in (
            (made["prompt"]["tokens"], real["prompt"]["tokens"]),
            (made["completions"][0]["data"]["tokens"], real["completions"][0]["data"]["tokens"]),
        ):
            assert members(mine[0]) == members(theirs[0])


def test_it_does_not_stream() -> None:
    with pytest.raises(RenderError, match="ai21_j2 family do not stream"):
        render(
            Message((Text("Hi."),)),
            operation="InvokeModelWithResponseStream",
            model=MODEL,
            body=b"{}",
            chance=model_request(AI21_J2, MODEL, REQUEST).chance,
        )
