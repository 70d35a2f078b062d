"""Garbage, floods and slowness on real sockets: the server neither dies nor leaks nor answers
the next client wrongly.
"""

import asyncio
import errno
import gc
import random
import re
import select
import socket
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer import Replayer
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.player import Player
from bedtape_replayer.server.server import Server, new_event_loop
from bedtape_replayer.wire.http1 import Http1Connection
from bedtape_replayer.wire.http2 import PREFACE, Http2Connection
from bedtape_replayer.wire.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    pack_number,
)
from support import WAIT
from support.client import Http1, Http2, receive_answer, until
from support.examples import examples
from support.folders import write
from support.recordings import converse, path, prompt, record_interaction, stream, text_of, texts_of
from support.waits import HeldAnswers, Patience, ReceivedBytes, until_answering

JSON = (("Content-Type", "application/json"),)
CONVERSE, STREAM = path(), path("converse-stream")
LARGE = b"x" * 200_000
RECORDED = (
    converse("a", "one"),
    stream("s", ["x"] * 50, at_ms=[*range(0, 500, 10), 600_000, 600_000, 600_000]),
    record_interaction(prompt("large"), LARGE, headers=(("Content-Type", "text/plain"),)),
)


@pytest.fixture(
    params=[new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"], autouse=True
)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here runs on both event loops: they differ in when they
    pause, close and report.
    """
    monkeypatch.setattr("bedtape_replayer.server.thread.new_event_loop", request.param)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldAnswers:
    return HeldAnswers(monkeypatch)


@pytest.fixture
def serving(tmp_path: Path) -> Callable[..., Replayer]:
    def make(*interactions: Interaction, **options: Any) -> Replayer:
        write(tmp_path, Cassette("made", interactions or RECORDED))
        return Replayer(tmp_path, **options)

    return make


@pytest.fixture
def server(serving: Callable[..., Replayer]) -> Iterator[Replayer]:
    """A server as users run it, and at the end a look at whether it is still as it was."""
    with serving() as server:
        answers_rightly(server)
        yield server
        answers_rightly(server)
        is_empty(server)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """The server waits for 60 seconds for a request to become whole.

    They pass when the test says so.
    """
    return Patience(monkeypatch)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> ReceivedBytes:
    return ReceivedBytes(monkeypatch)


@pytest.fixture
def impatient(
    received: ReceivedBytes, patience: Patience, serving: Callable[..., Replayer]
) -> Iterator[Replayer]:
    """A server whose clients' time the test sets."""
    with serving() as server:
        yield server
        answers_rightly(server)
        is_empty(server)


# -- what must still be so afterwards --------------------------------------------------------------


def answers_rightly(server: Replayer) -> None:
    """The next client, of either protocol, is answered as ever."""
    for client in (Http1, Http2):
        with client(server.url) as connection:
            answer = connection.request("POST", CONVERSE, JSON, prompt("a"))
            assert (answer.status, text_of(answer.body)) == (200, "one")


def running(server: Replayer) -> Server:
    assert server._running is not None
    return server._running


def is_empty(server: Replayer) -> None:
    """No connection is left once all clients are gone.

    They were accepted before the one that is answered here.
    """
    with Http1(server.url) as connection:
        assert connection.request("GET", "/_bedtape/health").status == 200
    until(lambda: not running(server).connections)


# -- a client with no manners ----------------------------------------------------------------------


def connect(server: Replayer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT)


def reset(client: socket.socket) -> None:
    """Hangs up without a word, even with bytes under way."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def rest(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection, by word or by force."""
    got = b""
    with suppress(ConnectionError):
        while data := client.recv(1 << 16):
            got += data
    return got


def thrown(server: Replayer, *pieces: bytes) -> bytes:
    """What the server says to these bytes, after which it must end the connection."""
    with connect(server) as client:
        with suppress(OSError):
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
        return rest(client)


def statuses(got: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def ask(text: str = "a", url: str = CONVERSE) -> bytes:
    body = prompt(text)
    head = (
        f"POST {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nContent-Type:"
        " application/json\r\n\r\n"
    )
    return head.encode() + body


PSEUDO = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", CONVERSE),
    (":authority", "localhost"),
]
HELLO = PREFACE + frame(SETTINGS, 0, 0)


def block(*headers: tuple[str, str]) -> bytes:
    return Encoder().encode([*PSEUDO, *headers], huffman=False)


def h2_ask(stream_id: int, text: str = "a") -> bytes:
    return frame(HEADERS, END_HEADERS, stream_id, block()) + frame(
        DATA, END_STREAM, stream_id, prompt(text)
    )


# -- garbage ---------------------------------------------------------------------------------------

GARBAGE: dict[str, tuple[bytes, list[int]]] = {
    "nothing": (b"", []),
    "a null": (b"\0", []),
    "nulls": (bytes(100_000), [431]),
    "one letter": (b"P", []),
    "words": (b"hello\r\n\r\n", [400]),
    "line ends": (b"\r\n" * 50_000, []),
    "line feeds": (b"\n" * 50_000, [400]),
    "carriage returns": (b"\r" * 100_000, [431]),
    "a TLS hello": (bytes.fromhex("16030100f8010000f40303") + bytes(range(200)), [400]),
    "an SSH banner": (b"SSH-2.0-OpenSSH_9.6\r\n", [400]),
    "SMTP": (b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n", [400]),
    "a Redis command": (b"*1\r\n$4\r\nPING\r\n", [400]),
    "HTTP/0.9": (b"GET /\r\n", [400]),
    "an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [400]),
    "an endless path": (b"GET /" + b"a" * 100_000, [431]),
    "an endless header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000, [431]),
    "a smuggled request": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding:"
        b" chunked\r\n\r\n0\r\n\r\nG" + ask(),
        [400],
    ),
    "a smuggled request, the other way round": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \x0bchunked\r\nContent-Length:"
        b" 4\r\n\r\n" + ask(),
        [400],
    ),
    "a length too large": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n" + LARGE,
        [413],
    ),
    "a chunk too large": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
        [413],
    ),
    "a good request, then garbage": (ask() + b"\x80\x81\r\n", [200, 400]),
    "a good request, then half of one": (ask() + ask()[:50], [200]),
    "a body that is no JSON": (ask()[:-1] + b"\xff", [400]),
    "a session of nonsense": (ask(url="/s/%ff%00%0d%0a/" + CONVERSE), [200]),
    "a path of nonsense": (
        b"POST /model/%zz%/..%2f../\xff\xfe?\xc3?%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        [200],
    ),
    "deep JSON": (ask("a").replace(prompt("a"), b"[" * len(prompt("a"))), [400]),
    "h2: a preface alone": (PREFACE, []),
    "h2: a preface gone wrong": (PREFACE[:-1] + b"x", []),
    "h2: half a preface": (PREFACE[:17], []),
    "h2: HTTP/1.1 after it": (HELLO + ask(), []),
    "h2: a frame too large": (HELLO + b"\xff\xff\xff\0\0\0\0\0\1" + LARGE, []),
    "h2: nulls": (HELLO + bytes(10_000), []),
    "h2: bad header block": (HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 50), []),
    "h2: half a frame": (HELLO + h2_ask(1)[:-1], []),
    "h2: data out of the blue": (HELLO + frame(DATA, END_STREAM, 1, b"x"), []),
    "h2: stream zero": (HELLO + frame(HEADERS, END_HEADERS, 0, block()), []),
    "h2: all frames": (HELLO + b"".join(frame(kind, 255, 1, bytes(8)) for kind in range(256)), []),
}


