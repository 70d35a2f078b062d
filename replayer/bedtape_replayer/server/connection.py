"""One client's connection: moves bytes between the socket and the wire, requests to the engine, and answers back.

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
from bedtape_replayer.answering.reply import HeaderPairs, Reply, build_error_reply, make_request_id
from bedtape_replayer.answering.steps import (
    Close,
    Finish,
    Reset,
    Step,
)
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.player import MAX_PART, Player, cut_steps
from bedtape_replayer.wire import http1, http2
from bedtape_replayer.wire.http2.frames import ErrorCode
from bedtape_replayer.wire.http2.headers import RequestHead
from bedtape_replayer.wire.messages import RequestReceived, StreamClosed

__all__ = ["Connection", "Observer"]

# Above this much unread of pipelined requests, the connection is not read.
_PIPELINED = 1024 * 1024
# SO_LINGER on, for 0 seconds: closing then sends RST instead of FIN, and drops what is unsent.
_RESETTING = struct.pack("ii", 1, 0)


Observer = Callable[[Outcome], None]


def _format_error(error: Exception) -> str:
    """The error in one line that no terminal can be steered by: a request may have chosen its words."""
    return ascii(f"{type(error).__name__}: {error}")[1:-1]


def _locate_error(error: Exception) -> str:
    """The innermost line of code that it came through."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"


class _Wire(Protocol):
    """What the server needs of HTTP/1.1 and HTTP/2 alike."""

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
    """What a connection needs of its server."""

    engine: Engine
    speed: float | None
    observer: Observer | None
    complain: Callable[[str], None]
    max_body: int
    request_heads: dict[bytes, RequestHead]

    def join(self, connection: Connection) -> None: ...
    def leave(self, connection: Connection) -> None: ...
    def date(self) -> bytes: ...


