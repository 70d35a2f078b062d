"""What is doubtful about cassettes that load."""

from dataclasses import replace
from datetime import date

import pytest

from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.storage.file_names import name_file
from bedtape_cassettes.suites import checks, service_model
from bedtape_cassettes.suites.checks import Drift, Facts, check
from support.recordings import converse, record_interaction, stream

TODAY = Facts(date(2026, 11, 22))


def suite(*interactions: Interaction) -> Suite:
    return (
        Cassette(
            "a",
            tuple(replace(i, file=f"a/{name_file(n, i)}") for n, i in enumerate(interactions, 1)),
        ),
    )


def told(of: Suite, facts: Facts = TODAY) -> list[tuple[str, str, str]]:
    return [(one.level, one.kind, one.where) for one in check(of, facts)]


def test_well_is_well() -> None:
    assert (
        told(suite(converse("1", "a"), stream("2", ["b"])), replace(TODAY, drifts=service_model))
        == []
    )


def test_requests_that_ask_the_same() -> None:
    same = suite(converse("1", "a"), converse("1", "a"), converse("2", "a"), converse("2", "b"))
    assert told(same) == [("note", "shadowed", "a:2"), ("note", "sequence", "a:4")]


def test_models_at_their_end() -> None:
    old = converse("1", "a", model="us.anthropic.claude-3-7-sonnet-20250219-v1:0")
    soon = converse("2", "a", model="anthropic.claude-opus-4-1-20250805-v1:0")
    assert told(suite(old, soon)) == [
        ("note", "model-ended", "a:1"),
        ("note", "model-ended", "a:2"),
    ]
    assert told(suite(old), Facts(date(2026, 4, 27))) == [("note", "model-ended", "a:1")]
    assert "reached" in check(suite(old), Facts(date(2026, 4, 28)))[0].message


def test_marks() -> None:
    cut = replace(converse("1", "a"), partial=True)
    (cassette,) = suite(cut, converse("2", "b"))
    moved = replace(cassette.interactions[1], request=converse("3", "").request)
    named = (
        Cassette(
            "a", (cassette.interactions[0], replace(moved, file=cassette.interactions[1].file))
        ),
    )
    assert told(named) == [("wrong", "partial", "a:1"), ("note", "stale-name", "a:2")]


def test_ages_and_what_was_played() -> None:
    of = suite(converse("1", "a"), converse("2", "b"))
    one, two = (i.file for i in of[0].interactions)
    assert told(of, replace(TODAY, days={one: 91, two: 90}, oldest=90)) == [("wrong", "old", "a:1")]
    assert told(of, replace(TODAY, played=frozenset({one, "x"}))) == [
        ("note", "never-played", "a:2")
    ]


@pytest.mark.parametrize(
    ("request_body", "answer", "expected"),
    [
        (b'{"messages":[{"role":"user"}]}', b"{}", [("wrong", "request-drift", "a:1")]),
        (b'{"messages":[]}', b'{"stopReason":[]}', [("wrong", "answer-drift", "a:1")]),
        (
            b'{"messages":[],"novel":1}',
            b'{"novel":1}',
            [("note", "request-drift", "a:1"), ("note", "answer-drift", "a:1")],
        ),
    ],
)
def test_drift(request_body: bytes, answer: bytes, expected: list[tuple[str, str, str]]) -> None:
    findings = told(
        suite(record_interaction(request_body, answer)), replace(TODAY, drifts=service_model)
    )
    assert list(dict.fromkeys(one for one in findings if one in expected)) == expected
    assert {level for level, *_ in findings} == {level for level, *_ in expected} | {"note"}


def test_a_request_that_was_refused_was_meant_to_be_wrong() -> None:
    refused = record_interaction(b'{"messages":7}', b'{"message":"no"}', status=400)
    assert told(suite(refused), replace(TODAY, drifts=service_model)) == []


def test_each_thing_is_told_once() -> None:
    event = stream("q", ["a", "b", "c"])
    facts = replace(TODAY, drifts=_Strange())
    assert told(suite(event), facts) == [("note", "answer-drift", "a:1")]
    assert check(suite(event), facts)[0].message == "test: the same"


class _Strange:
    VERSION = "test"

    def find_request_drift(self, service: str, operation: str, body: object) -> list[Drift]:
        return []

    def find_answer_drift(self, service: str, operation: str, body: object) -> list[Drift]:
        return []

    def find_event_drift(
        self, service: str, operation: str, event: str, payload: object
    ) -> list[Drift]:
        return [Drift("the same", certain=False)]


def test_progress_is_told() -> None:
    seen: list[str] = []
    checked = suite(converse("1", "a"), converse("2", "a"))
    checks.check(checked, TODAY, seen.append)
    assert seen == [interaction.file for interaction in checked[0].interactions]


def test_equal_results_are_one_line() -> None:
    old = [converse(text, "a", model="anthropic.claude-3-7-sonnet-20250219-v1:0") for text in "123"]
    results = check(suite(*old, converse("4", "a"), converse("4", "a")), TODAY)
    assert [(one.kind, places) for one, places in checks.group(results)] == [
        ("shadowed", ("a:5",)),
        ("model-ended", ("a:1", "a:2", "a:3")),
    ]