@pytest.mark.parametrize(("data", "expected"), GARBAGE.values(), ids=GARBAGE)
def test_garbage(server: Replayer, data: bytes, expected: list[int]) -> None:
    assert statuses(thrown(server, data)) == expected


@pytest.mark.parametrize("how", ["close", "reset"])
def test_garbage_from_clients_that_do_not_wait(server: Replayer, how: str) -> None:
    for data, _ in GARBAGE.values():
        client = connect(server)
        with suppress(ConnectionError):
            client.sendall(data)
        client.close() if how == "close" else reset(client)
    answers_rightly(server)


def test_garbage_on_many_connections_at_once(server: Replayer) -> None:
    clients = []
    for data, _ in GARBAGE.values():
        clients.append(connect(server))
        with suppress(ConnectionError):
            clients[-1].sendall(data)
        answers_rightly(server)
    for client in clients:
        client.close()


def test_every_torn_request(server: Replayer) -> None:
    whole = ask()
    for cut in range(0, len(whole), 7):
        assert thrown(server, whole[:cut]) == b""
        client = connect(server)
        client.sendall(whole[:cut])
        reset(client)
    assert statuses(thrown(server, *(whole[at : at + 1] for at in range(len(whole))))) == [200]


def test_every_torn_frame(server: Replayer) -> None:
    whole = HELLO + h2_ask(1)
    for cut in range(0, len(whole), 7):
        assert said_by_h2(thrown(server, whole[:cut])) == []
    with connect(server) as client:
        for at in range(len(whole)):
            client.sendall(whole[at : at + 1])
        got = b""
        while not said_by_h2(got):
            got += client.recv(1 << 16)
    assert said_by_h2(got) == ["one"]


