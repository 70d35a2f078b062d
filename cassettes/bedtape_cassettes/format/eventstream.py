"""Encodes and decodes AWS event-stream frames.

A frame consists of the total length, the headers' length, the CRC of these 8 bytes, the headers,
the payload, and the CRC of all bytes before it. Numbers are big endian; the CRC is zlib's CRC-32.
`bodies` interprets the payloads.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias
from zlib import crc32

from bedtape_cassettes.model import Headers

# botocore refuses larger frames (eventstream.py: 128 KiB of headers, 24 MiB of payload) and
# repeated headers.
MAX_HEADERS = 128 * 1024
MAX_PAYLOAD = 24 * 1024 * 1024
_LONGEST_VALUE = 0x7FFF  # the AWS SDK for Java reads the length as a signed short

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")


class FrameError(ValueError):
    """Bytes are not event-stream frames (the message contains the offset), or cannot be sent."""


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
    """One decoded frame. Its headers are in wire order."""

    headers: tuple[tuple[str, HeaderValue], ...]
    payload: bytes

    def strings(self) -> Headers | None:
        """Returns the headers as plain strings; None if a header has another type."""
        if any(value.type is not HeaderType.STRING for _, value in self.headers):
            return None
        return tuple((name, str(value.value)) for name, value in self.headers)


_TYPES = {int(kind): kind for kind in HeaderType}
_FIXED = {
    HeaderType.BYTE: struct.Struct(">b"),
    HeaderType.SHORT: struct.Struct(">h"),
    HeaderType.INTEGER: struct.Struct(">i"),
    HeaderType.LONG: struct.Struct(">q"),
    HeaderType.TIMESTAMP: struct.Struct(">q"),
}


def _encode_value(value: HeaderValue) -> bytes:
    kind = value.type
    match value.value:
        case bool() as flag if kind is (HeaderType.TRUE if flag else HeaderType.FALSE):
            return b""
        case int() as number if kind in _FIXED and not isinstance(number, bool):
            return _FIXED[kind].pack(number)
        case uuid.UUID() as identifier if kind is HeaderType.UUID:
            return identifier.bytes
        case str() as text if kind is HeaderType.STRING:
            return _prefix_length(text.encode())
        case bytes() as data if kind is HeaderType.BYTES:
            return _prefix_length(data)
    raise FrameError(f"a header of type {kind.name} cannot hold {str(value.value)[:40]!r}")


def _prefix_length(data: bytes) -> bytes:
    if len(data) > _LONGEST_VALUE:
        raise FrameError(
            f"a header value of {len(data)} bytes is too long: at most {_LONGEST_VALUE} fit"
        )
    return struct.pack(">H", len(data)) + data


def _encode_header(name: str, value: HeaderValue) -> bytes:
    try:
        encoded, packed = name.encode(), _encode_value(value)
    except (struct.error, UnicodeEncodeError) as error:
        # a number out of range; half of a surrogate pair
        raise FrameError(f"header {name[:40]!r} cannot be written: {error}") from None
    if not 0 < len(encoded) < 256:
        raise FrameError(f"a header name has 1 to 255 bytes, {name[:40]!r} has {len(encoded)}")
    return bytes([len(encoded)]) + encoded + bytes([value.type]) + packed


def _encode_headers(headers: Iterable[tuple[str, HeaderValue]]) -> bytes:
    lines = dict[str, bytes]()
    for name, value in headers:
        if name in lines:
            raise FrameError(f"the header {name[:40]!r} stands twice")
        lines[name] = _encode_header(name, value)
    encoded = b"".join(lines.values())
    if len(encoded) > MAX_HEADERS:
        raise FrameError(
            f"headers of {len(encoded)} bytes are too long: at most {MAX_HEADERS} may be sent"
        )
    return encoded


def _check_payload(payload: bytes) -> None:
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(
            f"a payload of {len(payload)} bytes is too long: at most {MAX_PAYLOAD} may be sent"
        )


def _seal(headers: bytes, payload: bytes) -> bytes:
    _check_payload(payload)
    lengths = _LENGTHS.pack(len(headers) + len(payload) + 16, len(headers))
    message = lengths + _CRC.pack(crc32(lengths)) + headers + payload
    return message + _CRC.pack(crc32(message))


def encode(frame: Frame) -> bytes:
    """Returns the bytes of the frame. Raises FrameError if clients would refuse the frame."""
    return _seal(_encode_headers(frame.headers), frame.payload)


@lru_cache(maxsize=256)
def _encode_string_headers(headers: Headers) -> bytes:
    return _encode_headers((name, HeaderValue(HeaderType.STRING, value)) for name, value in headers)


def encode_strings(headers: Headers, payload: bytes) -> bytes:
    """Returns a frame with string headers, as all frames of Bedrock have. Raises FrameError."""
    return _seal(_encode_string_headers(headers), payload)


def check_strings(headers: Headers, payload: bytes) -> None:
    """Raises FrameError if `encode_strings` would, without the bytes and their checksums."""
    _encode_string_headers(headers)
    _check_payload(payload)


def _decode_value(data: bytes, at: int) -> tuple[HeaderValue, int]:
    if at >= len(data):
        raise ValueError("its value is missing")
    kind = _TYPES.get(data[at]) or HeaderType(data[at])
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
            return HeaderValue(
                kind, raw.decode() if kind is HeaderType.STRING else raw
            ), at + length
        case HeaderType.UUID:
            return HeaderValue(kind, uuid.UUID(bytes=data[at : at + 16])), at + 16
        case _:
            number = _FIXED[kind]
            return HeaderValue(kind, number.unpack_from(data, at)[0]), at + number.size


def _decode_headers(data: bytes) -> tuple[tuple[str, HeaderValue], ...]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(data):
        length = data[at]
        name = data[at + 1 : at + 1 + length]
        if not 0 < length == len(name):
            raise ValueError("name is empty or runs past the headers")
        if (key := name.decode()) in headers:
            raise ValueError("a name stands twice")
        headers[key], at = _decode_value(data, at + 1 + length)
    return tuple(headers.items())


# The headers of events are equal, except the signatures of a client.
_decode_equal_headers = lru_cache(maxsize=256)(_decode_headers)
_LONGEST_EQUAL = 512
_SIGNATURE = ":chunk-signature"
_SIGNED = _SIGNATURE.encode()


class Decoder:
    """Decodes frames from a stream of bytes that arrives in chunks of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's start in the whole stream, for messages

    @property
    def rest(self) -> bytes:
        """The bytes of the last frame, which is not complete yet."""
        return bytes(self._buffer)

    @property
    def pending(self) -> int:
        """The number of bytes of the last frame that have arrived."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Returns the frames that `data` completes.

        Raises FrameError if the bytes are not frames; `rest` then contains all
        bytes that were not returned.
        """
        self._buffer += data
        frames, at = [], 0
        while (total := self._measure(at)) is not None:
            message = bytes(self._buffer[at : at + total])
            frames.append(_decode_frame(message, self._offset + at))
            at += total
        del self._buffer[:at]
        self._offset += at
        return frames

    def _measure(self, at: int) -> int | None:
        """Returns the length of the frame at an index; None if it is not complete yet."""
        available = len(self._buffer) - at
        if available < 12:
            return None
        total = _measure(self._buffer, at, self._offset + at)
        return total if available >= total else None


