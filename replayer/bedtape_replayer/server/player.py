"""Plays the steps of an answer: at once while the client reads, by the clock where a step waits."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_replayer.answering.answer import Answer, Progress
from bedtape_replayer.answering.reply import MAX_PART, Reply
from bedtape_replayer.answering.steps import (
    Await,
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
from bedtape_replayer.engine.live import LiveReply
from bedtape_replayer.wire.http2.frames import ErrorCode

if TYPE_CHECKING:
    from bedtape_replayer.server.connection import Connection

# With more unsent bytes than this, an answer waits until the client reads, and until other
# clients have had their turn.
_HIGH_WATER = 64 * 1024


def _ignore() -> None:
    pass


class Turns:
    """Lets large answers go on one after the other, one in each turn of the loop.

    Other clients then wait for one part of one large answer, however many clients receive them.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()

    def add(self, loop: asyncio.AbstractEventLoop, go_on: Callable[[], object]) -> None:
        """Call a function in a later turn of the loop, after those that were added before."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            loop.call_soon(self._go_on, loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                loop.call_soon(self._go_on, loop)


class Player:
    """Plays the steps of one answer: at once, or by the clock where a step waits.

    stream: the number of the answer's stream in the connection. began: the time of the request, by
    `time.perf_counter`. sent: the number of body pieces that were sent already.
    """

    def __init__(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        began: float,
        steps: Iterator[Step],
        sent: int,
    ) -> None:
        self.stream = stream
        self._connection = connection
        self._exchanges = connection.exchanges
        self._engine = connection.server.namespaces.find_engine(answer.call)
        self.answer = answer
        self._began = began
        self._steps = steps
        now = time.perf_counter()
        self._progress = Progress(time.time() - (now - began), array("d"))
        self._follow(answer)
        self.stalled = False
        # whether it waits for its client, and not for another server, at `Await`
        self.listens = False
        self.unconfirmed = False  # the head was sent, and the client may have left before it
        self._awaiting = self._over = False
        self._finished = False
        self._last: Close | Reset | None = None
        self._sent = sent
        self._started = sent > 0
        self._due = connection.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        # Returns the answer as far as it has arrived, if another server sends it.
        self.describe: Callable[[], Answer] | None = None
        # Is called when the answer has ended, for whatever reason.
        self.leave: Callable[[], object] = _ignore

    @property
    def ready(self) -> bool:
        """Whether the next step can be played; after the last, whether all bytes were taken."""
        return self._count_room() > 0

    def _count_room(self) -> int:
        """Return how many bytes the answer may send now. After its last step: 1 if all bytes were
        taken.
        """
        connection = self._connection
        assert connection.wire is not None
        pending = connection.wire.count_pending(self.stream)
        if self._finished:
            return 0 if pending or self.unconfirmed else 1
        return _HIGH_WATER - pending if connection.writable else 0

    def play(self) -> None:
        """Play the steps until one waits, or the client does not read."""
        self._play()
        if not self._over and self._engine.watchers:
            self._follow(self.answer)

    def _play(self) -> None:
        connection = self._connection
        wire = connection.wire
        assert wire is not None
        room = self._count_room()
        while room > 0:
            try:
                step = next(self._steps, None)
            except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
                self._fail(error)
                room = self._count_room()
                continue
            match step:
                case Send(data):
                    wire.send(self.stream, data)
                    room -= len(data)
                    self._sent += 1
                    self._progress.times.append(time.perf_counter() - self._began)
                case Wait(seconds):
                    self._wait(seconds)
                    return
                case Await():
                    self._awaiting = True
                    if self.listens:
                        self.stalled = True
                        connection.end_stalled(self)
                    return
                case Start():
                    self._started = True
                    reply = self.answer.reply
                    wire.start(self.stream, reply.status, reply.headers, connection.server.date())
                    if connection.half_closed:
                        self.unconfirmed = True
                        connection.loop.call_soon(connection.loop.call_soon, self._confirm)
                case Finish():
                    wire.finish(self.stream)
                    self._finished = True
                    room = self._count_room()
                case Stall():
                    self.stalled = True
                    connection.end_stalled(self)
                    return
                case Close() | Reset() as last:  # after the bytes before it were taken
                    self._steps, self._last, self._finished = iter(()), last, True
                    room = self._count_room()
                case None:
                    self.end(self._last)
                    return
        self._exchanges.block(self)

    def _confirm(self) -> None:
        """Find out whether a client that sends no more still reads, or has left
        before the head of its answer.

        Both look the same until bytes are sent. A client that has left answers them with RST, which
        is the error of the socket when the bytes have left: two turns of the loop later, and before
        the turn of a question for the calls.
        """
        if not self._over and not self._connection.end_if_reset():
            self.unconfirmed = False
            self._connection.flush()

    def _fail(self, error: Exception) -> None:
        """End an answer whose next step failed: with status 500, or a reset after its head."""
        call = self.answer.call
        reply = self._exchanges.fail(f"{call.method} {call.path}", error, started=self._started)
        self._steps, self._finished = iter(()), True
        if self._started:
            self._last = Reset(ErrorCode.INTERNAL)
        else:
            self._connection.respond(self.stream, call.method, reply)

    def _wait(self, seconds: float) -> None:
        """Wait for the next step.

        Due times add up from the start, so that a late timer does not delay all later steps.
        """
        self._due += seconds
        self._timer = self._connection.loop.call_at(self._due, self._wake)

    def replace_answer(self, answer: Answer, steps: Iterator[Step] | None = None) -> None:
        """Replace the answer, and the steps that follow, because another server has answered."""
        self.answer = answer
        self._follow(answer)
        if steps is not None:
            self._steps = steps

    def _follow(self, answer: Answer) -> None:
        """Let the inspector see the answer while it is sent."""
        if answer.source != "control":
            self._engine.follow(self._progress, answer)

    def wait_for_feed(self) -> None:
        """Play nothing until `resume`."""
        self._awaiting = True

    def resume(self) -> None:
        """Go on after `Await`, unless the client has left."""
        if self._awaiting and not self._over:
            self._awaiting = False
            self.stalled = self.stalled and not self.listens
            # waits begin when the other server has sent
            self._due = max(self._due, self._connection.loop.time())
            self.play()
            self._connection.flush()

    def go_on(self, *, changed: bool) -> None:
        """Go on after input of the client. changed: whether the wait before a step is over."""
        if changed and self._timer is not None and not self._over:
            self._timer.cancel()
            self._timer, self._awaiting = None, True
            self._due = self._connection.loop.time()
        self.resume()

    def _wake(self) -> None:
        timer = self._timer
        self.play()
        if self._timer is not timer:  # it waits for the next step
            self._connection.flush_event()
        else:
            self._timer = None
            self._connection.flush()

    def end(self, how: Close | Reset | None) -> None:
        """End the answer, in order or as a fault ends it."""
        self._end(complete=True)
        if how is not None:
            self._connection.break_off(self.stream, how)

    def _end(self, *, complete: bool) -> None:
        self._over = True
        if self.describe is not None:
            self.answer = self.describe()
        self.leave()
        self._exchanges.remove(self)
        if self.unconfirmed and not complete:
            self._started, self._sent = False, 0
        self._exchanges.observe(
            self.answer,
            self._began,
            complete=complete,
            sent=self._sent,
            started=self._started,
            progress=self._progress,
        )

    def abandon(self, *, complete: bool = False) -> None:
        """End the answer without its client: the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._end(complete=complete)


def start_live(
    connection: Connection, stream: int, answer: Answer, reply: LiveReply, began: float
) -> Player:
    """Return a player that plays a feed when the loop has its next turn.

    As a stalled answer, it waits until the client leaves, and ends at once if the server stops.
    """
    player = Player(connection, stream, answer, began, reply.feed, 0)
    player.stalled, player.leave = True, reply.feed.close

    def wake() -> None:
        connection.loop.call_soon(player.resume)

    player.wait_for_feed()
    reply.feed.open(wake)
    wake()
    return player


def cut_steps(reply: Reply, speed: float | None, edits: tuple[StepEdit, ...]) -> Iterator[Step]:
    """The reply's steps, as faults change them.

    A body that is not streamed is cut, because its parts are no events.
    """
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


def format_error(error: Exception) -> str:
    """Format the error as one line without control characters, which a request may choose."""
    return ascii(f"{type(error).__name__}: {error}")[1:-1]


def show_request(what: str) -> str:
    """Return the method and path as one line of ASCII without secrets."""
    return ascii(scrub_text(what))[1:-1]


def locate_error(error: Exception) -> str:
    """Return the innermost line of code in the error's traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