def said_by_h2(got: bytes) -> list[str]:
    """The texts of the whole answers in these frames."""
    texts = []
    while len(got) >= 9:
        size, kind, flags = int.from_bytes(got[:3]), got[3], got[4]
        if kind == DATA and flags & END_STREAM and len(got) >= 9 + size:
            texts.append(text_of(got[9 : 9 + size]))
        got = got[9 + size :]
    return texts


def words() -> st.SearchStrategy[bytes]:
    """Bytes that go some way before they go wrong."""
    known = [
        ask(),
        ask()[:60],
        b"GET / HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"5\r\n",
    ]
    frames = st.builds(
        frame,
        st.integers(0, 12),
        st.sampled_from([0, 1, 4, 5, 8, 0x2D]),
        st.integers(0, 5),
        st.binary(max_size=20),
    )
    one = st.lists(st.one_of(st.sampled_from(known), st.binary(max_size=20)), max_size=8)
    two = st.lists(
        st.one_of(st.just(h2_ask(1)), st.just(h2_ask(3)), frames, st.binary(max_size=9)), max_size=8
    )
    return st.one_of(
        st.binary(max_size=200), one.map(b"".join), two.map(lambda frames: HELLO + b"".join(frames))
    )


def test_random_bytes(server: Replayer) -> None:
    @settings(derandomize=True, deadline=None, max_examples=examples(200), database=None)
    @given(words(), st.lists(st.integers(0, 300), max_size=3).map(sorted), st.booleans())
    def check(data: bytes, cuts: list[int], waits: bool) -> None:
        pieces = [data[a:b] for a, b in pairwise([0, *cuts, len(data) + 300])]
        if waits:
            thrown(server, *pieces)
        else:
            client = connect(server)
            with suppress(ConnectionError):
                client.sendall(data)
            reset(client)
        with connect(server) as client:
            client.sendall(ask())
            assert text_of(receive_answer(client)[1]) == "one"

    check()


def test_mutated_requests(server: Replayer) -> None:
    """Single wrong bytes in an otherwise good request; none may take the next client's place."""
    chance = random.Random(7)
    whole = ask() + HELLO + h2_ask(1)
    for _ in range(300):
        at = chance.randrange(len(whole))
        start = 0 if at < len(ask()) else len(ask())
        wrong = bytearray(whole)
        wrong[at] = chance.randrange(256)
        thrown(server, bytes(wrong[start:]))
    answers_rightly(server)


# -- sizes -----------------------------------------------------------------------------------------


def test_ten_thousand_headers(server: Replayer) -> None:
    head, body = ask().split(b"\r\n\r\n")
    small = thrown(server, head + b"\r\n" + b"a:b\r\n" * 10_000 + b"\r\n" + body)
    assert statuses(small) == [200]
    assert text_of(small.partition(b"\r\n\r\n")[2]) == "one"
    large = b"".join(b"x-header-%d: value\r\n" % n for n in range(10_000))
    assert statuses(thrown(server, head + b"\r\n" + large + b"\r\n" + body)) == [431]


def test_ten_thousand_headers_of_http_2(server: Replayer) -> None:
    many = block(*((f"x-header-{n}", "value") for n in range(10_000)))
    pieces = [many[at : at + 16_000] for at in range(0, len(many), 16_000)]
    frames = [
        frame(HEADERS if n == 0 else CONTINUATION, 0, 1, piece) for n, piece in enumerate(pieces)
    ]
    got = thrown(server, HELLO, *frames, frame(CONTINUATION, END_HEADERS, 1, b""))
    assert goaway(got) == 11  # ENHANCE_YOUR_CALM


