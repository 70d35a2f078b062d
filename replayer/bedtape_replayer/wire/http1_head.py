"""Encodes the head of an HTTP/1.1 response, once for each status and header list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from http import HTTPStatus
from typing import NamedTuple

from bedtape_replayer.answering.gaps import HeaderPairs
from bedtape_replayer.answering.reply import FilledHeaders, is_date


class EncodedHead(NamedTuple):
    """The encoded head of a response.

    before, after: the bytes before and after the current date. If `dated` is false, the head has no
        place for the current date, and `before` is empty.
    chunked: whether the body must be sent in chunks.
    keep_alive: whether the connection stays open after the response.
    """

    before: bytes
    after: bytes
    dated: bool
    chunked: bool
    keep_alive: bool


def encode(
    status: int, headers: Sequence[tuple[bytes, bytes]], minor: bytes, keep_alive: bool
) -> EncodedHead:
    """Return `encode_head`, without encoding again headers that differ in ids alone."""
    if type(headers) is tuple:
        return encode_head(status, headers, minor, keep_alive)
    if not isinstance(headers, FilledHeaders):
        return encode_head(status, tuple(headers), minor, keep_alive)
    sample, form = headers.sample, (status, minor, keep_alive)
    known = sample.encoded.get(form)
    if known is None:
        head = encode_head(status, sample.headers, minor, keep_alive)
        known = sample.encoded[form] = (
            head,
            sample.find_gaps(head.before),
            sample.find_gaps(head.after),
        )
    head, before, after = known
    return EncodedHead(
        before.fill(headers.ids), after.fill(headers.ids), head.dated, head.chunked, head.keep_alive
    )


# The size covers the recordings of a large suite.
@lru_cache(maxsize=8192)
def encode_head(status: int, headers: HeaderPairs, minor: bytes, keep_alive: bool) -> EncodedHead:
    """Return the head in the form that an HTTP/1.`minor` client can read."""
    names = [name.lower() for name, _ in headers]
    connection = headers[names.index(b"connection")][1].lower() if b"connection" in names else b""
    chunked = b"transfer-encoding" in names
    dropped = set()
    if chunked and minor == b"0":  # HTTP/1.0 has no chunks, so closing the connection ends the body
        chunked = keep_alive = False
        dropped.add(b"transfer-encoding")
    keep_alive = keep_alive and connection != b"close"
    added: HeaderPairs = ()
    if not keep_alive:
        dropped.add(b"connection")
        added = ((b"Connection", b"close"),)
    elif minor == b"0" and not connection:
        added = ((b"Connection", b"keep-alive"),)
    kept = [pair for name, pair in zip(names, headers, strict=True) if name not in dropped]
    lines = [_encode_status_line(status), *[b"%b: %b" % pair for pair in (*kept, *added)]]
    date_line = next((number for number, pair in enumerate(kept, 2) if is_date(*pair)), 0)
    before = b"\r\n".join(lines[:date_line])
    after = b"\r\n".join([b"", *lines[date_line:], b"", b""] if date_line else [*lines, b"", b""])
    return EncodedHead(before, after, date_line > 0, chunked, keep_alive)


@cache
def _encode_status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    return b"HTTP/1.1 %d %b" % (status, phrase)
