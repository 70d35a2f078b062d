"""One client's connection: moves bytes between socket and wire, requests to the engine,
and answers to the client.

The room `server` has the sockets, the timers and the clock. The engine chooses the answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import Close, Reset
from bedtape_replayer.server.exchanges import Exchanges
from bedtape_replayer.server.player import Player
from bedtape_replayer.wire import http1, http2
from bedtape_replayer.wire.http2.frames import ErrorCode
from bedtape_replayer.wire.messages import (
    DataReceived,
    HeadReceived,
    InputEnded,
    Received,
    RequestReceived,
    StreamClosed,
    Wire,
)

if TYPE_CHECKING:
    from bedtape_replayer.server.server import Server

# Above this much unread of pipelined requests, the connection is not read.
_PIPELINED = 1024 * 1024
# SO_LINGER on, for 0 seconds: closing sends RST, and drops what is unsent
_RESETTING = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """One client's connection: detects the HTTP version, then carries requests and answers.

    Every event (bytes, a writable transport, a timer, the end) changes the state and then calls
    `flush`, the only place that makes progress. If the client does not read, bytes stay in the
    wire; `count_pending` counts them.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.writable = True
        self.winding_down = False
        self.wire: Wire | None = None
        self._http1: http1.Http1Connection | None = None
        self.http2: http2.Http2Connection | None = None
        self._first = b""
        self._transport: asyncio.Transport
        self._holding_back = False
        self._lingering = False
        self._waiting: tuple[int, float] | None = None
        self._broken: Close | Reset | None = None
        # With HTTP/2, the stream after whose successors the connection ends; `None` for no end.
        self._ends_after: int | None = None
        self.half_closed = False
        self._hung_up = False
        self.exchanges = Exchanges(server)

    # -- callbacks of asyncio ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's has the methods, not the base class
        self._transport = cast(asyncio.Transport, transport)
        self.server.join(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it is lost changes nothing
        self._abandon()
        self.server.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._broken is not None:
            # read and dropped, because unread bytes would turn an orderly close into a reset
            return
        if self._http1 is not None:
            if self._receive1(self._http1, data):
                return
        elif self.http2 is not None:
            self._receive2(self.http2, data)
        else:
            self._sniff(data)
        self.flush()

    def eof_received(self) -> bool:
        """A client of HTTP/1.1 may close its sending side and still read.

        Its answers are finished first.

        A client of HTTP/2 sends GOAWAY instead; without its WINDOW_UPDATE most
        answers could not be finished.
        """
        self.half_closed = True
        wire = self._http1
        if wire is None or wire.expects_input or self._broken is not None or self.exchanges.stalled:
            # A client that has closed both directions looks the same, and no write would detect it.
            # The transport reports the loss one turn of the loop later, but the history must
            # contain it now.
            self._abandon()
            return False
        wire.receive_eof()
        self.flush()
        return True

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        # a transport that is closed inside this callback reports its loss twice
        self.server.turns.add(self.loop, self.flush)

    # -- requests ----------------------------------------------------------------------------------

    def _sniff(self, data: bytes) -> None:
        """Detect TLS and the HTTP version. HTTP/2 begins with a preface that HTTP/1.1 lacks."""
        if not self._first and self.server.insert_layer(self, self._transport, data):
            return
        self._first += data
        preface = http2.PREFACE
        if self._first.startswith(preface[:16]):
            self.wire = self.http2 = http2.Http2Connection(
                max_body=self.server.max_body, heads=self.server.request_heads
            )
            if self.server.draining:
                self.end_with_next_answer()
            self._receive2(self.http2, self._first)
        elif not preface.startswith(self._first):
            self.wire = self._http1 = http1.Http1Connection(
                max_body=self.server.max_body, forms=self.server.head_forms
            )
            self._http1.ending = self.server.draining
            self._receive1(self._http1, self._first)
        else:
            return
        self._first = b""

    def _receive1(self, wire: http1.Http1Connection, data: bytes) -> bool:
        """Receive requests. Return whether the answer is written, and nothing is left to do."""
        for received in wire.receive(data):
            if not isinstance(received, RequestReceived):
                self._receive_part(received)
                continue
            repeats = None if received.head.form is None else self.server.repeats
            if repeats is not None and repeats.answer(self, wire, received.head, received.body):
                return True
            self.exchanges.answer(self, *received)
        return False

    def _receive2(self, wire: http2.Http2Connection, data: bytes) -> None:
        for received in wire.receive(data):
            match received:
                case RequestReceived(stream) | HeadReceived(stream) if self.winding_down:
                    wire.reset(stream, ErrorCode.REFUSED_STREAM)
                case RequestReceived():
                    self.exchanges.answer(self, *received)
                case _:
                    self._receive_part(received)
        if wire.closing:  # the client violated the protocol, so its streams are closed
            self._abandon()

    def _receive_part(self, received: Received) -> None:
        """Answer a duplex request, pass its input on, or end the exchange of a closed stream."""
        match received:
            case HeadReceived():
                self.exchanges.answer(self, *received, None)
            case DataReceived(stream, data):
                self.exchanges.receive(stream, data)
            case InputEnded(stream):
                self.exchanges.receive(stream, None)
            case StreamClosed(stream):
                self.exchanges.cancel(stream)

    def respond(self, stream: int, method: str, reply: Reply) -> None:
        """Answer with a reply of bedtape itself."""
        body = b"" if method == "HEAD" else reply.body
        cast(Wire, self.wire).respond(stream, reply.status, reply.headers, body, self.server.date())

    # -- going on ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write bytes, resume answers and begin requests, as far as the client reads."""
        wire = self.wire
        if wire is None or self._hung_up or self._transport.is_closing():
            return
        if self.writable:
            self._write(wire)
            if wire.at_rest and not (
                self.exchanges.blocked
                or self._holding_back
                or self._broken
                or self.winding_down
                or self._ends_after is not None
            ):
                return  # after most requests, none of the checks below is needed
            while not self._transport.is_closing() and self._begin_next():
                self._write(wire)
            if self.exchanges.resume():
                self._write(wire)
                self.server.turns.add(self.loop, self.flush)  # goes on after other clients
            else:
                self._end_if_over(wire)
        elif wire.closing and self.http2 is not None:  # a flood from a client that reads nothing
            self._transport.abort()
        if self._http1 is not None:
            self._hold_back(self._http1)

    def flush_event(self) -> None:
        """Write the event of an answer that goes on by the clock. An event begins and ends nothing,
        so that most of `flush` is not needed.
        """
        if self.wire is None or not self.writable or self.exchanges.blocked or self._broken:
            self.flush()
        elif not self._transport.is_closing():
            self._write(self.wire)

    def _write(self, wire: Wire) -> None:
        if data := wire.take():
            self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Write a complete answer. Nothing of another answer waits to be written."""
        self._transport.write(data)

    def _begin_next(self) -> bool:
        """Parse the bytes after a finished request. Return whether that consumed any."""
        wire = self._http1
        if (
            wire is None
            or self.exchanges.in_flight
            or self.winding_down
            or not (unread := wire.buffered_bytes)
        ):
            return False
        self._receive1(wire, b"")
        return wire.buffered_bytes != unread

    def _end_if_over(self, wire: Wire) -> None:
        match self._broken:
            case Reset():
                self._reset()
                return
            case Close():
                self._hang_up()
                return
        over = wire.closing and not self.exchanges.unconfirmed
        if self._ends_now and not (self.exchanges.in_flight or self.winding_down):
            assert self.http2 is not None
            self.http2.abort(ErrorCode.NO_ERROR)
            self._write(wire)
            # closed by the client, because a reset could overtake the answer
            self._hang_up()
            return
        if self.winding_down and not self.exchanges.in_flight:
            over = True
            if self.http2 is not None:
                self.http2.abort(ErrorCode.NO_ERROR)
                self._write(wire)
        if over:
            self._transport.close()
        elif self._http1 is not None and self._http1.lingering and not self._lingering:
            self._lingering = True
            # a client that reads to the end need not wait until the patience ends
            self._write_eof()

    @property
    def _ends_now(self) -> bool:
        """Whether the last answer was the one that ends a connection with HTTP/2."""
        wire, after = self.http2, self._ends_after
        return (
            wire is not None and after is not None and wire.last_stream > after and not wire.is_busy
        )

    def _hold_back(self, wire: http1.Http1Connection) -> None:
        """Pause reading while too many bytes of pipelined requests wait."""
        too_many = wire.buffered_bytes > _PIPELINED
        if too_many != self._holding_back:
            self._holding_back = too_many
            if too_many:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def end_if_reset(self) -> bool:
        """End all answers if the client has reset the connection. Return whether it has."""
        if not self._transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_ERROR
        ):
            return False
        self._transport.abort()
        self._abandon()
        return True

    # -- ends --------------------------------------------------------------------------------------

    def end_with_next_answer(self) -> None:
        """Let the next answer close the connection, so that its client begins another one.

        HTTP/2 ends with GOAWAY, when no other answer is sent: many versions of the SDK for
        JavaScript drop all answers of a connection on which they receive GOAWAY.
        """
        if self._http1 is not None:
            self._http1.ending = True
        elif self.http2 is not None:
            self._ends_after = 0 if self.http2.is_busy else self.http2.last_stream

    def wind_down(self) -> None:
        """Finish the answers in flight, then close. Stalled answers end at once."""
        self.winding_down = True
        self.end_with_next_answer()
        if self.wire is None or self._hung_up:
            self._transport.close()
        for player in self.exchanges.stalled:
            self.end_stalled(player)
        self.flush()

    def end_stalled(self, player: Player) -> None:
        """A stalled player waits until the client closes, unless the connection ends already."""
        if self.half_closed or self.winding_down:
            player.end(Reset(ErrorCode.CANCEL) if self.http2 is not None else Close())

    def break_off(self, stream: int, how: Close | Reset) -> None:
        """End an answer as a fault demands, with the connection unless RST_STREAM suffices."""
        if self.http2 is not None and isinstance(how, Reset) and how.code is not None:
            self.http2.reset(stream, how.code)
        elif self._broken is None:
            self._broken = how
            self._abandon()

    def _hang_up(self) -> None:
        """Send FIN. The client's bytes are read until it closes too, or the patience ends."""
        self._hung_up = True
        if self.winding_down or self.half_closed:
            self._transport.close()
        else:
            self._write_eof()

    def _write_eof(self) -> None:
        try:
            self._transport.write_eof()
        except OSError:
            # from asyncio's own transport, if the client has gone and asyncio has not noticed yet
            self._transport.abort()

    def _reset(self) -> None:
        """Send RST. Bytes that have not arrived are lost, such as the end of a large body."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING
        )
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def _abandon(self) -> None:
        """End all players. If a fault closed the connection, their calls count as complete."""
        self.exchanges.abandon(complete=self._broken is not None)

    def check_patience(self, now: float, patience: float) -> None:
        """End a request that stays incomplete: a slow loris, or a client that has died."""
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
