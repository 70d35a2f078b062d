"""Silence as steps; over sockets it is in tests/wire."""

from __future__ import annotations

import pytest

from bedtape_replayer.answering.steps import Finish, Send, Stall, Start, Step
from bedtape_replayer.overlay.faults.stall import Silence
from support.faulty import call, moment

STEPS: tuple[Step, ...] = (Start(), Send(b"a"), Send(b"b"), Finish())


@pytest.mark.parametrize(("events", "kept"), [(None, 0), (0, 1), (1, 2), (2, 3), (9, 3)])
def test_nothing_comes_after_it(events: int | None, kept: int) -> None:
    assert list(Silence(events).on_steps(iter(STEPS), call(), moment())) == [*STEPS[:kept], Stall()]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="expected after events as a whole number from 0, found -1"):
        Silence(-1)
