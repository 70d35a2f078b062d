"""Clients that sign with botocore's signer and then send, over TLS, exactly what they are told
to; HTTP/1.1 and HTTP/2.

They take a port and the CA to trust, so that they talk to an upstream or to what stands before it.
"""

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import h2.config
import h2.connection
import h2.events
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from bedtape_cassettes.model import Headers
from support import WAIT
from support.client import Connection
from support.upstream.server import CREDENTIALS
from support.upstream.sigv4 import Credentials

RUNTIME = "bedrock-runtime.us-east-1.amazonaws.com"
JSON = (("Content-Type", "application/json"),)

Pairs: TypeAlias = list[tuple[str, str]]


def sign_headers(
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    host: str = RUNTIME,
    headers: Headers = JSON,
    credentials: Credentials = CREDENTIALS,
    region: str = "us-east-1",
    service: str = "bedrock",
) -> Pairs:
    """The headers of a request with its Host and botocore's signature; what frames
    the body is not among them.
    """
    request = AWSRequest(
        method=method, url=f"https://{host}{path}", headers=dict(headers), data=body
    )
    SigV4Auth(ReadOnlyCredentials(*credentials), service, region).add_auth(request)
    return [("Host", host), *request.headers.items()]


def connect_tls(port: int, ca: Path, *alpn: str, host: str = RUNTIME) -> ssl.SSLSocket:
    """A TLS connection to a port of loopback as if it were `host`."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(alpn)
    connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


@dataclass(frozen=True)
class Response:
    """A response as it came; `chunks` are those of its body, or the body
    alone if it was not chunked.
    """

    status: int
    headers: Headers
    chunks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Plain(Connection):
    """HTTP/1.1. Raises ConnectionError where the server hangs up before the end."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b""
    ) -> None:
        """Sends a request with the headers as they are, and Content-Length behind them
        unless they frame the body.
        """
        pairs = list(headers)
        if not {name.lower() for name, _ in pairs} & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def send_body(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._socket.sendall(data)

    def head(self) -> tuple[int, Headers]:
        """The status and headers of the response that comes."""
        first, *lines = self._until(b"\r\n\r\n")[:-4].decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return int(first.split(" ")[1]), tuple((name, value) for name, _, value in pairs)

    def chunk(self) -> bytes:
        """The next chunk; the last is empty."""
        size = int(self._until(b"\r\n"), 16)
        return self.read(size + 2)[:-2]

    def response(self) -> Response:
        """The whole response."""
        status, headers = self.head()
        length = next(
            (int(value) for name, value in headers if name.lower() == "content-length"), None
        )
        chunks = (self.read(length),) if length is not None else tuple(iter(self.chunk, b""))
        return Response(status, headers, chunks)

    def _until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):  # byte by byte: what follows stays to be read
            data += self.read(1)
        return data

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the server hung up")
            data += piece
        return data


class Streams(Connection):
    """HTTP/2 with h2's events in the order in which they came; `h2` may be
    told to send anything else.
    """

    def __init__(self, connection: socket.socket, host: str = RUNTIME) -> None:
        self._socket = connection
        self._host = host
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Sends what `h2` has to send."""
        self._socket.sendall(self.h2.data_to_send())

    def send_raw(self, data: bytes) -> None:
        """Sends frames that `h2` would not, or that would end it."""
        self._socket.sendall(data)

    def begin(self, path: str, headers: Iterable[tuple[str, str]]) -> int:
        """Sends the head of a POST and returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", self._host),
        ]
        rest = [(name.lower(), value) for name, value in headers if name.lower() != "host"]
        self.h2.send_headers(stream, [*pseudo, *rest])
        self.flush()
        return stream

    def ask(self, path: str, body: bytes) -> int:
        """Sends a signed POST, whole, and returns its stream."""
        stream = self.begin(path, sign_headers(path, body, host=self._host))
        self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def receive(self) -> list[h2.events.Event]:
        """What comes next. Raises ConnectionError where it is the end."""
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        events = list(self.h2.receive_data(data))
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length or 0, event.stream_id or 0
                )
        self.flush()
        return events

    def until(self, kind: type[h2.events.Event], times: int = 1) -> list[h2.events.Event]:
        """All that comes until so many events of a kind have."""
        events: list[h2.events.Event] = []
        while sum(isinstance(event, kind) for event in events) < times:
            events += self.receive()
        return events
