"""A client that has hung up is in the history at once: whoever asks after it need not wait for it."""

import json
import socket
from collections.abc import Iterator

import pytest

from bedtape_replayer import Replayer
from support.client import Http1
from support.recordings import path, prompt

ROUNDS = 50


@pytest.fixture(params=["uvloop", "asyncio"])
def bedrock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replayer]:
    """Answers every stream with its first event, and then nothing."""
    if request.param == "asyncio":
        monkeypatch.setattr("bedtape_replayer.server.server.uvloop", None)
    with Replayer(()) as replayer:
        replayer.respond(text="hello")
        replayer.fault(stall={"after_events": 1})
        yield replayer


def hang_up(port: int) -> None:
    """Reads all that comes, so that closing says FIN and not RST."""
    body = prompt("hi")
    head = f"POST {path('converse-stream')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head.encode() + body)
        received = b""
        while b"messageStart" not in received or not received.endswith(b"\r\n"):
            received += client.recv(65536)


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
