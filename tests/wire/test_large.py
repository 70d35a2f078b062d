"""Large bodies do not keep other clients from their answers."""

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.families.shared.synthesis import MOST_DELTAS
from bedtape_replayer import Replayer
from support.client import Http1
from support.recordings import path, prompt, text_of

TEXT = "It is cold. " * 700_000  # 8 MiB
IMAGE = b64encode(Random(1).randbytes(6 * 1024 * 1024)).decode()
CLIENTS = 20


@pytest.fixture
def server() -> Iterator[Replayer]:
    with Replayer(()) as server:
        server.respond("long", TEXT)
        server.respond("short", "Yes.")
        yield server


def connect(server: Replayer, where: str, body: bytes) -> tuple[socket.socket, bytes]:
    """Returns a connection, and a request."""
    parts = urlsplit(server.url)
    head = f"POST {where} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return socket.create_connection((parts.hostname, parts.port), 60), head.encode() + body


def read_all(client: socket.socket) -> int:
    """Returns the number of bytes until the server closes."""
    count = 0
    while data := client.recv(1024 * 1024):
        count += len(data)
    return count


def test_a_client_is_answered_while_others_receive_a_long_stream(server: Replayer) -> None:
    with ExitStack() as stack, Http1(server.url) as other:
        clients = []
        for _ in range(CLIENTS):
            client, request = connect(server, path("converse-stream"), prompt("long"))
            clients.append(stack.enter_context(client))
            client.sendall(request)
            assert client.recv(12) == b"HTTP/1.1 200"
        assert text_of(other.request("POST", path(), (), prompt("short")).body) == "Yes."
        assert [call.prompt.last for call in server.calls] == ["short"]  # the streams have not ended
        assert len(set(map(read_all, clients))) == 1
    (stream,) = {call.outcome.answer.reply for call in server.calls if call.operation == "ConverseStream"}
    assert len(TEXT) < stream.size
    assert len(stream.pieces) < 2 * MOST_DELTAS


def test_a_client_is_answered_while_another_sends_a_large_image(server: Replayer) -> None:
    content = [{"text": "short"}, {"image": {"format": "png", "source": {"bytes": IMAGE}}}]
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    client, request = connect(server, path(), body)
    with client, Http1(server.url) as other:
        client.sendall(request[:-1])
        assert text_of(other.request("POST", path(), (), prompt("short")).body) == "Yes."
        client.sendall(request[-1:])
        assert b"HTTP/1.1 200" in client.recv(12)
        assert read_all(client)
        assert text_of(other.request("POST", path(), (), body).body) == "Yes."
    assert [call.json for call in server.calls[1:]] == [json.loads(body)] * 2
    assert [call.source for call in server.calls] == ["rule"] * 3
