"""One client's connection: moves bytes between socket and wire, requests to the engine, and answers to the client.

The room `server` has the sockets, the timers and the clock. The engine chooses the answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol, cast

from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import (
    MAX_PART,
    HeaderPairs,
    Reply,
    build_error_reply,
    build_refusal_reply,
    make_request_id,
)
from bedtape_replayer.answering.steps import Close, Finish, Reset, Step
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.player import Player, cut_steps
from bedtape_replayer.wire import http1, http2
from bedtape_replayer.wire.http2.frames import ErrorCode
from bedtape_replayer.wire.http2.headers import RequestHead
from bedtape_replayer.wire.messages import RequestReceived, StreamClosed

# Above this much unread of pipelined requests, the connection is not read.
_PIPELINED = 1024 * 1024
# SO_LINGER on, for 0 seconds: closing then sends RST instead of FIN, and drops what is unsent.
_RESETTING = struct.pack("ii", 1, 0)


Observer = Callable[[Outcome], None]


def _format_error(error: Exception) -> str:
    """Format the error as one line without control characters, because a request may have chosen its text."""
    return ascii(f"{type(error).__name__}: {error}")[1:-1]


def _locate_error(error: Exception) -> str:
    """Return the innermost line of code in the error's traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"


class _Wire(Protocol):
    """The interface of HTTP/1.1 and HTTP/2 that the server uses."""

    @property
    def closing(self) -> bool: ...
    @property
    def at_rest(self) -> bool: ...
    def start(self, stream: int, status: int, headers: HeaderPairs, date: bytes) -> None: ...
    def send(self, stream: int, data: bytes) -> None: ...
    def finish(self, stream: int) -> None: ...
    def respond(self, stream: int, status: int, headers: HeaderPairs, body: bytes, date: bytes) -> None: ...
    def respond_stream(self, stream: int, reply: Reply, date: bytes) -> None: ...
    def count_pending(self, stream: int) -> int: ...
    def take(self) -> bytes: ...


class _Owner(Protocol):
    """The interface of the server that a connection uses."""

    engine: Engine
    speed: float | None
    observer: Observer | None
    complain: Callable[[str], None]
    max_body: int
    request_heads: dict[bytes, RequestHead]

    def join(self, connection: Connection) -> None: ...
    def leave(self, connection: Connection) -> None: ...
    def find_problem(self, head: Head) -> str | None: ...
    def date(self) -> bytes: ...


