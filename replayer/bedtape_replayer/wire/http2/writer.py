"""What goes out on an HTTP/2 connection, as the client's SETTINGS and windows allow (RFC 9113, sections 5.2 and 6.9).

Frames, queues and windows of the sending half; it never reads a frame, and never decides what a stream is answered.
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
    FLOW_CONTROL_ERROR,
    FRAME_HEADER,
    HEADERS,
    MAX_WINDOW,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS_ENABLE_PUSH,
    SETTINGS_HEADER_TABLE_SIZE,
    SETTINGS_INITIAL_WINDOW_SIZE,
    SETTINGS_MAX_FRAME_SIZE,
    ConnectionFault,
    StreamFault,
    frame,
    number,
)
from bedtape_replayer.wire.http2.headers import response_block
from bedtape_replayer.wire.http2.streams import Stream

__all__ = ["Writer"]

# What a client has that says nothing (section 6.5.2).
_DEFAULT_HEADER_TABLE: Final = 4096
_DEFAULT_WINDOW: Final = 65535
_DEFAULT_FRAME: Final = 16384

_TABLE_SIZE_ZERO: Final = b"\x20"  # RFC 7541, section 6.3


class Writer:
    """The sending half of one connection. Streams wait in it for windows; `take` lets out what has room."""

    __slots__ = ("_max_frame", "_out", "_ready", "_table_size", "_window", "data_frames", "initial_window")

    def __init__(self, greeting: bytes) -> None:
        self.initial_window = _DEFAULT_WINDOW  # of a new stream
        self.data_frames = 0  # sent so far
        self._out: list[bytes | bytearray] = [greeting]
        self._ready: deque[Stream] = deque()  # streams with a queue and an open window
        self._window = _DEFAULT_WINDOW  # of the connection
        self._max_frame = _DEFAULT_FRAME
        self._table_size = _DEFAULT_HEADER_TABLE

    def __bool__(self) -> bool:
        """Whether anything is framed and not yet taken."""
        return bool(self._out)

    def write(self, frames: bytes) -> None:
        """Whole frames that no window holds back."""
        self._out.append(frames)

    def reset(self, stream: int, error: int) -> None:
        """RST_STREAM."""
        self._out.append(frame(RST_STREAM, 0, stream, number(error)))

    def head(
        self,
        stream: int,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        date: bytes = b"",
        *,
        end: bool = False,
    ) -> None:
        """HEADERS, and CONTINUATION where the block is larger than the client's frames (section 6.10)."""
        block = response_block(status, headers, date)
        if self._table_size < _DEFAULT_HEADER_TABLE:
            # The client has less room than an encoder starts with: say once that we use none (section 4.3.1).
            block = _TABLE_SIZE_ZERO + block
            self._table_size = _DEFAULT_HEADER_TABLE
        flags = END_STREAM if end else 0
        kind, most = HEADERS, self._max_frame
        while len(block) > most:
            self._out.append(frame(kind, flags, stream, block[:most]))
            block = block[most:]
            kind, flags = CONTINUATION, 0
        self._out.append(frame(kind, flags | END_HEADERS, stream, block))

    def whole(self, stream: Stream, body: bytes) -> bool:
        """A whole body in one frame which ends the stream, if frame size and windows have room for it."""
        size = len(body)
        if size > self._max_frame or size > self._window or size > stream.window:
            return False
        self._window -= size
        self.data_frames += 1
        self._out += (FRAME_HEADER.pack(size >> 16, size & 0xFFFF, DATA, END_STREAM, stream.number), body)
        return True

    def queue(self, stream: Stream, data: bytes) -> None:
        """A part of a body; `take` frames it."""
        stream.queue += data
        self._wake(stream)

    def end(self, stream: Stream) -> None:
        """END_STREAM by itself, where no DATA is left to carry it."""
        self._out.append(frame(DATA, END_STREAM, stream.number))

    def drop(self, stream: Stream) -> None:
        """The stream is gone: what it had queued is not sent."""
        if stream.ready:
            self._ready.remove(stream)

    def drop_all(self) -> None:
        """The connection is gone: only what is framed goes out."""
        self._ready.clear()

    def frame_queues(self) -> list[Stream]:
        """Frames what the windows allow, a frame a stream and round, so that none starves another.

        Returns the streams whose last frame this was.
        """
        ready, ended = self._ready, []
        while ready and self._window > 0:
            stream = ready.popleft()
            stream.ready = False
            size = min(len(stream.queue), stream.window, self._window, self._max_frame)
            if size > 0:  # the client may have shrunk the window since
                if self._frame(stream, size):
                    ended.append(stream)
                self._wake(stream)
        return ended

    def take(self) -> bytes:
        """Everything that is framed."""
        out = self._out
        data = b"".join(out)
        out.clear()
        return data

    # What the client allows

    def widen(self, increment: int) -> None:
        """The client's WINDOW_UPDATE for the connection."""
        if not increment:
            raise ConnectionFault(PROTOCOL_ERROR, "expected a WINDOW_UPDATE above 0")
        self._window += increment
        if self._window > MAX_WINDOW:
            raise ConnectionFault(FLOW_CONTROL_ERROR, f"expected a window of at most {MAX_WINDOW}")

    def widen_stream(self, stream: Stream, increment: int) -> None:
        """The client's WINDOW_UPDATE for one stream."""
        if not increment:
            raise StreamFault(PROTOCOL_ERROR, "expected a WINDOW_UPDATE above 0")
        stream.window += increment
        if stream.window > MAX_WINDOW:
            raise StreamFault(FLOW_CONTROL_ERROR, f"expected a window of at most {MAX_WINDOW}")
        self._wake(stream)

    def setting(self, name: int, value: int, streams: Iterable[Stream]) -> None:
        """One of the client's SETTINGS (section 6.5.2); those that are of no use to a server are ignored."""
        if name == SETTINGS_INITIAL_WINDOW_SIZE:
            self._set_initial_window(value, streams)
        elif name == SETTINGS_MAX_FRAME_SIZE:
            if not 1 << 14 <= value < 1 << 24:
                raise ConnectionFault(PROTOCOL_ERROR, f"expected MAX_FRAME_SIZE of 2^14 to 2^24-1, found {value}")
            self._max_frame = value
        elif name == SETTINGS_HEADER_TABLE_SIZE:
            self._table_size = min(self._table_size, value)
        elif name == SETTINGS_ENABLE_PUSH and value > 1:
            raise ConnectionFault(PROTOCOL_ERROR, f"expected ENABLE_PUSH of 0 or 1, found {value}")

    def _set_initial_window(self, value: int, streams: Iterable[Stream]) -> None:
        """Moves the windows of all open streams by the difference, below zero too (section 6.9.2)."""
        if value > MAX_WINDOW:
            raise ConnectionFault(FLOW_CONTROL_ERROR, f"expected a window of at most {MAX_WINDOW}, found {value}")
        difference = value - self.initial_window
        self.initial_window = value
        if not difference:
            return
        for stream in streams:
            stream.window += difference
            if stream.window > MAX_WINDOW:
                raise ConnectionFault(FLOW_CONTROL_ERROR, f"the new window of stream {stream.number} is too large")
            self._wake(stream)

    def _wake(self, stream: Stream) -> None:
        if stream.queue and stream.window > 0 and not stream.ready:
            stream.ready = True
            self._ready.append(stream)

    def _frame(self, stream: Stream, size: int) -> bool:
        queue = stream.queue
        end = stream.finishing and size == len(queue)
        header = FRAME_HEADER.pack(size >> 16, size & 0xFFFF, DATA, END_STREAM if end else 0, stream.number)
        self._out += (header, queue[:size])
        del queue[:size]
        stream.window -= size
        self._window -= size
        self.data_frames += 1
        return end
