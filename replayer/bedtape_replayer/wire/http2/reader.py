"""From bytes, split anywhere, to the frames of an HTTP/2 client: preface, sizes and header blocks in one piece.

It knows which frame may follow which (RFC 9113, sections 3.4, 4 and 6.10), and never what a stream is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bedtape_replayer.wire.http2.frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    FRAME_HEADER,
    FRAME_SIZE_ERROR,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITY_FLAG,
    PROTOCOL_ERROR,
    SETTINGS,
    ConnectionFault,
    unpadded,
    unprioritised,
)
from bedtape_replayer.wire.http2.headers import MAX_HEADER_LIST_SIZE

__all__ = ["MAX_BLOCK", "MAX_CONTINUATIONS", "MAX_FRAME_SIZE", "FrameReader"]

MAX_FRAME_SIZE: Final = 16384  # the default (section 4.2): larger frames would only wait longer for their end
# CONTINUATION flood (CVE-2024-27316): nghttp2 takes 8 frames, Envoy whatever fits its header limit.
MAX_BLOCK: Final = 2 * MAX_HEADER_LIST_SIZE
MAX_CONTINUATIONS: Final = 32


class FrameReader:
    """The receiving half of one connection up to its frames. After a ConnectionFault it must not be read again."""

    __slots__ = ("_block", "_block_flags", "_block_frames", "_block_stream", "_greeted", "_need", "_only", "_rest")

    def __init__(self) -> None:
        self._greeted = False  # the preface was read
        self._only: int | None = SETTINGS  # the only type that the next frame may have
        self._rest = bytearray()  # an incomplete frame
        self._need = 0  # how long it must be before it is worth looking at
        self._block = b""  # what CONTINUATION goes on with
        self._block_flags = self._block_stream = self._block_frames = 0

    def frames(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Type, flags, stream and payload of each frame that is complete by now.

        HEADERS come with their whole header block, without padding and priority, and there is no CONTINUATION.
        """
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return
            data = bytes(rest)
            rest.clear()
        position = 0 if self._greeted else self._read_preface(data)
        unpack = FRAME_HEADER.unpack_from
        end = len(data) if self._greeted else 0
        while end - position >= 9:
            high, low, kind, flags, stream = unpack(data, position)
            stop = position + 9 + (high << 16 | low)
            stream &= 0x7FFFFFFF  # the highest bit is reserved (section 4.1)
            if stop - position > 9 + MAX_FRAME_SIZE or self._only is not None:
                self._check(kind, flags, stream, stop - position - 9)
            if stop > end:
                self._need = stop - position
                break
            payload = data[position + 9 : stop]
            position = stop
            if kind in (HEADERS, CONTINUATION):
                block = self._join(kind, flags, stream, payload)
                if block is not None:
                    yield HEADERS, self._block_flags, stream, block
            else:
                yield kind, flags, stream, payload
        else:
            self._need = 9
        rest += data[position:]

    def _read_preface(self, data: bytes) -> int:
        """How much of the data was the preface: all of it or, as yet, nothing."""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFault(PROTOCOL_ERROR, "expected the connection preface")
        self._greeted = len(data) >= len(PREFACE)
        return len(PREFACE) if self._greeted else 0

    def _check(self, kind: int, flags: int, stream: int, length: int) -> None:
        """A frame that is too long, the first one, and those that a header block waits for."""
        if length > MAX_FRAME_SIZE:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"expected at most {MAX_FRAME_SIZE} octets, found {length}")
        if kind != self._only or (kind == CONTINUATION and stream != self._block_stream):
            raise ConnectionFault(PROTOCOL_ERROR, f"expected a frame of type {self._only}, found {kind} on {stream}")
        if kind == SETTINGS:
            if flags & ACK:
                raise ConnectionFault(PROTOCOL_ERROR, "expected the client's own SETTINGS first")
            self._only = None

    def _join(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        """The header block, once it is complete. The flags are those of its HEADERS."""
        if kind == HEADERS:
            self._block_flags, self._block_stream, self._block_frames = flags, stream, 0
            if flags & PADDED:
                payload = unpadded(payload)
            if flags & PRIORITY_FLAG:
                payload = unprioritised(payload)
            if flags & END_HEADERS:
                return payload
            self._only = CONTINUATION
        elif self._only is None:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        else:
            self._block_frames += 1
        block = self._block + payload
        if self._block_frames > MAX_CONTINUATIONS or len(block) > MAX_BLOCK:
            raise ConnectionFault(ENHANCE_YOUR_CALM, f"{self._block_frames} CONTINUATION, {len(block)} octets")
        if flags & END_HEADERS:
            self._block, self._only = b"", None
            return block
        self._block = block
        return None
