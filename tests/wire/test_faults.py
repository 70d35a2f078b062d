"""What faults do to the wire, over real sockets: silence, an end without its end, a reset;
and what they leave alone.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import Frame
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import AddWaits, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.faults.reset import BreakOff
from bedtape_replayer.overlay.faults.stall import Silence
from bedtape_replayer.overlay.faults.truncation import Truncate
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.when import When
from bedtape_replayer.server import exchanges
from bedtape_replayer.server.server import new_event_loop
from support import WAIT
from support.client import Http1, Http2, receive_answer, until
from support.faulty import Faulty
from support.recordings import converse, path, prompt, stream
from support.waits import Patience, until_answering

CONVERSE, STREAM = path(), path("converse-stream")
INTERACTIONS = (converse("a", "one"), stream("s", ["x", "y"]))
EVENTS = 5


@pytest.fixture(params=[new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"])
def serve(request: pytest.FixtureRequest) -> Callable[..., Faulty]:
    """Every test here runs on both event loops: they differ in when they
    write, and in how they close.
    """

    def make(*harms: FaultKind, **options: Any) -> Faulty:
        return Faulty(
            *options.pop("interactions", INTERACTIONS),
            harms=harms,
            new_loop=request.param,
            **options,
        )

    return make


@dataclass(frozen=True)
class Got:
    """All bytes until the end, and what the end was: `end` for an orderly one, or the errno."""

    data: bytes
    end: str

    @property
    def frames(self) -> list[Frame]:
        """The whole frames in the chunks that came."""
        rest, data = self.data.partition(b"\r\n\r\n")[2], b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            data, rest = data + rest[:length], rest[length + 2 :]
        return eventstream.Decoder().feed(data)


def connected(server: Faulty) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT)


def request(text: str, url: str = CONVERSE) -> bytes:
    body = prompt(text)
    return (
        f"POST {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def to_the_end(connection: socket.socket) -> Got:
    data = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionError as error:
            return Got(data, errno.errorcode[error.errno or 0])
        if not part:
            return Got(data, "end")
        data += part


def got(server: Faulty, asked: bytes) -> Got:
    with connected(server) as connection:
        connection.sendall(asked)
        return to_the_end(connection)


# -- HTTP/1.1 --------------------------------------------------------------------------------------


def test_a_reset_before_the_head(serve: Callable[..., Faulty]) -> None:
    with serve(BreakOff()) as server:
        assert got(server, request("a")) == Got(b"", "ECONNRESET")
    assert [outcome.complete for outcome in server.seen] == [True]


@pytest.mark.parametrize("events", [0, 1, 3, EVENTS, 99])
def test_a_reset_after_events(serve: Callable[..., Faulty], events: int) -> None:
    with serve(BreakOff(events)) as server:
        answer = got(server, request("s", STREAM))
    assert (len(answer.frames), answer.end) == (min(events, EVENTS), "ECONNRESET")
    assert not answer.data.endswith(b"0\r\n\r\n")


def test_a_reset_inside_a_frame(serve: Callable[..., Faulty]) -> None:
    with serve(BreakOff(1, 20)) as server:
        answer = got(server, request("s", STREAM))
    assert (len(answer.frames), answer.end) == (1, "ECONNRESET")
    assert b"\r\n14\r\n" in answer.data


def test_a_reset_has_a_code_only_on_http2(serve: Callable[..., Faulty]) -> None:
    with serve(BreakOff(1, code=8)) as server:
        answer = got(server, request("s", STREAM))
    assert (len(answer.frames), answer.end) == (1, "ECONNRESET")


def test_a_large_body_is_reset_somewhere(serve: Callable[..., Faulty]) -> None:
    """RST overtakes what is still under way."""
    with serve(BreakOff(1), interactions=(converse("a", "x" * 20_000_000),)) as server:
        answer = got(server, request("a"))
    assert answer.data.startswith(b"HTTP/1.1 200 OK")
    assert answer.end == "ECONNRESET"


@pytest.mark.parametrize("events", [0, 2, 99])
def test_a_stream_without_terminator(serve: Callable[..., Faulty], events: int) -> None:
    with serve(Truncate(events, in_order=False)) as server:
        answer = got(server, request("s", STREAM))
    assert (len(answer.frames), answer.end) == (min(events, EVENTS), "end")
    assert not answer.data.endswith(b"0\r\n\r\n")
    assert [outcome.complete for outcome in server.seen] == [True]


def test_a_body_shorter_than_promised(serve: Callable[..., Faulty]) -> None:
    with serve() as server, connected(server) as connection:
        connection.sendall(request("a"))
        head, body = receive_answer(connection)
    with serve(Truncate(0, 10, in_order=False)) as server:
        answer = got(server, request("a"))
    sent, _, rest = answer.data.partition(b"\r\n\r\n")
    assert (rest, answer.end) == (body[:10], "end")
    assert b"Content-Length: %d" % len(body) in sent
    assert b"Content-Length: %d" % len(body) in head


def test_a_body_that_is_short_and_says_so(serve: Callable[..., Faulty]) -> None:
    with serve(Truncate(0, 10)) as server, connected(server) as connection:
        for _ in range(2):  # the connection is kept, for the answer ended in order
            connection.sendall(request("a"))
            head, body = receive_answer(connection)
            assert b"Content-Length: 10" in head
            assert len(body) == 10


def test_what_is_pipelined_behind_a_cut_is_not_answered(serve: Callable[..., Faulty]) -> None:
    with serve(Truncate(1, in_order=False)) as server:
        answer = got(server, request("s", STREAM) + request("a"))
    assert (answer.data.count(b"HTTP/1.1 "), answer.end) == (1, "end")
    assert len(server.seen) == 1


def test_what_a_client_says_after_the_cut_does_not_reset_it(serve: Callable[..., Faulty]) -> None:
    with serve(Truncate(1, in_order=False)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        first = connection.recv(1)
        for _ in range(20):
            connection.sendall(request("a"))
        answer = to_the_end(connection)
    assert (len(Got(first + answer.data, "").frames), answer.end) == (1, "end")
    assert len(server.seen) == 1


def test_a_client_that_does_not_hang_up_after_the_cut_is_left(
    serve: Callable[..., Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(monkeypatch)
    with serve(Truncate(1, in_order=False)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        assert to_the_end(connection).end == "end"
        for seconds in (0, 59):
            patience.advance(server.server, seconds)
            assert len(server.server.connections) == 1
        patience.advance(server.server, 1)
        with pytest.raises(ConnectionError):
            send_for_ever(connection)


def send_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 1000)


def test_a_client_that_has_hung_up_before_the_cut_is_not_waited_for(
    serve: Callable[..., Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    Patience(monkeypatch)  # it does not end by itself
    with serve(Delay(50), Truncate(1, in_order=False)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        connection.shutdown(socket.SHUT_WR)
        assert to_the_end(connection).end == "end"
        until(lambda: not server.server.connections)


def test_nobody_waits_for_a_client_after_the_cut_when_the_server_stops(
    serve: Callable[..., Faulty],
) -> None:
    with serve(Truncate(1, in_order=False)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        assert to_the_end(connection).end == "end"
        server.stop()


@pytest.mark.parametrize("events", [None, 0, 2])
def test_a_stall_ends_when_the_server_stops(
    serve: Callable[..., Faulty], events: int | None
) -> None:
    with serve(Silence(events)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        data = b""
        while events is not None and (
            b"\r\n\r\n" not in data or len(Got(data, "").frames) < events
        ):
            data += connection.recv(65536)
        until_answering(server.server)
        server.stop()
        rest = to_the_end(connection)
    assert (len(Got(data + rest.data, "").frames), rest.end) == (events or 0, "end")
    assert [outcome.complete for outcome in server.seen] == [True]


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
@pytest.mark.parametrize("events", [None, 1])
def test_a_stall_ends_when_the_client_goes(
    serve: Callable[..., Faulty], events: int | None, how: int
) -> None:
    """Whoever hangs up says no more than who only has no more to ask."""
    with serve(Silence(events)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        until_answering(server.server)
        connection.shutdown(how)
        until(lambda: bool(server.seen))
    assert [outcome.complete for outcome in server.seen] == [False]


def test_a_stall_for_a_client_that_has_said_that_it_asks_no_more(
    serve: Callable[..., Faulty],
) -> None:
    with serve(Delay(first_byte_ms=50), Silence(1)) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        connection.shutdown(socket.SHUT_WR)
        answer = to_the_end(connection)
    assert (len(answer.frames), answer.end) == (1, "end")


def test_others_are_served_while_one_is_stalled(serve: Callable[..., Faulty]) -> None:
    with serve(Silence(1)) as server, connected(server) as stalled, connected(server) as other:
        stalled.sendall(request("s", STREAM))
        assert stalled.recv(1)
        other.sendall(request("unknown"))  # a miss is bedtape's own, and is not harmed
        assert receive_answer(other)[0].startswith(b"HTTP/1.1 400 ")


# -- HTTP/2 ----------------------------------------------------------------------------------------


class Session:
    """An HTTP/2 connection of the h2 library's, with several requests at a time."""

    def __init__(self, server: Faulty, window: int = 65535) -> None:
        self.socket = connected(server)
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self._h2.local_settings.initial_window_size = window
        self._h2.local_settings.acknowledge()
        self._h2.initiate_connection()
        self.events: list[h2.events.Event] = []

    def ask(self, text: str, url: str = STREAM) -> int:
        stream = self._h2.get_next_available_stream_id()
        head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", url),
            (":authority", "localhost"),
        ]
        self._h2.send_headers(stream, head)
        self._h2.send_data(stream, prompt(text), end_stream=True)
        self.socket.sendall(self._h2.data_to_send())
        return stream

    def until_received(self) -> None:
        """Returns when the server has read all that was sent: a client that hangs up earlier
        takes its requests back.
        """
        self._h2.ping(b"received")
        self.socket.sendall(self._h2.data_to_send())
        self.until(h2.events.PingAckReceived, 0)

    def open_windows(self) -> None:
        self._h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65535})
        self.socket.sendall(self._h2.data_to_send())

    def cancel(self, stream: int) -> None:
        self._h2.reset_stream(stream, 8)
        self.socket.sendall(self._h2.data_to_send())

    def read(self) -> bool:
        """More events; False when the server has hung up."""
        data = self.socket.recv(65536)
        self.events += self._h2.receive_data(data) if data else []
        return bool(data)

    def data(self, stream: int) -> bytes:
        received = (event for event in self.events if isinstance(event, h2.events.DataReceived))
        return b"".join(event.data or b"" for event in received if event.stream_id == stream)

    def until(self, kind: type[h2.events.Event], stream: int) -> Any:
        while True:
            for event in self.events:
                if isinstance(event, kind) and getattr(event, "stream_id", stream) == stream:
                    return event
            assert self.read(), "the server hung up"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.parametrize("code", [2, 7, 8])
