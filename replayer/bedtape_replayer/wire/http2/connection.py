"""The server's side of one HTTP/2 connection over cleartext (RFC 9113): bytes in, requests out; answers in, bytes out.

It speaks with prior knowledge only, and never pushes, opens a socket or looks at a clock. A client that breaks the
rules is answered with RST_STREAM or GOAWAY as the RFC says; nothing that it sends raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.wire.http2.floods import Floods
from bedtape_replayer.wire.http2.frames import (
    ACK,
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    MAX_WINDOW,
    NO_ERROR,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    ConnectionFault,
    StreamFault,
    expect_size,
    frame,
    number,
    number_in,
    unpadded,
)
from bedtape_replayer.wire.http2.headers import MAX_HEADER_LIST_SIZE, HeaderListTooLarge, RequestDecoder, RequestHead
from bedtape_replayer.wire.http2.reader import FrameReader
from bedtape_replayer.wire.http2.settings import CONNECTION_WINDOW, GREETING, MAX_STREAMS, SETTINGS_ACK, read_settings
from bedtape_replayer.wire.http2.streams import STREAM_WINDOW, ClosedStreams, Stream
from bedtape_replayer.wire.http2.writer import Writer
from bedtape_replayer.wire.messages import Received, RequestReceived, StreamClosed, render_refusal

__all__ = ["Http2Connection"]

# Bodies that are not whole yet are held; a thousand of the largest would be 25 GB. Small ones are not worth counting.
MAX_HELD_BODIES: Final = 8
HELD_UNCOUNTED: Final = 64 * 1024


class Http2Connection:
    """One connection: `receive` what the client sends, answer the requests, write what `take` gives.

    `max_body` is the largest request body, in octets. `heads` remembers decoded requests; give one dictionary to all
    connections of a server to share it. Take after every `receive`, unless the writer is behind: what is not taken is
    what `pending` counts and what the limits on floods see.
    """

    __slots__ = (
        "_closed",
        "_dead",
        "_draining",
        "_events",
        "_floods",
        "_last",
        "_max_body",
        "_max_held",
        "_reader",
        "_requests",
        "_streams",
        "_their_window",
        "_writer",
    )

    def __init__(self, *, max_body: int, heads: dict[bytes, RequestHead] | None = None) -> None:
        self._max_body = max_body
        self._max_held = MAX_HELD_BODIES * max_body
        self._requests = RequestDecoder({} if heads is None else heads)
        self._reader = FrameReader()
        self._writer = Writer(GREETING)
        self._floods = Floods()
        self._streams: dict[int, Stream] = {}
        self._closed = ClosedStreams()
        self._events: list[Received] = []
        self._last = 0  # the highest stream that the client opened
        self._their_window = CONNECTION_WINDOW  # what the client may still send
        self._dead = False  # we sent GOAWAY
        self._draining = False  # the client did

    @property
    def closing(self) -> bool:
        """Write what `take` gives, then close: after a fatal error, or after the client's GOAWAY and its last answer."""
        return self._dead or (self._draining and not self._streams and not self._writer)

    @property
    def at_rest(self) -> bool:
        """Whether nobody has begun to end it."""
        return not (self._dead or self._draining)

    # Answers

    def start(
        self,
        stream: int,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        date: bytes = b"",
        *,
        end: bool = False,
    ) -> None:
        """Begins a response. A status below 200 is interim: the final one must follow. date: where `reply.DATE` is."""
        state = self._streams.get(stream)
        if state is None:
            return
        assert not state.started, f"stream {stream} was started already"
        state.started = status >= 200
        self._writer.head(stream, status, headers, date, end=end)
        if end:
            self._answered(state)

    def send(self, stream: int, data: bytes) -> None:
        """Queues a part of the body; `take` frames as much as flow control allows."""
        state = self._streams.get(stream)
        if state is None or not data:
            return
        assert state.started, f"stream {stream} was not started"
        assert not state.finishing, f"stream {stream} was finished already"
        self._writer.queue(state, data)

    def finish(self, stream: int) -> None:
        """Ends the body after what is queued."""
        state = self._streams.get(stream)
        if state is None:
            return
        assert state.started, f"stream {stream} was not started"
        state.finishing = True
        if not state.queue:
            self._writer.end(state)
            self._answered(state)

    def respond(
        self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, date: bytes = b""
    ) -> None:
        """A whole response: two frames and no queue where the windows have room."""
        state = self._streams.get(stream)
        if state is None:
            return
        self.start(stream, status, headers, date, end=not body)
        if not body:
            return
        if self._writer.whole(state, body):
            self._answered(state)
        else:
            self.send(stream, body)
            self.finish(stream)

    def respond_streamed(self, stream: int, reply: Reply, date: bytes = b"") -> None:
        """A whole streamed answer at once. Its events need no frames of their own: who reads a stream joins frames."""
        self.respond(stream, reply.status, reply.headers, reply.whole, date)

    def reset(self, stream: int, error: int = INTERNAL_ERROR) -> None:
        """Breaks a stream off. What it has queued is lost."""
        state = self._streams.get(stream)
        if state is not None:
            self._writer.reset(stream, error)
            self._forget(state, reset_by_us=True)

    def pending(self, stream: int) -> int:
        """How many octets of the stream's body were sent and not yet taken, for want of a window or of a `take`."""
        state = self._streams.get(stream)
        return 0 if state is None else len(state.queue)

    def abort(self, error: int, debug: bytes = b"") -> None:
        """Ends the connection and all its streams with GOAWAY. `debug` is for the client's log."""
        if self._dead:
            return
        self._dead = True
        self._writer.write(frame(GOAWAY, 0, 0, number(self._last) + number(error) + debug[:1024]))
        self._writer.drop_all()
        self._streams.clear()

    def take(self) -> bytes:
        """Everything that can be written now, once."""
        for state in self._writer.frame_queues():
            self._answered(state)
        self._floods.taken()
        return self._writer.take()

    def _answered(self, state: Stream) -> None:
        """END_STREAM is written."""
        if state.ended:
            self._floods.served += 1
        else:
            # The request is not complete and need not be: ask the client to stop sending it (section 8.1).
            self._writer.reset(state.number, NO_ERROR)
        self._forget(state, reset_by_us=not state.ended)

    def _forget(self, state: Stream, *, reset_by_us: bool) -> None:
        del self._streams[state.number]
        self._writer.drop(state)
        self._closed.add(state.number, reset_by_us=reset_by_us)

    # Frames

    def receive(self, data: bytes) -> list[Received]:
        """What the client's bytes mean. They begin with the preface and may be split anywhere."""
        self._events = events = list[Received]()
        if self._dead:
            return events
        frames, ignored = self._FRAMES, Http2Connection._on_ignored
        try:
            for kind, flags, stream, payload in self._reader.frames(data):
                try:
                    frames.get(kind, ignored)(self, flags, stream, payload)
                except StreamFault as fault:
                    self._fail(stream, fault.error)
        except ConnectionFault as fault:
            self.abort(fault.error, fault.why.encode())
        return events

    def _fail(self, stream: int, error: int) -> None:
        """Answers a StreamFault. It counts as a reset, or a client could make us reset its streams for ever."""
        state = self._streams.get(stream)
        self._writer.reset(stream, error)
        if state is None:
            self._closed.add(stream, reset_by_us=True)
        else:
            self._forget(state, reset_by_us=True)
            if state.delivered:
                self._events.append(StreamClosed(stream, error))
        self._floods.reset()

    def _idle(self, stream: int) -> bool:
        """Whether the stream was never opened: not by the client, and those of even number never (section 5.1.1)."""
        return stream > self._last or not stream & 1

    # Requests

    def _on_headers(self, flags: int, stream: int, block: bytes) -> None:
        """Each block must be decoded, wanted or not: the next may depend on it (section 4.3)."""
        state = self._streams.get(stream)
        if state is not None:
            self._on_trailers(state, flags, block)
        elif stream > self._last and stream & 1:
            self._on_request(flags, stream, block)
        elif self._closed.reset_by_us(stream):
            self._requests.skip(block)
            self._floods.ignored()
        else:
            error = STREAM_CLOSED if stream in self._closed else PROTOCOL_ERROR  # sections 5.1 and 5.1.1
            raise ConnectionFault(error, f"expected HEADERS on an odd stream above {self._last}, found {stream}")

    def _on_request(self, flags: int, stream: int, block: bytes) -> None:
        self._last = stream
        self._floods.opened += 1
        try:
            head = self._requests.head(block)
        except HeaderListTooLarge:
            head = None
        if self._draining or len(self._streams) >= MAX_STREAMS:
            raise StreamFault(REFUSED_STREAM, "expected no more streams")
        state = Stream(stream, head, self._writer.initial_window, bool(flags & END_STREAM))
        self._streams[stream] = state
        if head is None:
            self._refuse_headers(state)
        elif head.length > self._max_body:
            self._refuse_body(state)
        elif state.ended:
            self._deliver(state, head)
        elif head.expects_continue:
            self._writer.head(stream, 100, ())

    def _on_trailers(self, state: Stream, flags: int, block: bytes) -> None:
        """Trailers end a request (section 8.1). They are checked, and nobody is told of them."""
        try:
            self._requests.trailers(block)
        except HeaderListTooLarge:
            if not (state.ended or state.refused):
                state.ended = bool(flags & END_STREAM)
                self._refuse_headers(state)
            return
        if state.ended:
            raise StreamFault(STREAM_CLOSED, "HEADERS after END_STREAM")
        if not flags & END_STREAM:
            raise StreamFault(PROTOCOL_ERROR, "expected END_STREAM with trailers")
        state.ended = True
        if state.head is not None and not state.refused:
            self._deliver(state, state.head)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        if self._idle(stream):
            raise ConnectionFault(PROTOCOL_ERROR, f"DATA on stream {stream}, which is not open")
        self._take_in(len(payload))
        state = self._streams.get(stream)
        if state is None:
            if self._closed.reset_by_us(stream):
                return
            raise StreamFault(STREAM_CLOSED, "DATA after the end of the stream")
        if state.ended:
            raise StreamFault(STREAM_CLOSED, "DATA after END_STREAM")
        state.ended = bool(flags & END_STREAM)
        if not state.ended:
            self._take_in_for(state, len(payload))
        data = unpadded(payload) if flags & PADDED else payload
        if not state.ended:
            self._floods.data(len(data))
        if state.head is None or state.refused:
            return
        self._collect(state, state.head, data)
        if state.ended and not state.refused:
            self._deliver(state, state.head)

    def _take_in(self, size: int) -> None:
        """The connection's window: what is dropped counts too, or it would close for good (section 6.9)."""
        self._their_window -= size
        if self._their_window < 0:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        if self._their_window < CONNECTION_WINDOW // 2:
            self._writer.write(frame(WINDOW_UPDATE, 0, 0, number(CONNECTION_WINDOW - self._their_window)))
            self._their_window = CONNECTION_WINDOW

    def _take_in_for(self, state: Stream, size: int) -> None:
        state.their_window -= size
        if state.their_window < 0:
            raise StreamFault(FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        if state.their_window < STREAM_WINDOW // 2 and not state.refused:
            self._writer.write(frame(WINDOW_UPDATE, 0, state.number, number(STREAM_WINDOW - state.their_window)))
            state.their_window = STREAM_WINDOW

    def _collect(self, state: Stream, head: RequestHead, data: bytes) -> None:
        size = len(state.body) + len(data)
        if size > self._max_body:
            self._refuse_body(state)
            return
        if 0 <= head.length < size:
            raise StreamFault(PROTOCOL_ERROR, f"content-length {head.length}, found {size} octets (section 8.1.1)")
        if size > HELD_UNCOUNTED and sum(len(s.body) for s in self._streams.values()) + len(data) > self._max_held:
            raise StreamFault(ENHANCE_YOUR_CALM, f"more than {self._max_held} octets of unfinished requests")
        if not state.body:
            state.body = data
            return
        if isinstance(state.body, bytes):
            state.body = bytearray(state.body)
        state.body += data

    def _deliver(self, state: Stream, head: RequestHead) -> None:
        body = bytes(state.body)
        if head.length not in (-1, len(body)):
            raise StreamFault(PROTOCOL_ERROR, f"content-length {head.length}, found {len(body)} octets (section 8.1.1)")
        state.body = b""
        state.delivered = True
        self._events.append(RequestReceived(state.number, head.method, head.target, head.head, body))

    def _refuse_body(self, state: Stream) -> None:
        self._refuse(state, 413, f"The request's body is larger than {self._max_body} bytes.")

    def _refuse_headers(self, state: Stream) -> None:
        self._refuse(state, 431, f"The request's headers are longer than {MAX_HEADER_LIST_SIZE} bytes.")

    def _refuse(self, state: Stream, status: int, message: str) -> None:
        """Answers in Bedrock's form a request that the server is not told of; what more comes of it is dropped."""
        state.refused = True
        state.body = b""
        headers, body = render_refusal(message)
        headers = tuple((name.lower(), value) for name, value in headers)
        self.respond(state.number, status, headers, body)
        self._floods.reset()

    # Everything else

    def _on_rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        expect_size("RST_STREAM", payload, 4)
        if self._idle(stream):
            raise ConnectionFault(PROTOCOL_ERROR, f"RST_STREAM on stream {stream}, which was never opened")
        state = self._streams.get(stream)
        if state is None:
            self._floods.ignored()
            return
        if state.delivered:
            self._events.append(StreamClosed(stream, number_in(payload)))
        self._forget(state, reset_by_us=False)
        self._floods.reset()

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(PROTOCOL_ERROR, f"expected SETTINGS on stream 0, found {stream}")
        if flags & ACK:
            expect_size("SETTINGS with ACK", payload, 0)
            self._requests.table_refused()
            self._floods.ignored()
            return
        for name, value in read_settings(payload):
            self._writer.setting(name, value, self._streams.values())
        self._writer.write(SETTINGS_ACK)
        self._floods.ack()

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(PROTOCOL_ERROR, f"expected PING on stream 0, found {stream}")
        expect_size("PING", payload, 8)
        if flags & ACK:
            self._floods.ignored()  # we never asked
            return
        self._writer.write(frame(PING, ACK, 0, payload))
        self._floods.ack()

    def _on_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        """The client opens no more streams, and that is all (section 6.8).

        AWS's JavaScript SDK sends this as soon as it has a response's headers, and expects the rest.
        """
        if stream:
            raise ConnectionFault(PROTOCOL_ERROR, f"expected GOAWAY on stream 0, found {stream}")
        if len(payload) < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, f"expected GOAWAY of at least 8 octets, found {len(payload)}")
        self._draining = True
        self._floods.ignored()

    def _on_window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        expect_size("WINDOW_UPDATE", payload, 4)
        self._floods.window_update(self._writer.data_frames)
        increment = number_in(payload) & MAX_WINDOW  # the highest bit is reserved
        if not stream:
            self._writer.widen(increment)
            return
        if self._idle(stream):
            raise ConnectionFault(PROTOCOL_ERROR, f"WINDOW_UPDATE on stream {stream}, which was never opened")
        state = self._streams.get(stream)
        if state is not None:  # else it ended while this was under way
            self._writer.widen_stream(state, increment)

    def _on_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        """Checked for its size only: section 5.3.2 does away with what it said."""
        if not stream:
            raise ConnectionFault(PROTOCOL_ERROR, "expected PRIORITY on a stream, found 0")
        self._floods.ignored()
        if len(payload) != 5:
            raise StreamFault(FRAME_SIZE_ERROR, f"expected PRIORITY of 5 octets, found {len(payload)}")

    def _on_push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionFault(PROTOCOL_ERROR, "PUSH_PROMISE from a client (section 8.4)")

    def _on_ignored(self, _flags: int, _stream: int, _payload: bytes) -> None:
        """A type that we do not know (section 5.5), PRIORITY_UPDATE among them."""
        self._floods.ignored()

    _FRAMES: ClassVar[dict[int, Callable[[Http2Connection, int, int, bytes], None]]] = {
        DATA: _on_data,
        HEADERS: _on_headers,
        PRIORITY: _on_priority,
        RST_STREAM: _on_rst_stream,
        SETTINGS: _on_settings,
        PUSH_PROMISE: _on_push_promise,
        PING: _on_ping,
        GOAWAY: _on_goaway,
        WINDOW_UPDATE: _on_window_update,
    }
