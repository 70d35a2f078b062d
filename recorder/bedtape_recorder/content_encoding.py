"""Decompresses answers for the recording. The client still receives the compressed answer.

Answers are compressed in forward mode, because the client chooses the encoding. The recording
contains the decompressed body and no encoding headers. A stream in gzip or deflate is decompressed
while it arrives, any other body when it is complete. An undecodable body might contain a secret, so
it is not recorded, and an error is logged. Without sockets and mitmproxy: the caller passes the
decoder for Brotli and Zstandard.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Headers
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_recorder.capture import Capture

_log = logging.getLogger("bedtape.record")

Unpack = Callable[[bytes, str], bytes]
"""(body, coding) to the decoded body. Raises ValueError."""

_ZLIB = ("gzip", "x-gzip", "deflate")
_STREAMS = (bodies.EVENT_STREAM, bodies.SERVER_SENT)
_ENCODING_HEADERS = ("content-encoding", "content-length")


class BodyReceiver(Protocol):
    """Receives the body of one answer for the capture. The first call of `end` counts."""

    def feed(self, data: bytes) -> None: ...
    def end(self, error: str | None) -> None: ...


def make_receiver(
    capture: Capture, exchange: int, status: int, headers: Headers, unpack: Unpack
) -> BodyReceiver:
    """Returns the receiver for an answer."""
    by_name = {name.lower(): value for name, value in reversed(headers)}
    coding = by_name.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        capture.add_head(exchange, status, headers)
        return _Plain(capture, exchange)
    kind = by_name.get("content-type", "").split(";")[0].strip().lower()
    if coding in _ZLIB and kind in _STREAMS:
        capture.add_head(exchange, status, _strip_encoding_headers(headers))
        return _Stream(capture, exchange, coding)
    size = by_name.get("content-length", "")
    length = int(size) if size.isascii() and size.isdecimal() else None
    return _Whole(capture, exchange, status, headers, coding, length, unpack)


def _strip_encoding_headers(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in _ENCODING_HEADERS)


# -- gzip and deflate ------------------------------------------------------------------------------


class _Inflater:
    """Decompresses gzip and deflate. Some servers omit deflate's header (RFC 9110, 8.4.1.2)."""

    def __init__(self) -> None:
        self._held = b""
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> bytes:
        """Returns the newly decompressed bytes. Raises zlib.error for invalid data."""
        if self._inflate is None:
            self._held += data
            if len(self._held) < 2:
                return b""
            data = self._held
            self._inflate = zlib.decompressobj(
                zlib.MAX_WBITS | 32 if _has_header(data) else -zlib.MAX_WBITS
            )
        read = self._inflate.decompress(data)
        if self._inflate.unused_data:
            raise zlib.error("something follows its end")
        return read

    @property
    def whole(self) -> bool:
        return not self._held if self._inflate is None else self._inflate.eof


def _has_header(data: bytes) -> bool:
    return data[:2] == b"\x1f\x8b" or (
        data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
    )


def _inflate_whole(raw: bytes) -> bytes:
    inflater = _Inflater()
    data = inflater.feed(raw)
    if not inflater.whole:
        raise zlib.error("it ends too early")
    return data


# -- receivers -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Plain:
    capture: Capture
    exchange: int

    def feed(self, data: bytes) -> None:
        self.capture.add_chunk(self.exchange, data)

    def end(self, error: str | None) -> None:
        self.capture.end(self.exchange, error)


@dataclass(slots=True)
class _Stream:
    """A stream in gzip or deflate. Each event is recorded when it arrives."""

    capture: Capture
    exchange: int
    coding: str
    inflater: _Inflater = field(default_factory=_Inflater)
    over: bool = False

    def feed(self, data: bytes) -> None:
        if self.over:
            return
        try:
            self.capture.add_chunk(self.exchange, self.inflater.feed(data))
        except zlib.error as error:
            self._handle_damage(str(error))

    def end(self, error: str | None) -> None:
        if error is None and not self.over and not self.inflater.whole:
            self._handle_damage("it ends too early")
        self.capture.end(self.exchange, error)

    def _handle_damage(self, why: str) -> None:
        self.over = True
        why = f"its {self.coding} is damaged: {why}"
        _log.error("an answer was not recorded to its end: %s", why)
        self.capture.end(self.exchange, why)


@dataclass(slots=True)
class _Whole:
    """Any other body. It is decoded when complete, so that a damaged body can be checked first."""

    capture: Capture
    exchange: int
    status: int
    headers: Headers
    coding: str
    length: int | None
    unpack: Unpack
    raw: bytearray = field(default_factory=bytearray)
    over: bool = False

    def feed(self, data: bytes) -> None:
        self.raw += data
        if self.length is not None and len(self.raw) >= self.length:  # the client may close now
            self.end(None)

    def end(self, error: str | None) -> None:
        if self.over:
            return
        self.over = True
        raw = bytes(self.raw)
        self.raw.clear()
        if error is not None:
            self.capture.end(self.exchange, error)
            return
        try:
            data = _inflate_whole(raw) if self.coding in _ZLIB else self.unpack(raw, self.coding)
        except (ValueError, zlib.error) as problem:
            self._handle_damage(raw, f"its {self.coding} is damaged: {problem}")
        else:
            self._keep(_strip_encoding_headers(self.headers), data)

    def _handle_damage(self, raw: bytes, why: str) -> None:
        read = _read_damaged(raw)
        if read is not None and all(
            scrub(data, self.capture.redaction) == data for data in (raw, read)
        ):
            self._keep(self.headers, raw)
            return
        _log.error("an answer was not recorded: %s, so that it cannot be searched for secrets", why)
        self.capture.end(self.exchange, why)

    def _keep(self, headers: Headers, data: bytes) -> None:
        self.capture.add_head(self.exchange, self.status, headers)
        self.capture.add_chunk(self.exchange, data)
        self.capture.end(self.exchange)


# -- damaged bodies --------------------------------------------------------------------------------


def _read_damaged(raw: bytes) -> bytes | None:
    """Returns the text of a damaged body that is not compressed or whose checksum is wrong.

    Returns `None` if part of the body cannot be decompressed. An undecodable body might contain a
    secret, so it is not recorded.
    """
    try:
        raw.decode()
    except UnicodeDecodeError:
        return _read_ignoring_checksum(raw)
    return raw


def _read_ignoring_checksum(raw: bytes) -> bytes | None:
    inflater, read = _Inflater(), bytearray()
    for at in range(len(raw)):  # byte by byte, because zlib returns nothing of a failing piece
        try:
            read += inflater.feed(raw[at : at + 1])
        except zlib.error as error:
            return (
                bytes(read)
                if str(error).endswith(("incorrect data check", "incorrect length check"))
                else None
            )
    return None