@pytest.mark.parametrize("events", [None, 0, 2])
def test_rst_stream_ends_one_answer_and_no_other(
    serve: Callable[..., Faulty], code: int, events: int | None
) -> None:
    with serve(BreakOff(events, code=code)) as server, Session(server) as session:
        for _ in range(2):
            stream = session.ask("s")
            assert session.until(h2.events.StreamReset, stream).error_code == code
            assert len(eventstream.decode_all(session.data(stream))) == (events or 0)
        missed = session.ask("unknown", CONVERSE)
        session.until(h2.events.StreamEnded, missed)
    assert [outcome.complete for outcome in server.seen] == [True] * 3


def test_rst_stream_inside_a_frame(serve: Callable[..., Faulty]) -> None:
    with serve(BreakOff(1, 20, code=8)) as server, Session(server) as session:
        stream = session.ask("s")
        session.until(h2.events.StreamReset, stream)
    decoder = eventstream.Decoder()
    assert len(decoder.feed(session.data(stream))) == 1
    assert len(decoder.rest) == 20


def test_tcp_resets_a_whole_connection(serve: Callable[..., Faulty]) -> None:
    with serve(BreakOff(1)) as server, Session(server) as session:
        stream = session.ask("s")
        with pytest.raises(ConnectionResetError):
            session.until(h2.events.StreamEnded, stream)
    assert len(eventstream.decode_all(session.data(stream))) == 1
    assert [outcome.complete for outcome in server.seen] == [True]


