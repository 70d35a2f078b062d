"""TLS on the server's one port: it begins with the first byte, and changes nothing else.

Each case runs in clear text and in TLS, on both event loops, and must end alike.
"""

import asyncio
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage.authority import open_authority
from bedtape_replayer import Replayer
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.server import Server, new_event_loop
from bedtape_replayer.server.tls import TlsLayer
from bedtape_replayer.server.tls_contexts import open_certificates
from support import WAIT
from support.client import Connection as ClientConnection
from support.client import Http1, Http2, receive_answer, until
from support.folders import write
from support.recordings import converse, path, prompt, stream, text_of
from support.waits import Patience

CONVERSE, STREAM = path(), path("converse-stream")
RECORDED = (converse("a", "one"), stream("s", ["one ", "two ", "three"]))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"BEDTAPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}


@pytest.fixture(params=[new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"])
def serving(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    state: dict[str, str],
) -> Callable[..., Replayer]:
    monkeypatch.setattr("bedtape_replayer.server.thread.new_event_loop", request.param)
    for name, value in state.items():
        monkeypatch.setenv(name, value)
    write(tmp_path, Cassette("made", RECORDED))
    return partial(Replayer, tmp_path, tls=True)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """The server waits for 60 seconds for a request to become complete.

    They pass when the test says so.
    """
    return Patience(monkeypatch)


@pytest.fixture
def server(patience: Patience, serving: Callable[..., Replayer]) -> Iterator[Replayer]:
    with serving() as server:
        yield server
        until(lambda: not running(server).connections)


def running(server: Replayer) -> Server:
    assert server._running is not None
    return server._running


def trusting(state: dict[str, str], *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=open_authority(state).certificate.decode())
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


# -- real sockets ----------------------------------------------------------------------------------


class TlsSocket(ClientConnection):
    """A client in TLS that reports the end of the TCP connection, which `ssl.SSLSocket` hides."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._socket = plain
        self._received, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._received, self._unsent, server_hostname=name)
        self._complete(self.tls.do_handshake)

    def _complete(self, step: Callable[[], Any]) -> Any:
        """Returns the step's result. Receives as often as the step needs more."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._send()
                if data := self._socket.recv(65536):
                    self._received.write(data)
                else:
                    self._received.write_eof()
            finally:
                self._send()

    def _send(self) -> None:
        if data := self._unsent.read():  # to send nothing is an error after a reset
            self._socket.sendall(data)

    def sendall(self, data: bytes) -> None:
        self.tls.write(data)
        self._send()

    def recv(self, size: int) -> bytes:
        data: bytes = self._complete(lambda: self.tls.read(size))
        return data

    def unwrap(self) -> None:
        self._complete(self.tls.unwrap)


Client: TypeAlias = socket.socket | TlsSocket


def connect(
    server: Replayer, state: dict[str, str] | None, *protocols: str, name: str = "127.0.0.1"
) -> Client:
    """A connection in TLS, or in clear text without a state folder."""
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT)
    return plain if state is None else TlsSocket(plain, trusting(state, *protocols), name)


def ask(text: str = "a", target: str = CONVERSE) -> bytes:
    body = prompt(text)
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read_all(client: Client) -> tuple[bytes, str]:
    """All bytes until the end, and what the end was."""
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except (ConnectionResetError, ssl.SSLEOFError) as error:
        return received, type(error).__name__
    return received, "end"


def test_both_versions_are_chosen_by_alpn_and_both_work(
    server: Replayer, state: dict[str, str]
) -> None:
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
        with connect(server, state, *offered) as client:
            assert isinstance(client, TlsSocket)
            assert client.tls.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls(
    server: Replayer, state: dict[str, str], version: ssl.TLSVersion
) -> None:
    context = trusting(state)
    context.minimum_version = context.maximum_version = version
    client = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=WAIT)
    for _ in range(2):
        client.request("POST", CONVERSE, prompt("a"))
        assert text_of(client.getresponse().read()) == "one"
    client.close()