# -- slowness --------------------------------------------------------------------------------------

SLOW: dict[str, tuple[bytes, bytes]] = {
    "a request line": (b"G", b"E"),
    "headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"x: y\r\n"),
    "a body": (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "chunks": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"x: y\r\n",
    ),
    "a second request": (ask() + b"G", b"E"),
}


@pytest.mark.parametrize(("start", "more"), SLOW.values(), ids=SLOW)
def test_a_slow_loris_is_sent_away(
    impatient: Replayer, patience: Patience, received: ReceivedBytes, start: bytes, more: bytes
) -> None:
    with connect(impatient) as client:
        client.sendall(start)
        sent = len(start)
        for seconds in (0, 30, 29):
            received.until(sent)
            patience.advance(running(impatient), seconds)
            assert running(impatient).connections
            client.sendall(more)
            sent += len(more)
        received.until(sent)
        patience.advance(running(impatient), 1)
        assert statuses(rest(client)) == ([200, 408] if start.startswith(ask()) else [408])
        patience.advance(running(impatient), 0)
        patience.advance(running(impatient), 60)
        until(lambda: not running(impatient).connections)  # though the client never hung up


@pytest.mark.parametrize("sent", [b"", b"P", PREFACE[:10], b"nonsense\r\n\r\n"])
def test_a_client_that_says_no_more_is_sent_away(
    impatient: Replayer, patience: Patience, received: ReceivedBytes, sent: bytes
) -> None:
    with connect(impatient) as client:
        client.sendall(sent)
        received.until(len(sent))
        until(lambda: len(running(impatient).connections) == 1)
        for seconds in (0, 59):
            patience.advance(running(impatient), seconds)
            assert running(impatient).connections
        patience.advance(running(impatient), 1)
        assert statuses(rest(client)) == ([400] if b"nonsense" in sent else [])
        until(lambda: not running(impatient).connections)


def test_an_idle_client_may_stay(impatient: Replayer, patience: Patience) -> None:
    with Http1(impatient.url) as idle, Http2(impatient.url) as idle2:
        for _ in range(3):
            for connection in (idle, idle2):
                assert (
                    text_of(connection.request("POST", CONVERSE, JSON, prompt("a")).body) == "one"
                )
            for seconds in (0, 60, 60):
                patience.advance(running(impatient), seconds)


def test_a_client_that_always_has_begun_another_request_may_stay(
    impatient: Replayer, patience: Patience, received: ReceivedBytes
) -> None:
    half, other = ask()[:70], ask()[70:]
    with connect(impatient) as busy:
        busy.sendall(half)
        for count in range(4):
            received.until(len(ask()) * count + len(half))
            for seconds in (0, 59):
                patience.advance(running(impatient), seconds)
            busy.sendall(other + half)
            assert statuses(receive_answer(busy)[0]) == [200]


def test_connections_that_are_never_used(server: Replayer) -> None:
    clients = [connect(server) for _ in range(200)]
    until(lambda: len(running(server).connections) == 200)
    answers_rightly(server)
    for client in clients:
        client.close()


