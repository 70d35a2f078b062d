"""Resets as steps; over sockets they are in tests/wire."""

import pytest

from bedtape_replayer.answering.steps import EndAt, Reset
from bedtape_replayer.overlay.faults.reset import BreakOff
from support.faulty import EMPTY, make_context


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        (BreakOff(), EndAt(None, 0, Reset())),
        (BreakOff(code=8), EndAt(None, 0, Reset(8))),
        (BreakOff(0, code=0), EndAt(0, 0, Reset(0))),
        (BreakOff(1, 2), EndAt(1, 2, Reset())),
    ],
)
def test_it_ends_the_answer(kind: BreakOff, end: EndAt) -> None:
    assert kind.on_steps(EMPTY, make_context()) == end


@pytest.mark.parametrize(
    "wrong",
    [
        {"after_events": -1},
        {"bytes_more": 5},
        {"code": -1},
        {"code": 1 << 32},
        {"after_events": 1.0},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        BreakOff(**wrong)
