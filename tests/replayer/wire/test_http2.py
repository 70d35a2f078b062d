"""The server's side of HTTP/2, against the h2 library as its client and against frames
that no client should send.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import DATE
from bedtape_replayer.wire.http2 import floods as http2_floods
from bedtape_replayer.wire.http2 import reader as http2_reader
from bedtape_replayer.wire.http2 import streams as http2_streams
from bedtape_replayer.wire.http2.connection import Http2Connection
from bedtape_replayer.wire.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MAX_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    Setting,
    frame,
    pack_number,
)
from bedtape_replayer.wire.http2.headers import MAX_HEADER_LIST_SIZE, RequestHead, encode_response
from bedtape_replayer.wire.http2.settings import CONNECTION_WINDOW, MAX_SETTINGS, MAX_STREAMS
from bedtape_replayer.wire.messages import Received, RequestReceived, StreamClosed
from support.examples import examples

MAX_BODY = 4 << 20
REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/model/m/converse"),
    (b":authority", b"localhost:4566"),
)
JSON = ((b"Content-Type", b"application/json"), (b"x-amzn-RequestId", b"abc"))
LOWER_JSON = [(b"content-type", b"application/json"), (b"x-amzn-requestid", b"abc")]


# Two ends


class Client:
    """The h2 library, talking to one connection of ours; what either says is
    carried over at once.
    """

    def __init__(self, server: Http2Connection | None = None, **initial: int) -> None:
        self.server = server or Http2Connection(max_body=MAX_BODY)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding=None)
        )
        if initial:
            codes = {h2.settings.SettingCodes[name]: value for name, value in initial.items()}
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=codes)
        self.received: list[Received] = []
        self.events: list[h2.events.Event] = []
        self.acknowledge = True
        self.h2.initiate_connection()
        self.exchange()

    def exchange(self) -> None:
        """Carries bytes both ways until neither end has any."""
        while True:
            ours = self.h2.data_to_send()
            if ours:
                self.received += self.server.receive(ours)
            theirs = self.server.take()
            if not ours and not theirs:
                return
            for event in self.h2.receive_data(theirs) if theirs else ():
                self.events.append(event)
                if (
                    isinstance(event, h2.events.DataReceived)
                    and self.acknowledge
                    and event.flow_controlled_length
                ):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def request(
        self, stream: int, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self.h2.send_headers(stream, [*REQUEST, *headers], end_stream=not body)
        self.upload(stream, body)

    def upload(self, stream: int, body: bytes, *, end: bool = True) -> None:
        while body:
            size = min(
                self.h2.local_flow_control_window(stream),
                self.h2.max_outbound_frame_size,
                len(body),
            )
            if size == 0:
                self.exchange()
                assert self.h2.local_flow_control_window(stream) > 0, (
                    "the server does not open its window"
                )
                continue
            self.h2.send_data(stream, body[:size], end_stream=end and size == len(body))
            body = body[size:]
        self.exchange()

    def body(self, stream: int) -> bytes:
        return b"".join(
            e.data
            for e in self.events
            if isinstance(e, h2.events.DataReceived) and e.stream_id == stream and e.data
        )

    def of(self, kind: type, stream: int) -> list[h2.events.Event]:
        return [e for e in self.events if isinstance(e, kind) and e.stream_id == stream]  # type: ignore[attr-defined]

    def headers(self, stream: int) -> list[tuple[bytes, bytes]]:
        (event,) = self.of(h2.events.ResponseReceived, stream)
        return [(bytes(name), bytes(value)) for name, value in event.headers]  # type: ignore[attr-defined]

    def ended(self, stream: int) -> bool:
        return len(self.of(h2.events.StreamEnded, stream)) == 1


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frames(data: bytes) -> list[Frame]:
    frame_list = []
    while data:
        length = int.from_bytes(data[:3], "big")
        frame_list.append(
            Frame(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + length])
        )
        assert len(frame_list[-1].payload) == length
        data = data[9 + length :]
    return frame_list


def verdicts(data: bytes) -> list[tuple[str, int, int]]:
    """The errors among our frames: ("goaway", 0, code) and ("reset", stream, code)."""
    endings = []
    for kind, _, stream, payload in frames(data):
        if kind == GOAWAY:
            endings.append(("goaway", 0, int.from_bytes(payload[4:8], "big")))
        elif kind == RST_STREAM:
            endings.append(("reset", stream, int.from_bytes(payload, "big")))
    return endings


def block(*fields: tuple[bytes, bytes]) -> bytes:
    """A header block that uses no table, so that it may stand anywhere."""
    return Encoder().encode([(name, value, True) for name, value in fields])


def headers(
    stream: int, *extra: tuple[bytes, bytes], flags: int = END_STREAM, base: object = REQUEST
) -> bytes:
    return frame(HEADERS, flags | END_HEADERS, stream, block(*base, *extra))  # type: ignore[misc]


HELLO = PREFACE + frame(SETTINGS, 0, 0)
TABLE_GONE = frame(SETTINGS, ACK, 0)


def greeted(max_body: int = MAX_BODY, *settings_: tuple[int, int]) -> Http2Connection:
    """A connection whose client has said hello, in raw frames."""
    connection = Http2Connection(max_body=max_body)
    assert (
        connection.receive(
            PREFACE + frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*s) for s in settings_))
        )
        == []
    )
    greeting, window, acknowledged = frames(connection.take())
    assert (greeting.kind, window.kind, acknowledged) == (
        SETTINGS,
        WINDOW_UPDATE,
        Frame(SETTINGS, ACK, 0, b""),
    )
    return connection


@pytest.fixture
def connection() -> Http2Connection:
    return greeted()


@pytest.fixture
def client() -> Client:
    return Client()


# Conversations


def test_a_request_and_its_answer(client: Client) -> None:
    client.request(
        1, b'{"messages": []}', [(b"content-type", b"application/json"), (b"x-amz-date", b"now")]
    )
    (request,) = client.received
    assert request == RequestReceived(
        stream=1,
        method=b"POST",
        target=b"/model/m/converse",
        head=Head.of(
            (
                (b"host", b"localhost:4566"),
                (b"content-type", b"application/json"),
                (b"x-amz-date", b"now"),
            )
        ),
        body=b'{"messages": []}',
    )
    client.server.respond(
        1, 200, [*JSON, (b"Content-Length", b"2"), (b"Connection", b"keep-alive")], b"{}"
    )
    client.exchange()
    assert client.headers(1) == [(b":status", b"200"), *LOWER_JSON, (b"content-length", b"2")]
    assert (client.body(1), client.ended(1)) == (b"{}", True)
    assert not client.server.closing


def test_a_host_header_is_kept_and_not_doubled(connection: Http2Connection) -> None:
    (request,) = connection.receive(headers(1, (b"host", b"other")))
    assert isinstance(request, RequestReceived)
    assert request.head.pairs() == (("host", "other"),)


def test_an_answer_takes_two_frames(connection: Http2Connection) -> None:
    connection.receive(headers(1))
    connection.respond(1, 200, JSON, b"{}")
    assert [(f.kind, f.flags) for f in frames(connection.take())] == [
        (HEADERS, END_HEADERS),
        (DATA, END_STREAM),
    ]


@pytest.mark.parametrize("status", [200, 204, 299, 400, 404, 429, 503])
def test_an_answer_without_a_body_ends_with_its_headers(client: Client, status: int) -> None:
    client.request(1)
    client.server.respond(1, status, JSON, b"")
    client.exchange()
    assert client.headers(1) == [(b":status", b"%d" % status), *LOWER_JSON]
    assert client.ended(1)


def test_a_stream_of_many_parts(client: Client) -> None:
    client.request(1)
    client.server.start(1, 200, JSON)
    client.exchange()
    assert not client.ended(1)
    parts = [b"event %d;" % i for i in range(500)]
    for part in parts:
        client.server.send(1, part)
        client.exchange()
    client.server.finish(1)
    client.exchange()
    assert client.body(1) == b"".join(parts)
    assert client.ended(1)


def test_the_last_part_carries_end_stream(connection: Http2Connection) -> None:
    connection.receive(headers(1))
    connection.start(1, 200, JSON)
    connection.send(1, b"one ")
    connection.send(1, b"two")
    connection.send(1, b"")
    connection.finish(1)
    assert frames(connection.take())[1:] == [Frame(DATA, END_STREAM, 1, b"one two")]


def test_an_end_without_data_is_an_empty_frame(connection: Http2Connection) -> None:
    connection.receive(headers(1))
    connection.start(1, 200, JSON)
    connection.send(1, b"one")
    connection.take()
    connection.finish(1)
    assert frames(connection.take()) == [Frame(DATA, END_STREAM, 1, b"")]


def test_many_streams_at_once_do_not_starve_each_other() -> None:
    client = Client(INITIAL_WINDOW_SIZE=1 << 20)
    bodies = {stream: bytes([stream]) * 40_000 for stream in range(1, 41, 2)}
    for stream in bodies:
        client.request(stream)
    client.exchange()
    client.acknowledge = False  # so that the connection's window, 65,535, is all there is
    for stream, body in bodies.items():
        client.server.respond(stream, 200, JSON, body)
    client.exchange()
    assert [len(client.body(stream)) for stream in (1, 3, 5, 7, 9)] == [
        16384,
        16384,
        16384,
        16383,
        0,
    ]
    client.acknowledge = True
    client.h2.increment_flow_control_window(1 << 20)
    client.exchange()
    assert {stream: client.body(stream) for stream in bodies} == bodies


def test_interim_answers_may_precede_the_final_one(client: Client) -> None:
    client.request(1)
    client.server.start(1, 103, [(b"Link", b"</a>")])
    client.server.respond(1, 200, JSON, b"{}")
    client.exchange()
    assert len(client.of(h2.events.InformationalResponseReceived, 1)) == 1
    assert client.body(1) == b"{}"


def test_a_client_that_expects_100_continue_gets_it_before_its_body(client: Client) -> None:
    client.h2.send_headers(1, [*REQUEST, (b"expect", b"100-continue")])
    client.exchange()
    (interim,) = client.of(h2.events.InformationalResponseReceived, 1)
    assert interim.headers == [(b":status", b"100")]  # type: ignore[attr-defined]
    client.upload(1, b"body")
    client.server.respond(1, 200, JSON, b"{}")
    client.exchange()
    assert client.headers(1)[0] == (b":status", b"200")


def test_no_100_continue_after_the_end(connection: Http2Connection) -> None:
    assert len(connection.receive(headers(1, (b"expect", b"100-continue")))) == 1
    assert connection.take() == b""


def test_trailers_end_a_request(client: Client) -> None:
    client.h2.send_headers(1, REQUEST)
    client.upload(1, b"body", end=False)
    client.h2.send_headers(1, [(b"x-checksum", b"1")], end_stream=True)
    client.exchange()
    (request,) = client.received
    assert isinstance(request, RequestReceived)
    assert request.body == b"body"
    assert request.head.get("x-checksum") is None


def test_ping_and_settings_are_answered(client: Client) -> None:
    client.h2.ping(b"12345678")
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
    client.exchange()
    assert any(isinstance(e, h2.events.PingAckReceived) for e in client.events)
    assert sum(isinstance(e, h2.events.SettingsAcknowledged) for e in client.events) == 2


def test_a_client_without_room_for_a_header_table() -> None:
    client = Client(HEADER_TABLE_SIZE=0)
    for stream in (1, 3):
        client.request(stream)
        client.exchange()
        client.server.respond(stream, 200, JSON, b"{}")
        client.exchange()
        assert client.headers(stream)[1:] == LOWER_JSON


def test_padding_and_priority_are_taken_off(connection: Http2Connection) -> None:
    padded = b"\x03" + bytes(4) + b"\x0f" + block(*REQUEST) + bytes(3)
    connection.receive(frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, padded))
    (request,) = connection.receive(frame(DATA, PADDED | END_STREAM, 1, b"\x02body\0\0"))
    assert isinstance(request, RequestReceived)
    assert request.body == b"body"


def test_a_request_head_is_remembered_only_where_it_means_the_same() -> None:
    heads: dict[bytes, RequestHead] = {}
    for _ in range(2):
        connection = Http2Connection(max_body=0, heads=heads)
        (first,) = connection.receive(HELLO + headers(1))
        assert heads == {} or connection.take()
        (second,) = connection.receive(TABLE_GONE + frame(HEADERS, 5, 3, b"\x20" + block(*REQUEST)))
        (third,) = connection.receive(headers(5))
        assert isinstance(first, RequestReceived)
        assert isinstance(second, RequestReceived)
        assert isinstance(third, RequestReceived)
        assert first.head == second.head == third.head
    assert list(heads) == [block(*REQUEST)]


def test_the_memo_of_request_heads_is_bounded() -> None:
    heads: dict[bytes, RequestHead] = {}
    connection = Http2Connection(max_body=0, heads=heads)
    connection.receive(HELLO + TABLE_GONE + frame(HEADERS, 5, 1, b"\x20" + block(*REQUEST)))
    connection.respond(1, 204, (), b"")
    for stream in range(3, 2003, 2):
        assert len(connection.receive(headers(stream, (b"x", b"%d" % stream)))) == 1
        connection.respond(stream, 204, (), b"")
    assert 0 < len(heads) <= 256
    connection.receive(headers(2003, (b"x", bytes(5000).replace(b"\0", b"x"))))
    assert max(map(len, heads)) <= 4096


# Flow control


@pytest.mark.parametrize("window", [1, 7, 1000])
def test_tiny_windows(window: int) -> None:
    client = Client(INITIAL_WINDOW_SIZE=window)
    body = random.Random(1).randbytes(100 * window)
    client.request(1)
    client.acknowledge = False
    client.server.respond(1, 200, JSON, body)
    client.exchange()
    assert client.body(1) == body[:window]
    assert client.server.count_pending(1) == len(body) - window
    while not client.ended(1):
        client.h2.increment_flow_control_window(window)
        client.h2.increment_flow_control_window(window, 1)
        client.exchange()
    assert client.body(1) == body
    assert client.server.count_pending(1) == 0


def test_pending_counts_what_nobody_took(connection: Http2Connection) -> None:
    connection.receive(headers(1))
    connection.start(1, 200, JSON)
    connection.send(1, b"12345")
    assert connection.count_pending(1) == 5
    connection.take()
    assert connection.count_pending(1) == 0
    connection.send(1, bytes(70000))
    connection.take()
    assert connection.count_pending(1) == 70000 + 5 - 65535
    connection.receive(frame(RST_STREAM, 0, 1, pack_number(ErrorCode.CANCEL)))
    assert connection.count_pending(1) == 0


def test_a_shrunk_window_may_be_negative() -> None:
    connection = greeted(MAX_BODY, (Setting.INITIAL_WINDOW_SIZE, 100))
    connection.receive(headers(1))
    connection.respond(1, 200, JSON, bytes(250))
    assert len(frames(connection.take())[-1].payload) == 100
    # now -100
    connection.receive(frame(SETTINGS, 0, 0, SETTING.pack(Setting.INITIAL_WINDOW_SIZE, 0)))
    connection.receive(frame(WINDOW_UPDATE, 0, 1, pack_number(100)))
    assert [f.kind for f in frames(connection.take())] == [SETTINGS]
    connection.receive(frame(WINDOW_UPDATE, 0, 1, pack_number(1)))
    assert frames(connection.take()) == [Frame(DATA, 0, 1, b"\0")]
    connection.receive(frame(SETTINGS, 0, 0, SETTING.pack(Setting.INITIAL_WINDOW_SIZE, 149)))
    assert frames(connection.take())[1:] == [Frame(DATA, END_STREAM, 1, bytes(149))]


def test_a_window_that_shrinks_before_the_take_is_respected(connection: Http2Connection) -> None:
    connection.receive(headers(1))
    connection.start(1, 200, JSON)
    connection.send(1, bytes(100))
    connection.receive(frame(SETTINGS, 0, 0, SETTING.pack(Setting.INITIAL_WINDOW_SIZE, 10)))
    assert frames(connection.take())[-1] == Frame(DATA, 0, 1, bytes(10))


def test_frames_are_as_large_as_the_client_allows() -> None:
    connection = greeted(MAX_BODY, (Setting.MAX_FRAME_SIZE, 40_000))
    connection.receive(headers(1))
    connection.respond(1, 200, JSON, bytes(50_000))
    assert [len(f.payload) for f in frames(connection.take())[1:]] == [40_000, 10_000]


def test_the_connection_window_holds_all_streams() -> None:
    connection = greeted(MAX_BODY, (Setting.INITIAL_WINDOW_SIZE, 1 << 20))
    for stream in (1, 3):
        connection.receive(headers(stream))
        connection.respond(stream, 200, JSON, bytes(50_000))
    sent = sum(len(f.payload) for f in frames(connection.take()) if f.kind == DATA)
    assert sent == 65535
    connection.receive(frame(WINDOW_UPDATE, 0, 0, pack_number(1 << 20)))
    assert sent + sum(len(f.payload) for f in frames(connection.take())) == 100_000


def test_big_bodies_both_ways_split_at_random(client: Client) -> None:
    rng = random.Random(2)
    up, down = rng.randbytes(3_000_000), rng.randbytes(3_000_000)
    client.h2.send_headers(1, REQUEST)
    position = 0
    while position < len(up):
        size = rng.randrange(1, 200_000)
        client.upload(1, up[position : position + size], end=position + size >= len(up))
        position += size
    (request,) = client.received
    assert isinstance(request, RequestReceived)
    assert request.body == up
    client.server.start(1, 200, JSON)
    position = 0
    while position < len(down):
        size = rng.randrange(1, 200_000)
        client.server.send(1, down[position : position + size])
        position += size
        if rng.random() < 0.5:
            client.exchange()
    client.server.finish(1)
    client.exchange()
    assert client.body(1) == down
    assert client.ended(1)


def test_windows_are_reopened_for_streams_that_are_gone(connection: Http2Connection) -> None:
    connection.receive(headers(1, flags=0))
    connection.reset(1, ErrorCode.CANCEL)
    connection.take()
    reopened = 0
    for _ in range(3 * CONNECTION_WINDOW // 16384):
        assert connection.receive(frame(DATA, 0, 1, bytes(16384))) == []
        reopened += sum(
            int.from_bytes(f.payload, "big")
            for f in frames(connection.take())
            if f.kind == WINDOW_UPDATE
        )
    assert not connection.closing
    assert reopened >= 2 * CONNECTION_WINDOW


# Header blocks


def test_continuation_from_the_client(connection: Http2Connection) -> None:
    whole = block(*REQUEST, (b"x-long", b"v" * 5000))
    pieces = [whole[i : i + 700] for i in range(0, len(whole), 700)]
    sent = frame(HEADERS, END_STREAM, 1, pieces[0])
    sent += b"".join(frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1])
    assert connection.receive(sent) == []
    (request,) = connection.receive(frame(CONTINUATION, END_HEADERS, 1, pieces[-1]))
    assert isinstance(request, RequestReceived)
    assert request.head.pairs()[-1] == ("x-long", "v" * 5000)


def test_continuation_to_the_client(client: Client) -> None:
    client.request(1)
    long = [(b"x-%d" % i, b"v" * 9000) for i in range(5)]
    client.server.respond(1, 200, long, b"{}")
    client.exchange()
    assert client.headers(1)[1:] == long
    assert client.body(1) == b"{}"


names = st.binary(min_size=1, max_size=300).map(lambda name: b"x" + name)
values = st.one_of(st.binary(max_size=300), st.integers(100, 40_000).map(lambda size: b"v" * size))


@settings(derandomize=True, deadline=None)
@given(st.integers(200, 999), st.lists(st.tuples(names, values), max_size=10))
def test_the_hpack_library_reads_our_blocks(status: int, fields: list[tuple[bytes, bytes]]) -> None:
    decoder = Decoder(max_header_list_size=1 << 20)
    decoder.header_table_size = 0
    decoder.max_allowed_table_size = 0
    decoded = [
        (bytes(n), bytes(v)) for n, v in decoder.decode(encode_response(status, fields), raw=True)
    ]
    assert decoded == [
        (b":status", b"%d" % status),
        *((name.lower(), value) for name, value in fields),
    ]


@pytest.mark.parametrize("date", [b"", b"Sun, 06 Nov 1994 08:49:37 GMT", b"x" * 300])
def test_the_present_date_stands_where_its_header_waits_for_it(date: bytes) -> None:
    fields = [(b"a", b"1"), (b"Date", DATE), (b"b", b"2")]
    assert encode_response(200, fields, date) == encode_response(
        200, [(n, v or date) for n, v in fields]
    )
    assert encode_response(200, [(b"date", b"then")], date) == encode_response(
        200, [(b"date", b"then")]
    )
    twice = [(b"Date", DATE), (b"a", b"1"), (b"date", DATE)]
    assert encode_response(200, twice, date) == encode_response(
        200, [(b"date", date), (b"a", b"1"), (b"date", b"")]
    )


def test_every_name_of_the_static_table_is_read_back() -> None:
    fields = [
        (name.title(), b"v") for name, _ in Decoder().header_table.STATIC_TABLE if name[:1] != b":"
    ]
    decoded = list(Decoder().decode(encode_response(200, fields), raw=True))
    assert decoded[1:] == [(n.lower(), v) for n, v in fields if n.lower() != b"transfer-encoding"]


# Ends


def test_a_client_resets_a_stream_that_is_answered(client: Client) -> None:
    client.request(1)
    client.server.start(1, 200, JSON)
    client.server.send(1, b"one")
    client.exchange()
    client.h2.reset_stream(1, ErrorCode.CANCEL)
    client.exchange()
    assert client.received[1:] == [StreamClosed(1, ErrorCode.CANCEL)]
    client.server.send(1, b"two")
    client.server.finish(1)
    client.server.respond(1, 200, JSON, b"{}")
    client.server.reset(1)
    assert client.server.take() == b""


def test_a_reset_before_the_end_of_the_request_is_nobodys_business(
    connection: Http2Connection,
) -> None:
    assert (
        connection.receive(
            headers(1, flags=0) + frame(RST_STREAM, 0, 1, pack_number(ErrorCode.CANCEL))
        )
        == []
    )
    assert not connection.closing


def test_the_server_resets_a_stream(client: Client) -> None:
    client.request(1)
    client.server.start(1, 200, JSON)
    client.server.send(1, b"lost")
    client.server.reset(1)
    client.exchange()
    (reset,) = client.of(h2.events.StreamReset, 1)
    assert reset.error_code == ErrorCode.INTERNAL  # type: ignore[attr-defined]
    assert client.body(1) == b""


@pytest.mark.parametrize("error", [ErrorCode.NO_ERROR, ErrorCode.CANCEL])
def test_streams_go_on_after_the_clients_goaway(connection: Http2Connection, error: int) -> None:
    assert len(connection.receive(headers(1) + headers(3))) == 2
    connection.start(1, 200, JSON)
    connection.take()
    assert connection.receive(frame(GOAWAY, 0, 0, pack_number(0) + pack_number(error))) == []
    assert not connection.closing
    connection.send(1, b"still here")
    assert frames(connection.take()) == [Frame(DATA, 0, 1, b"still here")]
    assert connection.receive(headers(5)) == []  # newer than the GOAWAY
    assert verdicts(connection.take()) == [("reset", 5, ErrorCode.REFUSED_STREAM)]
    connection.finish(1)
    connection.take()
    assert not connection.closing
    connection.respond(3, 200, JSON, b"{}")
    assert not connection.closing, "the last answer is not taken yet"
    assert len(frames(connection.take())) == 2
    assert connection.closing


def test_a_request_may_be_completed_after_goaway(connection: Http2Connection) -> None:
    connection.receive(headers(1, flags=0) + frame(GOAWAY, 0, 0, bytes(8)))
    assert len(connection.receive(frame(DATA, END_STREAM, 1, b"body"))) == 1


def test_abort_says_goaway_and_is_final(connection: Http2Connection) -> None:
    connection.receive(headers(1) + headers(3))
    connection.respond(1, 200, JSON, b"{}")
    connection.start(3, 200, JSON)
    connection.send(3, b"lost")
    connection.abort(ErrorCode.INTERNAL, b"why")
    connection.abort(ErrorCode.NO_ERROR)
    assert connection.closing
    assert connection.count_pending(3) == 0
    connection.send(3, b"lost")
    assert connection.receive(headers(5)) == []
    *answers, goaway = frames(connection.take())
    assert [f.kind for f in answers] == [HEADERS, DATA, HEADERS]
    assert goaway == Frame(GOAWAY, 0, 0, pack_number(3) + pack_number(ErrorCode.INTERNAL) + b"why")
    assert connection.take() == b""


# Requests that are refused with an answer


def refusal(connection: Http2Connection) -> tuple[bytes, bytes, bytes, list[tuple[str, int, int]]]:
    """Status, error type and body of the answer to stream 1, and the errors that went with it."""
    taken = connection.take()
    of_stream = [f for f in frames(taken) if f.stream == 1 and f.kind in (HEADERS, DATA)]
    fields = {bytes(n): bytes(v) for n, v in Decoder().decode(of_stream[0].payload, raw=True)}
    body = b"".join(f.payload for f in of_stream[1:])
    assert of_stream[-1].flags & END_STREAM
    assert fields[b"content-type"] == b"application/json"
    assert int(fields[b"content-length"]) == len(body)
    return fields[b":status"], fields[b"x-amzn-errortype"], body, verdicts(taken)


TOO_LARGE = b'{"message":"bedtape: The request\'s body is larger than 10 bytes."}'


def test_a_body_that_grows_too_large() -> None:
    connection = greeted(10)
    assert connection.receive(headers(1, flags=0) + frame(DATA, 0, 1, bytes(10))) == []
    assert connection.take() == b""
    assert connection.receive(frame(DATA, 0, 1, b"!")) == []
    assert refusal(connection) == (
        b"413",
        b"ValidationException",
        TOO_LARGE,
        [("reset", 1, ErrorCode.NO_ERROR)],
    )
    assert (
        connection.receive(frame(DATA, 0, 1, bytes(16384)) * 100 + frame(DATA, END_STREAM, 1)) == []
    )
    assert verdicts(connection.take()) == []
    assert len(connection.receive(headers(3))) == 1, "the connection goes on"


def test_a_body_that_ends_too_large_is_not_reset() -> None:
    connection = greeted(10)
    assert connection.receive(headers(1, flags=0) + frame(DATA, END_STREAM, 1, bytes(11))) == []
    assert refusal(connection) == (b"413", b"ValidationException", TOO_LARGE, [])


def test_a_content_length_that_is_too_large_is_refused_before_the_body() -> None:
    connection = greeted(10)
    expecting = headers(1, (b"content-length", b"11"), (b"expect", b"100-continue"), flags=0)
    assert connection.receive(expecting) == []
    assert refusal(connection)[0] == b"413"


def test_a_refusal_waits_for_the_window_and_drops_the_body_meanwhile() -> None:
    connection = greeted(10, (Setting.INITIAL_WINDOW_SIZE, 0))
    connection.receive(headers(1, flags=0) + frame(DATA, 0, 1, bytes(11)))
    first = connection.take()
    assert [f.kind for f in frames(first)] == [HEADERS]
    assert (
        connection.receive(frame(DATA, 0, 1, bytes(11)) + frame(DATA, END_STREAM, 1, bytes(11)))
        == []
    )
    connection.receive(frame(WINDOW_UPDATE, 0, 1, pack_number(1000)))
    assert frames(connection.take()) == [Frame(DATA, END_STREAM, 1, TOO_LARGE)]


def test_the_h2_library_understands_a_refusal() -> None:
    client = Client(Http2Connection(max_body=10))
    client.request(1, bytes(11))
    assert client.headers(1)[0] == (b":status", b"413")
    assert client.body(1) == TOO_LARGE


LONG = tuple((b"x-%d" % i, b"v" * 4000) for i in range(18))


@pytest.mark.parametrize("flags", [0, END_STREAM])
def test_headers_that_are_too_large(connection: Http2Connection, flags: int) -> None:
    whole = block(*REQUEST, *LONG)
    pieces = [whole[i : i + 16384] for i in range(0, len(whole), 16384)]
    sent = frame(HEADERS, flags, 1, pieces[0]) + b"".join(
        frame(CONTINUATION, 0, 1, p) for p in pieces[1:]
    )
    assert connection.receive(sent + frame(CONTINUATION, END_HEADERS, 1)) == []
    status, kind, body, errors = refusal(connection)
    assert (status, kind) == (b"431", b"ValidationException")
    assert (
        body
        == b'{"message":"bedtape: The request\'s headers are longer than %d bytes."}'
        % MAX_HEADER_LIST_SIZE
    )
    assert errors == ([] if flags else [("reset", 1, ErrorCode.NO_ERROR)])
    assert len(connection.receive(headers(3))) == 1, "the connection goes on"


# What no client should send


def without(name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in REQUEST if field[0] != name)


def reset(error: int, stream: int = 1) -> list[tuple[str, int, int]]:
    return [("reset", stream, error)]


def goaway(error: int) -> list[tuple[str, int, int]]:
    return [("goaway", 0, error)]


def window(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, pack_number(size))


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, SETTING.pack(name, value))


CANCELLED = frame(RST_STREAM, 0, 1, pack_number(ErrorCode.CANCEL))
OPEN = headers(1, flags=0)
WHOLE = headers(1)
SHORT = frame(HEADERS, 0, 1, block(*REQUEST))

MALFORMED: dict[str, tuple[bytes, list[tuple[str, int, int]]]] = {
    # Requests: section 8
    "no method": (headers(1, base=without(b":method")), reset(ErrorCode.PROTOCOL)),
    "no scheme": (headers(1, base=without(b":scheme")), reset(ErrorCode.PROTOCOL)),
    "no path": (headers(1, base=without(b":path")), reset(ErrorCode.PROTOCOL)),
    "empty path": (headers(1, (b":path", b""), base=without(b":path")), reset(ErrorCode.PROTOCOL)),
    "no headers at all": (frame(HEADERS, END_HEADERS, 1), reset(ErrorCode.PROTOCOL)),
    "connect": (
        headers(1, base=((b":method", b"CONNECT"), (b":authority", b"a:1"))),
        reset(ErrorCode.PROTOCOL),
    ),
    "extended connect": (headers(1, (b":protocol", b"websocket")), reset(ErrorCode.PROTOCOL)),
    "pseudo-header twice": (headers(1, (b":path", b"/")), reset(ErrorCode.PROTOCOL)),
    "pseudo-header late": (
        headers(1, (b"a", b"b"), REQUEST[2], base=without(b":path")),
        reset(ErrorCode.PROTOCOL),
    ),
    "pseudo-header of a response": (headers(1, (b":status", b"200")), reset(ErrorCode.PROTOCOL)),
    "upper case": (headers(1, (b"Accept", b"*/*")), reset(ErrorCode.PROTOCOL)),
    "empty name": (headers(1, (b"", b"v")), reset(ErrorCode.PROTOCOL)),
    "space in a name": (headers(1, (b"a b", b"v")), reset(ErrorCode.PROTOCOL)),
    "line feed in a name": (headers(1, (b"a\n", b"v")), reset(ErrorCode.PROTOCOL)),
    "line feed in a value": (headers(1, (b"a", b"v\nb: c")), reset(ErrorCode.PROTOCOL)),
    "nul in a value": (headers(1, (b"a", b"\0")), reset(ErrorCode.PROTOCOL)),
    "space before a value": (headers(1, (b"a", b" v")), reset(ErrorCode.PROTOCOL)),
    "tab after a value": (headers(1, (b"a", b"v\t")), reset(ErrorCode.PROTOCOL)),
    "line feed in the path": (
        headers(1, (b":path", b"/\n"), base=without(b":path")),
        reset(ErrorCode.PROTOCOL),
    ),
    "connection": (headers(1, (b"connection", b"close")), reset(ErrorCode.PROTOCOL)),
    "transfer-encoding": (
        headers(1, (b"transfer-encoding", b"chunked")),
        reset(ErrorCode.PROTOCOL),
    ),
    "te": (headers(1, (b"te", b"gzip")), reset(ErrorCode.PROTOCOL)),
    "te: trailers is allowed": (headers(1, (b"te", b"trailers")), []),
    "two lengths": (
        headers(1, (b"content-length", b"0"), (b"content-length", b"1")),
        reset(ErrorCode.PROTOCOL),
    ),
    "length of words": (headers(1, (b"content-length", b"+1")), reset(ErrorCode.PROTOCOL)),
    "length without body": (headers(1, (b"content-length", b"1")), reset(ErrorCode.PROTOCOL)),
    "body too short": (
        headers(1, (b"content-length", b"2"), flags=0) + frame(DATA, END_STREAM, 1, b"1"),
        reset(ErrorCode.PROTOCOL),
    ),
    "body too long": (
        headers(1, (b"content-length", b"2"), flags=0) + frame(DATA, 0, 1, b"123"),
        reset(ErrorCode.PROTOCOL),
    ),
    "trailers that do not end": (
        OPEN + headers(1, base=((b"a", b"b"),), flags=0),
        reset(ErrorCode.PROTOCOL),
    ),
    "trailers with a pseudo-header": (OPEN + headers(1), reset(ErrorCode.PROTOCOL)),
    # Streams: section 5.1
    "even stream": (headers(2), goaway(ErrorCode.PROTOCOL)),
    "stream 0": (headers(0), goaway(ErrorCode.PROTOCOL)),
    "a stream that was passed over": (headers(5) + headers(3), goaway(ErrorCode.PROTOCOL)),
    "headers after the end": (
        WHOLE + headers(1, base=((b"a", b"b"),)),
        reset(ErrorCode.STREAM_CLOSED),
    ),
    "data after the end": (WHOLE + frame(DATA, 0, 1, b"x"), reset(ErrorCode.STREAM_CLOSED)),
    "data after a reset": (
        OPEN + CANCELLED + frame(DATA, 0, 1, b"x"),
        reset(ErrorCode.STREAM_CLOSED),
    ),
    "headers after a reset": (OPEN + CANCELLED + headers(1), goaway(ErrorCode.STREAM_CLOSED)),
    "data before headers": (frame(DATA, 0, 1, b"x"), goaway(ErrorCode.PROTOCOL)),
    "data on stream 0": (frame(DATA, 0, 0, b"x"), goaway(ErrorCode.PROTOCOL)),
    "reset before headers": (CANCELLED, goaway(ErrorCode.PROTOCOL)),
    "reset of stream 0": (frame(RST_STREAM, 0, 0, pack_number(8)), goaway(ErrorCode.PROTOCOL)),
    "window before headers": (window(1, 8), goaway(ErrorCode.PROTOCOL)),
    "window of a pushed stream": (WHOLE + window(2, 8), goaway(ErrorCode.PROTOCOL)),
    # Frames: sections 4 and 6
    "frame too large": (frame(DATA, 0, 1, bytes(16385)), goaway(ErrorCode.FRAME_SIZE)),
    "unknown frame too large": (frame(99, 0, 1, bytes(16385)), goaway(ErrorCode.FRAME_SIZE)),
    "unknown frame": (frame(99, 255, 7, b"anything"), []),
    "priority update": (frame(16, 0, 0, pack_number(1) + b"u=1"), []),
    "reserved bit": (headers(0x80000001), []),
    "padding without length": (OPEN + frame(DATA, PADDED, 1), goaway(ErrorCode.FRAME_SIZE)),
    "padding too long": (OPEN + frame(DATA, PADDED, 1, b"\x03ab"), goaway(ErrorCode.PROTOCOL)),
    "padding too long for headers": (
        frame(HEADERS, PADDED | 4, 1, b"\x02a"),
        goaway(ErrorCode.PROTOCOL),
    ),
    "headers too short for priority": (
        frame(HEADERS, PRIORITY_FLAG | 4, 1, b"abc"),
        goaway(ErrorCode.FRAME_SIZE),
    ),
    "priority": (frame(PRIORITY, 0, 3, bytes(5)), []),
    "priority of 4 octets": (frame(PRIORITY, 0, 1, bytes(4)), reset(ErrorCode.FRAME_SIZE)),
    "priority on stream 0": (frame(PRIORITY, 0, 0, bytes(5)), goaway(ErrorCode.PROTOCOL)),
    "reset of 3 octets": (OPEN + frame(RST_STREAM, 0, 1, b"123"), goaway(ErrorCode.FRAME_SIZE)),
    "settings on a stream": (frame(SETTINGS, 0, 1), goaway(ErrorCode.PROTOCOL)),
    "settings of 5 octets": (frame(SETTINGS, 0, 0, bytes(5)), goaway(ErrorCode.FRAME_SIZE)),
    "settings ack with payload": (frame(SETTINGS, ACK, 0, bytes(6)), goaway(ErrorCode.FRAME_SIZE)),
    "unknown setting": (setting(999, 1), []),
    "push of 2": (setting(Setting.ENABLE_PUSH, 2), goaway(ErrorCode.PROTOCOL)),
    "window of 2^31": (
        setting(Setting.INITIAL_WINDOW_SIZE, 1 << 31),
        goaway(ErrorCode.FLOW_CONTROL),
    ),
    "frames of 16383": (setting(Setting.MAX_FRAME_SIZE, 16383), goaway(ErrorCode.PROTOCOL)),
    "frames of 2^24": (setting(Setting.MAX_FRAME_SIZE, 1 << 24), goaway(ErrorCode.PROTOCOL)),
    "push promise": (WHOLE + frame(PUSH_PROMISE, 4, 1, pack_number(2)), goaway(ErrorCode.PROTOCOL)),
    "ping on a stream": (frame(PING, 0, 1, bytes(8)), goaway(ErrorCode.PROTOCOL)),
    "ping of 7 octets": (frame(PING, 0, 0, bytes(7)), goaway(ErrorCode.FRAME_SIZE)),
    "ping ack that nobody asked for": (frame(PING, ACK, 0, bytes(8)), []),
    "goaway on a stream": (frame(GOAWAY, 0, 1, bytes(8)), goaway(ErrorCode.PROTOCOL)),
    "goaway of 7 octets": (frame(GOAWAY, 0, 0, bytes(7)), goaway(ErrorCode.FRAME_SIZE)),
    "window update of 3 octets": (
        frame(WINDOW_UPDATE, 0, 0, bytes(3)),
        goaway(ErrorCode.FRAME_SIZE),
    ),
    "window update of 0": (window(0, 0), goaway(ErrorCode.PROTOCOL)),
    "window update of 0 for a stream": (WHOLE + window(1, 0), reset(ErrorCode.PROTOCOL)),
    "window too large": (window(0, MAX_WINDOW), goaway(ErrorCode.FLOW_CONTROL)),
    "window of a stream too large": (WHOLE + window(1, MAX_WINDOW), reset(ErrorCode.FLOW_CONTROL)),
    "window made too large by settings": (
        WHOLE + window(1, MAX_WINDOW - 65535) + setting(Setting.INITIAL_WINDOW_SIZE, 65536),
        goaway(ErrorCode.FLOW_CONTROL),
    ),
    "window update after the end": (OPEN + CANCELLED + window(1, 0), []),
    "more data than the first window": (OPEN + frame(DATA, 0, 1, bytes(16384)) * 100, []),
    # Header blocks: sections 4.3 and 6.10
    "continuation alone": (frame(CONTINUATION, END_HEADERS, 1, b""), goaway(ErrorCode.PROTOCOL)),
    "continuation after the end": (
        WHOLE + frame(CONTINUATION, END_HEADERS, 1, b""),
        goaway(ErrorCode.PROTOCOL),
    ),
    "continuation of another stream": (
        SHORT + frame(CONTINUATION, END_HEADERS, 3, b""),
        goaway(ErrorCode.PROTOCOL),
    ),
    "ping among continuation": (SHORT + frame(PING, 0, 0, bytes(8)), goaway(ErrorCode.PROTOCOL)),
    "headers among continuation": (SHORT + headers(3), goaway(ErrorCode.PROTOCOL)),
    "unknown among continuation": (SHORT + frame(99, 0, 1), goaway(ErrorCode.PROTOCOL)),
    "index 0": (frame(HEADERS, 5, 1, b"\x80"), goaway(ErrorCode.COMPRESSION)),
    "index of nothing": (frame(HEADERS, 5, 1, b"\xff\xff\x03"), goaway(ErrorCode.COMPRESSION)),
    "endless integer": (
        frame(HEADERS, 5, 1, b"\xff" + b"\x80" * 10),
        goaway(ErrorCode.COMPRESSION),
    ),
    "truncated block": (frame(HEADERS, 5, 1, b"\x00\x05ab"), goaway(ErrorCode.COMPRESSION)),
    "bad Huffman": (
        frame(HEADERS, 5, 1, b"\x00\x84\xff\xff\xff\xff\x00"),
        goaway(ErrorCode.COMPRESSION),
    ),
    "table update too late": (frame(HEADERS, 5, 1, b"\x82\x20"), goaway(ErrorCode.COMPRESSION)),
    "table too large": (frame(HEADERS, 5, 1, b"\x3f\xe2\x1f"), goaway(ErrorCode.COMPRESSION)),
    "table not given up": (TABLE_GONE + headers(1), goaway(ErrorCode.COMPRESSION)),
    "broken block on a stream that we reset": (
        headers(1, base=()) + frame(HEADERS, 5, 1, b"\x80"),
        [*reset(ErrorCode.PROTOCOL), *goaway(ErrorCode.COMPRESSION)],
    ),
    "header bomb": (  # one entry of 4,000 octets in the table, then its index 100 times
        frame(HEADERS, 5, 1, b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 100),
        goaway(ErrorCode.ENHANCE_YOUR_CALM),
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("feed", ["whole", "frame by frame", "byte by byte"])
def test_malformed(connection: Http2Connection, case: str, feed: str) -> None:
    sent, expected = MALFORMED[case]
    if feed == "byte by byte" and len(sent) > 20_000:
        sent = sent[:20_000]  # enough to see the frame's header
    for piece in {
        "whole": [sent],
        "frame by frame": split_frames(sent),
        "byte by byte": one_by_one(sent),
    }[feed]:
        connection.receive(piece)
    assert verdicts(connection.take()) == expected
    assert connection.closing == any(kind == "goaway" for kind, _, _ in expected)


def split_frames(data: bytes) -> Iterator[bytes]:
    while data:
        length = 9 + int.from_bytes(data[:3], "big")
        yield data[:length]
        data = data[length:]


def one_by_one(data: bytes) -> Iterator[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFACE[:-1] + b"x",
        PREFACE + frame(PING, 0, 0, bytes(8)),
        PREFACE + frame(SETTINGS, ACK, 0),
        PREFACE + headers(1),
    ],
)
def test_a_connection_begins_with_the_preface_and_settings(sent: bytes) -> None:
    for pieces in ([sent], one_by_one(sent)):
        connection = Http2Connection(max_body=0)
        for piece in pieces:
            assert connection.receive(piece) == []
        assert verdicts(connection.take()) == goaway(ErrorCode.PROTOCOL)
        assert connection.closing


def test_a_broken_stream_that_is_being_answered_is_closed(connection: Http2Connection) -> None:
    connection.receive(WHOLE)
    assert connection.receive(frame(DATA, 0, 1, b"late")) == [
        StreamClosed(1, ErrorCode.STREAM_CLOSED)
    ]
    assert connection.receive(frame(DATA, 0, 1, b"under way")) == [], "what we reset is dropped"
    assert connection.receive(headers(1)) == []
    assert verdicts(connection.take()) == reset(ErrorCode.STREAM_CLOSED)


@pytest.mark.parametrize("stream_only", [True, False])
def test_data_beyond_a_window(stream_only: bool) -> None:
    """Nobody could overrun windows that are reopened at once: so this client's frame is
    larger than what is left.
    """
    connection = greeted(1 << 40)
    connection.receive(OPEN)
    if stream_only:
        connection._streams[1].receive_window = 100
    else:
        connection._receive_window = 100
    connection.receive(frame(DATA, 0, 1, bytes(101)))
    assert verdicts(connection.take()) == (reset if stream_only else goaway)(ErrorCode.FLOW_CONTROL)


def test_too_many_streams_are_refused(connection: Http2Connection) -> None:
    sent = b"".join(headers(stream) for stream in range(1, 2 * MAX_STREAMS + 3, 2))
    assert len(connection.receive(sent)) == MAX_STREAMS
    assert verdicts(connection.take()) == reset(ErrorCode.REFUSED_STREAM, 2 * MAX_STREAMS + 1)


# Floods


def rapid_reset() -> Iterator[bytes]:
    for stream in range(1, 1 << 20, 2):
        yield headers(stream) + frame(RST_STREAM, 0, stream, pack_number(ErrorCode.CANCEL))


def made_you_reset() -> Iterator[bytes]:
    for stream in range(1, 1 << 20, 2):
        yield headers(stream) + frame(WINDOW_UPDATE, 0, stream, pack_number(0))


def refused_bodies() -> Iterator[bytes]:
    for stream in range(1, 1 << 20, 2):
        yield headers(stream, (b"content-length", b"99999999999"), flags=0)


def continuations(size: int) -> Iterator[bytes]:
    yield frame(HEADERS, END_STREAM, 1, block(*REQUEST))
    while True:
        yield frame(CONTINUATION, 0, 1, b"\0" * size)


def again(sent: bytes, first: bytes = b"") -> Iterator[bytes]:
    yield first
    while True:
        yield sent


FLOODS: dict[str, tuple[Callable[[], Iterable[bytes]], int]] = {
    "rapid reset": (rapid_reset, http2_floods.MAX_RESETS),
    "made you reset": (made_you_reset, http2_floods.MAX_RESETS),
    "refused bodies": (refused_bodies, http2_floods.MAX_RESETS),
    "empty continuation": (lambda: continuations(0), http2_reader.MAX_CONTINUATIONS),
    "large continuation": (lambda: continuations(16384), http2_reader.MAX_BLOCK // 16384),
    "empty data": (lambda: again(frame(DATA, 0, 1), OPEN), http2_floods.MAX_EMPTY_FRAMES),
    "padding only": (
        lambda: again(frame(DATA, PADDED, 1, b"\x01\0"), OPEN),
        http2_floods.MAX_EMPTY_FRAMES,
    ),
    "priority": (
        lambda: again(frame(PRIORITY, 0, 1, bytes(5))),
        http2_floods.MAX_IGNORED_PER_STREAM,
    ),
    "unknown": (lambda: again(frame(99, 0, 0)), http2_floods.MAX_IGNORED_PER_STREAM),
    "goaway": (
        lambda: again(frame(GOAWAY, 0, 0, bytes(8)), OPEN),
        2 * http2_floods.MAX_IGNORED_PER_STREAM,
    ),
    "ping ack": (lambda: again(frame(PING, ACK, 0, bytes(8))), http2_floods.MAX_IGNORED_PER_STREAM),
    "settings ack": (lambda: again(frame(SETTINGS, ACK, 0)), http2_floods.MAX_IGNORED_PER_STREAM),
    "window update": (
        lambda: again(frame(WINDOW_UPDATE, 0, 0, pack_number(1))),
        http2_floods.MAX_WINDOW_UPDATES,
    ),
}


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_is_calmed(connection: Http2Connection, case: str) -> None:
    flood, limit = FLOODS[case]
    taken = b""
    for count, sent in enumerate(flood()):
        connection.receive(sent)
        taken = connection.take()
        if connection.closing:
            break
        assert count < limit + 20, "the flood goes on"
    assert count >= limit
    assert verdicts(taken)[-1:] == goaway(ErrorCode.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize("sent", [frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0)])
def test_acknowledgements_that_nobody_takes_are_bounded(
    connection: Http2Connection, sent: bytes
) -> None:
    for _ in range(5):
        connection.receive(sent * http2_floods.MAX_WAITING_ACKS)
        assert not connection.closing
        assert len(frames(connection.take())) == http2_floods.MAX_WAITING_ACKS
    connection.receive(sent * (http2_floods.MAX_WAITING_ACKS + 1))
    assert verdicts(connection.take()) == goaway(ErrorCode.ENHANCE_YOUR_CALM)


def test_too_many_settings_in_a_frame(connection: Http2Connection) -> None:
    one = SETTING.pack(Setting.HEADER_TABLE_SIZE, 4096)
    connection.receive(frame(SETTINGS, 0, 0, one * MAX_SETTINGS))
    assert not connection.closing
    connection.receive(frame(SETTINGS, 0, 0, one * (MAX_SETTINGS + 1)))
    assert verdicts(connection.take()) == goaway(ErrorCode.ENHANCE_YOUR_CALM)


def test_a_client_that_works_may_reset_and_update_for_ever(connection: Http2Connection) -> None:
    updates = frame(WINDOW_UPDATE, 0, 0, pack_number(2)) * 4 + frame(PRIORITY, 0, 1, bytes(5)) * 50
    for stream in range(1, 4 * 3 * http2_floods.MAX_RESETS, 4):
        assert len(connection.receive(headers(stream) + updates)) == 1
        connection.respond(stream, 200, JSON, b"{}")
        connection.receive(
            headers(stream + 2) + frame(RST_STREAM, 0, stream + 2, pack_number(ErrorCode.CANCEL))
        )
        connection.take()
    assert not connection.closing


def test_what_is_done_is_forgotten(connection: Http2Connection) -> None:
    for stream in range(1, 6001, 2):
        connection.receive(headers(stream))
        connection.respond(stream, 200, JSON, b"{}")
        connection.take()
        connection.receive(frame(WINDOW_UPDATE, 0, 0, pack_number(2)))
    assert connection._streams == {}
    assert len(connection._closed) <= http2_streams.MAX_CLOSED
    assert not connection.closing


# Properties


def clumsy_frames() -> st.SearchStrategy[bytes]:
    """Frames that are nearly right: every type and flag, few streams, payloads of
    likely sizes and contents.
    """
    likely = st.sampled_from(
        [
            b"",
            bytes(4),
            pack_number(1),
            pack_number(MAX_WINDOW),
            bytes(5),
            bytes(8),
            SETTING.pack(Setting.INITIAL_WINDOW_SIZE, 10),
            SETTING.pack(Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW),
            block(*REQUEST),
            block(*REQUEST, (b"content-length", b"8")),
            block(*REQUEST, (b"expect", b"100-continue")),
            block((b"a", b"b")),
            Encoder().encode(REQUEST),
            b"\x20",
            bytes(2000),
        ]
    )
    return st.builds(
        frame,
        st.one_of(st.integers(0, 10), st.sampled_from([DATA, HEADERS, HEADERS, HEADERS])),
        st.sampled_from([0, END_STREAM, END_HEADERS, END_HEADERS | END_STREAM, PADDED, 0x2D, 255]),
        st.sampled_from([0, 1, 1, 2, 3, 3, 5, 7, 9, 11, 13, 0x80000001]),
        st.one_of(likely, likely, st.binary(max_size=40)),
    )


def serve(connection: Http2Connection, received: Iterable[Received]) -> None:
    """Answers a part of the requests at once, begins the others."""
    for event in received:
        if isinstance(event, RequestReceived) and event.stream % 4 == 1:
            connection.respond(event.stream, 200, JSON, bytes(100_000))
        elif isinstance(event, RequestReceived):
            connection.start(event.stream, 200, JSON)
            connection.send(event.stream, b"event")


@settings(derandomize=True, deadline=None, max_examples=examples(300))
@given(st.lists(st.one_of(clumsy_frames(), st.binary(max_size=30)), max_size=40))
def test_nothing_raises_and_everything_is_bounded(sent: list[bytes]) -> None:
    connection = Http2Connection(max_body=1000)
    connection.receive(HELLO)
    taken = 0
    for piece in sent:
        serve(connection, connection.receive(piece))
        taken += len(connection.take())
        assert len(connection._streams) <= 40
        assert len(connection._reader._rest) <= 16384 + 9
        assert all(len(state.body) <= 1000 for state in connection._streams.values())
    assert taken <= 1000 + 2000 * len(sent) + 100_000 * 7
    if connection.closing:
        assert connection.receive(headers(99)) == []
        assert connection.take() == b""


@settings(derandomize=True, deadline=None, max_examples=examples(150))
@given(st.binary(max_size=2000))
def test_bytes_after_the_preface_never_raise(sent: bytes) -> None:
    connection = greeted()
    connection.receive(sent)
    assert len(connection.take()) <= 20 * len(sent) + 2000


def conversation() -> bytes:
    """A valid client's bytes, with every type of frame that one may send."""
    encoder = Encoder()  # with its dynamic table
    long = encoder.encode([*REQUEST, (b"x-long", b"v" * 300)])
    sent = [
        HELLO,
        frame(WINDOW_UPDATE, 0, 0, pack_number(1 << 20)),
        frame(PRIORITY, 0, 3, bytes(5)),
        frame(HEADERS, END_STREAM, 1, long[:20]),
        frame(CONTINUATION, 0, 1, long[20:50]),
        frame(CONTINUATION, END_HEADERS, 1, long[50:]),
        frame(
            HEADERS,
            END_HEADERS | PADDED | PRIORITY_FLAG,
            3,
            b"\x02" + bytes(5) + encoder.encode(REQUEST) + bytes(2),
        ),
        frame(DATA, PADDED, 3, b"\x01body \0"),
        frame(PING, 0, 0, b"12345678"),
        frame(DATA, END_STREAM, 3, b"of three"),
        frame(0xF0, 3, 3, b"unknown"),
        frame(HEADERS, END_HEADERS | END_STREAM, 5, encoder.encode(REQUEST)),
        frame(RST_STREAM, 0, 5, pack_number(ErrorCode.CANCEL)),
        frame(HEADERS, END_HEADERS, 7, encoder.encode([*REQUEST, (b"content-length", b"4")])),
        frame(DATA, 0, 7, b"four"),
        frame(HEADERS, END_HEADERS | END_STREAM, 7, encoder.encode([(b"x-trailer", b"t")])),
        frame(SETTINGS, 0, 0, SETTING.pack(Setting.INITIAL_WINDOW_SIZE, 1000)),
        TABLE_GONE,
    ]
    encoder.header_table_size = 0
    sent.append(frame(HEADERS, END_HEADERS | END_STREAM, 9, encoder.encode(REQUEST)))
    sent.append(frame(GOAWAY, 0, 0, bytes(8)))
    return b"".join(sent)