@pytest.mark.slow
def test_requests_behind_a_long_answer_are_not_read_without_end(
    serving: Callable[..., Replayer], held: HeldAnswers
) -> None:
    waiting = stream("s", ["x"], at_ms=[0, 1000, 1000, 1000])
    with serving(converse("a", "one"), waiting, speed=1) as server, connect(server) as client:
        client.sendall(ask("s", STREAM))
        (connection,) = until_answering(running(server))
        client.setblocking(False)
        requests, sent = ask() * 80_000, 0  # more than the kernel holds on both sides
        while not connection._holding_back:
            assert sent < len(requests), "it read all of it"
            with suppress(BlockingIOError):
                sent += client.send(requests[sent : sent + 65536])
        client.settimeout(WAIT)
        assert connection._http1 is not None
        assert connection._http1.buffered_bytes < 2 << 20
        whole = min(sent // len(ask()) + 1, 80_000)
        held.release()
        client.sendall(requests[sent : len(ask()) * whole])
        client.shutdown(socket.SHUT_WR)
        assert statuses(rest(client)) == [200] * (1 + whole)


# -- floods of HTTP/2 ------------------------------------------------------------------------------


def goaway(got: bytes) -> int | None:
    """The error of the GOAWAY among these frames."""
    while len(got) >= 17:
        if got[3] == GOAWAY:
            return int.from_bytes(got[13:17])
        got = got[9 + int.from_bytes(got[:3]) :]
    return None


def odd() -> Iterator[int]:
    return iter(range(1, 1 << 30, 2))


ENCODED = block()


def opened(stream_id: int) -> bytes:
    return frame(HEADERS, END_HEADERS, stream_id, ENCODED)


FLOODS: dict[str, Callable[[], Iterable[bytes]]] = {
    "rapid reset": lambda: (opened(n) + frame(RST_STREAM, 0, n, pack_number(8)) for n in odd()),
    "rapid reset of whole requests": lambda: (
        h2_ask(n, "s") + frame(RST_STREAM, 0, n, pack_number(8)) for n in odd()
    ),
    "broken streams": lambda: (
        opened(n) + frame(WINDOW_UPDATE, 0, n, pack_number(0)) for n in odd()
    ),
    "ever more streams": lambda: (opened(n) for n in odd()),
    "empty data": lambda: (opened(1), *([frame(DATA, 0, 1, b"")] * 1000)),
    "continuation": lambda: (
        frame(HEADERS, 0, 1, ENCODED),
        *([frame(CONTINUATION, 0, 1, b"")] * 1000),
    ),
    "priority": lambda: (frame(PRIORITY, 0, 1, bytes(5)) for _ in odd()),
    "unknown frames": lambda: (frame(99, 0, 0, b"x") for _ in odd()),
    "window updates": lambda: (frame(WINDOW_UPDATE, 0, 0, pack_number(1)) for _ in odd()),
    "resets of nothing": lambda: (
        opened(1) + frame(RST_STREAM, 0, 1, pack_number(8)) for _ in odd()
    ),
}
# These are fair as long as their client reads the answers.
UNREAD: dict[str, Callable[[], Iterable[bytes]]] = {
    "ping": lambda: (frame(PING, 0, 0, bytes(8)) for _ in odd()),
    "settings": lambda: (frame(SETTINGS, 0, 0, b"") for _ in odd()),
    "requests": lambda: (h2_ask(n) for n in odd()),
    "requests with a wide window": lambda: chain(
        [frame(WINDOW_UPDATE, 0, 0, pack_number(1 << 30))], map(h2_ask, odd())
    ),
}
MOST = 64 << 20  # bytes of a flood until the server must have ended it


def flood(client: socket.socket, frames: Iterable[bytes], *, reading: bool) -> bytes | None:
    """Sends until the server ends the connection; what it said. None if it never did."""
    client.setblocking(False)
    got, sent, waiting, frames = b"", 0, b"", iter(frames)
    while sent < MOST:
        while len(waiting) < 65536 and (more := next(frames, None)) is not None:
            waiting += more
        if not waiting:
            client.settimeout(WAIT)
            return got + rest(client)
        readable, writable, _ = select.select([client] if reading else [], [client], [], WAIT)
        try:
            if readable:
                data = client.recv(1 << 16)
                if not data:
                    return got
                got += data
            if writable:
                count = client.send(waiting)
                waiting, sent = waiting[count:], sent + count
        except BlockingIOError:
            continue
        except ConnectionError:
            return got
        if not readable and not writable:
            return None
    return None


@pytest.mark.parametrize("frames", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_ended(server: Replayer, frames: Callable[[], Iterable[bytes]]) -> None:
    with connect(server) as client:
        client.sendall(HELLO)
        got = flood(client, frames(), reading=True)
        assert got is not None
        assert goaway(got) in (None, 1, 5, 11)  # None where the reset overtook it


@pytest.mark.slow
@pytest.mark.parametrize("frames", [*FLOODS.values(), *UNREAD.values()], ids=[*FLOODS, *UNREAD])
def test_a_flood_from_a_client_that_does_not_read_is_ended(
    server: Replayer, frames: Callable[[], Iterable[bytes]]
) -> None:
    with connect(server) as client:
        client.sendall(HELLO)
        assert flood(client, frames(), reading=False) is not None
        answers_rightly(server)


def test_a_flood_on_a_connection_that_is_full_is_ended(server: Replayer) -> None:
    """Where not even a GOAWAY finds room."""
    with connect(server) as client:
        wide = frame(SETTINGS, 0, 0, b"\0\4\x40\0\0\0") + frame(
            WINDOW_UPDATE, 0, 0, pack_number(1 << 30)
        )
        client.sendall(PREFACE + wide + b"".join(h2_ask(n, "large") for n in range(1, 200, 2)))
        until(
            lambda: not all(connection.writable for connection in list(running(server).connections))
        )
        assert flood(client, UNREAD["ping"](), reading=False) is not None


@pytest.mark.parametrize("name", UNREAD)
def test_much_of_what_is_fair_is_served(server: Replayer, name: str) -> None:
    with connect(server) as client:
        frames = [frame for frame, _ in zip(UNREAD[name](), range(3000), strict=False)]
        client.sendall(HELLO + frame(WINDOW_UPDATE, 0, 0, pack_number(1 << 29)))
        for at in range(0, len(frames), 100):
            client.sendall(b"".join(frames[at : at + 100]) + frame(PING, 0, 0, b"%08d" % at))
            got = b""
            while b"%08d" % at not in got:
                data = client.recv(1 << 20)
                assert data, "the server hung up"
                got += data


def test_tiny_windows(server: Replayer) -> None:
    """A window of an octet at a time is slow, and no more."""
    with connect(server) as client:
        client.sendall(PREFACE + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0"))  # INITIAL_WINDOW_SIZE 0
        for n in range(1, 200, 2):
            client.sendall(h2_ask(n, "large"))
        for _ in range(100):
            for n in range(1, 200, 2):
                client.sendall(frame(WINDOW_UPDATE, 0, n, pack_number(1)))
            assert client.recv(1 << 16)
        answers_rightly(server)
        held = [
            connection.wire.count_pending(n)
            for connection in list(running(server).connections)
            for n in range(1, 200, 2)
        ]
        assert sum(held) < 100 * 500_000


# -- leaks -----------------------------------------------------------------------------------------


def rude(server: Replayer, rounds: int) -> None:
    """So many rounds of all that garbage, each of which ends in another way."""
    more = [
        (ask("s", STREAM), []),
        (ask("large") * 20, []),
        (HELLO + h2_ask(1, "s") + h2_ask(3, "large"), []),
    ]
    for turn in range(rounds):
        for at, (data, _) in enumerate([*GARBAGE.values(), *more]):
            client = connect(server)
            with suppress(OSError):
                client.sendall(data)
                if (turn + at) % 3 == 0:
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1000)
            reset(client) if (turn + at) % 2 else client.close()


OURS = (Connection, Player, Http1Connection, Http2Connection)


def alive() -> list[object]:
    gc.collect()
    # By its true type: other libraries' proxies load what they stand for when they are
    # asked for their class.
    return [thing for thing in gc.get_objects() if issubclass(type(thing), OURS)]


def timers(server: Replayer) -> int | None:
    """How many timers the loop has; None where it does not tell."""
    scheduled = getattr(server._loop, "_scheduled", None)
    return None if scheduled is None else sum(not handle.cancelled() for handle in scheduled)


def open_files() -> int:
    """How many this process has; 0 where it cannot know."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.slow
@pytest.mark.parametrize("speed", [None, 1])
def test_nothing_is_left_of_a_thousand_rude_clients(
    serving: Callable[..., Replayer], monkeypatch: pytest.MonkeyPatch, speed: float | None
) -> None:
    still = SimpleNamespace(time=lambda: 1e9, perf_counter=time.perf_counter)
    monkeypatch.setattr(
        "bedtape_replayer.server.server.time", still
    )  # heads are kept for a while, and differ by their date
    with serving(speed=speed, history=1) as server:
        rude(server, 4)
        answers_rightly(server)
        is_empty(server)
        gc.collect()
        files = open_files()
        tracemalloc.start()
        try:
            rude(server, 4)
            is_empty(server)
            gc.collect()
            sizes = [tracemalloc.get_traced_memory()[0]]
            for _ in range(2):
                rude(server, 10)
                is_empty(server)
                until(lambda: not alive())
                sizes.append(tracemalloc.get_traced_memory()[0])
            # What 400 connections leave behind grows each time; a table of the
            # interpreter doubles once.
            assert min(after - before for before, after in pairwise(sizes)) < 40_000
        finally:
            tracemalloc.stop()
        assert timers(server) in (None, 1)
        assert server._loop is not None
        assert asyncio.all_tasks(server._loop) == set()
        until(lambda: open_files() == files)
        answers_rightly(server)


# -- many at once ----------------------------------------------------------------------------------

ALONE, SHARED, PER_CONNECTION = 300, 4, 50
EVENTS = 12


def paced(text: str) -> Interaction:
    """A stream whose first event is there at once; for the others it waits."""
    at_ms = [0, *(1500 + 80 * n for n in range(EVENTS + 2))]
    return stream(text, [f"{text}.{n}" for n in range(EVENTS)], at_ms=at_ms)


def expected(text: str) -> list[str]:
    return [f"{text}.{n}" for n in range(EVENTS)]


async def one_alone(port: int, text: str, ready: asyncio.Barrier) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ready.wait()
    writer.write(ask(text, STREAM))
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append(await reader.readexactly(size))
        assert await reader.readexactly(2) == b"\r\n"
    assert texts_of(b"".join(pieces)) == expected(text)
    writer.close()
    await writer.wait_closed()


async def many_shared(port: int, names: list[str], ready: asyncio.Barrier) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    await ready.wait()
    for at, text in enumerate(names):
        client.send_headers(
            2 * at + 1, [(name, STREAM if name == ":path" else value) for name, value in PSEUDO]
        )
        client.send_data(2 * at + 1, prompt(text), end_stream=True)
    writer.write(client.data_to_send())
    bodies: dict[int, bytes] = {}
    ended = 0
    while ended < len(names):
        data = await reader.read(1 << 16)
        assert data, "the server hung up"
        for event in client.receive_data(data):
            match event:
                case h2.events.DataReceived(
                    stream_id=number, data=piece, flow_controlled_length=length
                ):
                    bodies[number] = bodies.get(number, b"") + (piece or b"")
                    client.acknowledge_received_data(length or 0, number)
                case h2.events.StreamEnded():
                    ended += 1
        writer.write(client.data_to_send())
    assert [texts_of(bodies[2 * at + 1]) for at in range(len(names))] == [
        expected(text) for text in names
    ]
    writer.close()
    await writer.wait_closed()


@pytest.mark.slow
def test_500_paced_streams_at_once(serving: Callable[..., Replayer], held: HeldAnswers) -> None:
    names = [f"stream-{n}" for n in range(25)]

    async def run(server: Replayer) -> None:
        ready = asyncio.Barrier(ALONE + SHARED)
        alone = [one_alone(server.port, names[n % len(names)], ready) for n in range(ALONE)]
        shared = [
            many_shared(server.port, names * (PER_CONNECTION // len(names)), ready)
            for _ in range(SHARED)
        ]
        clients = asyncio.gather(*alone, *shared)
        await asyncio.to_thread(held.until, ALONE + SHARED * PER_CONNECTION)
        held.release()
        await clients

    with (
        serving(converse("a", "one"), *map(paced, names), speed=1) as server,
        asyncio.Runner() as runner,
    ):
        runner.run(run(server))
        answers_rightly(server)
        is_empty(server)


def test_a_crowd_that_leaves_at_once(serving: Callable[..., Replayer]) -> None:
    """Streams that are cut, all in the same moment."""
    with serving(speed=1) as server:
        clients = [connect(server) for _ in range(200)]
        for client in clients:
            client.sendall(ask("s", STREAM))
        for client in clients:
            assert client.recv(100)
        for client in clients:
            reset(client)
        is_empty(server)
        answers_rightly(server)
        with closing(connect(server)) as client:
            client.sendall(ask("s", STREAM))
            assert client.recv(100)


class Gone(asyncio.Transport):
    """asyncio's own transport of a client that has reset the connection,
    before it has heard of it.
    """

    aborted = False

    def write(self, data: object) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\nno host\r\n\r\n"])
def test_a_client_that_is_gone_when_it_is_refused_harms_nobody(data: bytes) -> None:
    """The timer that looks after all connections goes on."""
    loop = new_event_loop()
    connection, transport = Connection(Server(Engine(Library(()))), loop), Gone()
    connection.connection_made(transport)
    connection.data_received(data)
    loop.close()
    assert transport.aborted