def test_a_cut_closes_a_whole_connection(serve: Callable[..., Faulty]) -> None:
    with serve(Truncate(2, in_order=False)) as server, Session(server) as session:
        stream = session.ask("s")
        while session.read():
            pass
        session.ask("a", CONVERSE)  # to nobody
    assert len(server.seen) == 1
    assert len(eventstream.decode_all(session.data(stream))) == 2
    assert not [
        event
        for event in session.events
        if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset)
    ]
    assert not [
        event for event in session.events if isinstance(event, h2.events.ConnectionTerminated)
    ]


def test_what_else_a_connection_carried_ends_with_a_cut(serve: Callable[..., Faulty]) -> None:
    slow = stream("slow", ["x", "y"], at_ms=[0, 30_000, 60_000, 90_000, 90_000])
    fast = stream("fast", ["x", "y"])
    only_fast = When(prompt_equals="fast")
    with serve(interactions=(slow, fast), speed=1.0) as server, Session(server) as session:
        server.lay(Fault("cut", Truncate(2, in_order=False), only_fast))
        one = session.ask("slow")
        session.until(h2.events.DataReceived, one)
        other = session.ask("fast")
        while session.read():
            pass
        assert [len(eventstream.decode_all(session.data(number))) for number in (one, other)] == [
            1,
            2,
        ]
        assert [(outcome.answer.faults, outcome.complete) for outcome in server.seen] == [
            (("cut",), True),
            ((), True),
        ]


