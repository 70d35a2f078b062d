"""Places in an answer where it comes to an untimely end: after so many events, then so many bytes more.

A whole body is one event. What lies beyond an answer's end is at its end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.answering.steps import Close, Finish, Reset, Send, Stall, Start, Step

__all__ = ["cut", "end_at"]


def end_at(steps: Iterator[Step], events: int | None, more: int, last: Step) -> Iterator[Step]:
    """The steps up to the place, then `last`; None events end it before the head.

    What another fault ended before that stays ended so.
    """
    for step in steps:
        match step:
            case Stall() | Close() | Reset():
                yield step
                return
            case Finish():
                break
            case Start() if events is None:
                break
            case Send(data) if events:
                events -= 1
                yield step
            case Send(data) if more:
                yield Send(data[:more])
                more -= min(more, len(data))
            case _:
                yield step
        if events == 0 and not more and isinstance(step, Start | Send):
            break
    yield last


def cut(pieces: Iterable[Piece], events: int, more: int) -> Iterator[Piece]:
    """What comes before the place."""
    for piece in pieces:
        if events:
            events -= 1
            yield piece
        elif more:
            yield replace(piece, data=piece.data[:more])
            more -= min(more, len(piece.data))
