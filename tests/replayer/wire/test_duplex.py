"""Duplex requests on the wire: their head is returned at once, then their bytes as they arrive,
in both versions of HTTP.
"""

from collections.abc import Callable, Iterable

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.wire.http1 import Http1Connection
from bedtape_replayer.wire.http2.connection import Http2Connection
from bedtape_replayer.wire.http2.frames import ErrorCode
from bedtape_replayer.wire.http2.streams import STREAM_WINDOW
from bedtape_replayer.wire.messages import (
    DataReceived,
    HeadReceived,
    InputEnded,
    Received,
    RequestReceived,
    StreamClosed,
)

MAX_BODY = 1000
GET = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"

DUPLEX_PATH = b"/model/m/invoke-with-bidirectional-stream"
DUPLEX = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % DUPLEX_PATH
LENGTH = ((b"Content-Length", b"2"),)
STREAMED = (
    (b"Content-Type", b"application/vnd.amazon.eventstream"),
    (b"Transfer-Encoding", b"chunked"),
)


def halves(data: bytes) -> Iterable[list[bytes]]:
    return ([data[:at], data[at:]] for at in range(1, len(data)))


@pytest.fixture
def connection() -> Http1Connection:
    return Http1Connection(max_body=MAX_BODY)


def join_parts(received: Iterable[Received]) -> tuple[bytes, bytes, bool]:
    """The path of the head, the joined data, and whether the input has ended.

    There is one head, and it is first.
    """
    first, *parts = received
    assert isinstance(first, HeadReceived)
    assert all(isinstance(part, DataReceived | InputEnded) for part in parts)
    data = b"".join(part.data for part in parts if isinstance(part, DataReceived))
    return first.target, data, any(isinstance(part, InputEnded) for part in parts)


# -- HTTP/1.1 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces",
    [[DUPLEX + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"], *halves(DUPLEX + b"5\r\nabcde\r\n0\r\n\r\n")],
)
def test_a_duplex_request_is_returned_in_parts(pieces: list[bytes]) -> None:
    connection = Http1Connection(max_body=MAX_BODY)
    received = [each for piece in pieces for each in connection.receive(piece)]
    assert join_parts(received) == (DUPLEX_PATH, b"abcde", True)
    assert not connection.expects_input


@given(
    st.binary(max_size=2000),
    st.lists(st.integers(1, 300), min_size=1, max_size=30),
    st.integers(1, 90),
)
def test_every_split_of_a_duplex_request_gives_the_same_bytes(
    data: bytes, sizes: list[int], step: int
) -> None:
    body, rest = b"", data
    for size in sizes:
        chunk, rest = rest[:size], rest[size:]
        body += b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
    body += (b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n"
    sent = DUPLEX + body
    connection = Http1Connection(max_body=MAX_BODY)
    received = [
        each
        for at in range(0, len(sent), step)
        for each in connection.receive(sent[at : at + step])
    ]
    assert join_parts(received) == (DUPLEX_PATH, data, True)


def test_both_directions_of_a_duplex_request_go_on(connection: Http1Connection) -> None:
    (head,) = connection.receive(DUPLEX)
    connection.start(head.stream, 200, STREAMED)
    connection.send(head.stream, b"one")
    assert connection.take().endswith(b"3\r\none\r\n")
    assert connection.receive(b"2\r\nhi\r\n") == [DataReceived(head.stream, b"hi")]
    connection.send(head.stream, b"two")
    assert connection.take() == b"3\r\ntwo\r\n"
    assert connection.receive(b"0\r\n\r\n") == [InputEnded(head.stream)]
    connection.finish(head.stream)
    assert connection.take() == b"0\r\n\r\n"
    assert not connection.closing
    (request,) = connection.receive(GET)
    assert isinstance(request, RequestReceived)


def test_the_head_of_an_answer_that_goes_on_lets_the_client_send_more(
    connection: Http1Connection,
) -> None:
    """AWS's CRT sends no more of its request after `Connection: close`."""
    (head,) = connection.receive(DUPLEX)
    connection.start(head.stream, 200, STREAMED)
    assert b"connection: close" not in connection.take().lower()
    connection.finish(head.stream)  # before the end of the request
    assert connection.take() == b"0\r\n\r\n"
    assert connection.lingering


@pytest.mark.parametrize("wanted", [b"Connection: close\r\n", b""], ids=["client", "server"])
def test_a_conversation_can_be_the_last_of_its_connection(
    connection: Http1Connection, wanted: bytes
) -> None:
    connection.ending = not wanted
    (head,) = connection.receive(DUPLEX.removesuffix(b"\r\n") + wanted + b"\r\n")
    connection.start(head.stream, 200, STREAMED)
    assert b"connection: close" in connection.take().lower()
    connection.receive(b"0\r\n\r\n")
    connection.finish(head.stream)
    assert connection.closing


def respond(connection: Http1Connection, stream: int) -> None:
    connection.respond(stream, 429, LENGTH, b"{}")


def respond_by_steps(connection: Http1Connection, stream: int) -> None:
    connection.start(stream, 429, LENGTH)
    connection.send(stream, b"{}")
    connection.finish(stream)


def respond_with_a_stream(connection: Http1Connection, stream: int) -> None:
    connection.respond_stream(stream, Reply(200, STREAMED, (Piece(0, b"{}"),), streamed=True))


@pytest.mark.parametrize("send_whole", [respond, respond_by_steps, respond_with_a_stream])
def test_an_answer_before_the_end_of_a_duplex_request_ends_the_connection(
    connection: Http1Connection, send_whole: Callable[[Http1Connection, int], None]
) -> None:
    (head,) = connection.receive(DUPLEX + b"2\r\nhi")[:1]
    send_whole(connection, head.stream)
    assert b"connection: close" in connection.take().lower()
    assert connection.lingering
    assert connection.receive(b"\r\n5\r\nhello\r\n0\r\n\r\n" + GET) == []
    assert connection.take() == b""


def test_a_complete_duplex_request_with_a_length_is_one_request(
    connection: Http1Connection,
) -> None:
    (request,) = connection.receive(
        b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" % DUPLEX_PATH
    )
    assert request == RequestReceived(1, b"POST", DUPLEX_PATH, request.head, b"hi")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "wrong", [b"x\r\n", b"2\r\nabc", b"%x\r\n" % (MAX_BODY + 1), b"0" * 20_000]
)
def test_a_duplex_request_that_cannot_be_read_on_ends_its_connection(
    connection: Http1Connection, wrong: bytes
) -> None:
    (head,) = connection.receive(DUPLEX)
    connection.start(head.stream, 200, STREAMED)
    connection.take()
    (*_, last) = connection.receive(wrong)
    assert isinstance(last, StreamClosed)
    assert connection.closing
    assert connection.take() == b"", "no refusal goes into the middle of an answer"


# -- HTTP/2 --------------------------------------------------------------------------------


class Client:
    """The h2 library with one stream to a connection of ours."""

    def __init__(self, path: bytes = DUPLEX_PATH, *more: tuple[bytes, bytes]) -> None:
        self.server = Http2Connection(max_body=MAX_BODY)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding=None)
        )
        self.received: list[Received] = []
        self.events: list[h2.events.Event] = []
        self.h2.initiate_connection()
        pseudo = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path)]
        self.h2.send_headers(1, [*pseudo, (b":authority", b"a"), *more])
        self.exchange()

    def exchange(self) -> None:
        """Carries bytes both ways until neither end has any."""
        while True:
            ours = self.h2.data_to_send()
            self.received += self.server.receive(ours) if ours else []
            theirs = self.server.take()
            self.events += self.h2.receive_data(theirs) if theirs else []
            if not ours and not theirs:
                return

    def send(self, data: bytes, *, end: bool = False) -> None:
        while True:
            size = min(self.h2.local_flow_control_window(1), self.h2.max_outbound_frame_size)
            assert size, "the window is not opened while the bytes are read"
            self.h2.send_data(1, data[:size], end_stream=end and size >= len(data))
            data = data[size:]
            self.exchange()
            if not data:
                return

    def find(self, kind: Callable[..., object]) -> list[h2.events.Event]:
        return [event for event in self.events if isinstance(event, kind)]  # type: ignore[arg-type]