@pytest.mark.parametrize(
    "name", ["localhost", "a.localhost", "127.0.0.1", "bedrock-runtime.us-west-2.amazonaws.com"]
)
def test_the_certificate_is_of_the_name_that_the_client_asks_for(
    server: Replayer, state: dict[str, str], name: str
) -> None:
    with connect(server, state, name=name) as client:
        client.sendall(ask())
        assert b"one" in receive_answer(client)[1]


@pytest.mark.parametrize(
    ("name", "kinds"), [("localhost", {"DNS"}), ("127.0.0.1", {"DNS", "IP Address"})]
)
def test_the_certificate_of_localhost_contains_no_address(
    server: Replayer, state: dict[str, str], name: str, kinds: set[str]
) -> None:
    with connect(server, state, name=name) as client:
        assert isinstance(client, TlsSocket)
        certificate = client.tls.getpeercert()
        assert certificate is not None
        assert {kind for kind, _ in certificate["subjectAltName"]} == kinds


def test_one_port_serves_clear_text_too(server: Replayer) -> None:
    url = server.url.replace("https://", "http://")
    for client in (Http1, Http2):
        with client(url) as connection:
            assert text_of(connection.request("POST", CONVERSE, (), prompt("a")).body) == "one"


def test_many_requests_on_a_connection_of_either_version(
    server: Replayer, state: dict[str, str]
) -> None:
    assert server.url == f"https://127.0.0.1:{server.port}"
    for client in (Http1, Http2):
        with client(server.url, trusting(state)) as connection:
            for _ in range(20):
                assert text_of(connection.request("POST", CONVERSE, (), prompt("a")).body) == "one"


@pytest.mark.parametrize("target", [CONVERSE, STREAM])
def test_an_answer_has_the_same_bytes_in_tls(
    server: Replayer, state: dict[str, str], target: str
) -> None:
    running(server).date = lambda: b"Sun, 29 Nov 2026 00:00:00 GMT"  # type: ignore[method-assign]
    answers = []
    for each in (None, state):
        with connect(server, each) as client:
            client.sendall(
                ask("a" if target == CONVERSE else "s", target).replace(
                    b"Host", b"Connection: close\r\nHost"
                )
            )
            answers.append(read_all(client))
    assert answers[0] == answers[1]
    assert answers[0][1] == "end"


FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"reset": {"after_events": 1}},
    "reset before the head": {"reset": {}},
    "truncate": {"truncate": {"after_events": 1}},
    "throttle": {"error": "ThrottlingException"},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_ends_as_in_clear_text(
    server: Replayer, state: dict[str, str], fault: dict[str, Any]
) -> None:
    running(server).date = lambda: b"Sun, 29 Nov 2026 00:00:00 GMT"  # type: ignore[method-assign]
    server.fault(**fault)
    ends = []
    for each in (None, state):
        with connect(server, each) as client:
            client.sendall(ask("s", STREAM).replace(b"Host", b"Connection: close\r\nHost"))
            ends.append(read_all(client))
    assert ends[0] == ends[1]


def test_a_stalled_answer_waits_for_its_client(server: Replayer, state: dict[str, str]) -> None:
    server.fault(stall={"after_events": 1})
    with connect(server, state) as client:
        client.sendall(ask("s", STREAM))
        received = b""
        while b"messageStart" not in received:
            received += client.recv(65536)
    until(lambda: len(server.calls) == 1)
    assert [(call.hung_up, call.events) for call in server.calls] == [(True, 1)]


def test_a_large_body_and_a_large_answer(
    serving: Callable[..., Replayer], state: dict[str, str]
) -> None:
    text = "x" * 3_000_000
    with serving() as server:
        server.respond("large", text=text)
        with connect(server, state) as client:
            client.sendall(
                ask("large " + "y" * 3_000_000).replace(b"Host", b"Connection: close\r\nHost")
            )
            received, end = read_all(client)
        assert (received.count(b"x" * 1000) > 2000, end) == (True, "end")


