"""Cassettes in numbers."""

from dataclasses import replace

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.suites.listing import Row, build_row, render_table, total_by_operation
from support.recordings import MODEL, converse, record_interaction, stream

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_a_row_counts_what_is_in_a_cassette() -> None:
    stale = replace(converse("a", "b"), file="x/0001-converse-00000000.yaml")
    cut = replace(stream("a", ["b"]), partial=True)
    row = build_row(Cassette("x", (stale, cut, converse("c", "d", model=HAIKU))), 1200, 60)
    assert row == Row(
        "x", 3, ("Converse", "ConverseStream"), (MODEL, HAIKU), 1200, 60, partial=1, stale=1
    )


def test_totals_are_by_operation_and_model_the_most_first() -> None:
    totals = total_by_operation(
        [
            record_interaction(b"{}", b"{}", status=429),
            converse("a", "b", after_ms=100),
            stream("a", ["b"], at_ms=[0, 10, 20, 30], after_ms=100),
            converse("a", "b", model=HAIKU),
            converse("c", "b", model=HAIKU),
            converse("d", "b", model=HAIKU),
        ]
    )
    shown = [
        (t.operation, t.model, t.interactions, t.errors, t.tokens_in, t.tokens_out, t.waited_ms)
        for t in totals
    ]
    assert shown == [
        ("Converse", HAIKU, 3, 0, 3, 3, 0),
        ("Converse", MODEL, 2, 1, 1, 1, 100),
        ("ConverseStream", MODEL, 1, 0, 0, 0, 130),
    ]


def test_columns_stand_in_line_and_hold_no_controls() -> None:
    lines = [
        line.text
        for line in render_table([("name", "n"), ("a\x1b", "10"), ("longer", "2")], right=(1,))
    ]
    assert lines == ["name     n", "a\\x1b   10", "longer   2"]