class Connection(asyncio.Protocol):
    """One client's connection: finds out which HTTP it speaks, then carries requests and answers.

    Every way in (bytes, room, a timer, the end) changes something and then calls `flush`, the one place where things
    go on. What is not taken from a wire because the client does not read is what `pending` counts.
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

    # -- what asyncio tells ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the methods, not the base class
        self.server.join(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it is lost changes nothing
        self._abandon()
        self.server.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._broken is not None:
            return  # nobody's any more, but read: bytes left unread would make a reset of an orderly end
        if self._http1 is not None:
            self._receive1(self._http1, data)
        elif self._http2 is not None:
            self._receive2(self._http2, data)
        else:
            self._sniff(data)
        self.flush()

    def eof_received(self) -> bool:
        """A client of HTTP/1.1 may say that it has asked all, and still read: its answers are finished first.

        One of HTTP/2 says that with GOAWAY; without its WINDOW_UPDATE most answers could not be finished.
        """
        self._half_closed = True
        stalled = any(player.stalled for player in self._players.values())
        if self._http1 is None or self._broken is not None or stalled:
            # Who has hung up altogether looks the same, and nothing would ever be written that tells. The transport says
            # that it is lost only a turn later; who asks now what happened is to hear of it.
            self._abandon()
            return False
        self._http1.receive_eof()
        self.flush()
        return True

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.loop.call_soon(self.flush)  # asyncio's transports are lost twice where they are closed or aborted in here

    # -- requests ----------------------------------------------------------------------------------------------

    def _sniff(self, data: bytes) -> None:
        """HTTP/2 with prior knowledge begins with a preface that no HTTP/1.1 request begins with."""
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
        if wire.closing:  # the client broke the rules, and its streams are gone
            self._abandon()

    def _answer(self, stream: int, method: bytes, target: bytes, head: Head, body: bytes) -> None:
        began = time.perf_counter()
        wire, verb, path = self.wire, method.decode("latin-1"), target.decode("latin-1")
        assert wire is not None
        try:
            answer = self.server.engine.answer(verb, path, head, body)
        except Exception as error:  # noqa: BLE001 - whatever it is: this client is told, and the others are served
            self._fail(stream, f"{verb} {path}", error)
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
            self._play(stream, answer, began, iter((Finish(),)), sent=len(reply.pieces))  # over when all found a window
        else:
            self.observe(answer, began, complete=True, sent=len(reply.pieces))

    def _play(self, stream: int, answer: Answer, began: float, steps: Iterator[Step], *, sent: int = 0) -> None:
        """`sent`: how many pieces of the body went out already, after the head."""
        player = self._players[stream] = Player(self, stream, answer, began, steps, sent)
        player.play()

    def _fail(self, stream: int, what: str, error: Exception) -> None:
        """An error of bedtape's own: 500 in Bedrock's form to the client, a line to whoever runs the server."""
        self.server.complain(
            f"{ascii(what)[1:-1]} got a 500 for an error of our own: {_format_error(error)} ({_locate_error(error)})"
        )
        message = f"bedtape: an error of its own, {_format_error(error)}; it says more on its stderr."
        reply = build_error_reply(500, "InternalServerException", message, make_request_id(what.encode()))
        assert self.wire is not None
        self.wire.respond(stream, reply.status, reply.headers, reply.body, self.server.date())

    def observe(self, answer: Answer, began: float, *, complete: bool, sent: int, started: bool = True) -> None:
        """The call is over. An observer's errors are its own: they take no answer from a client."""
        seconds = time.perf_counter() - began
        outcome = Outcome(answer, time.time() - seconds, seconds, complete, sent, started)
        self.server.engine.finish(outcome)
        if self.server.observer is None:
            return
        try:
            self.server.observer(outcome)
        except Exception as error:  # noqa: BLE001 - somebody else's code
            self.server.complain(f"the observer failed: {_format_error(error)} ({_locate_error(error)})")

    # -- going on ----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Takes everything as far as it goes: bytes out, answers that found no room, requests behind an answer."""
        wire = self.wire
        if wire is None or self._hung_up or self._transport.is_closing():
            return
        if self.writable:
            self._write(wire)
            if wire.at_rest and not (self._blocked or self._holding_back or self._broken or self.winding_down):
                return  # nothing below could be due, as after most requests
            while not self._transport.is_closing() and (self._resume() or self._begin_next()):
                self._write(wire)
            self._end_if_over(wire)
        elif wire.closing and self._http2 is not None:  # a flood from a client that reads nothing
            self._transport.abort()
        if self._http1 is not None:
            self._hold_back(self._http1)

    def _write(self, wire: _Wire) -> None:
        if data := wire.take():
            self._transport.write(data)

    def _resume(self) -> bool:
        """Lets every answer go on that has room again; whether there was one."""
        if not self._blocked:
            return False
        ready = [player for player in self._blocked.values() if player.ready]
        for player in ready:
            if self._blocked.pop(player.stream, None) is not None:  # one before it may have broken all off
                player.play()
        return bool(ready)

    def _begin_next(self) -> bool:
        """Reads on behind an answer; whether that led anywhere: to a request, to a part of one, or to a refusal."""
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
            self._write_eof()  # who reads to the end need not wait for our patience to end

    def _hold_back(self, wire: http1.Http1Connection) -> None:
        """Does not read on while too many requests wait."""
        too_many = wire.buffered_bytes > _PIPELINED
        if too_many != self._holding_back:
            self._holding_back = too_many
            if too_many:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def block(self, player: Player) -> None:
        """The player waits for room; see `_resume`."""
        self._blocked[player.stream] = player

    def finish_player(self, player: Player) -> None:
        """The player has come to its end."""
        self._players.pop(player.stream, None)

    # -- ends --------------------------------------------------------------------------------------------------

    def wind_down(self) -> None:
        """Finish what is in flight, then close. What has stalled never would."""
        self.winding_down = True
        if self.wire is None or self._hung_up:
            self._transport.close()
        for player in [player for player in self._players.values() if player.stalled]:
            self.end_stalled(player)
        self.flush()

    def end_stalled(self, player: Player) -> None:
        """The player says nothing more: it waits for the client to go, if nobody is going yet."""
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
        """FIN, and nothing else: what the client still sends is read until it has hung up too, or time is up."""
        self._hung_up = True
        if self.winding_down or self._half_closed:
            self._transport.close()
        else:
            self._write_eof()

    def _write_eof(self) -> None:
        try:
            self._transport.write_eof()
        except OSError:  # from asyncio's own transport, where the client has gone and it has not heard of it yet
            self._transport.abort()

    def _reset(self) -> None:
        """RST. What the client's kernel has not taken yet is lost with it: the end of a body of megabytes."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def _abandon(self) -> None:
        """Nothing more reaches the client; where a fault cut the connection, that is no doing of the client's."""
        players = list(self._players.values())
        self._players.clear()
        self._blocked.clear()
        for player in players:
            player.abandon(complete=self._broken is not None)

    def check_patience(self, now: float, patience: float) -> None:
        """Ends a request that does not become whole: a slow loris, or a client that died on the way."""
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
                wire.refuse(408, f"The request was not whole after {patience:g} seconds.")
                self.flush()
