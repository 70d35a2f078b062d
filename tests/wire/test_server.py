"""The server over real sockets: what a client of HTTP/1.1, of HTTP/1.0 and of HTTP/2 sees."""

import asyncio
import http.client
import json
import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, Self

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.format import eventstream
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer import Replayer
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server.server import MAX_BODY, Outcome, Server, new_event_loop
from support import WAIT
from support.client import Http1, Http2, until
from support.folders import write
from support.recordings import converse, path, prompt, record_interaction, stream, text_of, texts_of
from support.waits import HeldAnswers

Make = Callable[..., Replayer]
Client = type[Http1] | type[Http2]
JSON = (("Content-Type", "application/json"),)
CONVERSE, STREAM = path(), path("converse-stream")


@pytest.fixture(
    params=[new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"], autouse=True
)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs on both event loops: they differ in when they
    pause, close and report.
    """
    monkeypatch.setattr("bedtape_replayer.server.thread.new_event_loop", request.param)


@pytest.fixture
def replayer(tmp_path: Path) -> Make:
    """A replayer of hand-made interactions, not yet started."""

    def make(*interactions: Interaction, **options: Any) -> Replayer:
        write(tmp_path, Cassette("made", interactions))
        return Replayer(tmp_path, **options)

    return make


@pytest.fixture
def replayer_of_large(monkeypatch: pytest.MonkeyPatch) -> Make:
    """The same with interactions that are better kept off the disk."""

    def make(*interactions: Interaction, **options: Any) -> Replayer:
        monkeypatch.setattr(Replayer, "_load", lambda _: Library([Cassette("made", interactions)]))
        return Replayer(**options)

    return make


# -- a client that shows every byte ----------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]  # the chunks, or the one body

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text(self) -> str:
        return text_of(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class Line:
    """One connection, on which the test writes the bytes."""

    def __init__(self, replayer: Replayer) -> None:
        self.socket = socket.create_connection(("127.0.0.1", replayer.port), timeout=WAIT)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        line = self.file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        rows = [row.decode("latin-1").rstrip("\r\n") for row in iter(self.file.readline, b"\r\n")]
        return int(line[9:12]), tuple(
            (name, value.strip()) for name, _, value in (row.partition(":") for row in rows)
        )

    def chunk(self) -> bytes:
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        assert (len(data), self.file.read(2)) == (size, b"\r\n")
        return data

    def answer(self, *, bodiless: bool = False) -> Answer:
        status, headers = self.head()
        named = {name.lower(): value for name, value in headers}
        if bodiless:
            return Answer(status, headers, ())
        if "content-length" in named:
            data = self.file.read(int(named["content-length"]))
            assert len(data) == int(named["content-length"])
            return Answer(status, headers, (data,))
        if "transfer-encoding" in named:
            return Answer(status, headers, tuple(iter(self.chunk, b"")))
        return Answer(status, headers, (self.file.read(),))

    def ends(self) -> bool:
        """Whether the server ends the connection now, by word or by force."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True

    def reset(self) -> None:
        """Hangs up without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(
    text: str,
    url: str = CONVERSE,
    *lines: str,
    version: str = "1.1",
    method: str = "POST",
    expecting: bool = False,
) -> bytes:
    """A whole request; `expecting`: only its head, which asks for leave to send the rest."""
    body = prompt(text)
    head = [
        f"{method} {url} HTTP/{version}",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    if expecting:
        return "\r\n".join([*head, "Expect: 100-continue", "", ""]).encode()
    return "\r\n".join([*head, "Content-Type: application/json", "", ""]).encode() + body


# -- HTTP/1.1 --------------------------------------------------------------------------------------


def test_a_connection_is_kept(replayer: Make) -> None:
    with (
        replayer(converse("a", "one"), converse("b", "two"), stream("s", ["x", "y"])) as server,
        Line(server) as line,
    ):
        for _ in range(3):
            line.send(ask("a"))
            assert line.answer().text == "one"
            line.send(ask("s", STREAM))
            assert texts_of(line.answer().body) == ["x", "y"]
            line.send(ask("b"))
            assert line.answer().text == "two"
            line.send(ask("nobody recorded this"))
            assert line.answer().status == 400


@pytest.mark.parametrize("speed", [None, 1000])
def test_pipelined_requests_are_answered_in_order(replayer: Make, speed: float | None) -> None:
    interactions = (
        converse("a", "one", after_ms=2000),
        stream("s", ["x", "y", "z"], at_ms=[0, 1000, 2000, 3000, 4000, 5000]),
        converse("b", "two"),
    )
    with replayer(*interactions, speed=speed) as server, Line(server) as line:
        line.send(
            (ask("a") + ask("s", STREAM) + ask("b") + ask("unknown") + ask("s", STREAM) + ask("a"))
            * 5
        )
        for _ in range(5):
            assert line.answer().text == "one"
            assert texts_of(line.answer().body) == ["x", "y", "z"]
            assert line.answer().text == "two"
            assert line.answer().status == 400
            assert texts_of(line.answer().body) == ["x", "y", "z"]
            assert line.answer().text == "one"


def test_each_event_is_a_chunk(replayer: Make) -> None:
    with replayer(stream("s", ["x", "y" * 300_000])) as server, Line(server) as line:
        line.send(ask("s", STREAM))
        answer = line.answer()
        assert answer.header("Transfer-Encoding") == "chunked"
        assert [len(eventstream.decode_all(piece)) for piece in answer.pieces] == [1] * 5


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_in_chunks(replayer: Make, size: int) -> None:
    body = prompt("a")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    head = f"POST {CONVERSE} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with replayer(converse("a", "one")) as server, Line(server) as line:
        line.send(head)
        for piece in pieces:
            line.send(b"%x;name=value\r\n%b\r\n" % (len(piece), piece))
        line.send(b"0\r\nX-Trailer: 1\r\n\r\n" + ask("a"))
        assert [line.answer().text for _ in range(2)] == ["one", "one"]


def test_a_client_that_waits_for_leave(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server, Line(server) as line:
        for _ in range(2):
            line.send(ask("a", expecting=True))
            assert line.head() == (100, ())
            line.send(prompt("a"))
            assert line.answer().text == "one"


IGNORING = MatchRules((*DEFAULT.ignore, "padding"))


def padded(size: int) -> bytes:
    """A request of so many bytes that matches the one without its padding."""
    start = prompt("a")[:-1] + b',"padding":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_body_of_24_megabytes(replayer: Make, client: Client) -> None:
    body = padded(24_000_000)
    assert len(body) == 24_000_000
    with replayer(converse("a", "one"), match=IGNORING) as server, client(server.url) as connection:
        assert text_of(connection.request("POST", CONVERSE, JSON, body).body) == "one"
        assert text_of(connection.request("POST", CONVERSE, JSON, padded(1000)).body) == "one"


def test_a_body_of_24_megabytes_in_chunks(replayer: Make) -> None:
    body = padded(24_000_000)
    pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    with replayer(converse("a", "one"), match=IGNORING) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT)
        with closing(connection):
            connection.request(
                "POST", CONVERSE, body=pieces, headers=dict(JSON), encode_chunked=True
            )
            assert text_of(connection.getresponse().read()) == "one"


def test_a_body_too_large_for_a_client_that_sends_it_all(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT)
        with closing(connection):
            connection.request("POST", CONVERSE, bytes(26 << 20), dict(JSON))
            response = connection.getresponse()
            body = response.read()
            assert (response.status, response.getheader("Connection")) == (413, "close")
            assert response.getheader("x-amzn-ErrorType") == "ValidationException"
            assert str(MAX_BODY) in json.loads(body)["message"]


def test_a_body_too_large_for_a_client_that_waits(replayer: Make) -> None:
    head = (
        f"POST {CONVERSE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {26 << 20}\r\nExpect:"
        " 100-continue\r\n\r\n"
    )
    with replayer(converse("a", "one")) as server, Line(server) as line:
        line.send(head.encode())
        assert line.answer().status == 413
        assert line.ends()


def test_a_client_that_reads_to_the_end_is_not_kept_waiting(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server, Line(server) as line:
        line.send(b"nonsense\r\n\r\n")
        assert line.answer().status == 400
        assert line.ends()  # though the client has not hung up, and might still send


@pytest.mark.parametrize("speed", [None, 1000])
def test_what_was_asked_before_half_closing_is_answered(
    replayer: Make, speed: float | None
) -> None:
    interactions = (
        converse("a", "one"),
        stream("s", ["x", "y"], at_ms=[1000, 2000, 3000, 4000, 5000], after_ms=1000),
    )
    for asked in (
        ask("a"),
        ask("s", STREAM),
        ask("a") + ask("s", STREAM) + ask("s", STREAM) + ask("a"),
    ):
        with replayer(*interactions, speed=speed) as server, Line(server) as line:
            line.send(asked)
            line.socket.shutdown(socket.SHUT_WR)
            for _ in range(asked.count(b"HTTP/1.1")):
                assert line.answer().status == 200
            assert line.ends()


def test_half_closing_between_head_and_body_ends_the_connection(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server:
        for asked in (
            b"",
            b"P",
            b"PRI * HTTP",
            ask("a")[:40],
            ask("a")[:-1],
            ask("a", expecting=True),
        ):
            with Line(server) as line:
                line.send(asked)
                if b"100-continue" in asked:
                    assert line.head() == (100, ())
                line.socket.shutdown(socket.SHUT_WR)
                assert line.ends()


def test_http_1_0_closes_unless_asked_otherwise(replayer: Make) -> None:
    with replayer(converse("a", "one"), stream("s", ["x", "y"])) as server:
        with Line(server) as line:
            line.send(ask("a", version="1.0"))
            assert line.answer().text == "one"
            assert line.ends()
        with Line(server) as line:
            line.send(ask("a", CONVERSE, "Connection: keep-alive", version="1.0"))
            assert line.answer().text == "one"
            line.send(ask("s", STREAM, "Connection: keep-alive", version="1.0"))
            answer = line.answer()  # to the end: it knows no chunks
            assert (answer.header("Connection"), texts_of(answer.body)) == ("close", ["x", "y"])


@pytest.mark.parametrize("speed", [None, 1000])
def test_head_has_no_body(replayer: Make, speed: float | None) -> None:
    interactions = [
        record_interaction(prompt("h"), b'{"a":1}', method="HEAD"),
        record_interaction(
            prompt("h"),
            b"data: 1\n\n",
            method="HEAD",
            url=STREAM,
            headers=(("Content-Type", "text/event-stream"),),
        ),
        converse("a", "one"),
    ]
    with replayer(*interactions, speed=speed) as server:
        with Line(server) as line:
            line.send(ask("h", method="HEAD") + ask("h", STREAM, method="HEAD") + ask("a"))
            assert line.answer(bodiless=True).header("Content-Length") == "7"
            assert line.answer(bodiless=True).header("Transfer-Encoding") == "chunked"
            assert line.answer().text == "one"
        with Http2(server.url) as connection:
            for url in (CONVERSE, STREAM):
                answer = connection.request("HEAD", url, JSON, prompt("h"))
                assert (answer.status, answer.body) == (200, b"")


def test_both_protocols_on_one_port(replayer: Make) -> None:
    with (
        replayer(converse("a", "one"), stream("s", ["x", "y"])) as server,
        Http2(server.url) as two,
        Http1(server.url) as one,
        Http2(server.url) as other,
    ):
        for _ in range(3):
            for connection in (two, one, other):
                assert (
                    text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                )
                assert texts_of(connection.request("POST", STREAM, JSON, prompt("s")).body) == [
                    "x",
                    "y",
                ]


def test_a_preface_in_pieces(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server, Line(server) as line:
        for at in range(24):
            line.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[at : at + 1])
        line.send(b"\0\0\0\4\0\0\0\0\0")
        assert line.file.read(9)[3] == 4  # its SETTINGS


# -- large answers and slow readers ----------------------------------------------------------------

LARGE = 20_000_000


TEXT = b"".join(b"%07d\n" % n for n in range(LARGE // 8))


@lru_cache
def large(size: int = LARGE) -> Interaction:
    return record_interaction(
        prompt("large"), TEXT[:size], headers=(("Content-Type", "text/plain"),)
    )


def held(server: Replayer) -> int:
    """Bytes that the server holds for its clients."""
    assert server._running is not None
    return sum(
        connection._transport.get_write_buffer_size()
        + sum(connection.wire.count_pending(n) for n in range(1, 100))
        for connection in list(server._running.connections)
        if connection.wire is not None
    )


class Streams:
    """A connection of HTTP/2 on which nothing is acknowledged: the test opens the windows."""

    def __init__(self, replayer: Replayer, window: int = 65535) -> None:
        self.socket = socket.create_connection(("127.0.0.1", replayer.port), timeout=WAIT)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        if window > 65535:
            codes = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=codes)
        self.h2.initiate_connection()
        if window > 65535:
            self.h2.increment_flow_control_window(window - 65535)

    def ask(self, number: int, text: str, url: str = CONVERSE) -> None:
        pseudo = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", url),
            (":authority", "localhost"),
        ]
        self.h2.send_headers(number, pseudo)
        self.h2.send_data(number, prompt(text), end_stream=True)
        self.flush()

    def open(self, size: int) -> None:
        """Opens the windows of the connection and of stream 1."""
        self.h2.increment_flow_control_window(size)
        self.h2.increment_flow_control_window(size, 1)
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def events(self) -> list[h2.events.Event]:
        data = self.socket.recv(1 << 20)
        assert data, "the server hung up"
        events = self.h2.receive_data(data)
        self.flush()
        return events

    def read(self, streams: int) -> dict[int, bytes]:
        """The bodies of so many streams, read until all have ended."""
        bodies: dict[int, bytes] = {}
        ended = 0
        while ended < streams:
            for event in self.events():
                match event:
                    case h2.events.DataReceived(stream_id=number, data=piece):
                        bodies[number] = bodies.get(number, b"") + (piece or b"")
                    case h2.events.StreamEnded():
                        ended += 1
        return bodies

    def take(self, least: int) -> int:
        """How many bytes of bodies came, when there were that many."""
        got = 0
        while got < least:
            got += sum(
                len(event.data or b"")
                for event in self.events()
                if isinstance(event, h2.events.DataReceived)
            )
        return got

    def close(self) -> None:
        self.socket.close()


@pytest.mark.parametrize("requests", [1, 40])
def test_a_slow_reader_holds_little_and_stalls_nobody(
    replayer_of_large: Make, requests: int
) -> None:
    with replayer_of_large(large(), converse("a", "one")) as server, Line(server) as slow:
        slow.send(ask("large") * requests)
        assert slow.head()[0] == 200  # and then it reads no more
        with Http1(server.url) as one, Http2(server.url) as two:
            for _ in range(20):
                assert text_of(one.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                assert text_of(two.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                assert held(server) < 1_000_000
        if requests == 1:
            assert slow.file.read(LARGE) == TEXT
            slow.send(ask("a"))
            assert slow.answer().text == "one"


@pytest.mark.parametrize("window", [65535, 2**31 - 1])
def test_a_slow_reader_of_http_2_holds_little_and_stalls_nobody(
    replayer_of_large: Make, window: int
) -> None:
    with (
        replayer_of_large(large(), converse("a", "one")) as server,
        closing(Streams(server, window)) as client,
    ):
        for number in range(1, 80, 2):
            client.ask(number, "large")
        assert client.socket.recv(1)
        with Http1(server.url) as one, Http2(server.url) as two:
            for _ in range(20):
                assert text_of(one.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                assert text_of(two.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                assert held(server) < 40 * 500_000  # of 40 answers of 20 MB


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_large_answer_is_whole(replayer_of_large: Make, client: Client) -> None:
    with (
        replayer_of_large(large(), converse("a", "one")) as server,
        client(server.url) as connection,
    ):
        for _ in range(2):
            assert connection.request("POST", CONVERSE, JSON, prompt("large")).body == TEXT
        assert text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"


def test_a_stream_needs_no_window_update_where_the_window_is_wide(replayer_of_large: Make) -> None:
    texts = ["x" * 10_000] * 150
    with (
        replayer_of_large(stream("s", texts), large(1_000_000)) as server,
        closing(Streams(server, 2**31 - 1)) as client,
    ):
        client.ask(1, "s", STREAM)
        client.ask(3, "large")
        bodies = client.read(2)
        assert texts_of(bodies[1]) == texts
        assert len(bodies[3]) == 1_000_000


def test_a_window_that_opens_lets_the_answer_go_on(replayer_of_large: Make) -> None:
    with replayer_of_large(large(300_000)) as server, closing(Streams(server)) as client:
        client.ask(1, "large")
        assert client.take(65535) == 65535
        client.open(300_000)
        assert len(client.read(1)[1]) == 300_000 - 65535


# -- who hangs up ----------------------------------------------------------------------------------


@pytest.fixture
def outcomes() -> queue.SimpleQueue[Outcome]:
    return queue.SimpleQueue()


def long_stream() -> Interaction:
    """An event every 10 ms, and the last one after any test."""
    return stream("s", ["x"] * 300, at_ms=[*range(0, 3000, 10), 600_000, 600_000, 600_000])


@pytest.mark.parametrize("how", ["reset", "close", "shutdown and close"])
def test_a_client_that_hangs_up_in_a_stream_is_noticed(
    replayer: Make, outcomes: queue.SimpleQueue[Outcome], how: str
) -> None:
    with replayer(long_stream(), converse("a", "one"), speed=1, observer=outcomes.put) as server:
        line = Line(server)
        line.send(ask("s", STREAM))
        assert line.head()[0] == 200
        assert line.chunk()
        if how == "reset":
            line.reset()
        else:
            if how != "close":
                line.socket.shutdown(socket.SHUT_WR)
                assert line.chunk()
            line.close()
        outcome = outcomes.get(timeout=WAIT)
        assert (outcome.complete, outcome.answer.reply.status) == (False, 200)
        assert server._running is not None
        until(lambda: not server._running.connections)
        with Http1(server.url) as connection:
            assert text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
        assert outcomes.get(timeout=WAIT).complete


@pytest.mark.parametrize("how", ["reset stream", "close"])
def test_a_client_of_http_2_that_hangs_up_in_a_stream_is_noticed(
    replayer: Make, outcomes: queue.SimpleQueue[Outcome], how: str
) -> None:
    with (
        replayer(long_stream(), converse("a", "one"), speed=1, observer=outcomes.put) as server,
        closing(Streams(server)) as client,
    ):
        client.ask(1, "s", STREAM)
        while not any(isinstance(e, h2.events.DataReceived) for e in client.events()):
            pass
        if how == "close":
            client.close()
            assert not outcomes.get(timeout=WAIT).complete
            return
        client.h2.reset_stream(1)
        client.ask(3, "a")
        assert [outcomes.get(timeout=WAIT).complete for _ in range(2)] == [False, True]
        assert text_of(client.read(1)[3]) == "one"


@pytest.mark.parametrize("text", ["s", "large"])
def test_what_a_broken_connection_had_left_is_incomplete(
    replayer_of_large: Make, outcomes: queue.SimpleQueue[Outcome], text: str
) -> None:
    """Whether it waited for the clock or for a window when the client broke the rules."""
    with (
        replayer_of_large(long_stream(), large(), speed=1, observer=outcomes.put) as server,
        closing(Streams(server)) as client,
    ):
        client.ask(1, text, STREAM if text == "s" else CONVERSE)
        assert client.take(1)
        client.socket.sendall(b"\0\0\0\0\0\0\0\0\0")  # DATA on stream 0
        assert not outcomes.get(timeout=WAIT).complete


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_large_answer_is_complete_when_it_was_read(
    replayer_of_large: Make, outcomes: queue.SimpleQueue[Outcome], client: Client
) -> None:
    with replayer_of_large(large(), observer=outcomes.put) as server:
        with client(server.url) as connection:
            connection.request("POST", CONVERSE, JSON, prompt("large"))
        assert outcomes.get(timeout=WAIT).complete
        with Line(server) as line:
            line.send(ask("large"))
            assert line.head()[0] == 200
            line.reset()
        assert not outcomes.get(timeout=WAIT).complete


def test_a_large_last_answer_is_complete_too(
    replayer_of_large: Make, outcomes: queue.SimpleQueue[Outcome]
) -> None:
    with replayer_of_large(large(), observer=outcomes.put) as server, Line(server) as line:
        line.send(ask("large", CONVERSE, "Connection: close"))
        assert len(line.answer().body) == LARGE
        assert line.ends()
        assert outcomes.get(timeout=WAIT).complete


def test_the_observer_is_told_what_answered(
    replayer: Make, outcomes: queue.SimpleQueue[Outcome]
) -> None:
    with (
        replayer(converse("a", "one", after_ms=30), speed=1, observer=outcomes.put) as server,
        Line(server) as line,
    ):
        line.send(ask("a", f"/s/mine{CONVERSE}") + ask("b"))
        assert [line.answer().status for _ in range(2)] == [200, 400]
        hit, miss = (outcomes.get(timeout=WAIT) for _ in range(2))
        assert hit.answer.file is not None
        assert hit.answer.file.endswith(".yaml")
        assert (hit.answer.call.session, hit.answer.miss, hit.complete) == ("mine", None, True)
        assert hit.seconds >= 0.025
        assert miss.answer.miss is not None


# -- errors of our own -----------------------------------------------------------------------------


@pytest.mark.parametrize("client", [Http1, Http2])
def test_an_error_of_the_engine_is_an_answer(
    replayer: Make, capfd: pytest.CaptureFixture[str], client: Client
) -> None:
    with replayer(converse("a", "one")) as server, client(server.url) as connection:
        session = server.engine.sessions.get("default")
        session.select = broken  # no method is patched, because compiled code would not notice it
        answer = connection.request("POST", CONVERSE, JSON, prompt("a"))
        session.select = None
        assert (answer.status, answer.header("x-amzn-ErrorType")) == (
            500,
            "InternalServerException",
        )
        assert answer.header("Date")
        assert "RuntimeError: a\\x1b[31m\\nb" in json.loads(answer.body)["message"]
        assert text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"bedtape: POST {CONVERSE} was answered with 500")
    assert "RuntimeError" in line
    assert "test_server.py:" in line
    assert line.isprintable()


def broken(*_: object) -> NoReturn:
    raise RuntimeError("a\x1b[31m\nb")


def test_an_error_of_the_observer_takes_no_answer_away(
    replayer: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    interactions = converse("a", "one"), stream("s", ["x"])
    with replayer(*interactions, observer=broken) as server, Line(server) as line:
        line.send(ask("a") + ask("s", STREAM) + ask("a"))
        assert line.answer().text == "one"
        assert texts_of(line.answer().body) == ["x"]
        assert line.answer().text == "one"
    assert [line[:29] for line in capfd.readouterr().err.splitlines()] == [
        "bedtape: the observer failed:"
    ] * 3


def test_a_method_that_is_not_text(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server, closing(Streams(server)) as client:
        pseudo = [
            (b":method", b"\xff\xfe"),
            (b":scheme", b"http"),
            (b":path", b"/\xff"),
            (b":authority", b"localhost"),
        ]
        client.h2.send_headers(1, pseudo, end_stream=True)
        client.ask(3, "a")
        bodies = client.read(2)
        assert "Output" in json.loads(bodies[1])
        assert text_of(bodies[3]) == "one"


# -- pace ------------------------------------------------------------------------------------------

AT_MS = [0, 20_000, 20_000, 50_000, 120_000]  # of the five events of a stream of two texts


def test_events_come_no_sooner_than_they_are_due(replayer: Make) -> None:
    with (
        replayer(stream("s", ["x", "y"], at_ms=AT_MS, after_ms=30_000), speed=1000) as server,
        Line(server) as line,
    ):
        asked = time.monotonic()
        line.send(ask("s", STREAM))
        came = [(line.head(), time.monotonic())[1] - asked]
        came += [(line.chunk(), time.monotonic())[1] - asked for _ in AT_MS]
        assert line.chunk() == b""
    due = [0.030, *(0.030 + at / 1_000_000 for at in AT_MS)]
    assert all(at >= expected - 0.002 for at, expected in zip(came, due, strict=True)), (
        came
    )  # uvloop's clock ticks in ms


class Hurried(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self.skipping = Skipping()
        self.due: list[float] = []
        super().__init__(self.skipping)

    def time(self) -> float:
        return self.skipping.skipped

    def call_at(self, when: float, *arguments: Any, **named: Any) -> asyncio.TimerHandle:
        self.due.append(when)
        return super().call_at(when, *arguments, **named)


class Skipping(selectors.DefaultSelector):
    skipped = 0.0
    late = 0.0  # by how much every timer comes too late

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self.skipped += timeout + self.late
        return ready


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hurried]:
    with closing(Hurried()) as loop:
        monkeypatch.setattr("bedtape_replayer.server.thread.new_event_loop", lambda: loop)
        # its timers would be due all the time
        monkeypatch.setattr(Server, "_sweep", lambda *_: None)
        yield loop


@pytest.mark.parametrize("speed", [0.01, 1, 3])
@pytest.mark.parametrize("client", [Http1, Http2])
def test_the_pace_is_the_recorded_one_to_the_millisecond(
    replayer: Make, hurried: Hurried, client: Client, speed: float
) -> None:
    hurried.skipping.late = 1.0  # lateness does not add up
    at_ms = [0, 0, 60_000, 60_001, 3_600_000]
    interaction = stream("s", ["x", "y"], at_ms=at_ms, after_ms=7000)
    with replayer(interaction, speed=speed) as server, client(server.url) as connection:
        assert texts_of(connection.request("POST", STREAM, JSON, prompt("s")).body) == ["x", "y"]
    expected = [7.0, 67.0, 67.001, 3607.0]
    began = hurried.due[0] - expected[0] / speed
    assert [(due - began) * speed for due in hurried.due[:4]] == pytest.approx(expected, abs=1e-6)


def test_a_whole_answer_waits_as_long_as_bedrock_took(replayer: Make, hurried: Hurried) -> None:
    with replayer(converse("a", "one", after_ms=90_000), speed=2) as server, Line(server) as line:
        line.send(ask("a") + ask("a"))
        assert [line.answer().text for _ in range(2)] == ["one", "one"]
    first, second = hurried.due[:2]
    assert second - first == pytest.approx(45)


def test_streams_are_paced_independently(replayer: Make) -> None:
    """The fast one overtakes the slow one, on one connection of HTTP/2 and
    between two of HTTP/1.1.
    """
    slow, fast = (
        stream("slow", ["x"], at_ms=[0, 0, 600_000, 600_000]),
        stream("fast", ["y"], at_ms=[10, 20, 30, 40]),
    )
    with replayer(slow, fast, speed=1) as server:
        with Line(server) as one, Line(server) as other:
            one.send(ask("slow", STREAM))
            assert one.head()[0] == 200
            other.send(ask("fast", STREAM))
            assert texts_of(other.answer().body) == ["y"]
        with closing(Streams(server)) as client:
            client.ask(1, "slow", STREAM)
            client.ask(3, "fast", STREAM)
            assert texts_of(client.read(1)[3]) == ["y"]


# -- what every answer has -------------------------------------------------------------------------


def test_the_date_is_now(replayer: Make) -> None:
    with replayer(converse("a", "one"), stream("s", ["x"])) as server, Line(server) as line:
        for asked in (ask("a"), ask("s", STREAM), ask("unknown")):
            before = int(time.time())
            line.send(asked)
            date = line.answer().header("Date")
            assert date is not None
            assert date.endswith(" GMT")
            assert len(date) == len("Sun, 06 Nov 1994 08:49:37 GMT")
            assert before <= parsedate_to_datetime(date).timestamp() <= time.time()


def test_the_date_goes_on(replayer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with replayer(converse("a", "one")) as server, Line(server) as line:
        dates = []
        for now in (784111777.9, 784111777.999, 784111778.0):
            clock = SimpleNamespace(time=lambda now=now: now, perf_counter=time.perf_counter)
            monkeypatch.setattr("bedtape_replayer.server.server.time", clock)
            line.send(ask("a"))
            dates.append(line.answer().header("Date"))
    assert dates == ["Sun, 06 Nov 1994 08:49:37 GMT"] * 2 + ["Sun, 06 Nov 1994 08:49:38 GMT"]


def test_the_same_request_gets_the_same_bytes(replayer: Make) -> None:
    def undated(answer: Answer) -> Answer:
        return Answer(
            answer.status,
            tuple(pair for pair in answer.headers if pair[0] != "Date"),
            answer.pieces,
        )

    seen = []
    for _ in range(2):
        with replayer(converse("a", "one"), stream("s", ["x", "y"])) as server:
            for _ in range(2):
                with Line(server) as line:
                    line.send(ask("a") + ask("s", STREAM) + ask("unknown"))
                    seen.append([undated(line.answer()) for _ in range(3)])
    assert seen[1:] == seen[:1] * 3
    assert len({answer.header("x-amzn-RequestId") for answer in seen[0]}) == 3


# -- the end ---------------------------------------------------------------------------------------


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> HeldAnswers:
    return HeldAnswers(monkeypatch)


@pytest.fixture
def without_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops gives its clients all the time that a slow machine needs."""
    monkeypatch.setattr("bedtape_replayer.server.thread._GRACE", WAIT)


@pytest.mark.usefixtures("without_grace")
@pytest.mark.parametrize("client", [Http1, Http2])
def test_an_answer_in_flight_is_finished(
    replayer: Make, paced: HeldAnswers, client: Client
) -> None:
    texts = [str(n) for n in range(20)]
    server = replayer(stream("s", texts, at_ms=range(0, 230, 10)), speed=1).start()
    with ThreadPoolExecutor(2) as threads, client(server.url) as connection:
        answer = threads.submit(connection.request, "POST", STREAM, JSON, prompt("s"))
        paced.until(1)
        port = server.port
        stopped = stopping(server, threads)
        paced.release()
        assert texts_of(answer.result(WAIT).body) == texts
        stopped.result(WAIT)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=WAIT)


