"""The AWS event-stream frame codec, both ways. Sans-io: bytes in, frames out, and back.

A frame is `total length, headers length, CRC of those 8 bytes, headers, payload, CRC of all before it`, big endian,
CRC-32 of zlib. It knows nothing of what Bedrock puts inside; that is `bodies`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias
from zlib import crc32

from bedtape_cassettes.model import Headers

__all__ = [
    "Decoder",
    "Frame",
    "FrameError",
    "HeaderType",
    "HeaderValue",
    "decode_all",
    "encode",
    "encode_all",
    "encode_strings",
]

# botocore refuses larger ones (eventstream.py: 128 KiB of headers, 24 MiB of payload), so nobody may send them.
MAX_HEADERS = 128 * 1024
MAX_PAYLOAD = 24 * 1024 * 1024
_MAX_TOTAL = MAX_HEADERS + MAX_PAYLOAD + 16

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")


class FrameError(ValueError):
    """The bytes are not event-stream frames; the message says at which offset and why."""


class HeaderType(IntEnum):
    """The type byte of a header value."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


Scalar: TypeAlias = "bool | int | bytes | str | uuid.UUID"


@dataclass(frozen=True, slots=True)
class HeaderValue:
    """A typed header value; timestamps are milliseconds since 1970."""

    type: HeaderType
    value: Scalar


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame, its headers in wire order."""

    headers: tuple[tuple[str, HeaderValue], ...]
    payload: bytes

    def strings(self) -> Headers | None:
        """The headers as plain strings, or None where one has another type."""
        if any(value.type is not HeaderType.STRING for _, value in self.headers):
            return None
        return tuple((name, str(value.value)) for name, value in self.headers)


_FIXED = {
    HeaderType.BYTE: struct.Struct(">b"),
    HeaderType.SHORT: struct.Struct(">h"),
    HeaderType.INTEGER: struct.Struct(">i"),
    HeaderType.LONG: struct.Struct(">q"),
    HeaderType.TIMESTAMP: struct.Struct(">q"),
}


def _encode_value(value: HeaderValue) -> bytes:
    kind = bytes([value.type])
    match value.value:
        case bool():
            return kind
        case int() as number:
            return kind + _FIXED[value.type].pack(number)
        case uuid.UUID() as identifier:
            return kind + identifier.bytes
        case str() as text:
            data = text.encode()
        case bytes() as data:
            pass
    if len(data) > 0x7FFF:
        raise FrameError(f"a header value of {len(data)} bytes is too long: at most 32767 fit")
    return kind + struct.pack(">H", len(data)) + data


def _encode_header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) < 256:
        raise FrameError(f"a header name has 1 to 255 bytes, {name[:40]!r} has {len(encoded)}")
    return bytes([len(encoded)]) + encoded + _encode_value(value)


def _seal(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(len(headers) + len(payload) + 16, len(headers))
    message = lengths + _CRC.pack(crc32(lengths)) + headers + payload
    return message + _CRC.pack(crc32(message))


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the wire."""
    return _seal(b"".join(_encode_header(name, value) for name, value in frame.headers), frame.payload)


@lru_cache(maxsize=256)
def _string_headers(headers: Headers) -> bytes:
    return b"".join(_encode_header(name, HeaderValue(HeaderType.STRING, value)) for name, value in headers)


def encode_strings(headers: Headers, payload: bytes) -> bytes:
    """A frame whose headers are all strings: every frame of Bedrock's."""
    return _seal(_string_headers(headers), payload)


def _decode_value(data: bytes, at: int) -> tuple[HeaderValue, int]:
    kind = HeaderType(data[at])
    at += 1
    match kind:
        case HeaderType.TRUE | HeaderType.FALSE:
            return HeaderValue(kind, kind is HeaderType.TRUE), at
        case HeaderType.BYTES | HeaderType.STRING:
            (length,) = struct.unpack_from(">H", data, at)
            at += 2
            raw = data[at : at + length]
            if len(raw) != length:
                raise ValueError("value runs past the headers")
            return HeaderValue(kind, raw.decode() if kind is HeaderType.STRING else raw), at + length
        case HeaderType.UUID:
            return HeaderValue(kind, uuid.UUID(bytes=data[at : at + 16])), at + 16
        case _:
            number = _FIXED[kind]
            return HeaderValue(kind, number.unpack_from(data, at)[0]), at + number.size


def _decode_headers(data: bytes) -> Iterator[tuple[str, HeaderValue]]:
    at = 0
    while at < len(data):
        length = data[at]
        name = data[at + 1 : at + 1 + length]
        if not 0 < length == len(name):
            raise ValueError("name is empty or runs past the headers")
        value, at = _decode_value(data, at + 1 + length)
        yield name.decode(), value


class Decoder:
    """Cuts a stream of bytes into frames, however it was split on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's start in the whole stream, for messages

    @property
    def rest(self) -> bytes:
        """What has come of a frame that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises FrameError where the stream is not one."""
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if len(self._buffer) < 12:
            return None
        total, headers_length, prelude_crc = _PRELUDE.unpack_from(self._buffer)
        if crc32(self._buffer[:8]) != prelude_crc:
            raise self._error("the prelude's checksum does not match")
        if not 16 + headers_length <= total <= _MAX_TOTAL or headers_length > MAX_HEADERS:
            raise self._error(f"lengths of {total} and {headers_length} bytes cannot be")
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        if crc32(message[:-4]) != _CRC.unpack_from(message, total - 4)[0]:
            raise self._error("the message's checksum does not match")
        try:
            headers = tuple(_decode_headers(message[12 : 12 + headers_length]))
        except (ValueError, struct.error) as error:
            raise self._error(f"a header cannot be read: {error}") from None
        del self._buffer[:total]
        self._offset += total
        return Frame(headers, message[12 + headers_length : -4])

    def _error(self, why: str) -> FrameError:
        return FrameError(f"event-stream frame at byte {self._offset}: {why}")


def decode_all(data: bytes) -> list[Frame]:
    """All frames of a whole body. Raises FrameError if it is not frames from end to end."""
    decoder = Decoder()
    frames = decoder.feed(data)
    if decoder.rest:
        raise FrameError(f"{len(decoder.rest)} bytes after the last whole event-stream frame")
    return frames


def encode_all(frames: Iterable[Frame]) -> bytes:
    """The frames one after another, as a body."""
    return b"".join(map(encode, frames))
