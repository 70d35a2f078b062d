"""The values that HTTP/1.1 and HTTP/2 share: received requests, closed streams and refusals."""

from __future__ import annotations

from typing import NamedTuple

from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import HeaderPairs


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


class StreamClosed(NamedTuple):
    """The client reset or broke a stream after its request was complete.

    The client no longer waits for the answer. error: the HTTP/2 error code (RFC 9113, section 7).
    """

    stream: int
    error: int


Received = RequestReceived | StreamClosed


def render_refusal(message: str) -> tuple[HeaderPairs, bytes]:
    """Return the headers and the body of a refusal, in the form of a Bedrock error. The caller chooses the status."""
    body = compact({"message": f"bedtape: {message}"})
    headers = (
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"x-amzn-ErrorType", b"ValidationException"),
    )
    return headers, body
