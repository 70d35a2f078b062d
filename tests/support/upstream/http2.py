"""HTTP/2 as the upstream speaks it, with the h2 library. Sans-io."""

from collections import deque
from collections.abc import Callable
from typing import Literal

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hyperframe.frame import Frame, GoAwayFrame

from bedtape_cassettes.model import Headers
from support.upstream.wire import Began, DataCame, Dropped, Ended, Event, octets, text

_WINDOW = 2**31 - 1  # the largest: requests are never held up
_CONNECTION_ONLY = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


class _Graceful(h2.connection.H2Connection):
    """A client that will open no more streams still reads those it opened (RFC 9113,
    6.8); h2 closes all of them.
    """

    def _receive_goaway_frame(
        self, frame: GoAwayFrame
    ) -> tuple[list[Frame], list[h2.events.Event]]:
        if frame.error_code == h2.errors.ErrorCodes.NO_ERROR:
            return [], []
        return super()._receive_goaway_frame(frame)


class Http2:
    """One connection, with as many streams as the client likes."""

    version: Literal["2"] = "2"

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._h2 = _Graceful(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self._held: dict[int, deque[bytes]] = {}  # frames that the client has no window for yet
        self._last: set[int] = set()  # streams that end with what is held
        self._start()

    def _start(self) -> None:
        codes = h2.settings.SettingCodes
        settings = {codes.INITIAL_WINDOW_SIZE: _WINDOW, codes.MAX_CONCURRENT_STREAMS: 1000}
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW - 65535)
        self._flush()

    def _flush(self) -> None:
        for stream in list(self._held):
            self._send_held(stream)
        if data := self._h2.data_to_send():
            self._write(data)

    def _send_held(self, stream: int) -> None:
        held = self._held[stream]
        while held:
            size = min(
                self._h2.local_flow_control_window(stream),
                self._h2.max_outbound_frame_size,
                len(held[0]),
            )
            if size <= 0 < len(held[0]):
                return
            frame = held.popleft()
            self._h2.send_data(stream, frame[:size])
            if rest := frame[size:]:
                held.appendleft(rest)
        if stream in self._last:
            self._h2.end_stream(stream)
            self._forget(stream)

    def _forget(self, stream: int) -> None:
        self._held.pop(stream, None)
        self._last.discard(stream)

    def receive(self, data: bytes) -> list[Event]:
        events = [event for came in self._h2.receive_data(data) for event in self._translate(came)]
        self._flush()
        return events

    def _translate(self, came: h2.events.Event) -> list[Event]:
        match came:
            case h2.events.RequestReceived(stream_id=stream, headers=headers) if stream:
                return [
                    self._began(
                        stream, tuple((text(bytes(n)), text(bytes(v))) for n, v in headers or ())
                    )
                ]
            case h2.events.DataReceived(
                stream_id=stream, data=data, flow_controlled_length=length
            ) if stream:
                self._h2.acknowledge_received_data(length or 0, stream)
                return [DataCame(stream, data or b"")]
            case h2.events.StreamEnded(stream_id=stream) if stream:
                return [Ended(stream)]
            case h2.events.StreamReset(stream_id=stream) if stream:
                self._forget(stream)
                return [Dropped(stream)]
            case h2.events.ConnectionTerminated():
                return self._drop_all()
        return []

    def _began(self, stream: int, headers: Headers) -> Began:
        named = dict(headers)
        self._held[stream] = deque()
        return Began(stream, named[":method"], named[":path"], headers)

    def _drop_all(self) -> list[Event]:
        dropped = [Dropped(stream) for stream in self._held]
        self._held.clear()
        return list[Event](dropped)

    def head(self, stream: int, status: int, headers: Headers, length: int | None) -> None:
        kept = [
            (octets(n.lower()), octets(v)) for n, v in headers if n.lower() not in _CONNECTION_ONLY
        ]
        framing = [] if length is None else [(b"content-length", b"%d" % length)]
        self._h2.send_headers(stream, [(b":status", b"%d" % status), *kept, *framing])
        self._flush()

    def data(self, stream: int, data: bytes) -> None:
        self._held[stream].append(data)
        self._flush()

    def end(self, stream: int, trailers: Headers = ()) -> None:
        self._last.add(stream)
        self._flush()

    def reset(self, stream: int) -> bool:
        self._h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        self._forget(stream)
        self._flush()
        return True
