"""Which of the calls that a layer is about it takes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_replayer.overlay.schedule import Counter, Schedule


def taken(schedule: Schedule, calls: int = 12, seed: int = 1) -> list[int]:
    """The numbers of the calls that it takes, from 1."""
    counter = Counter()
    numbers = []
    for n in range(1, calls + 1):
        if counter.match(schedule, Random(f"{seed}/{n}").random):
            counter.record_fired()
            numbers.append(n)
    return numbers


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), list(range(1, 13))),
        (Schedule(times=2), [1, 2]),
        (Schedule(after=3), list(range(4, 13))),
        (Schedule(after=3, times=1), [4]),
        (Schedule(every=3), [1, 4, 7, 10]),
        (Schedule(every=3, after=1), [2, 5, 8, 11]),
        (Schedule(every=3, after=1, times=2), [2, 5]),
        (Schedule(probability=0), []),
        (Schedule(probability=1), list(range(1, 13))),
    ],
)
def test_times_after_every(schedule: Schedule, expected: list[int]) -> None:
    assert taken(schedule) == expected


@given(st.floats(0.05, 0.95), st.integers())
def test_chance_is_seeded(probability: float, seed: int) -> None:
    schedule = Schedule(probability=probability)
    assert taken(schedule, seed=seed) == taken(schedule, seed=seed)


def test_chance_is_as_likely_as_it_says() -> None:
    assert 450 < len(taken(Schedule(probability=0.5), calls=1000)) < 550


def test_a_call_that_is_passed_on_was_none() -> None:
    counter = Counter()
    schedule = Schedule(after=1, every=2, times=1)
    assert not counter.match(schedule, Random(1).random)
    for _ in range(3):
        assert counter.match(schedule, Random(1).random)
        counter.undo_match()
    assert counter.match(schedule, Random(1).random)
    counter.record_fired()
    assert not counter.match(schedule, Random(1).random)


def test_times_counts_what_was_taken_by_chance() -> None:
    assert len(taken(Schedule(probability=0.5, times=3), calls=1000)) == 3
