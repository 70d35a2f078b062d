"""Splits the bytes of an HTTP/2 client into frames and joins the parts of header blocks.

The reader checks the preface, the frame sizes and the order of frames (RFC 9113, sections 3.4, 4
and 6.10). It has no state of streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bedtape_replayer.wire.http2.frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    FRAME_HEADER,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITY_FLAG,
    SETTINGS,
    ConnectionFault,
    ErrorCode,
    strip_padding,
    strip_priority,
)
from bedtape_replayer.wire.http2.headers import MAX_HEADER_LIST_SIZE

MAX_FRAME_SIZE: Final = 16384  # the default (section 4.2); larger frames only take longer
# CONTINUATION flood (CVE-2024-27316): nghttp2 accepts 8 frames, Envoy any number within its header
# limit.
MAX_BLOCK: Final = 2 * MAX_HEADER_LIST_SIZE
MAX_CONTINUATIONS: Final = 32


class FrameReader:
    """Reads the frames of one connection. Do not use the reader after a `ConnectionFault`."""

    __slots__ = (
        "_block",
        "_block_flags",
        "_block_frames",
        "_block_stream",
        "_expected_kind",
        "_needed",
        "_preface_read",
        "_rest",
    )

    def __init__(self) -> None:
        self._preface_read = False
        self._expected_kind: int | None = SETTINGS  # the type that the next frame must have
        self._rest = bytearray()  # an incomplete frame
        self._needed = 0  # the length that `_rest` must reach before it is parsed
        self._block = b""  # the incomplete header block
        self._block_flags = self._block_stream = self._block_frames = 0

    def read_frames(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield the type, flags, stream and payload of each complete frame.

        HEADERS contain the complete header block, without padding and priority. CONTINUATION frames
        are joined to HEADERS and not yielded.
        """
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return
            data = bytes(rest)
            rest.clear()
        position = 0 if self._preface_read else self._read_preface(data)
        unpack = FRAME_HEADER.unpack_from
        end = len(data) if self._preface_read else 0
        while end - position >= 9:
            high, low, kind, flags, stream = unpack(data, position)
            stop = position + 9 + (high << 16 | low)
            stream &= 0x7FFFFFFF  # the highest bit is reserved (section 4.1)
            if stop - position > 9 + MAX_FRAME_SIZE or self._expected_kind is not None:
                self._check_order(kind, flags, stream, stop - position - 9)
            if stop > end:
                self._needed = stop - position
                break
            payload = data[position + 9 : stop]
            position = stop
            if kind in (HEADERS, CONTINUATION):
                block = self._join_block(kind, flags, stream, payload)
                if block is not None:
                    yield HEADERS, self._block_flags, stream, block
            else:
                yield kind, flags, stream, payload
        else:
            self._needed = 9
        rest += data[position:]

    def _read_preface(self, data: bytes) -> int:
        """Return the number of octets of the preface, or 0 if the preface is incomplete."""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFault(ErrorCode.PROTOCOL, "expected the connection preface")
        self._preface_read = len(data) >= len(PREFACE)
        return len(PREFACE) if self._preface_read else 0

    def _check_order(self, kind: int, flags: int, stream: int, length: int) -> None:
        """Check the size of a frame, the first frame, and the frames inside a header block."""
        if length > MAX_FRAME_SIZE:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE, f"expected at most {MAX_FRAME_SIZE} octets, found {length}"
            )
        if kind != self._expected_kind or (kind == CONTINUATION and stream != self._block_stream):
            raise ConnectionFault(
                ErrorCode.PROTOCOL,
                f"expected a frame of type {self._expected_kind}, found {kind} on {stream}",
            )
        if kind == SETTINGS:
            if flags & ACK:
                raise ConnectionFault(
                    ErrorCode.PROTOCOL, "expected the client's own SETTINGS first"
                )
            self._expected_kind = None

    def _join_block(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes | None:
        """Return the header block if it is complete. `_block_flags` are those of HEADERS."""
        if kind == HEADERS:
            self._block_flags, self._block_stream, self._block_frames = flags, stream, 0
            if flags & PADDED:
                payload = strip_padding(payload)
            if flags & PRIORITY_FLAG:
                payload = strip_priority(payload)
            if flags & END_HEADERS:
                return payload
            self._expected_kind = CONTINUATION
        elif self._expected_kind is None:
            raise ConnectionFault(ErrorCode.PROTOCOL, "CONTINUATION without HEADERS")
        else:
            self._block_frames += 1
        block = self._block + payload
        if self._block_frames > MAX_CONTINUATIONS or len(block) > MAX_BLOCK:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"{self._block_frames} CONTINUATION, {len(block)} octets",
            )
        if flags & END_HEADERS:
            self._block, self._expected_kind = b"", None
            return block
        self._block = block
        return None
