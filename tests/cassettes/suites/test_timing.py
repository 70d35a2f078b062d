"""Times of answers, changed: nothing of them, all of them scaled, or none longer than so much."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import LONGEST_MS, Events, Interaction
from bedtape_cassettes.suites.timing import Retiming, retime
from support import duplex
from support.recordings import converse, stream

TIMES = [0, 40, 900, 910]


def times(interaction: Interaction) -> list[int]:
    body = interaction.response.body
    assert isinstance(body, Events)
    return [event.at_ms for event in body.events]


@pytest.mark.parametrize(
    ("retiming", "head", "events"),
    [
        (Retiming(0.0), 0, [0, 0, 0, 0]),
        (Retiming(0.5), 150, [0, 20, 450, 455]),
        (Retiming(2), 600, [0, 80, 1800, 1820]),
        (Retiming(cap_ms=100), 100, [0, 40, 140, 150]),
        (Retiming(0.5, 100), 100, [0, 20, 120, 125]),
        (Retiming(), 300, TIMES),
    ],
)
def test_times_are_changed_and_nothing_else(
    retiming: Retiming, head: int, events: list[int]
) -> None:
    before = stream("a", ["b"], at_ms=TIMES, after_ms=300)
    after = retime(before, retiming)
    assert (after.response.after_ms, times(after)) == (head, events)
    assert retime(after, Retiming(0.0)) == retime(before, Retiming(0.0))


def test_a_whole_answer_has_only_the_time_of_its_head() -> None:
    assert retime(converse("a", "b", after_ms=300), Retiming(cap_ms=50)) == converse(
        "a", "b", after_ms=50
    )


@given(st.lists(st.integers(0, 5000), min_size=4, max_size=4), st.integers(0, 1000))
def test_no_wait_is_longer_than_the_cap_and_order_stays(waits: list[int], cap: int) -> None:
    at = [sum(waits[: n + 1]) for n in range(4)]
    capped = times(retime(stream("a", ["b"], at_ms=at), Retiming(cap_ms=cap)))
    assert all(0 <= later - earlier <= cap for earlier, later in pairwise((0, *capped)))
    assert all(new <= old for new, old in zip(capped, at, strict=True))


def test_what_no_cassette_can_hold_is_refused() -> None:
    with pytest.raises(CassetteError, match="scale by less"):
        retime(converse("a", "b", after_ms=LONGEST_MS), Retiming(1.5))


# -- conversations ---------------------------------------------------------------------------------


def order(interaction: Interaction) -> list[str]:
    """The sides of the events by time. At one time, the client's events come first."""
    sent, body = interaction.request.events, interaction.response.body
    assert sent is not None
    assert isinstance(body, Events)
    events = [(e.at_ms, "client") for e in sent.events] + [(e.at_ms, "model") for e in body.events]
    return [side for _, side in sorted(events)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["in", "out"])), min_size=1),
    st.sampled_from([Retiming(0.0), Retiming(0.01), Retiming(3.0), Retiming(cap_ms=0)]),
)
def test_a_conversation_keeps_the_order_of_both_sides(
    waits: list[tuple[int, str]], retiming: Retiming
) -> None:
    """Replay takes from the times which event of the client an output follows."""
    times = accumulate(wait * 100 for wait, _ in waits)
    timeline = [(at, who, {"sessionEnd": {}}) for at, (_, who) in zip(times, waits, strict=True)]
    before = duplex.record(timeline)
    after = retime(before, retiming)
    assert order(after) == order(before)


def test_both_sides_of_a_conversation_are_scaled() -> None:
    end = {"sessionEnd": {}}
    before = duplex.record([(100, "in", end), (300, "out", end), (500, "in", end)])
    after = retime(before, Retiming(0.5))
    assert after.request.events is not None
    assert [event.at_ms for event in after.request.events.events] == [50, 250]
    assert times(after) == [150]
    capped = retime(before, Retiming(cap_ms=20))
    assert capped.request.events is not None
    assert [event.at_ms for event in capped.request.events.events] == [20, 60]
