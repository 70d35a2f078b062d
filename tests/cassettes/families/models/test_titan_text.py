"""Titan Text: one result, few long deltas, counts in the first and the last."""

import pytest

from bedtape_cassettes.families.content import Message, Text, Usage
from bedtape_cassettes.families.models.titan_text import TITAN_TEXT
from support.messages import model_request, render_chunks

MODEL = "amazon.titan-text-express-v1"
REQUEST = {
    "inputText": "Say hi",
    "textGenerationConfig": {
        "maxTokenCount": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["|"],
    },
}
STOPS = {
    "end_turn": "FINISH",
    "max_tokens": "LENGTH",
    "stop_sequence": "STOP_CRITERIA_MET",
    "content_filtered": "CONTENT_FILTERED",
}


@pytest.mark.parametrize(("stop", "word"), STOPS.items())
def test_a_whole_answer(stop: str, word: str) -> None:
    made = TITAN_TEXT.render(
        Message((Text("Hi."),), stop, usage=Usage(7, 2)), model_request(TITAN_TEXT, MODEL, REQUEST)
    )
    result = {"tokenCount": 2, "outputText": "Hi.", "completionReason": word}
    assert made == {"inputTextTokenCount": 7, "results": [result]}


def test_chunks_are_long_and_the_first_and_last_count() -> None:
    made = render_chunks(
        TITAN_TEXT, MODEL, REQUEST, Message((Text("Hi. " * 250),), usage=Usage(7, 99))
    )
    assert 3 < len(made) < 13
    assert [chunk["inputTextTokenCount"] for chunk in made] == [7] + [None] * (len(made) - 1)
    assert [chunk["totalOutputTextTokenCount"] for chunk in made] == [None] * (len(made) - 1) + [99]
    assert [chunk["completionReason"] for chunk in made] == [None] * (len(made) - 1) + ["FINISH"]
    assert {chunk["index"] for chunk in made} == {0}


def test_a_short_answer_is_one_chunk() -> None:
    (made,) = render_chunks(
        TITAN_TEXT, MODEL, REQUEST, Message((Text("Hi."),), "max_tokens", usage=Usage(7, 2))
    )
    assert (made["inputTextTokenCount"], made["totalOutputTextTokenCount"]) == (7, 2)
