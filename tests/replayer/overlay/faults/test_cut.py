"""Places in an answer: which steps and bytes come before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.answering.steps import (
    Close,
    EndAt,
    Finish,
    Reset,
    Send,
    Stall,
    Start,
    Step,
    Wait,
    edit,
)
from bedtape_replayer.overlay.faults.truncation import truncate_pieces

STEPS: tuple[Step, ...] = (Wait(1), Start(), Send(b"abc"), Wait(2), Send(b"def"), Finish())


@pytest.mark.parametrize(
    ("events", "more", "kept"),
    [
        (None, 0, STEPS[:1]),
        (0, 0, STEPS[:2]),
        (0, 2, (*STEPS[:2], Send(b"ab"))),
        (0, 3, STEPS[:3]),
        (0, 4, (*STEPS[:4], Send(b"d"))),
        (1, 0, STEPS[:3]),
        (1, 1, (*STEPS[:4], Send(b"d"))),
        (1, 3, STEPS[:5]),
        (1, 99, STEPS[:5]),
        (2, 0, STEPS[:5]),
        (2, 5, STEPS[:5]),
        (99, 0, STEPS[:5]),
    ],
)
def test_the_place(events: int | None, more: int, kept: tuple[Step, ...]) -> None:
    assert list(edit(iter(STEPS), (EndAt(events, more, Stall()),))) == [*kept, Stall()]


@pytest.mark.parametrize("end", [Stall(), Close(), Reset()])
def test_what_ended_before_stays_ended(end: Step) -> None:
    assert list(edit(iter((*STEPS[:3], end)), (EndAt(2, 0, Reset(7)),))) == [*STEPS[:3], end]


def test_an_empty_body_ends_after_its_head() -> None:
    for events in (0, 1):
        assert list(edit(iter((Start(), Finish())), (EndAt(events, 0, Close()),))) == [
            Start(),
            Close(),
        ]


@given(st.lists(st.binary(max_size=5), max_size=4), st.integers(0, 5), st.integers(0, 12))
def test_pieces_are_cut_where_steps_are(parts: list[bytes], events: int, more: int) -> None:
    pieces = [Piece(0, part) for part in parts]
    steps = edit(iter((Start(), *map(Send, parts), Finish())), (EndAt(events, more, Close()),))
    sent = b"".join(step.data for step in steps if isinstance(step, Send))
    assert b"".join(piece.data for piece in truncate_pieces(pieces, events, more)) == sent
    assert sent == b"".join(parts[:events]) + b"".join(parts[events:])[:more]
