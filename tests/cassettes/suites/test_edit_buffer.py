"""The text that an editor gets, and what it means afterwards."""

import re

import pytest
from hypothesis import given

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.suites import edit_buffer
from bedtape_cassettes.suites.assign import read_answer_text
from support.decoding import decode_text
from support.interactions import interactions
from support.recordings import converse, stream


@given(interactions)
def test_what_nobody_changed_is_nothing(interaction: Interaction) -> None:
    try:
        text = edit_buffer.render(interaction)
    except ValueError:  # what YAML cannot hold
        return
    assert edit_buffer.read(text, interaction) is None
    assert edit_buffer.read("", interaction) is None
    again = edit_buffer.read(text + "# a word\n", interaction)
    assert again is not None
    assert again.interaction == interaction


def test_words_above_and_members_below_are_both_taken() -> None:
    old = stream("q", ["It ", "rains."])
    text = (
        edit_buffer.render(old)
        .replace("text: It rains.", "text: It snows.", 1)
        .replace("stop_reason: end_turn", "stop_reason: max_tokens", 1)
    )
    edited = edit_buffer.read(text.replace("- text: q", "- text: why", 1), old)
    assert edited is not None
    assert decode_text(edited.interaction) == "It snows."
    assert b"why" in edited.interaction.request.body.data
    assert b"max_tokens" in edited.interaction.response.body.packed  # type: ignore[union-attr]


def test_events_edited_by_hand_stay_as_they_are_written() -> None:
    old = stream("q", ["It ", "rains."])
    edited = edit_buffer.read(re.sub("text: rains.", "text: hails.", edit_buffer.render(old)), old)
    assert edited is not None
    assert read_answer_text(edited.interaction) == "It hails."


def test_usage_is_taken() -> None:
    old = converse("q", "a")
    edited = edit_buffer.read(
        edit_buffer.render(old).replace("outputTokens: 1", "outputTokens: 9", 1), old
    )
    assert edited is not None
    assert b'"outputTokens":9,"totalTokens":10' in edited.interaction.response.body.data  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bedtape: 1", "tape: 1", "a line that begins with bedtape:"),
        ("status: 200", "status: 20", "from 200 to 599"),
        ("  stop_reason", "  stop", "the key stop"),
        ("answer:", "answers:", "something else"),
        ("stop_reason: end_turn", "stop_reason: tired", "expected a stop reason of"),
        ("  text: a", "  text: [a]", "text or a number"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, said: str) -> None:
    interaction = converse("q", "a")
    text = edit_buffer.render(interaction)
    assert old in text
    with pytest.raises(CassetteError) as raised:
        edit_buffer.read(text.replace(old, new, 1), interaction)
    assert said in str(raised.value)


# Where the editor's text has a value: the answer, and in the file a request, a body and an event.
PLACES = {
    "answer": (converse("q", "aaa"), "text: aaa", 0),
    "request": (converse("q", "aaa"), "text: q", 0),
    "body": (converse("q", "aaa"), "text: aaa", -1),
    "event": (stream("q", ["It ", "rains."]), "text: rains.", -1),
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (r'"\ud800"', "an escape that YAML has"),
        ("1e999", "a number that a double can hold"),
        ("-1e999", "a number that a double can hold"),
        ("9" * 5000, "a number of at most 4300 digits"),
        ("[" * 3000 + "]" * 3000, "nesting depth"),
    ],
    ids=["half a surrogate pair", "infinity", "minus infinity", "a huge integer", "too deep"],
)
@pytest.mark.parametrize(("interaction", "old", "which"), PLACES.values(), ids=PLACES)
def test_a_value_that_cannot_be_sent_is_refused(
    interaction: Interaction, old: str, which: int, value: str, said: str
) -> None:
    parts = edit_buffer.render(interaction).split(old)
    place = which % (len(parts) - 1)
    text = old.join(parts[: place + 1]) + f"text: {value}" + old.join(parts[place + 1 :])
    with pytest.raises(CassetteError, match=said):
        edit_buffer.read(text, interaction)


@pytest.mark.parametrize("value", ["NaN", ".nan", "Infinity", "-.inf"])
def test_a_word_that_is_no_number_of_json_is_text(value: str) -> None:
    old = converse("q", "aaa")
    edited = edit_buffer.read(edit_buffer.render(old).replace("text: q", f"text: {value}", 1), old)
    assert edited is not None
    assert f'"text":"{value}"'.encode() in edited.interaction.request.body.data


def test_lines_are_those_of_the_text() -> None:
    interaction = converse("q", "a")
    text = edit_buffer.render(interaction).replace("status: 200", "status: 20")
    with pytest.raises(CassetteError) as raised:
        edit_buffer.read(text, interaction)
    line = next(n for n, line in enumerate(text.splitlines(), 1) if "status: 20" in line)
    assert f":{line}: " in str(raised.value)


def test_two_new_texts_are_one_too_many() -> None:
    interaction = converse("q", "aaa")
    with pytest.raises(CassetteError, match="one new text"):
        edit_buffer.read(
            edit_buffer.render(interaction)
            .replace("text: aaa", "text: b", 1)
            .replace("text: aaa", "text: c", 1),
            interaction,
        )
