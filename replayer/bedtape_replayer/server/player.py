"""Plays the steps of one answer over a connection: at once while the client reads, and by the clock where a step waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.reply import MAX_PART, Reply
from bedtape_replayer.answering.steps import (
    Close,
    Finish,
    Reset,
    Send,
    Stall,
    Start,
    Step,
    StepEdit,
    Wait,
    build_paced_steps,
    build_steps,
    edit,
)
from bedtape_replayer.wire.http2.frames import ErrorCode

if TYPE_CHECKING:
    from bedtape_replayer.server.connection import Connection

# With more unsent bytes than this, an answer waits until the client reads, and until other clients have had their turn.
_HIGH_WATER = 64 * 1024


class Player:
    """Plays the steps of one answer, while the client reads, and by the clock where a step waits."""

    def __init__(
        self, connection: Connection, stream: int, answer: Answer, began: float, steps: Iterator[Step], sent: int
    ) -> None:
        self.stream = stream
        self._connection = connection
        self._answer = answer
        self._began = began
        self._steps = steps
        self.stalled = False
        self._finished = False
        self._last: Close | Reset | None = None
        self._sent = sent
        self._started = sent > 0
        self._due = connection.loop.time()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """Whether the next step can be played; after the last step, whether all bytes were taken."""
        connection = self._connection
        assert connection.wire is not None
        pending = connection.wire.count_pending(self.stream)
        return not pending if self._finished else connection.writable and pending < _HIGH_WATER

    def play(self) -> None:
        connection = self._connection
        wire = connection.wire
        assert wire is not None
        while self.ready:
            try:
                step = next(self._steps, None)
            except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
                self._fail(error)
                continue
            match step:
                case Send(data):
                    wire.send(self.stream, data)
                    self._sent += 1
                case Wait(seconds):
                    self._wait(seconds)
                    return
                case Start():
                    self._started = True
                    reply = self._answer.reply
                    wire.start(self.stream, reply.status, reply.headers, connection.server.date())
                case Finish():
                    wire.finish(self.stream)
                    self._finished = True
                case Stall():
                    self.stalled = True
                    connection.end_stalled(self)
                    return
                case Close() | Reset() as last:  # after the bytes before it were taken
                    self._steps, self._last, self._finished = iter(()), last, True
                case None:
                    self.end(self._last)
                    return
        connection.block(self)

    def _fail(self, error: Exception) -> None:
        """End an answer whose next step raised an error: with status 500, or with a reset if its head was sent."""
        call = self._answer.call
        reply = self._connection.fail(f"{call.method} {call.path}", error, started=self._started)
        self._steps, self._finished = iter(()), True
        if self._started:
            self._last = Reset(ErrorCode.INTERNAL)
        else:
            self._connection.respond(self.stream, call.method, reply)

    def _wait(self, seconds: float) -> None:
        """Wait for the next step. Due times add up from the start, so that a late timer does not delay all later steps."""
        self._due += seconds
        self._timer = self._connection.loop.call_at(self._due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.play()
        self._connection.flush()

    def end(self, how: Close | Reset | None) -> None:
        """End the answer, in order or as a fault ends it."""
        self._end(complete=True)
        if how is not None:
            self._connection.break_off(self.stream, how)

    def _end(self, *, complete: bool) -> None:
        self._connection.finish_player(self)
        self._connection.observe(self._answer, self._began, complete=complete, sent=self._sent, started=self._started)

    def abandon(self, *, complete: bool = False) -> None:
        """End the answer without its client: the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._end(complete=complete)


def cut_steps(reply: Reply, speed: float | None, edits: tuple[StepEdit, ...]) -> Iterator[Step]:
    """The reply's steps, as faults change them. A body that is not streamed is cut, because its parts are no events."""
    steps = edit(build_steps(reply) if speed is None else build_paced_steps(reply, speed), edits)
    return steps if reply.streamed else _cut_parts(steps)


def _cut_parts(steps: Iterator[Step]) -> Iterator[Step]:
    for step in steps:
        match step:
            case Send(data) if len(data) > MAX_PART:
                for at in range(0, len(data), MAX_PART):
                    yield Send(data[at : at + MAX_PART])
            case _:
                yield step
