"""What a change would do to files."""

from dataclasses import replace

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.preview import Plan, plan, render
from bedtape_cassettes.suites.timing import Retiming, retime
from support.recordings import converse

ONE, TWO = (
    replace(converse(t, t, after_ms=9), file=f"a/000{n}-x.yaml") for n, t in enumerate("12", 1)
)
SUITE = (Cassette("a", (ONE, TWO)),)


def test_each_kind_of_change_is_told_and_nothing_else() -> None:
    assert plan(SUITE, SUITE) == Plan()
    assert plan(SUITE, SUITE).summary == "nothing changes"
    assert plan(SUITE, bulk.drop(SUITE, {"a": (0,)})) == Plan(removed=("a/0001-x.yaml",))
    assert plan(SUITE, bulk.rename(SUITE, "a", "b")).moved == (
        ("a/0001-x.yaml", "b/0001-x.yaml"),
        ("a/0002-x.yaml", "b/0002-x.yaml"),
    )
    copied = plan(SUITE, bulk.copy(SUITE, {"a": (0,)}, "b"))
    assert [one for one, _ in copied.copied] == ["a/0001-x.yaml"]
    assert plan((), SUITE) == Plan(added=("a/0001-x.yaml", "a/0002-x.yaml"))


def test_what_changes_in_place_is_shown_as_a_diff() -> None:
    changed = plan(SUITE, bulk.change_each(SUITE, {"a": (1,)}, lambda i: retime(i, Retiming(0))))
    assert changed.summary == "interactions: 1 changed"
    assert [line.text for line in render(changed)] == [
        "changed a/0002-x.yaml",
        "  noise: after_ms",
        "    -9",
        "    +0",
    ]


def test_the_same_interaction_twice_is_moved_twice() -> None:
    twice = (Cassette("a", (ONE, replace(ONE, file="a/0002-x.yaml"))),)
    assert len(plan(twice, bulk.rename(twice, "a", "b")).moved) == 2
