"""Substitution changes texts on both sides, and nothing that is a word of an API."""

import json
from pathlib import Path

import pytest

import bedtape_cassettes
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import document
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.assign import read_answer_text
from bedtape_cassettes.suites.substitute import parse, substitute
from bedtape_cassettes.suites.texts import SIDES, read_request_text, read_response_text, search
from support.recordings import converse

SAMPLES = [
    i
    for c in store.read([Path(bedtape_cassettes.__file__).parent / "samples"])
    for i in c.interactions
]


def replaced(
    interaction: Interaction, old: str, new: str, *sides: str, regex: bool = False
) -> Interaction:
    chosen = tuple(side for side in SIDES if side in (sides or SIDES))
    return substitute(interaction, parse(old, new, regex=regex), chosen).interaction


@pytest.mark.parametrize(
    "interaction", [i for i in SAMPLES if i.operation != "Retrieve"], ids=lambda i: i.file
)
def test_a_word_of_a_sample_is_replaced_everywhere(interaction: Interaction) -> None:
    """What is read afterwards is what was read before, with the word replaced."""
    for word in ("Bergen", "Oslo", "rain"):
        changed = replaced(interaction, word, "Rome")
        assert read_request_text(changed) == read_request_text(interaction).replace(word, "Rome")
        document.read(document.write(changed), "0001.yaml")
        # Reasoning stays, because its signature covers it.
        text = read_answer_text(interaction)
        assert read_answer_text(changed) == (text and text.replace(word, "Rome"))


def test_words_of_the_api_stay() -> None:
    changed = replaced(converse("a user said text", "user"), "user", "customer")
    body = json.loads(changed.request.body.data)
    assert body == {"messages": [{"role": "user", "content": [{"text": "a customer said text"}]}]}
    assert read_response_text(changed) == "customer"


def test_one_side_and_groups() -> None:
    both = converse("9 degrees", "10 degrees")
    assert (
        read_response_text(replaced(both, r"(\d+) degrees", r"\1 °C", "answer", regex=True))
        == "10 °C"
    )
    assert replaced(both, "degrees", "°C", "request").response == both.response
    assert replaced(both, "degrees", "°C", "answer").request == both.request


def test_a_text_is_literal_without_regex() -> None:
    assert read_request_text(replaced(converse("a.c abc", "x"), "a.c", r"\1")) == r"\1 abc"


@pytest.mark.parametrize(("old", "new"), [("(", "x"), ("a", r"\1"), ("", "x")])
def test_an_invalid_pattern_is_refused(old: str, new: str) -> None:
    with pytest.raises(CassetteError, match="expected"):
        parse(old, new, regex=True)


def test_search_returns_lines_with_their_side() -> None:
    interaction = converse("one\nrain today", "no rain\nsun")
    results = search(interaction, parse("rain", "", regex=False).pattern)
    assert [(match.side, match.line) for match in results] == [
        ("request", "rain today"),
        ("answer", "no rain"),
    ]
