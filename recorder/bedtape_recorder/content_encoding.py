"""Answers that come compressed (forward mode, where the client chose): read for the recording, the client's untouched.

The capture is told the body as it was before, and nothing of the compression. A plain body is read when it is whole, a
stream in gzip or deflate as it comes. What cannot be read cannot be searched for secrets: it is not recorded, aloud. No
sockets, no mitmproxy: what reads Brotli and Zstandard is an argument.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Protocol

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Headers
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, find_secrets, scrub
from bedtape_recorder.capture import Capture

__all__ = ["Receiving", "Unpack", "receiving"]

_log = logging.getLogger("bedtape.record")

Unpack = Callable[[bytes, str], bytes]
"""(body, coding) to the body before it was encoded. Raises ValueError."""

_ZLIB = ("gzip", "x-gzip", "deflate")
_STREAMS = (bodies.EVENT_STREAM, bodies.SERVER_SENT)
_GONE = ("content-encoding", "content-length")


class Receiving(Protocol):
    """One answer's body on its way to the capture; only the first `end` counts."""

    def feed(self, data: bytes) -> None: ...
    def end(self, error: str | None) -> None: ...


def receiving(
    capture: Capture, exchange: int, status: int, headers: Headers, unpack: Unpack, redaction: Redaction = ALWAYS
) -> Receiving:
    """What takes in the body of an answer that begins with these headers. redaction: what else counts as a secret."""
    named = {name.lower(): value for name, value in reversed(headers)}
    coding = named.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return _Plain(capture, exchange, status, headers)
    kind = named.get("content-type", "").split(";")[0].strip().lower()
    if coding in _ZLIB and kind in _STREAMS:
        return _Stream(capture, exchange, status, headers, coding)
    return _Whole(capture, exchange, status, headers, coding, unpack, redaction)


def _unpacked(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in _GONE)


class _Plain:
    def __init__(self, capture: Capture, exchange: int, status: int, headers: Headers) -> None:
        self._capture = capture
        self._exchange = exchange
        capture.head(exchange, status, headers)

    def feed(self, data: bytes) -> None:
        self._capture.chunk(self._exchange, data)

    def end(self, error: str | None) -> None:
        self._capture.end(self._exchange, error)


class _Stream:
    """A stream in gzip or deflate: each event is recorded when it is there."""

    def __init__(self, capture: Capture, exchange: int, status: int, headers: Headers, coding: str) -> None:
        self._capture = capture
        self._exchange = exchange
        self._coding = coding
        self._inflating = _Inflating()
        self._over = False
        capture.head(exchange, status, _unpacked(headers))

    def feed(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._capture.chunk(self._exchange, self._inflating.feed(data))
        except zlib.error as error:
            self._damaged(str(error))

    def end(self, error: str | None) -> None:
        if error is None and not self._over and not self._inflating.whole:
            self._damaged("it ends too early")
        self._capture.end(self._exchange, error)

    def _damaged(self, why: str) -> None:
        self._over = True
        why = f"its {self._coding} is damaged: {why}"
        _log.error("an answer was not recorded to its end: %s", why)
        self._capture.end(self._exchange, why)


class _Whole:
    """Any other body: read when it is there, so that one that is damaged can be looked at first."""

    def __init__(
        self,
        capture: Capture,
        exchange: int,
        status: int,
        headers: Headers,
        coding: str,
        unpack: Unpack,
        redaction: Redaction,
    ) -> None:
        self._capture = capture
        self._exchange = exchange
        self._status = status
        self._headers = headers
        self._coding = coding
        self._unpack = unpack
        self._redaction = redaction
        self._raw = bytearray()
        length = next((value for name, value in headers if name.lower() == "content-length"), "")
        self._length = int(length) if length.isascii() and length.isdecimal() else None
        self._over = False

    def feed(self, data: bytes) -> None:
        self._raw += data
        if self._length is not None and len(self._raw) >= self._length:  # the client may hang up on its last byte
            self.end(None)

    def end(self, error: str | None) -> None:
        if self._over:
            return
        self._over = True
        raw = bytes(self._raw)
        self._raw.clear()
        if error is not None:
            self._capture.end(self._exchange, error)
            return
        try:
            data = _inflated(raw) if self._coding in _ZLIB else self._unpack(raw, self._coding)
        except (ValueError, zlib.error) as problem:
            self._damaged(raw, f"its {self._coding} is damaged: {problem}")
        else:
            self._keep(_unpacked(self._headers), data)

    def _damaged(self, raw: bytes, why: str) -> None:
        read = _all_that_it_says(raw)
        if read is not None and not any(_holds_a_secret(data, self._redaction) for data in (raw, read)):
            self._keep(self._headers, raw)
            return
        _log.error("an answer was not recorded: %s, so that it cannot be searched for secrets", why)
        self._capture.end(self._exchange, why)

    def _keep(self, headers: Headers, data: bytes) -> None:
        self._capture.head(self._exchange, self._status, headers)
        self._capture.chunk(self._exchange, data)
        self._capture.end(self._exchange)


# -- gzip and deflate ------------------------------------------------------------------------------------------


class _Inflating:
    """Reads gzip, and deflate with its two bytes of header or, as some servers send it (RFC 9110, 8.4.1.2), without."""

    def __init__(self) -> None:
        self._held = b""
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> bytes:
        """What this adds. Raises zlib.error where it cannot be."""
        if self._inflate is None:
            self._held += data
            if len(self._held) < 2:
                return b""
            data = self._held
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32 if _has_header(data) else -zlib.MAX_WBITS)
        read = self._inflate.decompress(data)
        if self._inflate.unused_data:
            raise zlib.error("something follows its end")
        return read

    @property
    def whole(self) -> bool:
        return not self._held if self._inflate is None else self._inflate.eof


def _has_header(data: bytes) -> bool:
    return data[:2] == b"\x1f\x8b" or (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0)


def _inflated(raw: bytes) -> bytes:
    inflating = _Inflating()
    data = inflating.feed(raw)
    if not inflating.whole:
        raise zlib.error("it ends too early")
    return data


# -- what is damaged -------------------------------------------------------------------------------------------


def _all_that_it_says(raw: bytes) -> bytes | None:
    """Every word of a damaged body: one that is not compressed at all, or of which only the checksum is wrong.

    None where some of it cannot be read: nobody knows what stands there, and others may read it one day.
    """
    try:
        raw.decode()
    except UnicodeDecodeError:
        return _despite_its_checksum(raw)
    return raw


def _despite_its_checksum(raw: bytes) -> bytes | None:
    inflating, read = _Inflating(), bytearray()
    for at in range(len(raw)):  # byte by byte: of the piece that fails, zlib gives nothing
        try:
            read += inflating.feed(raw[at : at + 1])
        except zlib.error as error:
            return bytes(read) if str(error).endswith(("incorrect data check", "incorrect length check")) else None
    return None


def _holds_a_secret(data: bytes, redaction: Redaction) -> bool:
    return bool(find_secrets(data)) or scrub(data, redaction) != data
