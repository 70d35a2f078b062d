"""What plain families share: words for why an answer ended, deltas, counts."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import STOP_REASONS, Embeddings, Message, Text, ToolUse
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.shared import completion


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        (None, "end_turn"),
        ("", "end_turn"),
        (518, "end_turn"),
        ("max_tokens", "max_tokens"),
        ("GUARDRAIL_INTERVENED", "guardrail_intervened"),
        ("MAX_OUTPUT_TOKENS", "max_tokens"),
        ("function_call", "tool_use"),
        ("eos_token", "end_turn"),
        ("STOP_CRITERIA_MET", "stop_sequence"),
        ("ERROR_TOXIC", "content_filtered"),
        ("safety", "content_filtered"),
        ("context_length_exceeded", "model_context_window_exceeded"),
        ("gibberish", "malformed_model_output"),
    ],
)
def test_words_are_read_as_what_they_are_like(word: str | int | None, stop: str) -> None:
    assert completion.stop_of(completion.FINISH, word) == stop


@given(st.text())
def test_every_word_is_some_stop_reason(word: str) -> None:
    assert completion.stop_of(completion.FINISH, word) in STOP_REASONS


def test_what_a_guardrail_did_stands_beside_the_word() -> None:
    bodies = ({"text": "No."}, {"amazon-bedrock-guardrailAction": "INTERVENED"})
    assert completion.stop_of(completion.FINISH, "stop", *bodies) == "guardrail_intervened"
    assert (
        completion.stop_of(completion.FINISH, "stop", {"amazon-bedrock-guardrailAction": "NONE"})
        == "end_turn"
    )


def test_a_full_context_is_a_limit_where_there_is_no_word_of_its_own() -> None:
    assert (
        completion.word_of(completion.FINISH, "model_context_window_exceeded", "llama") == "length"
    )
    own = {**completion.FINISH, "model_context_window_exceeded": "full"}
    assert completion.word_of(own, "model_context_window_exceeded", "llama") == "full"


def test_a_reason_without_a_word_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(
        RenderError,
        match=r"llama family end with one of end_turn, max_tokens, .*found the stop reason 'tool_u",
    ):
        completion.word_of(completion.FINISH, "tool_use", "llama")


def test_only_messages_of_text_have_a_text() -> None:
    assert completion.text_of(Message((Text("Hi, "), Text("you."))), "llama") == "Hi, you."
    with pytest.raises(RenderError, match="text alone, found ToolUse"):
        completion.text_of(Message((Text("Hi."), ToolUse("add", {}))), "llama")
    with pytest.raises(RenderError, match="found Embeddings"):
        completion.text_of(Embeddings(), "llama")


@given(st.text(max_size=99), st.integers(1, 9), st.integers(0, 9), st.booleans(), st.integers())
def test_pieces_are_the_text_and_there_is_always_one(
    text: str, least: int, more: int, last: bool, seed: int
) -> None:
    pieces, ends = zip(
        *completion.pieces(text, Random(seed), least, least + more, last=last), strict=True
    )
    assert ends == (*(False for _ in pieces[1:]), True)
    assert "".join(pieces) == text
    assert (pieces[-1] == "") == (last or not text)
    assert all(least <= len(piece) <= least + more for piece in pieces[: -2 if last else -1])


@pytest.mark.parametrize(
    ("value", "strings"), [("|", ("|",)), (["a", 1, "b"], ("a", "b")), (None, ()), ({}, ())]
)
def test_stop_sequences_may_be_one_text(value: object, strings: tuple[str, ...]) -> None:
    assert completion.strings({"stop": value}, "stop") == strings  # type: ignore[dict-item]


def test_ids_and_times_come_from_chance() -> None:
    made = [
        (UUID(completion.uuid(Random(seed))).version, completion.uuid(Random(seed)))
        for seed in (1, 1, 2)
    ]
    assert {version for version, _ in made} == {4}
    assert made[0] == made[1] != made[2]
    assert (
        completion.choose_creation_time(Random(1))
        == completion.choose_creation_time(Random(1))
        != completion.choose_creation_time(Random(2))
    )
