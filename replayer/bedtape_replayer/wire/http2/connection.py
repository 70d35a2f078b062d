"""The server side of an HTTP/2 connection over cleartext with prior knowledge (RFC 9113), sans-io.

Bytes in, requests out; answers in, bytes out. The connection opens no socket, reads no clock and
sends no PUSH_PROMISE. It answers protocol errors with RST_STREAM or GOAWAY, as the RFC requires.
`receive` raises no exception, whatever the client sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from bedtape_replayer.wire.http2.frames import (
    ACK,
    DATA,
    GOAWAY,
    HEADERS,
    MAX_WINDOW,
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
    unpack_number,
)
from bedtape_replayer.wire.http2.headers import RequestHead
from bedtape_replayer.wire.http2.reader import FrameReader
from bedtape_replayer.wire.http2.requests import Http2Requests
from bedtape_replayer.wire.http2.settings import SETTINGS_ACK, read_settings
from bedtape_replayer.wire.messages import Received, StreamClosed


class Http2Connection(Http2Requests):
    """One HTTP/2 connection.

    Pass the client's bytes to `receive`, answer the requests, and write the result of `take`.

    max_body: the largest request body, in octets.
    heads: decoded request heads by header block. The connections of a server can share one
        dictionary.

    Call `take` after every `receive`, unless the socket is not writable. `count_pending` and the
    flood limits count data that was not taken.
    """

    __slots__ = ("_aborted", "_reader")

    def __init__(self, *, max_body: int, heads: dict[bytes, RequestHead] | None = None) -> None:
        super().__init__(max_body, {} if heads is None else heads)
        self._reader = FrameReader()
        self._aborted = False  # the server has sent GOAWAY

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

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, or an answer is being made or sent."""
        return bool(self._streams or self._writer)

    @property
    def last_stream(self) -> int:
        """The highest number of a stream that the client has opened; 0 before the first stream."""
        return self._last

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
        DATA: Http2Requests._on_data,
        HEADERS: Http2Requests._on_headers,
        PRIORITY: _on_priority,
        RST_STREAM: _on_rst_stream,
        SETTINGS: _on_settings,
        PUSH_PROMISE: _on_push_promise,
        PING: _on_ping,
        GOAWAY: _on_goaway,
        WINDOW_UPDATE: _on_window_update,
    }
