"""Waits that are added to an answer's steps."""

import pytest

from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import Finish, Send, Start, Step, Wait, edit
from bedtape_replayer.overlay.faults.latency import Delay
from support.faulty import make_context

STEPS: tuple[Step, ...] = (
    Wait(1),
    Start(),
    Send(b"a"),
    Wait(0.5),
    Send(b"b"),
    Send(b"c"),
    Finish(),
)
REPLY = Reply(200, (), (Piece(0, b"a"), Piece(0, b"b"), Piece(0, b"c")), streamed=True)


def changed(kind: Delay, seed: int = 0) -> list[Step]:
    return list(edit(iter(STEPS), (kind.on_steps(REPLY, make_context(seed)),)))


def test_waits_come_on_top_of_the_recorded_pace() -> None:
    assert changed(Delay(200, 30)) == [
        Wait(1),
        Wait(0.2),
        Start(),
        Send(b"a"),
        Wait(0.5),
        Wait(0.03),
        Send(b"b"),
        Wait(0.03),
        Send(b"c"),
        Finish(),
    ]


def test_each_of_both_may_stand_alone() -> None:
    assert [step for step in changed(Delay(first_byte_ms=7)) if step not in STEPS] == [Wait(0.007)]
    assert [step for step in changed(Delay(between_ms=7)) if step not in STEPS] == [Wait(0.007)] * 2


def test_jitter_is_seeded_and_stays_in_its_bounds() -> None:
    kind = Delay(100, 100, 50)
    waits = [
        [s.seconds for s in changed(kind, seed) if isinstance(s, Wait) and s not in STEPS]
        for seed in range(50)
    ]
    assert waits == [
        [s.seconds for s in changed(kind, n) if isinstance(s, Wait) and s not in STEPS]
        for n in range(50)
    ]
    every = [seconds for some in waits for seconds in some]
    assert len(set(every)) > 140
    assert 0.1 <= min(every) < 0.11
    assert 0.14 < max(every) <= 0.15


@pytest.mark.parametrize(
    "wrong", [{}, {"jitter_ms": 5}, {"first_byte_ms": -1}, {"between_ms": 1.5}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Delay(**wrong)
