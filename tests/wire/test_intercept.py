"""The server as the proxy of programs that name Bedrock's hosts: it answers these
hosts, and refuses all others.
"""

import http.client
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.storage.authority import open_authority
from bedtape_replayer import Replayer
from bedtape_replayer.server.intercept import ConnectRequest
from bedtape_replayer.server.server import Server
from support import WAIT
from support.client import receive_until, until
from support.commands import run_program
from support.recordings import path, prompt, text_of
from support.waits import Patience

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
BEDTAPE = (sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"BEDTAPE_STATE_DIR": str(tmp_path_factory.mktemp("state"))}


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """The server waits for 60 seconds for a request to become complete.

    They pass when the test says so.
    """
    return Patience(monkeypatch)


@pytest.fixture
def server(
    patience: Patience, state: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Replayer]:
    for name, value in state.items():
        monkeypatch.setenv(name, value)
    with Replayer((), intercept=True) as server:
        server.respond(text="hello")
        yield server
        until(lambda: not _running(server).connections)


def _running(server: Replayer) -> Server:
    assert server._running is not None
    return server._running


def _connect(server: Replayer, host: str, state: dict[str, str]) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cadata=open_authority(state).certificate.decode())
    client = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=WAIT)
    client.set_tunnel(host)
    return client


@pytest.mark.parametrize("host", [HOST, "BEDROCK-RUNTIME.cn-north-1.amazonaws.com.cn"])
def test_a_host_of_bedrock_is_answered_here(
    server: Replayer, state: dict[str, str], host: str
) -> None:
    client = _connect(server, host, state)
    for _ in range(2):
        client.request("POST", path(), prompt("hi"))
        assert text_of(client.getresponse().read()) == "hello"
    client.close()
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    "host", ["example.com", "s3.us-east-1.amazonaws.com", "127.0.0.1", "localhost"]
)
def test_another_host_is_refused_with_a_fix(
    server: Replayer, state: dict[str, str], capfd: pytest.CaptureFixture[str], host: str
) -> None:
    for _ in range(2):
        client = _connect(server, host, state)
        with pytest.raises(OSError, match="Tunnel connection failed: 403"):
            client.connect()
        client.close()
    until(lambda: not _running(server).connections)
    (line,) = capfd.readouterr().err.splitlines()
    assert f"add {host} to NO_PROXY" in line


def test_a_region_that_the_authority_does_not_permit_is_refused(
    server: Replayer, state: dict[str, str]
) -> None:
    client = _connect(server, "bedrock-runtime.xx-new-1.amazonaws.com", state)
    with pytest.raises(OSError, match="403"):
        client.connect()
    client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT / HTTP/1.1\r\n\r\n",
        b"CONNECT " + HOST.encode() + b" HTTP/1.1\r\n\r\n",
        b"COPY / HTTP/1.1\r\n\r\n",
        b"C" * 70_000,
    ],
)
def test_an_invalid_connect_is_refused(server: Replayer, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as client:
        with suppress(ConnectionError):  # the server has closed before all is sent
            client.sendall(sent)
        assert client.recv(12, socket.MSG_WAITALL) in (b"HTTP/1.1 400", b"HTTP/1.1 431")


def test_a_half_connect_ends_with_the_patience(server: Replayer, patience: Patience) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as half,
        socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as established,
    ):
        half.sendall(b"CONNECT ")
        established.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        assert receive_until(established, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        until(lambda: len(_running(server).connections) == 2)
        for seconds in (0, 60):
            patience.advance(_running(server), seconds)
        assert (half.recv(1), established.recv(1)) == (b"", b"")


def test_without_the_switch_connect_is_no_method(
    state: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in state.items():
        monkeypatch.setenv(name, value)
    with Replayer((), tls=True) as server:
        client = _connect(server, HOST, state)
        with pytest.raises(OSError, match="Tunnel connection failed: 4"):
            client.connect()
        client.close()


class _Transport:
    """Keeps what is written and the protocol."""

    def __init__(self) -> None:
        self.written, self.closed, self.protocol = b"", False, None

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class _Inner:
    def __init__(self) -> None:
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data


@given(st.lists(st.integers(1, 40), min_size=1), st.binary(max_size=50), st.booleans())
def test_the_head_may_be_split_anywhere(sizes: list[int], rest: bytes, other: bool) -> None:
    """All bytes after the head reach the connection, however the network splits them, or
    none if the host is refused.
    """
    transport, inner = _Transport(), _Inner()
    lines: list[str] = []
    request = ConnectRequest(transport, inner, lambda _: True, lines.append)  # type: ignore[arg-type]
    host = "example.com" if other else HOST
    data = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode() + rest
    at = 0
    while data:
        size = sizes[at % len(sizes)]
        (request if transport.protocol is request else inner).data_received(data[:size])
        data, at = data[size:], at + 1
    assert transport.written.startswith(b"HTTP/1.1 403" if other else b"HTTP/1.1 200")
    assert transport.closed == other
    assert inner.received == (b"" if other else rest)
    assert len(lines) == other


PYTHON = """
import boto3, urllib.request
messages = [{"role": "user", "content": [{"text": "hi"}]}]
client = boto3.client("bedrock-runtime", endpoint_url="https://bedrock-runtime.eu-west-1.amazonaws.com")
print(client.converse(modelId="amazon.nova-lite-v1:0", messages=messages)["output"]["message"]["content"][0]["text"])
"""


@pytest.mark.slow
def test_a_program_with_a_host_in_its_code(tmp_path: Path, state: dict[str, str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "bedtape-overlay: 1\nrules: [{when: {session: mine}, answer: {text: by a rule}}]\n"
    )
    program = ("--", sys.executable, "-c", PYTHON)
    command = [
        *BEDTAPE,
        "run",
        "--intercept",
        "--session",
        "mine",
        "--overlay",
        str(rules),
        *program,
    ]
    ended = run_program(command, {**os.environ, **state}, tmp_path)
    assert ended.stdout == "by a rule\n", ended.stderr
    assert "1 call: 1 from rules" in ended.stderr