@pytest.mark.usefixtures("without_grace")
def test_a_large_answer_in_flight_is_finished(replayer_of_large: Make) -> None:
    server = replayer_of_large(large()).start()
    with ThreadPoolExecutor(1) as threads, Line(server) as line:
        line.send(ask("large"))
        assert line.head()[0] == 200
        stopped = stopping(server, threads)
        assert len(line.file.read(LARGE)) == LARGE
        assert line.ends()
        stopped.result(WAIT)


@pytest.mark.usefixtures("without_grace")
@pytest.mark.parametrize("size", [100_000, 200_000, 500_000])
def test_an_answer_that_waits_for_a_window_is_finished(replayer_of_large: Make, size: int) -> None:
    server = replayer_of_large(large(size)).start()
    with ThreadPoolExecutor(1) as threads, closing(Streams(server)) as client:
        client.ask(1, "large")
        assert client.take(65535) == 65535
        stopped = stopping(server, threads)
        client.open(size)
        assert client.take(size - 65535) == size - 65535
        stopped.result(WAIT)


@pytest.mark.usefixtures("without_grace")
def test_a_request_that_comes_while_stopping_is_refused(replayer: Make, paced: HeldAnswers) -> None:
    server = replayer(stream("s", ["x"], at_ms=[0, 0, 0, 200]), speed=1).start()
    with ThreadPoolExecutor(1) as threads, closing(Streams(server)) as client:
        client.ask(1, "s", STREAM)
        paced.until(1)
        stopped = stopping(server, threads)
        client.ask(3, "s", STREAM)
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamReset) for event in events):
            events += client.events()
        paced.release()
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += client.events()
        resets = [event for event in events if isinstance(event, h2.events.StreamReset)]
        # REFUSED_STREAM: try elsewhere
        assert [(event.stream_id, event.error_code) for event in resets] == [(3, 7)]
        stopped.result(WAIT)


