"""Silence as steps; over sockets it is in tests/wire."""

import pytest

from bedtape_replayer.answering.steps import EndAt, Stall
from bedtape_replayer.overlay.faults.stall import Silence
from support.faulty import EMPTY, make_context


@pytest.mark.parametrize("events", [None, 0, 9])
def test_it_ends_the_answer(events: int | None) -> None:
    assert Silence(events).on_steps(EMPTY, make_context()) == EndAt(events, 0, Stall())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected after events as a whole number from 0, found -1"
    ):
        Silence(-1)
