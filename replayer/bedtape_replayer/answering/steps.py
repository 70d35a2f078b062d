"""What the wire does with a reply, step by step: the vocabulary between the engine and the server.

A step is a value; only the server acts on it. Whoever wants to wait returns a `Wait`, nobody sleeps. `Stall`, `Close`
and `Reset` are what faults do to an answer; nothing comes after them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from bedtape_replayer.answering.reply import Reply

__all__ = ["Close", "Finish", "Reset", "Send", "Stall", "Start", "Step", "Wait", "paced", "unpaced"]


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


def paced(reply: Reply, speed: float) -> Iterator[Step]:
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


def unpaced(reply: Reply) -> Iterator[Step]:
    """The reply as fast as its reader takes it."""
    yield Start()
    for piece in reply.pieces:
        yield Send(piece.data)
    yield Finish()
