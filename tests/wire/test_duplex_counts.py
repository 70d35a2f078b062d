"""The events of a conversation decide which recording was played: for strict playback, for the list
of unplayed recordings, and for `assert_all_played`.
"""

from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.history.assertions import CallsMismatch
from support.client import until
from support.duplex import SETUP, Duplex, record, text_content
from support.folders import write

PLAYED_ONCE = "strict playback plays each recording once"


def question(number: int, answer: str = "") -> Interaction:
    """A recording of one question and its answer."""
    return record(
        [
            *((0, "in", event) for event in (*SETUP, *text_content("USER", f"question {number}"))),
            (5, "out", {"textOutput": {"content": answer or f"answer {number}"}}),
        ]
    )


def ask(bedrock: Replayer, number: int) -> str:
    """Hold a conversation to its end. Return the answer, or the message of the exception."""
    before = len(bedrock.calls)
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *text_content("USER", f"question {number}"))
        client.end()
        events = client.read_all()
        until(lambda: len(bedrock.calls) > before)
        if client.errors:
            return client.errors[0][1]
        return str(events[0]["event"]["textOutput"]["content"]) if events else ""


def unplayed(bedrock: Replayer) -> int:
    """The number of recordings that `assert_all_played` names."""
    try:
        bedrock.assert_all_played()
    except CallsMismatch as error:
        return str(error).count(".yaml")
    return 0


def serve(tmp_path: Path, *recordings: Interaction, **options: object) -> Replayer:
    write(tmp_path / "cassettes", Cassette("talks", recordings))
    return Replayer(tmp_path / "cassettes", **options)  # type: ignore[arg-type]


def test_the_recording_counts_to_which_the_conversation_came(tmp_path: Path) -> None:
    with serve(tmp_path, question(0), question(1), question(2)) as bedrock:
        for left, number in ((2, 2), (2, 2), (1, 0), (0, 1)):
            assert ask(bedrock, number) == f"answer {number}"
            assert unplayed(bedrock) == left


def test_a_conversation_that_ends_early_is_not_played(tmp_path: Path) -> None:
    ended: list[Outcome] = []
    with serve(tmp_path, question(0), strict=True, observer=ended.append) as bedrock:
        with Duplex(bedrock.port) as client:
            client.send(*SETUP)
        until(lambda: len(ended) == 1)
        assert unplayed(bedrock) == 1
        with Duplex(bedrock.port) as client:
            client.send(*SETUP)
            client.end()
            client.read_all()
        until(lambda: len(ended) == 2)
        assert unplayed(bedrock) == 1
        assert ask(bedrock, 0) == "answer 0"
        until(lambda: len(ended) == 3)
        assert unplayed(bedrock) == 0
        assert [outcome.answer.file for outcome in ended[:2]] == [None, None]
        assert ended[2].answer.file is not None


def test_strict_playback_plays_each_conversation_once(tmp_path: Path) -> None:
    with serve(tmp_path, question(0, "a"), question(0, "b"), question(1), strict=True) as bedrock:
        assert ask(bedrock, 1) == "answer 1"
        assert "expected textInput (TEXT, USER)" in ask(bedrock, 1)
        assert [ask(bedrock, 0), ask(bedrock, 0)] == ["a", "b"]
        assert unplayed(bedrock) == 0
        with Duplex(bedrock.port) as client:
            client.read_all()
            assert client.status == 400
            assert PLAYED_ONCE in client.body.decode()


def test_without_strict_the_last_conversation_repeats(tmp_path: Path) -> None:
    with serve(tmp_path, question(0, "a"), question(0, "b")) as bedrock:
        assert [ask(bedrock, 0) for _ in range(4)] == ["a", "b", "b", "b"]


@pytest.mark.parametrize("strict", [False, True])
def test_parallel_conversations_play_different_recordings(tmp_path: Path, strict: bool) -> None:
    asked = text_content("USER", "question 0")
    recordings = (question(0, "a"), question(0, "b"))
    with (
        serve(tmp_path, *recordings, strict=strict) as bedrock,
        Duplex(bedrock.port) as first,
        Duplex(bedrock.port) as second,
    ):
        answers = []
        for client in (first, second):
            client.send(*SETUP, *asked)
            answers.append(client.read_until(1)[0]["event"]["textOutput"]["content"])
        assert sorted(answers) == ["a", "b"]
        for client in (first, second):
            client.end()
            client.read_all()
        until(lambda: len(bedrock.calls) == 2)
        assert unplayed(bedrock) == 0


def test_of_parallel_conversations_with_one_recording_strict_plays_one(tmp_path: Path) -> None:
    asked = text_content("USER", "question 0")
    with (
        serve(tmp_path, question(0, "a"), strict=True) as bedrock,
        Duplex(bedrock.port) as first,
        Duplex(bedrock.port) as second,
    ):
        for client in (first, second):
            client.send(*SETUP)
        for client in (first, second):
            while not client.status:
                client.read()
        first.send(*asked)
        assert first.read_until(1)[0]["event"]["textOutput"]["content"] == "a"
        second.send(*asked)
        second.read_all()
        assert PLAYED_ONCE in second.errors[0][1]
        first.end()
        first.read_all()
        until(lambda: len(bedrock.calls) == 2)
        assert unplayed(bedrock) == 0
