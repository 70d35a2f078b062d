"""One client's connection: the TLS handshake, then requests in and paced answers out,
each in a task of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from support.upstream.answering import Answering
from support.upstream.http1 import Http1
from support.upstream.http2 import Http2
from support.upstream.log import Request
from support.upstream.service import Service, is_bidirectional
from support.upstream.sigv4 import SignatureError
from support.upstream.wire import Began, DataCame, Dropped, Ended, Event, Wire

_PREFACE = b"PRI * HTTP/2.0"
# What ends a connection with a TCP RST: it is closed with nothing left to send,
# and no time to linger.
_NO_LINGER = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """Whom a connection belongs to."""

    service: Service
    context: ssl.SSLContext | None
    resumed: asyncio.Semaphore

    def add_connection(self, connection: Connection) -> None: ...
    def remove_connection(self, connection: Connection) -> None: ...
    def add_error(self, error: BaseException) -> None: ...


@dataclass
class _Exchange:
    """A request that is coming, or being answered."""

    began: Began
    at: float
    body: bytearray = field(default_factory=bytearray)
    pieces: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None
    logged: bool = False


class Connection(asyncio.Protocol):
    """number: counts the upstream's connections from 0."""

    def __init__(self, owner: Owner, number: int) -> None:
        self.number = number
        self._owner = owner
        self._transport: Any = None  # start_tls gives one that is not declared to be a Transport
        self._ready = False
        self._held = b""
        self._wire: Wire | None = None
        self._exchanges: dict[int, _Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- coming and going

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._owner.add_connection(self)
        if self._owner.context is None:
            self._ready = True
        else:
            self._transport.pause_reading()  # until the handshake's own protocol is there to read
            self._spawn(self._shake_hands(self._owner.context))

    async def _shake_hands(self, context: ssl.SSLContext) -> None:
        """Not left to the server: a handshake that is still going on when it
        stops would be left open.
        """
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(self._transport, self, context, server_side=True)
            if secured is None:
                raise ConnectionAbortedError("the client left in the handshake")
        except (OSError, ConnectionError) as error:
            self.service.log.handshakes_failed.append(error)
            self._end_exchanges()
            return
        self._transport = secured
        self._ready = True
        self._speak(secured.get_extra_info("ssl_object").selected_alpn_protocol() == "h2")
        self.data_received(b"")  # what came with the end of the handshake

    def _speak(self, http2: bool) -> None:
        if http2:
            self._wire = Http2(self._write)
        else:
            self._wire = Http1(self._write)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_exchanges()

    def _end_exchanges(self) -> None:
        for stream in tuple(self._exchanges):
            self._drop(stream)
        for task in self._tasks:
            task.cancel()
        self._owner.remove_connection(self)

    def abort(self) -> None:
        """Closes the TCP connection at once, without a word of TLS."""
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._owner.add_error(error)
            self.abort()

    # -- requests

    def data_received(self, data: bytes) -> None:
        self._held += data
        if self._wire is None and self._ready and len(self._held) >= len(_PREFACE):
            self._speak(self._held.startswith(_PREFACE))
        if self._wire is not None:
            data, self._held = self._held, b""
            try:
                for event in self._wire.receive(data):
                    self._came(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
                self._owner.add_error(error)
                self.abort()

    def _came(self, event: Event) -> None:
        match event:
            case Began():
                begun = self._exchanges[event.stream] = _Exchange(event, self.service.monotonic())
                if is_bidirectional(event.target):
                    begun.task = self._spawn(self._converse(event.stream, begun))
            case DataCame(stream, data):
                # none, where the answer did not wait for the end
                if exchange := self._exchanges.get(stream):
                    exchange.body += data
                    exchange.pieces.put_nowait(data)
            case Ended(stream):
                if exchange := self._exchanges.get(stream):
                    self._end_request(stream, exchange)
            case Dropped(stream):
                self._drop(stream)

    def _end_request(self, stream: int, exchange: _Exchange) -> None:
        exchange.pieces.put_nowait(b"")
        if exchange.task is None:
            exchange.task = self._spawn(self._respond(stream, exchange))
        else:
            self._log(exchange, self._request(exchange))

    def _drop(self, stream: int) -> None:
        exchange = self._exchanges.pop(stream, None)
        if exchange and exchange.task:
            exchange.task.cancel()
            self._log(exchange, self._request(exchange))

    def _request(self, exchange: _Exchange) -> Request:
        """As much of it as has come."""
        began, headers = exchange.began, exchange.began.headers
        body, ended = bytes(exchange.body), self.service.monotonic()
        return Request(
            self.number,
            self.wire.version,
            began.method,
            began.target,
            headers,
            body,
            exchange.at,
            ended,
        )

    def _log(self, exchange: _Exchange, request: Request) -> None:
        """Logs the request, unless it is already."""
        if not exchange.logged:
            exchange.logged = True
            self.service.log.requests.append(request)
            self.service.log.notify()

    # -- answers

    async def _respond(self, stream: int, exchange: _Exchange) -> None:
        request = self._request(exchange)
        answer = self.service.answer(request)
        answering = Answering(self, stream, request, answer.status)
        self._log(exchange, request)  # last: who sees the request sees what became of it
        await answering.play(answer)

    async def _converse(self, stream: int, exchange: _Exchange) -> None:
        request = self._request(exchange)
        try:
            chain = self.service.chain(request)
        except SignatureError as refused:
            answer = self.service.refusal(request, refused)
            await Answering(self, stream, request, answer.status).play(answer)
        else:
            await Answering(self, stream, request, 200).echo(chain, exchange.pieces)

    @property
    def wire(self) -> Wire:
        assert self._wire is not None
        return self._wire

    @property
    def service(self) -> Service:
        return self._owner.service

    @property
    def resumed(self) -> asyncio.Semaphore:
        return self._owner.resumed

    def ending(self, stream: int) -> None:
        """An answer is about to end, perhaps before its request."""
        if exchange := self._exchanges.pop(stream, None):
            self._log(exchange, self._request(exchange))

    def over(self) -> None:
        """An answer has ended: what came behind its request is read now."""
        self.data_received(b"")

    def reset(self, stream: int) -> None:
        """TCP RST, or where a connection carries several streams, the end of this one."""
        self.ending(stream)
        if not self.wire.reset(stream):
            peer: socket.socket = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.abort()
