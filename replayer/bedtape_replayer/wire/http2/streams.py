"""What an HTTP/2 connection remembers of its streams: all of the open ones, a bounded number of the closed ones.

Plain state without rules: who may change what is for the connection and its writer to say.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from bedtape_replayer.wire.http2.headers import RequestHead

__all__ = ["MAX_CLOSED", "STREAM_WINDOW", "ClosedStreams", "Stream"]

# Bodies are taken in as they come, so the window only has to be wide enough never to stall a client on this machine.
STREAM_WINDOW: Final = 1 << 20
# Enough for whatever frames may still be under way when a stream ends (RFC 9113, section 5.1, "closed").
MAX_CLOSED: Final = 1024


class Stream:
    """A stream from its first HEADERS until both ends are done."""

    __slots__ = (
        "body",
        "delivered",
        "ended",
        "finishing",
        "head",
        "number",
        "queue",
        "ready",
        "refused",
        "started",
        "their_window",
        "window",
    )

    def __init__(self, stream: int, head: RequestHead | None, window: int, ended: bool) -> None:
        self.number = stream
        # The request
        self.head = head  # None if it was too large to keep
        self.body: bytes | bytearray = b""  # as far as it came
        self.their_window = STREAM_WINDOW  # what the client may still send
        self.ended = ended  # the client's END_STREAM was seen
        self.delivered = False  # the server was told of the request
        self.refused = False  # the server is never told: the answer is 413 or 431
        # The response
        self.window = window  # what we may still send; negative if the client shrank it (section 6.9.2)
        self.started = False  # its HEADERS are written
        self.queue = bytearray()  # of its body, not yet framed
        self.finishing = False  # END_STREAM follows the queue
        self.ready = False  # the writer has it in its round


class ClosedStreams:
    """The streams that ended last: by whom matters for the frames that were under way (section 5.1)."""

    __slots__ = ("_reset_by_us",)

    def __init__(self) -> None:
        self._reset_by_us: dict[int, bool] = {}

    def add(self, stream: int, *, reset_by_us: bool) -> None:
        """Remembers one more; when it is one too many, the older half is forgotten."""
        closed = self._reset_by_us
        closed[stream] = reset_by_us
        if len(closed) > MAX_CLOSED:
            for oldest in list(islice(closed, MAX_CLOSED // 2)):
                del closed[oldest]

    def __len__(self) -> int:
        return len(self._reset_by_us)

    def __contains__(self, stream: int) -> bool:
        return stream in self._reset_by_us

    def reset_by_us(self, stream: int) -> bool:
        """Whether the client may not have known, so that its frames are dropped without a word."""
        return self._reset_by_us.get(stream, False)