def _measure(data: bytes | bytearray, at: int, place: int) -> int:
    """Returns the length of the frame at an index. place: of the frame, for messages."""
    total, headers_length, prelude_crc = _PRELUDE.unpack_from(data, at)
    if crc32(data[at : at + 8]) != prelude_crc:
        raise _make_error(place, "the prelude's checksum does not match")
    if headers_length > MAX_HEADERS or not 0 <= total - headers_length - 16 <= MAX_PAYLOAD:
        raise _make_error(place, f"lengths of {total} and {headers_length} bytes cannot be")
    return int(total)


def _decode_frame(message: bytes, place: int) -> Frame:
    """Returns the frame. message: of the length that `_measure` returns."""
    if crc32(message[:-4]) != _CRC.unpack_from(message, len(message) - 4)[0]:
        raise _make_error(place, "the message's checksum does not match")
    end = 12 + _LENGTHS.unpack_from(message)[1]
    headers = message[12:end]
    is_new = len(headers) > _LONGEST_EQUAL or _SIGNED in headers
    decode = _decode_headers if is_new else _decode_equal_headers
    try:
        return Frame(decode(headers), message[end:-4])
    except (ValueError, struct.error) as error:
        raise _make_error(place, f"a header cannot be read: {error}") from None


def _make_error(place: int, why: str) -> FrameError:
    return FrameError(f"event-stream frame at byte {place}: {why}")


def decode_all(data: bytes) -> list[Frame]:
    """Returns all frames of a whole body. Raises FrameError for anything but whole frames."""
    if len(data) >= 12 and _measure(data, 0, 0) == len(data):
        return [_decode_frame(data, 0)]
    decoder = Decoder()
    frames = decoder.feed(data)
    if decoder.rest:
        raise FrameError(f"{len(decoder.rest)} bytes after the last whole event-stream frame")
    return frames


def encode_all(frames: Iterable[Frame]) -> bytes:
    """Returns the bytes of the frames, joined to one body."""
    return b"".join(map(encode, frames))


def open_envelope(frame: Frame) -> list[Frame] | None:
    """Returns the frames in the envelope of a signed event. The empty envelope ends the input.

    Returns `None` for a frame that is no envelope, as clients with a bearer token send.
    """
    if _SIGNATURE not in dict(frame.headers):
        return None
    return decode_all(frame.payload)
