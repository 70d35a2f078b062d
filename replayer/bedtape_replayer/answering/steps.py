"""The steps in which the server sends a reply.

A step is a value; the server executes it. A delay is a `Wait` step. Faults end an answer with
`Stall`, `Close` or `Reset`, and no step follows. A change by a fault is a value too: a `StepEdit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from bedtape_cassettes.model import Ending
from bedtape_replayer.answering.reply import Reply


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until `seconds` after the time of the previous step."""

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
    """Send nothing more until the client closes the connection or the server stops."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send buffered data, then close without an error, with the answer incomplete."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset: with `code`, an HTTP/2 RST_STREAM for this answer; otherwise a TCP
    reset of the connection.

    HTTP/1.1 always gets the TCP reset.
    """

    code: int | None = None


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until another server has sent more."""


Step: TypeAlias = Await | Wait | Start | Send | Finish | Stall | Close | Reset


def build_paced_steps(reply: Reply, speed: float) -> Iterator[Step]:
    """Yields the steps of the reply at `speed` times the recorded pace."""
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
    """Yields the steps of the reply without waits."""
    yield Start()
    for piece in reply.pieces:
        yield Send(piece.data)
    yield Finish()


@dataclass(frozen=True, slots=True)
class EndAt:
    """Ends the answer with `last` after a number of events and bytes of the next event.

    No `events`: before the head.

    A body that is not a stream is one event. A place after the end of the answer is its end.
    data: sent before `last`.
    """

    events: int | None
    bytes_more: int
    last: Finish | Stall | Close | Reset
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class AddWaits:
    """Adds waits in seconds. first_byte: before the head. between: between pieces of the body."""

    first_byte: float
    between: Iterable[float] = ()


@dataclass(frozen=True, slots=True)
class ChangeEvents:
    """Replaces events. change: from an event's number, from 1, and its bytes to
    the events that are sent.

    It gets `None` at the end of the stream. holds: whether it may return an event later than it got
    the event.
    """

    change: Callable[[int, bytes | None], Iterable[bytes]]
    holds: bool = False


StepEdit: TypeAlias = EndAt | AddWaits | ChangeEvents
_INTERNAL_ERROR = 2  # RFC 9113, section 7


def build_ending(reply: Reply, ends: Ending | None) -> tuple[StepEdit, ...]:
    """Returns the edits that end a reply as the service ended the recorded answer."""
    last = build_last_step(ends)
    return () if last is None else (EndAt(len(reply.pieces), 0, last),)


def build_last_step(ends: Ending | None) -> Reset | Close | None:
    """Returns the step that ends an answer as the service ended the recorded answer.

    `None` for a complete answer, and for a body that contains the incomplete frame.
    """
    if ends in (None, "mid-frame"):
        return None
    return Reset(_INTERNAL_ERROR) if ends == "reset" else Close()


def edit(steps: Iterator[Step], edits: tuple[StepEdit, ...]) -> Iterator[Step]:
    """Applies the edits to the steps, in order."""
    for each in edits:
        match each:
            case EndAt():
                steps = _end_at(steps, each)
            case AddWaits():
                steps = _add_waits(steps, each)
            case ChangeEvents():
                steps = _change_events(steps, each)
    return steps


def _change_events(steps: Iterator[Step], edit: ChangeEvents) -> Iterator[Step]:
    number = 1
    for step in steps:
        match step:
            case Send(data):
                yield from map(Send, edit.change(number, data))
                number += 1
            case Finish():
                yield from map(Send, edit.change(number, None))
                yield step
            case _:
                yield step


def _end_at(steps: Iterator[Step], end: EndAt) -> Iterator[Step]:
    """Ends the steps at a place. Steps that another edit ended earlier do not change."""
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
    if end.data:
        yield Send(end.data)
    yield end.last


def _add_waits(steps: Iterator[Step], waits: AddWaits) -> Iterator[Step]:
    between = chain((0.0,), waits.between)
    for step in steps:
        seconds = (
            waits.first_byte
            if isinstance(step, Start)
            else next(between, 0)
            if isinstance(step, Send)
            else 0
        )
        if seconds:
            yield Wait(seconds)
        yield step
