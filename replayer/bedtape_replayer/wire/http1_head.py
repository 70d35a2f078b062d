"""The head of an HTTP/1.1 response as bytes, encoded once for each status and header list."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from bedtape_replayer.answering.reply import is_date

__all__ = ["EncodedHead", "encode_head"]

Headers = tuple[tuple[bytes, bytes], ...]


class EncodedHead(NamedTuple):
    """A response's head as it goes out, before and after the present date, and what follows from it."""

    before: bytes
    after: bytes
    dated: bool
    chunked: bool
    keep_alive: bool


# As many as there are recordings in a large suite.
@lru_cache(maxsize=8192)
def encode_head(status: int, headers: Headers, minor: bytes, keep_alive: bool) -> EncodedHead:
    """The head in the form that a client of HTTP/1.`minor` understands."""
    named = {name.lower(): value.lower() for name, value in headers}
    chunked = b"transfer-encoding" in named
    dropped = set()
    if chunked and minor == b"0":  # HTTP/1.0 knows no chunks: the end of the connection ends the answer
        chunked = keep_alive = False
        dropped.add(b"transfer-encoding")
    keep_alive = keep_alive and named.get(b"connection") != b"close"
    added: Headers = ()
    if not keep_alive:
        dropped.add(b"connection")
        added = ((b"Connection", b"close"),)
    elif minor == b"0" and b"connection" not in named:
        added = ((b"Connection", b"keep-alive"),)
    kept = [pair for pair in headers if pair[0].lower() not in dropped]
    lines = [_status_line(status), *(b"%b: %b" % pair for pair in (*kept, *added))]
    hole = next((number for number, pair in enumerate(kept, 2) if is_date(*pair)), 0)
    before = b"\r\n".join(lines[:hole])
    after = b"\r\n".join([b"", *lines[hole:], b"", b""] if hole else [*lines, b"", b""])
    return EncodedHead(before, after, hole > 0, chunked, keep_alive)


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    return b"HTTP/1.1 %d %b" % (status, phrase)