def stopping(server: Replayer, threads: ThreadPoolExecutor) -> Future[None]:
    """Stops the server, and returns as soon as all its connections know."""
    running = server._running
    assert running is not None
    stopped = threads.submit(server.stop)
    until(
        lambda: (
            running.stopping
            and all(connection.winding_down for connection in list(running.connections))
        )
    )
    return stopped


def test_an_answer_that_takes_too_long_is_cut(replayer: Make) -> None:
    with replayer(long_stream(), speed=1) as server:
        line = Line(server)
        line.send(ask("s", STREAM))
        assert line.head()[0] == 200
    with closing(line):
        rest = b""
        try:
            rest = line.file.read()
        except ConnectionResetError:
            pass
        assert not rest.endswith(b"0\r\n\r\n")


@pytest.mark.usefixtures("without_grace")
def test_stopping_closes_idle_and_unfinished_connections(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server:
        running = server._running
        assert running is not None
        lines = [Line(server) for _ in range(4)]
        for line, sent in zip(lines, (b"", b"PRI", ask("a")[:30], ask("a")), strict=True):
            line.send(sent)
        assert lines[3].answer().text == "one"
        two = Http2(server.url)
        assert text_of(two.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
        until(lambda: len(running.connections) == 5)
        server.stop()
        for line in lines:
            assert line.ends()
            line.close()
        (goaway,) = two._h2.receive_data(two._socket.recv(65536))
        assert isinstance(goaway, h2.events.ConnectionTerminated)
        assert goaway.error_code == 0
        two.close()


@pytest.mark.usefixtures("without_grace")
def test_a_pipelined_request_is_not_begun_any_more(replayer: Make, paced: HeldAnswers) -> None:
    server = replayer(stream("s", ["x"], at_ms=[0, 0, 0, 200]), speed=1).start()
    with ThreadPoolExecutor(1) as threads, Line(server) as line:
        line.send(ask("s", STREAM) * 2)
        paced.until(1)
        stopped = stopping(server, threads)
        paced.release()
        assert line.head()[0] == 200
        assert texts_of(b"".join(iter(line.chunk, b""))) == ["x"]
        assert line.ends()
        stopped.result(WAIT)


def test_a_connection_that_was_accepted_too_late_is_closed(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server:
        assert server._running is not None
        server._running.stopping = True  # as `stop` does before the listener is closed
        with Line(server) as line:
            assert line.ends()


def test_a_stopped_server_stops_once(replayer: Make) -> None:
    server = replayer(converse("a", "one")).start()
    server.stop()
    server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "bedtape"]


# -- the Replayer ----------------------------------------------------------------------------------


def test_a_port_in_use(replayer: Make) -> None:
    with replayer(converse("a", "one")) as server:
        with pytest.raises(OSError, match="in use"):
            replayer(converse("a", "one"), port=server.port).start()
        with Line(server) as line:
            line.send(ask("a"))
            assert line.answer().text == "one"
    assert not [thread for thread in threading.enumerate() if thread.name == "bedtape"]


def test_two_at_once(replayer_of_large: Make) -> None:
    with (
        replayer_of_large(converse("a", "one")) as one,
        replayer_of_large(converse("a", "two")) as two,
    ):
        for server, text in ((one, "one"), (two, "two"), (one, "one")):
            with Line(server) as line:
                line.send(ask("a"))
                assert line.answer().text == text


def test_async_with(replayer: Make) -> None:
    async def use() -> str:
        async with replayer(converse("a", "one")) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(ask("a", CONVERSE, "Connection: close"))
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return text_of(answer.partition(b"\r\n\r\n")[2])

    with asyncio.Runner() as runner:
        assert runner.run(use()) == "one"


def test_on_ipv6(replayer: Make) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with replayer(converse("a", "one"), host="::1") as server, Http1(server.url) as connection:
        assert server.url.startswith("http://[::1]:")
        assert text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"


def test_errors_of_use(replayer: Make, tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing, match="no such file or folder"):
        Replayer(tmp_path / "nowhere").start()
    for speed in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="expected a speed above 0"):
            Replayer(tmp_path, speed=speed)
    server = replayer(converse("a", "one"))
    for use in (
        lambda: server.url,
        lambda: server.port,
        lambda: server.session_url("x"),
        server.reload,
    ):
        with pytest.raises(RuntimeError, match="is not running"):
            use()
    with server, pytest.raises(RuntimeError, match="found one that runs"):
        server.start()
    assert not [thread for thread in threading.enumerate() if thread.name == "bedtape"]


def test_reload_while_clients_are_connected(replayer: Make, tmp_path: Path) -> None:
    with replayer(converse("a", "one")) as server, Line(server) as line:
        line.send(ask("a"))
        assert line.answer().text == "one"
        write(tmp_path, Cassette("made", (converse("a", "two"),)))
        server.reload()
        line.send(ask("a"))
        assert line.answer().text == "two"
