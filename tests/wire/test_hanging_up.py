"""A client that has hung up is in the history at once: whoever asks after it
need not wait for it.
"""

import json
import socket
from collections.abc import Iterator

import pytest

from bedtape_replayer import Replayer
from support.client import Http1, until
from support.recordings import path, prompt
from support.waits import HeldAnswers

ROUNDS = 50
_FIN_WAIT_1 = 4  # the state of a connection whose FIN was not acknowledged, as Linux numbers it


@pytest.fixture(params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replayer]:
    """A server on each event loop, which answers "hello"."""
    if request.param == "asyncio":
        monkeypatch.setattr("bedtape_replayer.server.server.uvloop", None)
    with Replayer(()) as replayer:
        replayer.respond(text="hello")
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    """Answers every stream with its first event, and then nothing."""
    server.fault(stall={"after_events": 1})
    return server


@pytest.fixture
def late(server: Replayer, monkeypatch: pytest.MonkeyPatch) -> HeldAnswers:
    """Answers when the test says so."""
    server.fault(latency={"first_byte_ms": 1})
    return HeldAnswers(monkeypatch)


def connect(port: int, operation: str) -> socket.socket:
    """Send a request, and return the connection."""
    body = prompt("hi")
    head = (
        f"POST {path(operation)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(head.encode() + body)
    return client


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
def test_a_client_that_leaves_before_the_head_has_no_status(
    server: Replayer, late: HeldAnswers, operation: str
) -> None:
    for _ in range(5):
        connect(server.port, operation).close()
    late.until(5)
    running = server._running
    assert running is not None
    until(lambda: all(connection.half_closed for connection in list(running.connections)))
    late.release()
    until(lambda: len(server.calls) == 5)
    assert {(call.hung_up, call.status, call.events) for call in server.calls} == {(True, None, 0)}


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
def test_a_client_that_only_sends_no_more_gets_its_answer(
    server: Replayer, late: HeldAnswers, operation: str
) -> None:
    clients = [connect(server.port, operation) for _ in range(5)]
    for client in clients:
        client.shutdown(socket.SHUT_WR)
    late.until(5)
    late.release()
    for client in clients:
        with client:
            while client.recv(65536):
                pass
    assert len(server.calls) == 5
    assert {(call.hung_up, call.status, call.text) for call in server.calls} == {
        (False, 200, "hello")
    }


def hang_up(port: int) -> None:
    """Reads all that comes, so that closing says FIN and not RST, and returns when the
    server's kernel has the FIN.
    """
    with connect(port, "converse-stream") as client:
        received = b""
        while b"messageStart" not in received or not received.endswith(b"\r\n"):
            received += client.recv(65536)
        client.shutdown(socket.SHUT_RDWR)
        if hasattr(socket, "TCP_INFO"):
            until(
                lambda: client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _FIN_WAIT_1
            )


def test_the_test_that_asks_right_after_it_finds_the_call(bedrock: Replayer) -> None:
    for number in range(1, ROUNDS + 1):
        hang_up(bedrock.port)
        assert [call.hung_up for call in bedrock.calls] == [True] * number


def test_the_control_api_does_too(bedrock: Replayer) -> None:
    with Http1(bedrock.url) as client:
        client.request("GET", "/_bedtape/health")
        for number in range(1, ROUNDS + 1):
            hang_up(bedrock.port)
            told = json.loads(client.request("GET", "/_bedtape/sessions/default/calls").body)
            assert len(told["calls"]) == number