CONVERSATION = conversation()


def replayed(pieces: Iterable[bytes]) -> tuple[list[Received], bytes]:
    connection = Http2Connection(max_body=MAX_BODY)
    received: list[Received] = []
    for piece in pieces:
        received += connection.receive(piece)
    return received, connection.take()


EXPECTED = replayed([CONVERSATION])


def test_the_conversation_is_valid() -> None:
    received, taken = EXPECTED
    assert [(type(e).__name__, e.stream) for e in received] == [
        ("RequestReceived", 1),
        ("RequestReceived", 3),
        ("RequestReceived", 5),
        ("StreamClosed", 5),
        ("RequestReceived", 7),
        ("RequestReceived", 9),
    ]
    assert [e.body for e in received if isinstance(e, RequestReceived)] == [
        b"",
        b"body of three",
        b"",
        b"four",
        b"",
    ]
    assert verdicts(taken) == []


@settings(derandomize=True, deadline=None, max_examples=examples(100))
@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=30).map(sorted))
def test_any_split_means_the_same(cuts: list[int]) -> None:
    edges = [0, *cuts, len(CONVERSATION)]
    assert replayed(CONVERSATION[a:b] for a, b in pairwise(edges)) == EXPECTED


def test_byte_by_byte_means_the_same() -> None:
    assert replayed(one_by_one(CONVERSATION)) == EXPECTED
