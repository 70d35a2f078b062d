"""The server side of an HTTP/2 connection over cleartext with prior knowledge (RFC 9113), sans-io.

Bytes in, requests out; answers in, bytes out. The connection opens no socket, reads no clock and
sends no PUSH_PROMISE. It answers protocol errors with RST_STREAM or GOAWAY, as the RFC requires.
`receive` raises no exception, whatever the client sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from bedtape_replayer.answering.service_operations import is_duplex
from bedtape_replayer.wire.http2.frames import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MAX_WINDOW,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    expect_no_stream,
    expect_size,
    frame,
    pack_number,
    strip_padding,
    unpack_number,
)
from bedtape_replayer.wire.http2.headers import (
    MAX_HEADER_LIST_SIZE,
    HeaderListTooLarge,
    RequestDecoder,
    RequestHead,
)
from bedtape_replayer.wire.http2.reader import FrameReader
from bedtape_replayer.wire.http2.responses import Http2Responses
from bedtape_replayer.wire.http2.settings import (
    CONNECTION_WINDOW,
    MAX_STREAMS,
    SETTINGS_ACK,
    read_settings,
)
from bedtape_replayer.wire.http2.streams import STREAM_WINDOW, Stream
from bedtape_replayer.wire.messages import (
    DataReceived,
    HeadReceived,
    InputEnded,
    Received,
    RequestReceived,
    StreamClosed,
    render_refusal,
)

# Incomplete bodies stay in memory, and 1,000 bodies of the largest size would take 25 GB. The limit
# is a multiple of the largest size. It is not checked for small bodies, because the sum over all
# streams costs time.
MAX_INCOMPLETE_BODIES: Final = 8
UNCHECKED_BODY_SIZE: Final = 64 * 1024


class Http2Connection(Http2Responses):
    """One HTTP/2 connection.

    Pass the client's bytes to `receive`, answer the requests, and write the result of `take`.

    max_body: the largest request body, in octets.
    heads: decoded request heads by header block. The connections of a server can share one
        dictionary.

    Call `take` after every `receive`, unless the socket is not writable. `count_pending` and the
    flood limits count data that was not taken.
    """

    __slots__ = (
        "_aborted",
        "_client_leaving",
        "_decoder",
        "_events",
        "_last",
        "_max_body",
        "_max_incomplete",
        "_reader",
        "_receive_window",
    )

    def __init__(self, *, max_body: int, heads: dict[bytes, RequestHead] | None = None) -> None:
        super().__init__()
        self._max_body = max_body
        self._max_incomplete = MAX_INCOMPLETE_BODIES * max_body
        self._decoder = RequestDecoder({} if heads is None else heads)
        self._reader = FrameReader()
        self._events: list[Received] = []
        self._last = 0  # the highest stream that the client has opened
        self._receive_window = CONNECTION_WINDOW  # octets that the client can still send
        self._aborted = False  # the server has sent GOAWAY
        self._client_leaving = False  # the client has sent GOAWAY

    @property
    def closing(self) -> bool:
        """Whether the server must close the connection after it has written the bytes from `take`.

        True after a connection error, and after the last answer if the client has sent GOAWAY.
        """
        return self._aborted or (self._client_leaving and not self._streams and not self._writer)

    @property
    def at_rest(self) -> bool:
        """Whether neither end has sent GOAWAY."""
        return not (self._aborted or self._client_leaving)

    def abort(self, error: int, debug: bytes = b"") -> None:
        """End the connection and all streams with GOAWAY. debug: a text for the client's log."""
        if self._aborted:
            return
        self._aborted = True
        self._writer.write(
            frame(GOAWAY, 0, 0, pack_number(self._last) + pack_number(error) + debug[:1024])
        )
        self._writer.drop_all()
        self._streams.clear()

    # Frames

    def receive(self, data: bytes) -> list[Received]:
        """Return what the client's bytes complete: requests, parts of duplex
        requests, closed streams.

        The bytes start with the preface and can be split anywhere.
        """
        self._events = events = list[Received]()
        if self._aborted:
            return events
        frames, ignored = self._FRAMES, Http2Connection._on_ignored
        try:
            for kind, flags, stream, payload in self._reader.read_frames(data):
                try:
                    frames.get(kind, ignored)(self, flags, stream, payload)
                except StreamFault as fault:
                    self._reset_for_fault(stream, fault.error)
        except ConnectionFault as fault:
            self.abort(fault.error, fault.reason.encode())
        return events

    def _reset_for_fault(self, stream: int, error: int) -> None:
        """Answer a `StreamFault` with RST_STREAM.

        The reset is counted, because a client could otherwise make the server
        reset streams without end.
        """
        state = self._streams.get(stream)
        self._writer.write_reset(stream, error)
        if state is None:
            self._closed.add(stream, reset_by_server=True)
        else:
            self._close(state, reset_by_server=True)
            if state.delivered:
                self._events.append(StreamClosed(stream, error))
        self._floods.count_reset()

    def _is_idle(self, stream: int) -> bool:
        """Whether the stream was not opened.

        Streams of even number are never opened (section 5.1.1).
        """
        return stream > self._last or not stream & 1

    # Requests

    def _on_headers(self, flags: int, stream: int, block: bytes) -> None:
        """Decode every block, because the next block can depend on it (section 4.3)."""
        state = self._streams.get(stream)
        if state is not None:
            self._on_trailers(state, flags, block)
        elif stream > self._last and stream & 1:
            self._on_request(flags, stream, block)
        elif self._closed.was_reset_by_server(stream):
            self._decoder.skip(block)
            self._floods.count_ignored()
        else:
            # sections 5.1 and 5.1.1
            error = ErrorCode.STREAM_CLOSED if stream in self._closed else ErrorCode.PROTOCOL
            raise ConnectionFault(
                error, f"expected HEADERS on an odd stream above {self._last}, found {stream}"
            )

    def _on_request(self, flags: int, stream: int, block: bytes) -> None:
        self._last = stream
        self._floods.opened_streams += 1
        try:
            head = self._decoder.decode_head(block)
        except HeaderListTooLarge:
            head = None
        if self._client_leaving or len(self._streams) >= MAX_STREAMS:
            raise StreamFault(ErrorCode.REFUSED_STREAM, "expected no more streams")
        state = Stream(stream, head, self._writer.initial_window, bool(flags & END_STREAM))
        self._streams[stream] = state
        if head is None:
            self._refuse_headers(state)
        elif head.length > self._max_body:
            self._refuse_body(state)
        elif state.ended:
            self._deliver(state, head)
        else:
            if head.expects_continue:
                self._writer.write_head(stream, 100, ())
            if head.length < 0 and is_duplex(head.target):
                state.delivered = state.duplex = True
                self._events.append(HeadReceived(stream, head.method, head.target, head.head))

    def _on_trailers(self, state: Stream, flags: int, block: bytes) -> None:
        """Check and discard trailers. Trailers end a request (section 8.1)."""
        try:
            self._decoder.check_trailers(block)
        except HeaderListTooLarge:
            if not (state.ended or state.refused):
                state.ended = bool(flags & END_STREAM)
                self._refuse_headers(state)
            return
        if state.ended:
            raise StreamFault(ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM")
        if not flags & END_STREAM:
            raise StreamFault(ErrorCode.PROTOCOL, "expected END_STREAM with trailers")
        state.ended = True
        if state.duplex:
            self._pass_on(state, b"")
        elif state.head is not None and not state.refused:
            self._deliver(state, state.head)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        if self._is_idle(stream):
            raise ConnectionFault(ErrorCode.PROTOCOL, f"DATA on stream {stream}, which is not open")
        self._consume_window(len(payload))
        state = self._streams.get(stream)
        if state is None:
            if self._closed.was_reset_by_server(stream):
                return
            raise StreamFault(ErrorCode.STREAM_CLOSED, "DATA after the end of the stream")
        if state.ended:
            raise StreamFault(ErrorCode.STREAM_CLOSED, "DATA after END_STREAM")
        state.ended = bool(flags & END_STREAM)
        if not state.ended:
            self._consume_stream_window(state, len(payload))
        data = strip_padding(payload) if flags & PADDED else payload
        if not state.ended:
            self._floods.count_data(len(data))
        if state.head is None or state.refused:
            return
        if state.duplex:
            self._pass_on(state, data)
            return
        self._collect(state, state.head, data)
        if state.ended and not state.refused:
            self._deliver(state, state.head)

    def _pass_on(self, state: Stream, data: bytes) -> None:
        """Return a part of a body that follows its head, and its end."""
        if data:
            self._events.append(DataReceived(state.number, data))
        if state.ended:
            self._events.append(InputEnded(state.number))

    def _consume_window(self, size: int) -> None:
        """Count received octets against the connection's window, and reopen the window.

        Discarded octets are counted too, because the window would otherwise
        stay closed (section 6.9).
        """
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL, "more DATA than the connection's window")
        if self._receive_window < CONNECTION_WINDOW // 2:
            self._writer.write(
                frame(WINDOW_UPDATE, 0, 0, pack_number(CONNECTION_WINDOW - self._receive_window))
            )
            self._receive_window = CONNECTION_WINDOW

    def _consume_stream_window(self, state: Stream, size: int) -> None:
        state.receive_window -= size
        if state.receive_window < 0:
            raise StreamFault(ErrorCode.FLOW_CONTROL, "more DATA than the stream's window")
        if state.receive_window < STREAM_WINDOW // 2 and not state.refused:
            self._writer.write(
                frame(
                    WINDOW_UPDATE,
                    0,
                    state.number,
                    pack_number(STREAM_WINDOW - state.receive_window),
                )
            )
            state.receive_window = STREAM_WINDOW

    def _collect(self, state: Stream, head: RequestHead, data: bytes) -> None:
        size = len(state.body) + len(data)
        if size > self._max_body:
            self._refuse_body(state)
            return
        if 0 <= head.length < size:
            raise StreamFault(
                ErrorCode.PROTOCOL,
                f"content-length {head.length}, found {size} octets (section 8.1.1)",
            )
        if (
            size > UNCHECKED_BODY_SIZE
            and sum(len(s.body) for s in self._streams.values()) + len(data) > self._max_incomplete
        ):
            raise StreamFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than {self._max_incomplete} octets of incomplete requests",
            )
        if not state.body:
            state.body = data
            return
        if isinstance(state.body, bytes):
            state.body = bytearray(state.body)
        state.body += data

    def _deliver(self, state: Stream, head: RequestHead) -> None:
        body = bytes(state.body)
        if head.length not in (-1, len(body)):
            raise StreamFault(
                ErrorCode.PROTOCOL,
                f"content-length {head.length}, found {len(body)} octets (section 8.1.1)",
            )
        state.body = b""
        state.delivered = True
        self._events.append(
            RequestReceived(state.number, head.method, head.target, head.head, body)
        )

    def _refuse_body(self, state: Stream) -> None:
        self._refuse(state, 413, f"The request's body is larger than {self._max_body} bytes.")

    def _refuse_headers(self, state: Stream) -> None:
        self._refuse(
            state, 431, f"The request's headers are longer than {MAX_HEADER_LIST_SIZE} bytes."
        )

    def _refuse(self, state: Stream, status: int, message: str) -> None:
        """Answer a request with a refusal. The rest of the request is discarded."""
        state.refused = True
        state.body = b""
        headers, body = render_refusal(message)
        headers = tuple((name.lower(), value) for name, value in headers)
        self.respond(state.number, status, headers, body)
        self._floods.count_reset()

    # Other frames

    def _on_rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        expect_size("RST_STREAM", payload, 4)
        if self._is_idle(stream):
            raise ConnectionFault(
                ErrorCode.PROTOCOL, f"RST_STREAM on stream {stream}, which was never opened"
            )
        state = self._streams.get(stream)
        if state is None:
            self._floods.count_ignored()
            return
        if state.delivered:
            self._events.append(StreamClosed(stream, unpack_number(payload)))
        self._close(state, reset_by_server=False)
        self._floods.count_reset()

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        expect_no_stream("SETTINGS", stream)
        if flags & ACK:
            expect_size("SETTINGS with ACK", payload, 0)
            self._decoder.disable_table()
            self._floods.count_ignored()
            return
        for name, value in read_settings(payload):
            self._writer.apply_setting(name, value, self._streams.values())
        self._writer.write(SETTINGS_ACK)
        self._floods.count_ack()

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        expect_no_stream("PING", stream)
        expect_size("PING", payload, 8)
        if flags & ACK:
            self._floods.count_ignored()  # the server sends no PING
            return
        self._writer.write(frame(PING, ACK, 0, payload))
        self._floods.count_ack()

    def _on_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        """Record that the client opens no more streams. Open streams continue (section 6.8).

        AWS's JavaScript SDK sends GOAWAY as soon as it has the headers of a response, and then
        reads the rest of the response.
        """
        expect_no_stream("GOAWAY", stream)
        if len(payload) < 8:
            raise ConnectionFault(
                ErrorCode.FRAME_SIZE, f"expected GOAWAY of at least 8 octets, found {len(payload)}"
            )
        self._client_leaving = True
        self._floods.count_ignored()

    def _on_window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        expect_size("WINDOW_UPDATE", payload, 4)
        self._floods.count_window_update(self._writer.data_frames)
        increment = unpack_number(payload) & MAX_WINDOW  # the highest bit is reserved
        if not stream:
            self._writer.widen(increment)
            return
        if self._is_idle(stream):
            raise ConnectionFault(
                ErrorCode.PROTOCOL, f"WINDOW_UPDATE on stream {stream}, which was never opened"
            )
        state = self._streams.get(stream)
        if state is not None:  # the stream can end while WINDOW_UPDATE is in flight
            self._writer.widen_stream(state, increment)

    def _on_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        """Check the size and ignore the priority (section 5.3.2)."""
        if not stream:
            raise ConnectionFault(ErrorCode.PROTOCOL, "expected PRIORITY on a stream, found 0")
        self._floods.count_ignored()
        if len(payload) != 5:
            raise StreamFault(
                ErrorCode.FRAME_SIZE, f"expected PRIORITY of 5 octets, found {len(payload)}"
            )

    def _on_push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL, "PUSH_PROMISE from a client (section 8.4)")

    def _on_ignored(self, _flags: int, _stream: int, _payload: bytes) -> None:
        """Ignore a frame of an unknown type (section 5.5), for example PRIORITY_UPDATE."""
        self._floods.count_ignored()

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
