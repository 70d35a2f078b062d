"""What the wire does with a reply, step by step: the vocabulary between the engine and the server.

A step is a value; only the server acts on it. Whoever wants to wait returns a `Wait`, nobody sleeps. Faults end an
answer with `Stall`, `Close` or `Reset`, and nothing comes after them. What faults change is a value too: a `StepEdit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from bedtape_replayer.answering.reply import Reply

__all__ = [
    "AddWaits",
    "Close",
    "EndAt",
    "Finish",
    "Reset",
    "Send",
    "Stall",
    "Start",
    "Step",
    "StepEdit",
    "Wait",
    "build_paced_steps",
    "build_steps",
    "edit",
]


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until `seconds` after the step before it was due."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Start:
    """Send the reply's status and headers."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a piece of the body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """End the answer."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more, until the client goes or the server stops."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what is under way, then close the connection in order, with the answer unfinished."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break off: with `code`, HTTP/2's RST_STREAM for this answer alone; else a TCP reset of the connection.

    HTTP/1.1 knows no other way than the TCP reset.
    """

    code: int | None = None


Step: TypeAlias = Wait | Start | Send | Finish | Stall | Close | Reset


def build_paced_steps(reply: Reply, speed: float) -> Iterator[Step]:
    """The reply at `speed` times the pace it was recorded with."""
    if reply.after_ms:
        yield Wait(reply.after_ms / 1000 / speed)
    yield Start()
    now = 0
    for piece in reply.pieces:
        if piece.at_ms > now:
            yield Wait((piece.at_ms - now) / 1000 / speed)
            now = piece.at_ms
        yield Send(piece.data)
    yield Finish()


def build_steps(reply: Reply) -> Iterator[Step]:
    """The reply as fast as its reader takes it."""
    yield Start()
    for piece in reply.pieces:
        yield Send(piece.data)
    yield Finish()


@dataclass(frozen=True, slots=True)
class EndAt:
    """Ends the answer with `last`, after so many events and so many bytes of the next; None events: before the head.

    A whole body is one event. A place beyond the answer's end is at its end.
    """

    events: int | None
    bytes_more: int
    last: Stall | Close | Reset


@dataclass(frozen=True, slots=True)
class AddWaits:
    """Waits in seconds. first_byte: before the head, if not 0. between: before each piece of the body but the first."""

    first_byte: float
    between: tuple[float, ...] = ()


StepEdit: TypeAlias = EndAt | AddWaits


def edit(steps: Iterator[Step], edits: tuple[StepEdit, ...]) -> Iterator[Step]:
    """The steps after all edits, in their order."""
    for each in edits:
        steps = _end_at(steps, each) if isinstance(each, EndAt) else _add_waits(steps, each)
    return steps


def _end_at(steps: Iterator[Step], end: EndAt) -> Iterator[Step]:
    """An answer that another edit ended before the place stays as it is."""
    events, more = end.events, end.bytes_more
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
    yield end.last


def _add_waits(steps: Iterator[Step], waits: AddWaits) -> Iterator[Step]:
    between = chain((0.0,), waits.between)
    for step in steps:
        seconds = waits.first_byte if isinstance(step, Start) else next(between, 0) if isinstance(step, Send) else 0
        if seconds:
            yield Wait(seconds)
        yield step
