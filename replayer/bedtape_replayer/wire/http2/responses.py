"""The answering half of an HTTP/2 connection: responses and resets of its open streams."""

from __future__ import annotations

from collections.abc import Sequence

from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.wire.http2.floods import Floods
from bedtape_replayer.wire.http2.frames import ErrorCode
from bedtape_replayer.wire.http2.settings import GREETING
from bedtape_replayer.wire.http2.streams import ClosedStreams, Stream
from bedtape_replayer.wire.http2.writer import Writer


class Http2Responses:
    """The responses of one connection. A call for a stream that is not open has no effect."""

    __slots__ = ("_closed", "_floods", "_streams", "_writer")

    def __init__(self) -> None:
        self._writer = Writer(GREETING)
        self._floods = Floods()
        self._streams: dict[int, Stream] = {}
        self._closed = ClosedStreams()

    def start(
        self,
        stream: int,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        date: bytes = b"",
        *,
        end: bool = False,
    ) -> None:
        """Start the response of a stream.

        A status below 200 starts an interim response, after which the final response must follow.
        date: replaces the placeholder `reply.DATE`. end: whether the response has no body.
        """
        state = self._streams.get(stream)
        if state is None:
            return
        assert not state.started, f"stream {stream} was started already"
        state.started = status >= 200
        self._writer.write_head(stream, status, headers, date, end=end)
        if end:
            self._end_response(state)

    def send(self, stream: int, data: bytes) -> None:
        """Queue a part of the body. `take` frames as much as flow control allows."""
        state = self._streams.get(stream)
        if state is None or not data:
            return
        assert state.started, f"stream {stream} was not started"
        assert not state.finishing, f"stream {stream} was finished already"
        self._writer.queue(state, data)

    def finish(self, stream: int) -> None:
        """End the body after the queued parts."""
        state = self._streams.get(stream)
        if state is None:
            return
        assert state.started, f"stream {stream} was not started"
        state.finishing = True
        if not state.queue:
            self._writer.write_end(state)
            self._end_response(state)

    def respond(
        self,
        stream: int,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        date: bytes = b"",
    ) -> None:
        """Send a complete response: two frames and no queue if the windows are large."""
        state = self._streams.get(stream)
        if state is None:
            return
        self.start(stream, status, headers, date, end=not body)
        if not body:
            return
        if self._writer.write_body(state, body):
            self._end_response(state)
        else:
            self.send(stream, body)
            self.finish(stream)

    def respond_stream(self, stream: int, reply: Reply, date: bytes = b"") -> None:
        """Send a complete streamed response.

        Its events share frames, because a client joins the frames of a stream.
        """
        self.respond(stream, reply.status, reply.headers, reply.body, date)

    def reset(self, stream: int, error: int = ErrorCode.INTERNAL) -> None:
        """End a stream with RST_STREAM. Its queue is discarded."""
        state = self._streams.get(stream)
        if state is not None:
            self._writer.write_reset(stream, error)
            self._close(state, reset_by_server=True)

    def count_pending(self, stream: int) -> int:
        """Return how many octets of the stream's body wait for a window or for `take`."""
        state = self._streams.get(stream)
        return 0 if state is None else len(state.queue)

    def take(self) -> bytes:
        """Return and remove all bytes that the windows allow to be written."""
        for state in self._writer.frame_queues():
            self._end_response(state)
        self._floods.clear_acks()
        return self._writer.take()

    def _end_response(self, state: Stream) -> None:
        """Close a stream after its END_STREAM was written."""
        if state.ended:
            self._floods.served_requests += 1
        else:
            # The response does not depend on the rest of the request, so RST_STREAM makes the
            # client stop sending it (section 8.1).
            self._writer.write_reset(state.number, ErrorCode.NO_ERROR)
        self._close(state, reset_by_server=not state.ended)

    def _close(self, state: Stream, *, reset_by_server: bool) -> None:
        del self._streams[state.number]
        self._writer.drop(state)
        self._closed.add(state.number, reset_by_server=reset_by_server)