def test_two_cuts_at_once(serve: Callable[..., Faulty]) -> None:
    """Both wait for the client's windows, which open at once; the first that
    goes on ends the other too.
    """
    with serve(Truncate(2, in_order=False)) as server, Session(server, window=0) as session:
        streams = [session.ask("s") for _ in range(2)]
        for stream in streams:
            session.until(h2.events.ResponseReceived, stream)
        session.open_windows()
        while session.read():
            pass
    assert 2 in [len(eventstream.decode_all(session.data(stream))) for stream in streams]
    assert [outcome.complete for outcome in server.seen] == [True, True]


def test_a_stalled_stream_ends_when_the_client_cancels_it(serve: Callable[..., Faulty]) -> None:
    with serve(Silence(1)) as server, Session(server) as session:
        stream = session.ask("s")
        session.until(h2.events.DataReceived, stream)
        session.cancel(stream)
        session.until(h2.events.StreamEnded, session.ask("unknown", CONVERSE))
        assert [outcome.complete for outcome in server.seen] == [False, True]


def test_a_stalled_stream_ends_when_the_server_stops(serve: Callable[..., Faulty]) -> None:
    with serve(Silence(1)) as server, Session(server) as session:
        stream = session.ask("s")
        session.until(h2.events.DataReceived, stream)
        server.stop()
        while session.read():
            pass
        assert session.until(h2.events.StreamReset, stream).error_code == 8
        assert session.until(h2.events.ConnectionTerminated, 0).error_code == 0
    assert [outcome.complete for outcome in server.seen] == [True]


# -- pace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [None, 1000.0])
def test_a_delayed_answer_is_whole_at_any_speed(
    serve: Callable[..., Faulty], speed: float | None
) -> None:
    with serve(Delay(10, 5, 5), speed=speed) as server, connected(server) as connection:
        connection.sendall(request("s", STREAM))
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += connection.recv(65536)
    assert len(Got(data, "").frames) == EVENTS


@pytest.mark.parametrize(
    ("harm", "events"), [(Delay(first_byte_ms=600_000), 0), (Delay(between_ms=600_000), 1)]
)
def test_a_delayed_answer_keeps_nobody_else_waiting(
    serve: Callable[..., Faulty], harm: Delay, events: int
) -> None:
    with serve() as server, Session(server) as other:
        server.lay(Fault("late", harm, When(prompt_equals="s")))
        with Session(server) as late:
            one = late.ask("s")
            late.until_received()
            if events:
                late.until(h2.events.DataReceived, one)
            other.until(h2.events.StreamEnded, other.ask("a", CONVERSE))
            assert len(eventstream.decode_all(late.data(one))) == events
        until(lambda: len(server.seen) == 2)
    assert [(outcome.answer.faults, outcome.complete) for outcome in server.seen] == [
        ((), True),
        (("late",), False),
    ]


# -- errors in steps -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broken(FaultKind):
    """A kind with a bug, which shows before the second event."""

    def affects(self, response: Response) -> bool:
        return True

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit:
        wrong: Any = (1 / 0 for _ in "a")
        return AddWaits(0.001, wrong)


@pytest.mark.parametrize("over", [Http1, Http2])
def test_an_error_in_a_later_step_breaks_the_stream_with_a_reason(
    over: Callable[[str], Http1 | Http2], serve: Callable[..., Faulty]
) -> None:
    server = serve(Broken())
    with server:
        with over(server.url) as client, pytest.raises((OSError, HTTPException)):
            client.request("POST", STREAM, (), prompt("s"))
        # the server still serves
        with over(server.url) as client, pytest.raises((OSError, HTTPException)):
            client.request("POST", STREAM, (), prompt("s"))
        told, server.complaints[:] = list(server.complaints), []
    assert [
        ("was broken off because of an error in bedtape: ZeroDivisionError" in line)
        for line in told
    ] == [True] * 2
    assert [outcome.complete for outcome in server.seen] == [True] * 2


@pytest.mark.parametrize("over", [Http1, Http2])
def test_an_error_before_the_head_is_a_500(
    over: Callable[[str], Http1 | Http2],
    serve: Callable[..., Faulty],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(speed=1.0)

    def fail(*_: object) -> Iterator[Any]:
        yield 1 // 0

    monkeypatch.setattr(exchanges, "cut_steps", fail)
    with server:
        with over(server.url) as client:
            for _ in range(2):
                answer = client.request("POST", STREAM, (), prompt("s"))
                assert (answer.status, b"ZeroDivisionError" in answer.body) == (500, True)
        told, server.complaints[:] = list(server.complaints), []
    assert len(told) == 2
    assert all("was answered with 500 because of an error in bedtape" in line for line in told)
