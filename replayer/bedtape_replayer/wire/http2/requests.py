"""The receiving half of an HTTP/2 connection: makes requests of HEADERS and DATA."""

from __future__ import annotations

from typing import Final

from bedtape_replayer.answering.service_operations import is_duplex
from bedtape_replayer.wire.http2.frames import (
    END_STREAM,
    PADDED,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    frame,
    pack_number,
    strip_padding,
)
from bedtape_replayer.wire.http2.headers import (
    MAX_HEADER_LIST_SIZE,
    HeaderListTooLarge,
    RequestDecoder,
    RequestHead,
)
from bedtape_replayer.wire.http2.responses import Http2Responses
from bedtape_replayer.wire.http2.settings import CONNECTION_WINDOW, MAX_STREAMS
from bedtape_replayer.wire.http2.streams import STREAM_WINDOW, Stream
from bedtape_replayer.wire.messages import (
    DataReceived,
    HeadReceived,
    InputEnded,
    Received,
    RequestReceived,
    render_refusal,
)

# Incomplete bodies stay in memory, and 1,000 bodies of the largest size would take 25 GB. The limit
# is a multiple of the largest size. It is not checked for small bodies, because the sum over all
# streams costs time.
MAX_INCOMPLETE_BODIES: Final = 8
UNCHECKED_BODY_SIZE: Final = 64 * 1024


class Http2Requests(Http2Responses):
    """The requests of one connection, whose answers are `Http2Responses`. See `Http2Connection`."""

    __slots__ = (
        "_client_leaving",
        "_decoder",
        "_events",
        "_last",
        "_max_body",
        "_max_incomplete",
        "_receive_window",
    )

    def __init__(self, max_body: int, heads: dict[bytes, RequestHead]) -> None:
        super().__init__()
        self._max_body = max_body
        self._max_incomplete = MAX_INCOMPLETE_BODIES * max_body
        self._decoder = RequestDecoder(heads)
        self._events: list[Received] = []
        self._last = 0  # the highest stream that the client has opened
        self._receive_window = CONNECTION_WINDOW  # octets that the client can still send
        self._client_leaving = False  # the client has sent GOAWAY

    def _is_idle(self, stream: int) -> bool:
        """Whether the stream was not opened. Even numbers never are (section 5.1.1)."""
        return stream > self._last or not stream & 1

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