class Connection(asyncio.Protocol):
    """One client's connection: detects the HTTP version, then carries requests and answers.

    Every event (bytes, a writable transport, a timer, the end) changes the state and then calls `flush`, the only place
    that makes progress. If the client does not read, bytes stay in the wire; `count_pending` counts them.
    """

    def __init__(self, server: _Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.writable = True
        self.winding_down = False
        self.wire: _Wire | None = None
        self._http1: http1.Http1Connection | None = None
        self._http2: http2.Http2Connection | None = None
        self._first = b""
        self._transport: asyncio.Transport
        self._players: dict[int, Player] = {}
        self._blocked: dict[int, Player] = {}
        self._holding_back = False
        self._lingering = False
        self._waiting: tuple[int, float] | None = None
        self._broken: Close | Reset | None = None
        self._half_closed = False
        self._hung_up = False

    # -- callbacks of asyncio ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the methods, not the base class
        self.server.join(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it is lost changes nothing
        self._abandon()
        self.server.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._broken is not None:
            return  # read and dropped, because unread bytes would turn an orderly close into a reset
        if self._http1 is not None:
            self._receive1(self._http1, data)
        elif self._http2 is not None:
            self._receive2(self._http2, data)
        else:
            self._sniff(data)
        self.flush()

    def eof_received(self) -> bool:
        """A client of HTTP/1.1 may close its sending side and still read. Its answers are finished first.

        A client of HTTP/2 sends GOAWAY instead; without its WINDOW_UPDATE most answers could not be finished.
        """
        self._half_closed = True
        stalled = any(player.stalled for player in self._players.values())
        if self._http1 is None or self._broken is not None or stalled:
            # A client that has closed both directions looks the same, and no write would detect it. The transport
            # reports the loss one turn of the loop later, but the history must contain it now.
            self._abandon()
            return False
        self._http1.receive_eof()
        self.flush()
        return True

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.loop.call_soon(self.flush)  # a transport that is closed inside this callback reports its loss twice

    # -- requests ----------------------------------------------------------------------------------------------

    def _sniff(self, data: bytes) -> None:
        """Detect the HTTP version. HTTP/2 with prior knowledge begins with a preface that is no HTTP/1.1 request."""
        self._first += data
        preface = http2.PREFACE
        if self._first.startswith(preface[:16]):
            self.wire = self._http2 = http2.Http2Connection(
                max_body=self.server.max_body, heads=self.server.request_heads
            )
            self._receive2(self._http2, self._first)
        elif not preface.startswith(self._first):
            self.wire = self._http1 = http1.Http1Connection(max_body=self.server.max_body)
            self._receive1(self._http1, self._first)
        else:
            return
        self._first = b""

    def _receive1(self, wire: http1.Http1Connection, data: bytes) -> None:
        for request in wire.receive(data):
            self._answer(request.stream, request.method, request.target, request.head, request.body)

    def _receive2(self, wire: http2.Http2Connection, data: bytes) -> None:
        for received in wire.receive(data):
            match received:
                case RequestReceived(stream) if self.winding_down:
                    wire.reset(stream, ErrorCode.REFUSED_STREAM)
                case RequestReceived(stream, method, target, head, body):
                    self._answer(stream, method, target, head, body)
                case StreamClosed(stream):
                    self._blocked.pop(stream, None)
                    if player := self._players.pop(stream, None):
                        player.abandon()
        if wire.closing:  # the client violated the protocol, so its streams are closed
            self._abandon()

    def _answer(self, stream: int, method: bytes, target: bytes, head: Head, body: bytes) -> None:
        began = time.perf_counter()
        wire, verb, path = self.wire, method.decode("latin-1"), target.decode("latin-1")
        assert wire is not None
        if (problem := self.server.find_problem(head)) is not None:
            self.respond(stream, verb, self._refuse(f"{verb} {path}", problem))
            return
        try:
            answer = self.server.engine.answer(verb, path, head, body)
        except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
            self.respond(stream, verb, self.fail(f"{verb} {path}", error))
            return
        reply, speed = answer.reply, answer.speed or self.server.speed
        if method == b"HEAD":
            reply = replace(reply, pieces=(), streamed=False)
        if speed is not None or not self.writable or answer.edits or reply.size > MAX_PART:
            self._play(stream, answer, began, cut_steps(reply, speed, answer.edits))
            return
        if reply.streamed:
            wire.respond_stream(stream, reply, self.server.date())
        else:
            wire.respond(stream, reply.status, reply.headers, reply.body, self.server.date())
        if self._http2 is not None and wire.count_pending(stream):
            self._play(stream, answer, began, iter((Finish(),)), sent=len(reply.pieces))  # ends when all bytes are sent
        else:
            self.observe(answer, began, complete=True, sent=len(reply.pieces))

    def _play(self, stream: int, answer: Answer, began: float, steps: Iterator[Step], *, sent: int = 0) -> None:
        """Play the steps. sent: the number of body pieces that were sent already."""
        player = self._players[stream] = Player(self, stream, answer, began, steps, sent)
        player.play()

    def _refuse(self, what: str, problem: str) -> Reply:
        """Report a refused request. It is added to no history, because no test sent it."""
        self.server.complain(f"{ascii(what)[1:-1]} was refused: {problem}")
        return build_refusal_reply(problem)

    def fail(self, what: str, error: Exception, *, started: bool = False) -> Reply:
        """Report an error in bedtape itself as a line on stderr. Return status 500 in Bedrock's form for the client.

        started: whether the head of the answer was sent, so that the answer can only be broken off.
        """
        result = "broken off" if started else "answered with 500"
        self.server.complain(
            f"{ascii(what)[1:-1]} was {result} because of an error in bedtape: {_format_error(error)}"
            f" ({_locate_error(error)})"
        )
        message = f"bedtape: an error in bedtape itself, {_format_error(error)}; its stderr shows the place."
        return build_error_reply(500, "InternalServerException", message, make_request_id(what.encode()))

    def respond(self, stream: int, method: str, reply: Reply) -> None:
        """Answer with a reply of bedtape itself."""
        assert self.wire is not None
        body = b"" if method == "HEAD" else reply.body
        self.wire.respond(stream, reply.status, reply.headers, body, self.server.date())

    def observe(self, answer: Answer, began: float, *, complete: bool, sent: int, started: bool = True) -> None:
        """Add the finished call to the history. An error in the observer does not affect the client's answer."""
        seconds = time.perf_counter() - began
        outcome = Outcome(answer, time.time() - seconds, seconds, complete, sent, started)
        self.server.engine.finish(outcome)
        if self.server.observer is None:
            return
        try:
            self.server.observer(outcome)
        except Exception as error:  # noqa: BLE001 - the observer is a user's code
            self.server.complain(f"the observer failed: {_format_error(error)} ({_locate_error(error)})")

    # -- going on ----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write bytes, resume blocked answers and begin the next requests, as far as the client reads."""
        wire = self.wire
        if wire is None or self._hung_up or self._transport.is_closing():
            return
        if self.writable:
            self._write(wire)
            if wire.at_rest and not (self._blocked or self._holding_back or self._broken or self.winding_down):
                return  # after most requests, none of the checks below is needed
            while not self._transport.is_closing() and self._begin_next():
                self._write(wire)
            if self._resume():
                self._write(wire)
                self.loop.call_soon(self.flush)  # goes on after other clients have had their turn
            else:
                self._end_if_over(wire)
        elif wire.closing and self._http2 is not None:  # a flood from a client that reads nothing
            self._transport.abort()
        if self._http1 is not None:
            self._hold_back(self._http1)

    def _write(self, wire: _Wire) -> None:
        if data := wire.take():
            self._transport.write(data)

    def _resume(self) -> bool:
        """Resume every blocked answer that may send again. Return whether there was one."""
        if not self._blocked:
            return False
        ready = [player for player in self._blocked.values() if player.ready]
        for player in ready:
            if self._blocked.pop(player.stream, None) is not None:  # an earlier player may have ended the connection
                player.play()
        return bool(ready)

    def _begin_next(self) -> bool:
        """Parse the bytes after a finished request. Return whether that consumed any."""
        wire = self._http1
        if wire is None or self._players or self.winding_down or not (unread := wire.buffered_bytes):
            return False
        self._receive1(wire, b"")
        return wire.buffered_bytes != unread

    def _end_if_over(self, wire: _Wire) -> None:
        match self._broken:
            case Reset():
                self._reset()
                return
            case Close():
                self._hang_up()
                return
        over = wire.closing
        if self.winding_down and not self._players:
            over = True
            if self._http2 is not None:
                self._http2.abort(ErrorCode.NO_ERROR)
                self._write(wire)
        if over:
            self._transport.close()
        elif self._http1 is not None and self._http1.lingering and not self._lingering:
            self._lingering = True
            self._write_eof()  # a client that reads to the end need not wait until the patience ends

    def _hold_back(self, wire: http1.Http1Connection) -> None:
        """Pause reading while too many bytes of pipelined requests wait."""
        too_many = wire.buffered_bytes > _PIPELINED
        if too_many != self._holding_back:
            self._holding_back = too_many
            if too_many:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def block(self, player: Player) -> None:
        """Keep a player that cannot send until the client reads; see `_resume`."""
        self._blocked[player.stream] = player

    def finish_player(self, player: Player) -> None:
        """Forget a player that has ended."""
        self._players.pop(player.stream, None)

    # -- ends --------------------------------------------------------------------------------------------------

    def wind_down(self) -> None:
        """Finish the answers in flight, then close. Stalled answers end at once, because they would not finish."""
        self.winding_down = True
        if self.wire is None or self._hung_up:
            self._transport.close()
        for player in [player for player in self._players.values() if player.stalled]:
            self.end_stalled(player)
        self.flush()

    def end_stalled(self, player: Player) -> None:
        """A stalled player sends nothing more and waits until the client closes, unless the connection ends already."""
        if self._half_closed or self.winding_down:
            player.end(Reset(ErrorCode.CANCEL) if self._http2 is not None else Close())

    def break_off(self, stream: int, how: Close | Reset) -> None:
        """Ends an answer as a fault says. Whatever else the connection carries ends with it, but by RST_STREAM."""
        if self._http2 is not None and isinstance(how, Reset) and how.code is not None:
            self._http2.reset(stream, how.code)
        elif self._broken is None:
            self._broken = how
            self._abandon()

    def _hang_up(self) -> None:
        """Send FIN. The client's bytes are read until it closes too, or the patience ends."""
        self._hung_up = True
        if self.winding_down or self._half_closed:
            self._transport.close()
        else:
            self._write_eof()

    def _write_eof(self) -> None:
        try:
            self._transport.write_eof()
        except OSError:  # from asyncio's own transport, if the client has gone and asyncio has not noticed yet
            self._transport.abort()

    def _reset(self) -> None:
        """Send RST. Bytes that the client's kernel has not received yet are lost, such as the end of a large body."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def _abandon(self) -> None:
        """End all players, because the connection is closed. If a fault closed it, their calls count as complete."""
        players = list(self._players.values())
        self._players.clear()
        self._blocked.clear()
        for player in players:
            player.abandon(complete=self._broken is not None)

    def check_patience(self, now: float, patience: float) -> None:
        """End a request that stays incomplete: a slow loris, or a client that died while it sent."""
        wire = self._http1
        over = self._hung_up or (wire is not None and wire.lingering)
        waiting = self.wire is None or over or (wire is not None and wire.incomplete)
        if not waiting:
            self._waiting = None
            return
        what = 0 if wire is None else -1 if over else wire.stream
        if self._waiting is None or self._waiting[0] != what:
            self._waiting = (what, now)
        elif now - self._waiting[1] >= patience:
            if wire is None or over:
                self._transport.close()
            else:
                wire.refuse(408, f"The request was incomplete after {patience:g} seconds.")
                self.flush()
