"""The state of HTTP/2 streams: all open streams and a bounded number of closed streams.

The classes contain no protocol rules. The connection and its writer change the state.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from bedtape_replayer.wire.http2.headers import RequestHead

# The server reads bodies as they arrive, so the window must only be large enough not to stall a
# local client.
STREAM_WINDOW: Final = 1 << 20
# The number covers the frames that can be in flight when a stream ends (RFC 9113, section 5.1,
# "closed").
MAX_CLOSED: Final = 1024


class Stream:
    """An open stream, from its first HEADERS until both directions have ended."""

    __slots__ = (
        "body",
        "delivered",
        "duplex",
        "ended",
        "finishing",
        "head",
        "number",
        "queue",
        "ready",
        "receive_window",
        "refused",
        "send_window",
        "started",
    )

    def __init__(
        self, stream: int, head: RequestHead | None, send_window: int, ended: bool
    ) -> None:
        self.number = stream
        # The request
        self.head = head  # `None` if the head is too large to keep
        self.body: bytes | bytearray = b""  # the part that has arrived
        self.receive_window = STREAM_WINDOW  # octets that the client can still send
        self.ended = ended  # the client has sent END_STREAM
        self.delivered = False  # the request, or its head, was returned from `receive`
        self.duplex = False  # the body is returned while it arrives
        self.refused = False  # the connection answers with 413 or 431 itself
        # The response Octets that the server can still send. Negative after the client shrank the
        # window (section 6.9.2).
        self.send_window = send_window
        self.started = False  # HEADERS are written
        self.queue = bytearray()  # body octets that are not framed
        self.finishing = False  # END_STREAM follows the queue
        self.ready = False  # the stream is in the queue of the writer


class ClosedStreams:
    """The most recently closed streams, and whether the server reset them.

    The difference decides how frames that were in flight are handled (section 5.1).
    """

    __slots__ = ("_reset_by_server",)

    def __init__(self) -> None:
        self._reset_by_server: dict[int, bool] = {}

    def add(self, stream: int, *, reset_by_server: bool) -> None:
        """Add a stream. Above `MAX_CLOSED` streams, the older half is removed."""
        closed = self._reset_by_server
        closed[stream] = reset_by_server
        if len(closed) > MAX_CLOSED:
            for oldest in list(islice(closed, MAX_CLOSED // 2)):
                del closed[oldest]

    def __len__(self) -> int:
        return len(self._reset_by_server)

    def __contains__(self, stream: int) -> bool:
        return stream in self._reset_by_server

    def was_reset_by_server(self, stream: int) -> bool:
        """Whether the server reset the stream.

        The client's frames in flight are then ignored, because the client may not
        have received the reset.
        """
        return self._reset_by_server.get(stream, False)
