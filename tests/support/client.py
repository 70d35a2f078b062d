"""Clients that return the bytes of the wire: HTTP/1.1 from the standard library, HTTP/2 from h2."""

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import quote, urlsplit

import h2.config
import h2.connection
import h2.events

from support import WAIT


@dataclass(frozen=True)
class Answer:
    """A response. The header names keep their case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Connection:
    """Has a socket, which the end of a `with` block closes."""

    _socket: socket.socket

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Http1(Connection):
    """A keep-alive connection that sends exactly the headers it is given, besides
    host and content-length.

    context: for https.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._base = parts.path
        host, port = str(parts.hostname), parts.port
        if context is None:
            self._connection = http.client.HTTPConnection(host, port, timeout=WAIT)
        else:
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=WAIT, context=context
            )

    def request(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        session: str = "",
    ) -> Answer:
        connection = self._connection
        connection.putrequest(
            method,
            f"{self._base}{add_prefix(path, session)}",
            skip_host=True,
            skip_accept_encoding=True,
        )
        connection.putheader("Host", self.host)
        for name, value in headers:
            if name.lower() not in _OWN:
                connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())

    def close(self) -> None:
        self._connection.close()


_OWN = {
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "expect",
    "http2-settings",
    "upgrade",
}


def add_prefix(path: str, session: str) -> str:
    """The path under the prefix that names a session."""
    return f"/s/{quote(session, safe='')}{path}" if session else path


class Http2(Connection):
    """A connection with prior knowledge, one request at a time. context: for https."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self.authority = f"{parts.hostname}:{parts.port}"
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=WAIT)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname=parts.hostname)
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self._h2.initiate_connection()
        self._send()

    def _send(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def request(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        session: str = "",
    ) -> Answer:
        stream = self._h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":path", add_prefix(path, session))]
        kept = [(name.lower(), value) for name, value in headers if name.lower() not in _OWN]
        self._h2.send_headers(
            stream, [*pseudo, (":authority", self.authority), *kept], end_stream=not body
        )
        self._send_body(stream, body)
        status, received, data = 0, (), bytearray()
        while True:
            for event in self._receive():
                match event:
                    case h2.events.ResponseReceived(headers=response):
                        pairs = tuple((str(name), str(value)) for name, value in response or ())
                        status, received = int(dict(pairs)[":status"]), pairs[1:]
                    case h2.events.DataReceived(data=piece, flow_controlled_length=length):
                        data += piece or b""
                        self._h2.acknowledge_received_data(length or 0, stream)
                    case h2.events.StreamReset(error_code=code):
                        raise ConnectionError(f"stream reset with {code}")
                    case h2.events.ConnectionTerminated(error_code=code):
                        raise ConnectionError(f"connection ended with {code}")
                    case h2.events.StreamEnded():
                        self._send()
                        return Answer(status, received, bytes(data))
            self._send()

    def _send_body(self, stream: int, body: bytes) -> None:
        sent = 0
        while sent < len(body):
            size = min(
                self._h2.local_flow_control_window(stream),
                self._h2.max_outbound_frame_size,
                len(body) - sent,
            )
            if size:
                self._h2.send_data(
                    stream, body[sent : sent + size], end_stream=sent + size == len(body)
                )
                sent += size
                self._send()
            else:
                self._receive()
        self._send()

    def _receive(self) -> list[h2.events.Event]:
        return list(self._h2.receive_data(_receive(self._socket)))


class Receiving(Protocol):
    """A socket, or a layer above one."""

    def recv(self, size: int, /) -> bytes: ...


def receive_until(connection: Receiving, end: bytes) -> bytes:
    """Returns all bytes until `end` has come, in however many pieces.

    Raises ConnectionError if the server closes first.
    """
    data = b""
    while end not in data:
        data += _receive(connection)
    return data


def receive_answer(connection: Receiving) -> tuple[bytes, bytes]:
    """Returns the head and the body of an answer with a Content-Length."""
    head, end, body = receive_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    assert length is not None, head
    while len(body) < int(length[1]):
        body += _receive(connection)
    return head + end, body


def _receive(connection: Receiving) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the server hung up")
    return data


def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true. Raises AssertionError after `WAIT` seconds."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.001)
