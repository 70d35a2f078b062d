"""The server: the only file with sockets, timers and the clock.

It carries bytes between sockets and the two sans-io wires, requests to the engine, and answers back at their pace.
Everything it decides about content, it asks the engine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol, cast

from bedtape_replayer import http1, http2
from bedtape_replayer.call import Head, Pairs, RawHead
from bedtape_replayer.engine import Answer, Engine
from bedtape_replayer.reply import DATE, HeaderPairs, Reply
from bedtape_replayer.steps import Finish, Send, Start, Step, Wait, paced

__all__ = ["MAX_BODY", "Observer", "Outcome", "Server"]

# Bedrock's own limit for a body is 25,000,000 bytes (InvokeModel); base64 in JSON elsewhere makes it a little more.
MAX_BODY = 25 * 1024 * 1024
# Above this much unsent, a stream waits for its reader.
_HIGH_WATER = 256 * 1024
# Above this much unread of pipelined requests, the connection is not read.
_PIPELINED = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call when it is over: what answered, how long it took, whether the client stayed to the end."""

    answer: Answer
    seconds: float
    complete: bool


Observer = Callable[[Outcome], None]


class _Wire(Protocol):
    """What the server needs of HTTP/1.1 and HTTP/2 alike."""

    closing: bool

    def start(self, stream: int, status: int, headers: HeaderPairs) -> None: ...
    def send(self, stream: int, data: bytes) -> None: ...
    def finish(self, stream: int) -> None: ...
    def respond(self, stream: int, status: int, headers: HeaderPairs, body: bytes) -> None: ...
    def pending(self, stream: int) -> int: ...
    def take(self) -> bytes: ...


class Server:
    """Listens, and answers every connection from one engine.

    speed: None for as fast as possible, else a multiple of the recorded pace. observer: told of every call, when
    it is over. patience: seconds that a client may take to send a whole request.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        speed: float | None = None,
        observer: Observer | None = None,
        max_body: int = MAX_BODY,
        patience: float = 60.0,
    ) -> None:
        self.engine = engine
        self.speed = speed
        self.observer = observer
        self.max_body = max_body
        self.connections: set[_Connection] = set()
        self._patience = patience
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._date = b""
        self._dated: dict[HeaderPairs, HeaderPairs] = {}
        self._second = 0

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self, host: str, port: int) -> None:
        """Listens. Raises OSError where that cannot be. Port 0 picks a free one."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Connection(self, loop), host, port, backlog=1024)
        self._sweep(loop)

    async def stop(self, grace: float | None = None) -> None:
        """Takes no more connections, finishes the answers in flight (at most `grace` seconds), and closes."""
        if self._listener is None:
            return
        self._listener.close()
        for connection in list(self.connections):
            connection.wind_down()
        deadline = None if grace is None else time.monotonic() + grace
        while self.connections and (deadline is None or time.monotonic() < deadline):
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper:
            self._sweeper.cancel()
        await asyncio.sleep(0)
        self._listener = None

    def dated(self, headers: HeaderPairs) -> HeaderPairs:
        """The headers with the present date in its place; the same object for the same headers within a second."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = formatdate(now, usegmt=True).encode()
            self._dated.clear()
        dated = self._dated.get(headers)
        if dated is None:
            filled = ((n, self._date if v == DATE and n.lower() == b"date" else v) for n, v in headers)
            dated = self._dated[headers] = tuple(filled)
        return dated

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all connections: one each would be set and cancelled with every request."""
        now = loop.time()
        for connection in list(self.connections):
            connection.check_patience(now, self._patience)
        self._sweeper = loop.call_later(self._patience / 8, self._sweep, loop)


