"""What HTTP/1.1 and HTTP/2 share: received requests, closed streams, refusals, and their interface.

Most requests are complete before they are answered: `RequestReceived`. A request of a duplex
operation is answered while it arrives: `HeadReceived`, then `DataReceived` and `InputEnded`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.gaps import HeaderPairs
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply


class Wire(Protocol):
    """The interface of HTTP/1.1 and HTTP/2 that the server uses."""

    @property
    def closing(self) -> bool: ...
    @property
    def at_rest(self) -> bool: ...
    def start(self, stream: int, status: int, headers: HeaderPairs, date: bytes) -> None: ...
    def send(self, stream: int, data: bytes) -> None: ...
    def finish(self, stream: int) -> None: ...
    def respond(
        self, stream: int, status: int, headers: HeaderPairs, body: bytes, date: bytes
    ) -> None: ...
    def respond_stream(self, stream: int, reply: Reply, date: bytes) -> None: ...
    def count_pending(self, stream: int) -> int: ...
    def take(self) -> bytes: ...


class RequestReceived(NamedTuple):
    """A complete request.

    stream: the number of the HTTP/2 stream, or the number of the request on an HTTP/1.1 connection.
    head: the header lines. If an HTTP/2 request has no host header, :authority is its first header,
        under the name host.
    """

    stream: int
    method: bytes
    target: bytes
    head: Head
    body: bytes


class HeadReceived(NamedTuple):
    """The head of a request whose answer begins now. Its body follows. stream, head: as above."""

    stream: int
    method: bytes
    target: bytes
    head: Head


class DataReceived(NamedTuple):
    """A part of a body that follows its head. It is split anywhere."""

    stream: int
    data: bytes


class InputEnded(NamedTuple):
    """The end of a body that follows its head."""

    stream: int


class StreamClosed(NamedTuple):
    """The client reset or broke a stream after its request, or its head, was returned.

    The client no longer waits for the answer. error: the HTTP/2 error code (RFC 9113, section 7).
    """

    stream: int
    error: int


Received = RequestReceived | HeadReceived | DataReceived | InputEnded | StreamClosed


def render_refusal(message: str) -> tuple[HeaderPairs, bytes]:
    """Return the headers and the body of a refusal, in the form of a Bedrock error.

    The caller chooses the status.
    """
    body = compact({"message": f"bedtape: {message}"})
    headers = (
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"x-amzn-ErrorType", b"ValidationException"),
    )
    return headers, body