def test_clients_that_leave_in_the_middle_leave_nothing_behind(
    server: Replayer, state: dict[str, str]
) -> None:
    for _ in range(20):
        with connect(server, state) as client:
            client.sendall(ask()[:50])
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"\x16\x03\x01")
        with connect(server, state) as orderly:
            assert isinstance(orderly, TlsSocket)
            orderly.unwrap()
    until(lambda: not running(server).connections)


# -- limits ----------------------------------------------------------------------------------------


def hello() -> bytes:
    """A client's first message."""
    unsent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), unsent, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return unsent.read()


def is_in_tls(server: Replayer) -> bool:
    return any(isinstance(each._transport, TlsLayer) for each in list(running(server).connections))


@pytest.mark.parametrize(
    "sent", [b"\x16", b"\x16\x03\x01", hello()[:-1], hello()], ids=["byte", "head", "most", "all"]
)
def test_a_half_handshake_ends_with_the_patience(
    server: Replayer, patience: Patience, sent: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as client:
        client.sendall(sent)
        until(lambda: is_in_tls(server))
        for seconds in (0, 59):
            patience.advance(running(server), seconds)
        assert running(server).connections
        patience.advance(running(server), 1)
        read_all(client)  # until the server has closed


def test_a_handshake_that_goes_on_slowly_ends_with_the_patience(
    server: Replayer, patience: Patience
) -> None:
    """The time counts from the connection's begin, so a byte now and then does not prolong it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as client:
        for seconds, each in zip((0, 30, 29), hello(), strict=False):
            client.sendall(bytes([each]))
            until(lambda: is_in_tls(server))
            patience.advance(running(server), seconds)
        patience.advance(running(server), 1)
        read_all(client)


@pytest.mark.parametrize("sent", [b"", b"P", b"POST / HTTP/1.1\r\n"])
def test_a_connection_that_sends_no_request_ends_with_the_patience(
    server: Replayer, patience: Patience, state: dict[str, str], sent: bytes
) -> None:
    with connect(server, state) as client:
        (connection,) = running(server).connections
        client.sendall(sent)
        until(lambda: connection._first == sent if len(sent) < 2 else connection.wire is not None)
        for seconds in (0, 60):
            patience.advance(running(server), seconds)
        received, _ = read_all(client)
    assert received.startswith(b"HTTP/1.1 408") == sent.startswith(b"POST")


def test_a_server_stops_beside_handshakes_that_are_not_complete(
    serving: Callable[..., Replayer], state: dict[str, str]
) -> None:
    with serving() as server:
        half = [
            socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) for _ in range(3)
        ]
        for client, sent in zip(half, (b"", b"\x16\x03", hello()), strict=True):
            client.sendall(sent)
        until(lambda: len(running(server).connections) == 3)
        idle = connect(server, state)
    for client in (*half, idle):
        read_all(client)
        client.close()


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x00\x05hello", b"\x16" * 600, b"\x16\x03\x01\xff\xff" + bytes(70_000)]
)
def test_garbage_after_the_first_byte_gets_an_alert(
    server: Replayer, capfd: pytest.CaptureFixture[str], data: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as client:
        with suppress(ConnectionError):  # the server has closed before all is sent
            client.sendall(data)
        received, _ = read_all(client)
        # an alert, unless unread data has reset the connection
        assert received[:1] in (b"\x15", b"")
    until(lambda: not running(server).connections)
    assert "a TLS connection failed" in capfd.readouterr().err


# -- clients that refuse the certificate -----------------------------------------------------------


def test_a_client_that_does_not_trust_the_authority_is_named_on_stderr(
    server: Replayer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT)
        with plain, pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    until(lambda: not running(server).connections)
    (line,) = capfd.readouterr().err.splitlines()  # one line, however often the SDK tries again
    assert "bedtape ca prints" in line


def test_a_client_that_leaves_during_the_handshake_is_named_on_stderr(
    server: Replayer, capfd: pytest.CaptureFixture[str]
) -> None:
    """AWS's CRT refuses a certificate without an alert."""
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as client:
            client.sendall(hello())
            assert client.recv(65536)
    until(lambda: not running(server).connections)
    (line,) = capfd.readouterr().err.splitlines()
    assert "left during the handshake" in line
    assert "bedtape ca prints" in line


# -- in memory -------------------------------------------------------------------------------------


class Wire:
    """A transport without a socket: keeps what is written, and passes what is
    read to its protocol.
    """

    def __init__(self) -> None:
        self.protocol: Any = None
        self.written = bytearray()
        self.closed = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = write_eof = close

    def take(self) -> bytes:
        data = bytes(self.written)
        self.written.clear()
        return data


@pytest.fixture(scope="module")
def machine(state: dict[str, str]) -> Iterator[Callable[[], tuple[Wire, Connection]]]:
    """Makes connections of a server that listens nowhere."""
    loop = asyncio.SelectorEventLoop()

    async def create() -> Server:
        return Server(
            Engine(Library([Cassette("made", RECORDED)])), certificates=open_certificates(state)
        )

    server = loop.run_until_complete(create())
    server.date = lambda: b"Sun, 29 Nov 2026 00:00:00 GMT"  # type: ignore[method-assign]

    def make() -> tuple[Wire, Connection]:
        wire, connection = Wire(), Connection(server, loop)
        wire.set_protocol(connection)
        connection.connection_made(wire)  # type: ignore[arg-type]
        return wire, connection

    yield make
    loop.close()


def feed(wire: Wire, data: bytes, sizes: Iterator[int]) -> None:
    """Passes the data in pieces. A piece goes to the protocol that the transport has by then."""
    while data and not wire.closed:
        size = next(sizes)
        wire.protocol.data_received(data[:size])
        data = data[size:]


def cycle(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.lists(st.integers(1, 400), min_size=1, max_size=3),
)
def test_bytes_may_be_split_anywhere(
    machine: Callable[[], tuple[Wire, Connection]],
    state: dict[str, str],
    sizes: list[int],
    requests: list[int],
) -> None:
    """Clear text and TLS give the same answers, wherever the network splits the bytes."""
    sent = ask() * len(requests) + ask("s", STREAM)
    plain, _ = machine()
    plain.protocol.data_received(sent)
    expected = plain.take()

    wire, _ = machine()
    received, unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(state).wrap_bio(received, unsent, server_hostname="localhost")
    pieces, answer, pending = cycle(sizes), b"", sent
    while len(answer) < len(expected):
        try:
            if pending:
                client.do_handshake()
                client.write(pending)
                pending = b""
            answer += client.read(65536)
        except ssl.SSLWantReadError:
            feed(wire, unsent.read(), pieces)
            data = wire.take()
            assert data
            received.write(data)
    assert answer == expected


@given(st.binary(max_size=300))
def test_the_first_byte_alone_begins_tls(
    machine: Callable[[], tuple[Wire, Connection]], data: bytes
) -> None:
    """Any bytes after 0x16 end in an alert or wait for more, and nothing is
    answered in clear text.
    """
    wire, _ = machine()
    wire.protocol.data_received(b"\x16" + data)
    written = wire.take()
    assert written[:1] in (b"", b"\x15")
    assert wire.closed or not written


@given(st.binary(min_size=1, max_size=300).filter(lambda data: data[0] != 0x16))
def test_another_first_byte_never_begins_tls(
    machine: Callable[[], tuple[Wire, Connection]], data: bytes
) -> None:
    wire, connection = machine()
    wire.protocol.data_received(data)
    assert wire.protocol is connection


def test_a_certificate_is_renewed_while_the_server_runs(
    state: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = open_certificates(state)
    issued: list[object] = []
    monkeypatch.setattr(
        "bedtape_replayer.server.tls_contexts._load", lambda *given: issued.append(given[2])
    )
    assert certificates.context is certificates.context
    assert issued == []
    monkeypatch.setattr(certificates, "_issued", certificates._issued - 25 * 3600)
    assert certificates.context is certificates.context
    assert issued == [("localhost", "127.0.0.1", "::1")]