def test_http2_returns_the_head_and_then_the_data() -> None:
    client = Client()
    (head,) = client.received
    assert head == HeadReceived(1, b"POST", DUPLEX_PATH, Head.of([(b"host", b"a")]))
    client.server.start(1, 200, STREAMED)
    client.exchange()
    assert len(client.find(h2.events.ResponseReceived)) == 1, (
        "the head of the answer is sent at once"
    )
    data = bytes(range(256)) * 12_000  # more than the window of a stream, and more than MAX_BODY
    assert len(data) > STREAM_WINDOW
    client.send(data)
    client.server.send(1, b"one")
    client.send(b"more", end=True)
    assert join_parts(client.received) == (DUPLEX_PATH, data + b"more", True)
    client.server.finish(1)
    client.exchange()
    assert len(client.find(h2.events.StreamEnded)) == 1
    assert client.find(h2.events.StreamReset) == []


def test_http2_resets_the_stream_after_an_error_at_the_head() -> None:
    client = Client()
    client.server.respond(1, 429, ((b"content-type", b"application/json"),), b"{}")
    client.exchange()
    assert len(client.find(h2.events.StreamEnded)) == 1
    (reset,) = client.find(h2.events.StreamReset)
    assert reset.error_code == ErrorCode.NO_ERROR  # type: ignore[attr-defined]


def test_http2_ends_the_input_with_trailers() -> None:
    client = Client()
    client.send(b"x")
    client.h2.send_headers(1, [(b"x-sum", b"1")], end_stream=True)
    client.exchange()
    assert join_parts(client.received) == (DUPLEX_PATH, b"x", True)


def test_http2_reports_a_client_that_resets_its_request() -> None:
    client = Client()
    client.h2.reset_stream(1, ErrorCode.CANCEL)
    client.exchange()
    assert client.received[1:] == [StreamClosed(1, ErrorCode.CANCEL)]


@pytest.mark.parametrize(
    ("path", "more"),
    [(b"/model/m/converse", ()), (DUPLEX_PATH, ((b"content-length", b"2"),))],
    ids=["another operation", "a length"],
)
def test_http2_collects_other_requests(path: bytes, more: tuple[tuple[bytes, bytes], ...]) -> None:
    client = Client(path, *more)
    assert client.received == []
    client.send(b"hi", end=True)
    (request,) = client.received
    assert isinstance(request, RequestReceived)
    assert (request.target, request.body) == (path, b"hi")


@pytest.mark.parametrize("suffix", [b"", b"?", b"?x=1", b"/"])
def test_http2_reads_the_path_of_a_duplex_request_as_clients_write_it(suffix: bytes) -> None:
    assert isinstance(Client(b"/s/one" + DUPLEX_PATH + suffix).received[0], HeadReceived)
