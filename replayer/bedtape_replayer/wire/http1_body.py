"""Reads the body of one HTTP/1.1 request: by its length, or in chunks (RFC 9112, sections 6 and 7).

A request that arrives in one piece with its whole body needs no reader; see `Http1Connection`.
"""

from __future__ import annotations

from enum import Enum, auto

from bedtape_replayer.wire.http1_grammar import (
    CHUNK_LINE,
    FIELDS,
    MAX_CHUNK_LINE,
    MAX_TRAILERS,
    RequestError,
)


class _Part(Enum):
    """The part of the body that is read next."""

    BYTES = auto()  # a body of known length
    CHUNK_LINE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    NOTHING = auto()  # the body is complete


class BodyReader:
    """Reads one body from the connection's buffer.

    length: the number of bytes, or `None` for a chunked body.
    max_body: the largest body, in bytes.

    The constructor and `read` raise `RequestError` if the body is larger or violates the grammar.
    """

    def __init__(self, length: int | None, max_body: int) -> None:
        self._part = _Part.CHUNK_LINE if length is None else _Part.BYTES
        self._max_body = max_body
        self._body: bytes | bytearray = b""
        self._expect(length or 0)

    @property
    def complete(self) -> bool:
        return self._part == _Part.NOTHING

    @property
    def body(self) -> bytes:
        return bytes(self._body)

    def take(self) -> bytes:
        """Return and remove the part of the body that was read."""
        data, self._body = bytes(self._body), b""
        return data

    def read(self, buffer: bytes | bytearray, at: int) -> int:
        """Read the buffer from the offset `at`. Return the offset of the first unread byte."""
        if self._part is _Part.CHUNK_LINE and not self._body:
            at = self._read_whole_chunk(buffer, at)
            if at == len(buffer):
                return at
        while not self.complete:
            part = self._part
            at = self._read_part(buffer, at)
            if self._part == part:  # the part needs more bytes
                break
        return at

    def _read_whole_chunk(self, buffer: bytes | bytearray, at: int) -> int:
        """Read a chunk that has arrived completely, as most events of a conversation do."""
        line = CHUNK_LINE.match(buffer, at, at + MAX_CHUNK_LINE)
        if line is None or not buffer.startswith(b"\r\n", start := line.end()):
            return at
        length, start = int(line[1], 16), start + 2
        end = start + length
        if not 0 < length <= self._max_body or not buffer.startswith(b"\r\n", end):
            return at
        self._body = bytes(buffer[start:end])
        return end + 2

    def _read_part(self, buffer: bytes | bytearray, at: int) -> int:
        match self._part:
            case _Part.BYTES:
                return self._collect(buffer, at, _Part.NOTHING)
            case _Part.CHUNK_LINE:
                return self._read_chunk_line(buffer, at)
            case _Part.CHUNK:
                return self._collect(buffer, at, _Part.CHUNK_END)
            case _Part.CHUNK_END:
                return self._read_chunk_end(buffer, at)
            case _Part.TRAILERS:
                return self._read_trailers(buffer, at)
            case _Part.NOTHING:
                return at

    def _expect(self, length: int) -> None:
        if len(self._body) + length > self._max_body:
            raise RequestError(413, f"The request's body is larger than {self._max_body} bytes.")
        self._length = length

    def _collect(self, buffer: bytes | bytearray, at: int, after: _Part) -> int:
        """Add the available bytes of the body or chunk. after: the part that follows them."""
        data = buffer[at : at + self._length]
        self._length -= len(data)
        if not self._length:
            self._part = after
        if not self._body:
            self._body = data
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        return at + len(data)

    def _read_chunk_line(self, buffer: bytes | bytearray, at: int) -> int:
        end = buffer.find(b"\r\n", at, at + MAX_CHUNK_LINE + 2)
        if end < 0:
            if len(buffer) - at >= MAX_CHUNK_LINE + 2:
                raise RequestError(400, "A chunk's size line is too long.")
            return at
        line = CHUNK_LINE.fullmatch(buffer, at, end)
        if line is None:
            raise RequestError(400, "A chunk's size is not a hexadecimal number.")
        self._expect(int(line[1], 16))
        self._part = _Part.CHUNK if self._length else _Part.TRAILERS
        return end + 2

    def _read_chunk_end(self, buffer: bytes | bytearray, at: int) -> int:
        end = buffer[at : at + 2]
        if not b"\r\n".startswith(end):
            raise RequestError(
                400, "A chunk does not end after the number of bytes in its size line."
            )
        if len(end) < 2:
            return at
        self._part = _Part.CHUNK_LINE
        return at + 2

    def _read_trailers(self, buffer: bytes | bytearray, at: int) -> int:
        """Check and discard the trailers."""
        if buffer.startswith(b"\r\n", at):
            self._part = _Part.NOTHING
            return at + 2
        end = buffer.find(b"\r\n\r\n", at)
        if end - at > MAX_TRAILERS or (end < 0 and len(buffer) - at > MAX_TRAILERS + 3):
            raise RequestError(431, f"The request's trailers are longer than {MAX_TRAILERS} bytes.")
        if end < 0:
            return at
        if not FIELDS.fullmatch(buffer, at, end + 2):
            raise RequestError(400, "A trailer line is malformed.")
        self._part = _Part.NOTHING
        return end + 4
