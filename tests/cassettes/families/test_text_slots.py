"""Where texts stand in streams, and how another is put there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.models.cohere_chat import COHERE_CHAT
from bedtape_cassettes.families.models.converse import CONVERSE
from bedtape_cassettes.families.models.llama import LLAMA
from bedtape_cassettes.families.models.nova import NOVA
from bedtape_cassettes.families.text_slots import slots, split_like, with_text
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Plain, at
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Event, Events, JsonValue, event_headers


def chunks(*values: JsonValue, every: int = 10) -> Events:
    return Events.of(
        [
            Event(every * n, event_headers("chunk"), bodies.seal_chunk(value), "bytes")
            for n, value in enumerate(values)
        ]
    )


def said(body: Body | Events | None) -> list[JsonValue | Plain]:
    assert body is not None
    return read_values(body)


@given(st.text(), st.lists(st.text(max_size=4), min_size=1))
def test_pieces_are_the_text(text: str, like: list[str]) -> None:
    made = split_like(text, like)
    assert "".join(made) == text
    assert len(made) == len(like)
    last = max((n for n, piece in enumerate(like) if piece), default=len(like) - 1)
    assert all(
        len(piece) <= len(old)
        for n, (piece, old) in enumerate(zip(made, like, strict=True))
        if n != last
    )


def nova(index: int, text: str) -> list[JsonValue]:
    delta: JsonValue = {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": index}}
    return [delta, {"contentBlockStop": {"contentBlockIndex": index}}]


def test_blocks_of_one_delta_come_and_go_with_their_ends() -> None:
    start: JsonValue = {"messageStart": {"role": "assistant"}}
    stop: JsonValue = {"messageStop": {"stopReason": "end_turn"}}
    body = chunks(start, *nova(0, "ab"), *nova(1, "cd"), stop)
    assert said(with_text(body, NOVA.members, "abcd", "x")) == [start, *nova(0, "x"), stop]
    assert said(with_text(body, NOVA.members, "abcd", "uvwxyz")) == [
        start,
        *nova(0, "uv"),
        *nova(1, "wx"),
        *nova(2, "yz"),
        stop,
    ]


def test_what_is_said_once_is_said_once() -> None:
    """Token counts, the reason for the end, metrics: their events neither go nor are repeated."""
    first: JsonValue = {"generation": "a", "prompt_token_count": 7, "stop_reason": None}
    middle: JsonValue = {"generation": "b", "prompt_token_count": None, "stop_reason": None}
    last: JsonValue = {"generation": "c", "prompt_token_count": None, "stop_reason": "stop"}
    body = chunks(first, middle, middle, last)
    short = said(with_text(body, LLAMA.members, "abbc", "x"))
    assert [at(value, ("generation",)) for value in short] == ["x", ""]
    assert [at(value, ("stop_reason",)) for value in short] == [None, "stop"]
    long = said(with_text(body, LLAMA.members, "abbc", "123456"))
    assert [at(value, ("generation",)) for value in long] == ["1", "2", "3", "4", "5", "6"]
    assert [at(value, ("stop_reason",)) for value in long] == [None] * 5 + ["stop"]
    assert [at(value, ("prompt_token_count",)) for value in long] == [
        7,
        None,
        None,
        None,
        None,
        None,
    ]


def test_a_text_that_is_repeated_as_a_whole_is_changed_there_too() -> None:
    end: JsonValue = {
        "is_finished": True,
        "response": {"text": "ab", "chat_history": [{"message": "ab"}, {"message": "q"}]},
    }
    body = chunks({"is_finished": False, "text": "a"}, {"is_finished": False, "text": "b"}, end)
    told = said(with_text(body, COHERE_CHAT.members, "ab", "new"))[-1]
    assert told == {
        "is_finished": True,
        "response": {"text": "new", "chat_history": [{"message": "new"}, {"message": "q"}]},
    }


def test_each_block_of_a_stream_keeps_a_delta() -> None:
    def delta(index: int, text: str) -> Event:
        value: JsonValue = {"contentBlockIndex": index, "delta": {"text": text}}
        return Event(0, event_headers("contentBlockDelta"), bodies.compact(value), "json")

    body = Events.of([delta(0, "ab"), delta(0, "cd"), delta(2, "ef"), delta(2, "gh")])
    short = said(with_text(body, CONVERSE.members, "abcdefgh", "x"))
    assert [(at(v, ("contentBlockIndex",)), at(v, ("delta", "text"))) for v in short] == [
        (0, "x"),
        (2, ""),
    ]


def test_texts_of_blocks_are_found_in_their_order() -> None:
    content: JsonValue = [
        {"text": "a"},
        {"citationsContent": {"content": [{"text": "b"}]}},
        {"text": "c"},
    ]
    text_slots = slots([{"output": {"message": {"content": content}}}], CONVERSE.members)
    assert [slot.text for slot in text_slots] == ["a", "b", "c"]


def test_another_text_than_the_answer_s_is_not_touched() -> None:
    assert with_text(Body("json", b'{"generation":"abc"}'), LLAMA.members, "xyz", "new") is None
    assert with_text(Body("json", b'{"unknown":"abc"}'), LLAMA.members, "abc", "new") is None