class _Connection(asyncio.Protocol):
    """One client's connection: finds out which HTTP it speaks, then carries requests and answers."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.writable = True
        self.winding_down = False
        self.wire: _Wire | None = None
        self._http1: http1.Http1Connection | None = None
        self._http2: http2.Http2Connection | None = None
        self._first = b""
        self._transport: asyncio.Transport
        self._players: dict[int, _Player] = {}
        self._waiting: tuple[int, float] | None = None

    # -- what asyncio tells ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the methods, not the base class
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        for player in list(self._players.values()):
            player.abandon()
        self._players.clear()

    def data_received(self, data: bytes) -> None:
        if self._http1 is not None:
            self._receive1(self._http1, data)
        elif self._http2 is not None:
            self._receive2(self._http2, data)
        else:
            self._sniff(data)
        self.flush()

    def eof_received(self) -> bool:
        """A client may say that it has asked all and still read: its answers are finished before closing."""
        if self._http1 is not None:
            self._http1.eof()
            self.flush()
            return True
        return bool(self._players)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._resume()
        self.progressed()

    # -- requests ----------------------------------------------------------------------------------------------

    def _sniff(self, data: bytes) -> None:
        """HTTP/2 with prior knowledge begins with a preface that no HTTP/1.1 request begins with."""
        self._first += data
        preface = http2.PREFACE
        if self._first.startswith(preface[:16]):
            self.wire = self._http2 = http2.Http2Connection(max_body=self.server.max_body)
            self._receive2(self._http2, self._first)
        elif not preface.startswith(self._first):
            self.wire = self._http1 = http1.Http1Connection(max_body=self.server.max_body)
            self._receive1(self._http1, self._first)

    def _receive1(self, wire: http1.Http1Connection, data: bytes) -> None:
        requests = wire.receive(data)
        while requests:
            for request in requests:
                self._answer(request.stream, request.method, request.target, RawHead(request.fields), request.body)
            requests = wire.receive(b"")
        if wire.buffered > _PIPELINED and self._players:
            self._transport.pause_reading()

    def _receive2(self, wire: http2.Http2Connection, data: bytes) -> None:
        for received in wire.receive(data):
            match received:
                case http2.RequestReceived(stream, method, target, headers, body):
                    self._answer(stream, method, target, Pairs(headers), body)
                case http2.StreamClosed(stream):
                    if player := self._players.pop(stream, None):
                        player.abandon()
        self._resume()  # a window may have opened

    def _answer(self, stream: int, method: bytes, target: bytes, head: Head, body: bytes) -> None:
        began = time.perf_counter()
        answer = self.server.engine.answer(method.decode(), target.decode("latin-1"), head, body)
        reply, wire = answer.reply, self.wire
        assert wire is not None
        if self.server.speed is None and not reply.streamed:
            body = reply.pieces[0].data if reply.pieces else b""
            wire.respond(stream, reply.status, self.server.dated(reply.headers), body)
            self.observe(answer, began, complete=True)
            return
        player = self._players[stream] = _Player(self, stream, answer, began)
        player.play()

    def observe(self, answer: Answer, began: float, *, complete: bool) -> None:
        if self.server.observer is not None:
            self.server.observer(Outcome(answer, time.perf_counter() - began, complete))

    def played(self, stream: int) -> None:
        """A player has come to its end."""
        self._players.pop(stream, None)

    def progressed(self) -> None:
        """Answers that take time went on: write what is new, and begin the request that waits behind one."""
        if self._http1 is not None and not self._players:
            self._transport.resume_reading()
            self._receive1(self._http1, b"")
        self.flush()

    # -- bytes out ---------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Writes what the wire has, and closes where that was the last."""
        wire = self.wire
        if wire is None:
            return
        if data := wire.take():
            self._transport.write(data)
        if wire.closing or (self.winding_down and not self._players):
            self._transport.close()

    def room(self, stream: int) -> bool:
        """Whether a stream may send more before its reader has read."""
        return self.writable and self.wire is not None and self.wire.pending(stream) < _HIGH_WATER

    def _resume(self) -> None:
        for player in list(self._players.values()):
            if player.blocked and self.room(player.stream):
                player.play()

    # -- ends --------------------------------------------------------------------------------------------------

    def wind_down(self) -> None:
        """Finish what is in flight, then close."""
        self.winding_down = True
        if not self._players:
            if self._http2 is not None:
                self._http2.abort(0)
            self.flush()
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def check_patience(self, now: float, patience: float) -> None:
        """Ends a request that does not become whole: a slow loris, or a client that died on the way."""
        wire = self._http1
        waiting = (wire is None and self._http2 is None) or (wire is not None and wire.unfinished)
        if not waiting:
            self._waiting = None
            return
        request = wire.stream if wire else 0
        if self._waiting is None or self._waiting[0] != request:
            self._waiting = (request, now)
        elif now - self._waiting[1] >= patience:
            if wire is not None and not wire.lingering:
                wire.refuse(408, f"The request was not whole after {patience:g} seconds.")
                self.flush()
            self._transport.close()


class _Player:
    """Plays one answer's steps: at once as far as its reader keeps up, by the clock where a step says so."""

    def __init__(self, connection: _Connection, stream: int, answer: Answer, began: float) -> None:
        self.stream = stream
        self.blocked = False
        self._connection = connection
        self._answer = answer
        self._began = began
        self._due = connection.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._steps = _steps(answer.reply, connection.server.speed)

    def play(self) -> None:
        self.blocked = False
        wire = self._connection.wire
        assert wire is not None
        for step in self._steps:
            match step:
                case Send(data):
                    wire.send(self.stream, data)
                    if not self._connection.room(self.stream):
                        self.blocked = True
                        return
                case Wait(seconds):
                    self._wait(seconds)
                    return
                case Start():
                    reply = self._answer.reply
                    wire.start(self.stream, reply.status, self._connection.server.dated(reply.headers))
                case Finish():
                    wire.finish(self.stream)
        self._end(complete=True)

    def _wait(self, seconds: float) -> None:
        """Due times add up from the beginning, so that late timers do not stretch the whole stream."""
        self._due += seconds
        self._timer = self._connection.loop.call_at(self._due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.play()
        self._connection.progressed()

    def _end(self, *, complete: bool) -> None:
        connection = self._connection
        connection.played(self.stream)
        connection.observe(self._answer, self._began, complete=complete)

    def abandon(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._end(complete=False)


def _steps(reply: Reply, speed: float | None) -> Iterator[Step]:
    if speed is not None:
        return paced(reply, speed)
    return iter((Start(), *(Send(piece.data) for piece in reply.pieces), Finish()))
