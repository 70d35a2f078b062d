"""Writes the frames of an HTTP/2 connection, within the client's SETTINGS and windows.

The writer holds the queues and windows of the sending direction (RFC 9113, sections 5.2 and 6.9).
It reads no frames and chooses no answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from bedtape_replayer.wire.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_HEADER,
    HEADERS,
    MAX_WINDOW,
    RST_STREAM,
    ConnectionFault,
    ErrorCode,
    Setting,
    StreamFault,
    frame,
    pack_number,
)
from bedtape_replayer.wire.http2.headers import encode_response
from bedtape_replayer.wire.http2.streams import Stream

# The values that apply until the client sends SETTINGS (section 6.5.2).
_DEFAULT_HEADER_TABLE: Final = 4096
_DEFAULT_WINDOW: Final = 65535
_DEFAULT_FRAME: Final = 16384

_TABLE_SIZE_ZERO: Final = b"\x20"  # RFC 7541, section 6.3


class Writer:
    """The sending direction of one connection. Streams wait in the writer for an open window."""

    __slots__ = (
        "_max_frame",
        "_out",
        "_ready",
        "_table_size",
        "_window",
        "data_frames",
        "initial_window",
    )

    def __init__(self, greeting: bytes) -> None:
        self.initial_window = _DEFAULT_WINDOW  # the send window of a new stream
        self.data_frames = 0  # the number of DATA frames sent
        self._out: list[bytes | bytearray] = [greeting]
        self._ready: deque[Stream] = deque()  # streams with a queue and an open window
        self._window = _DEFAULT_WINDOW  # the send window of the connection
        self._max_frame = _DEFAULT_FRAME
        self._table_size = _DEFAULT_HEADER_TABLE

    def __bool__(self) -> bool:
        """Whether frames wait for `take`."""
        return bool(self._out)

    def write(self, frames: bytes) -> None:
        """Append complete frames to which no window applies."""
        self._out.append(frames)

    def write_reset(self, stream: int, error: int) -> None:
        """Write RST_STREAM."""
        self._out.append(frame(RST_STREAM, 0, stream, pack_number(error)))

    def write_head(
        self,
        stream: int,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        date: bytes = b"",
        *,
        end: bool = False,
    ) -> None:
        """Write HEADERS, and CONTINUATION above the client's frame size (section 6.10)."""
        block = encode_response(status, headers, date)
        if self._table_size < _DEFAULT_HEADER_TABLE:
            # The client allows less than the initial table size, so the first block must declare
            # the size of the encoder's table, which is 0 (section 4.3.1).
            block = _TABLE_SIZE_ZERO + block
            self._table_size = _DEFAULT_HEADER_TABLE
        flags = END_STREAM if end else 0
        kind, max_frame = HEADERS, self._max_frame
        while len(block) > max_frame:
            self._out.append(frame(kind, flags, stream, block[:max_frame]))
            block = block[max_frame:]
            kind, flags = CONTINUATION, 0
        self._out.append(frame(kind, flags | END_HEADERS, stream, block))

    def write_body(self, stream: Stream, body: bytes) -> bool:
        """Write the complete body in one frame that ends the stream.

        Returns `False` and writes nothing if the frame size or a window is too small.
        """
        size = len(body)
        if size > self._max_frame or size > self._window or size > stream.send_window:
            return False
        self._window -= size
        self.data_frames += 1
        self._out += (
            FRAME_HEADER.pack(size >> 16, size & 0xFFFF, DATA, END_STREAM, stream.number),
            body,
        )
        return True

    def queue(self, stream: Stream, data: bytes) -> None:
        """Append a part of a body to the stream's queue. `frame_queues` frames it."""
        stream.queue += data
        self._wake(stream)

    def write_end(self, stream: Stream) -> None:
        """Write an empty DATA frame with END_STREAM."""
        self._out.append(frame(DATA, END_STREAM, stream.number))

    def drop(self, stream: Stream) -> None:
        """Remove a closed stream. Its queue is not sent."""
        if stream.ready:
            self._ready.remove(stream)

    def drop_all(self) -> None:
        """Remove all streams. Frames that are already packed are still sent."""
        self._ready.clear()

    def frame_queues(self) -> list[Stream]:
        """Frame the queues as far as the windows allow.

        Each stream gets one frame per round, so that no stream starves another. Returns the streams
        whose last frame was written.
        """
        ready, ended = self._ready, []
        while ready and self._window > 0:
            stream = ready.popleft()
            stream.ready = False
            size = min(len(stream.queue), stream.send_window, self._window, self._max_frame)
            if size > 0:  # the client may have shrunk the window
                if self._frame_part(stream, size):
                    ended.append(stream)
                self._wake(stream)
        return ended

    def take(self) -> bytes:
        """Return and remove all packed frames."""
        out = self._out
        data = b"".join(out)
        out.clear()
        return data

    # Windows and settings of the client

    def widen(self, increment: int) -> None:
        """Apply a WINDOW_UPDATE for the connection."""
        if not increment:
            raise ConnectionFault(ErrorCode.PROTOCOL, "expected a WINDOW_UPDATE above 0")
        self._window += increment
        if self._window > MAX_WINDOW:
            raise ConnectionFault(
                ErrorCode.FLOW_CONTROL, f"expected a window of at most {MAX_WINDOW}"
            )

    def widen_stream(self, stream: Stream, increment: int) -> None:
        """Apply a WINDOW_UPDATE for one stream."""
        if not increment:
            raise StreamFault(ErrorCode.PROTOCOL, "expected a WINDOW_UPDATE above 0")
        stream.send_window += increment
        if stream.send_window > MAX_WINDOW:
            raise StreamFault(ErrorCode.FLOW_CONTROL, f"expected a window of at most {MAX_WINDOW}")
        self._wake(stream)

    def apply_setting(self, name: int, value: int, streams: Iterable[Stream]) -> None:
        """Apply a setting of the client (section 6.5.2). Settings for clients are ignored."""
        if name == Setting.INITIAL_WINDOW_SIZE:
            self._set_initial_window(value, streams)
        elif name == Setting.MAX_FRAME_SIZE:
            if not 1 << 14 <= value < 1 << 24:
                raise ConnectionFault(
                    ErrorCode.PROTOCOL, f"expected MAX_FRAME_SIZE of 2^14 to 2^24-1, found {value}"
                )
            self._max_frame = value
        elif name == Setting.HEADER_TABLE_SIZE:
            self._table_size = min(self._table_size, value)
        elif name == Setting.ENABLE_PUSH and value > 1:
            raise ConnectionFault(
                ErrorCode.PROTOCOL, f"expected ENABLE_PUSH of 0 or 1, found {value}"
            )

    def _set_initial_window(self, value: int, streams: Iterable[Stream]) -> None:
        """Change the windows of all open streams, also below 0 (section 6.9.2)."""
        if value > MAX_WINDOW:
            raise ConnectionFault(
                ErrorCode.FLOW_CONTROL, f"expected a window of at most {MAX_WINDOW}, found {value}"
            )
        difference = value - self.initial_window
        self.initial_window = value
        if not difference:
            return
        for stream in streams:
            stream.send_window += difference
            if stream.send_window > MAX_WINDOW:
                raise ConnectionFault(
                    ErrorCode.FLOW_CONTROL, f"the new window of stream {stream.number} is too large"
                )
            self._wake(stream)

    def _wake(self, stream: Stream) -> None:
        if stream.queue and stream.send_window > 0 and not stream.ready:
            stream.ready = True
            self._ready.append(stream)

    def _frame_part(self, stream: Stream, size: int) -> bool:
        queue = stream.queue
        end = stream.finishing and size == len(queue)
        header = FRAME_HEADER.pack(
            size >> 16, size & 0xFFFF, DATA, END_STREAM if end else 0, stream.number
        )
        self._out += (header, queue[:size])
        del queue[:size]
        stream.send_window -= size
        self._window -= size
        self.data_frames += 1
        return end
