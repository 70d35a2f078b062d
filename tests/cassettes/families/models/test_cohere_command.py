"""Cohere Command: generations, streamed only where the request says so."""

from typing import Any
from uuid import UUID

import pytest

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.families.models.cohere_command import COHERE_COMMAND
from support.messages import model_request, render_chunks

MODEL = "cohere.command-light-text-v14"
REQUEST = {
    "prompt": "Say hi",
    "max_tokens": 9,
    "temperature": 0.5,
    "p": 0.9,
    "stop_sequences": ["|"],
}
STREAMS = {**REQUEST, "stream": True}


@pytest.mark.parametrize(
    ("asked", "count"), [({}, 1), ({"num_generations": 2}, 2), ({"num_generations": True}, 1)]
)
def test_as_many_generations_as_asked_for(asked: dict[str, Any], count: int) -> None:
    made: Any = COHERE_COMMAND.render(
        Message((Text("Hi."),)), model_request(COHERE_COMMAND, MODEL, {**REQUEST, **asked})
    )
    assert list(made) == ["id", "generations", "prompt"]
    assert made["prompt"] == "Say hi"
    assert [(each["text"], each["finish_reason"]) for each in made["generations"]] == [
        ("Hi.", "COMPLETE")
    ] * count
    assert len({UUID(each["id"]) for each in made["generations"]}) == count


def test_without_stream_the_stream_is_one_whole_answer() -> None:
    (made,) = render_chunks(COHERE_COMMAND, MODEL, REQUEST, Message((Text("Hi."),)))
    assert made["generations"][0]["text"] == "Hi."


def test_chunks_are_numbered_where_there_are_several() -> None:
    message = Message((Text("Hi, all of you."),), "max_tokens")
    *made, last = render_chunks(COHERE_COMMAND, MODEL, {**STREAMS, "num_generations": 2}, message)
    assert [list(chunk) for chunk in made] == [["index", "is_finished", "text"]] * len(made)
    for index in (0, 1):
        assert (
            "".join(chunk["text"] for chunk in made if chunk["index"] == index) == "Hi, all of you."
        )
    assert last == {"finish_reason": "MAX_TOKENS", "is_finished": True}
    assert "index" not in render_chunks(COHERE_COMMAND, MODEL, STREAMS, message)[0]
