"""Resets as steps; over sockets they are in tests/wire."""

from __future__ import annotations

import pytest

from bedtape_replayer.answering.steps import Finish, Reset, Send, Start, Step
from bedtape_replayer.overlay.faults.reset import BreakOff
from support.faulty import call, moment

STEPS: tuple[Step, ...] = (Start(), Send(b"abc"), Send(b"def"), Finish())


@pytest.mark.parametrize(
    ("harm", "steps"),
    [
        (BreakOff(), (Reset(),)),
        (BreakOff(code=8), (Reset(8),)),
        (BreakOff(0, code=0), (Start(), Reset(0))),
        (BreakOff(1, 2), (Start(), Send(b"abc"), Send(b"de"), Reset())),
    ],
)
def test_nothing_comes_after_it(harm: BreakOff, steps: tuple[Step, ...]) -> None:
    assert list(harm.on_steps(iter(STEPS), call(), moment())) == list(steps)


@pytest.mark.parametrize(
    "wrong", [{"after_events": -1}, {"bytes_more": 5}, {"code": -1}, {"code": 1 << 32}, {"after_events": 1.0}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        BreakOff(**wrong)
