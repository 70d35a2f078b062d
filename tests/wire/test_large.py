"""Large bodies do not keep other clients from their answers."""

import json
import socket
import struct
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from queue import Queue
from random import Random
from threading import Event, Thread, current_thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.families.shared.synthesis import MOST_DELTAS
from bedtape_cassettes.matching.outline import LARGE
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.engine.engine import Engine
from support import WAIT
from support.client import Http1, until
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
    head = (
        f"POST {where} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nContent-Length:"
        f" {len(body)}\r\n\r\n"
    )
    return socket.create_connection((parts.hostname, parts.port), WAIT), head.encode() + body


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
            assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        assert text_of(other.request("POST", path(), (), prompt("short")).body) == "Yes."
        # the streams have not ended
        assert [call.prompt.last for call in server.calls] == ["short"]
        assert len(set(map(read_all, clients))) == 1
    streams = {
        call.outcome.answer.reply for call in server.calls if call.operation == "ConverseStream"
    }
    assert len(streams) == 2  # the first request's, and that of all others
    for stream in streams:
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
        assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        assert read_all(client)
        assert text_of(other.request("POST", path(), (), body).body) == "Yes."
    assert [call.json for call in server.calls[1:]] == [json.loads(body)] * 2
    assert [call.source for call in server.calls] == ["rule"] * 3


def test_requests_behind_a_large_request_are_answered_in_order(server: Replayer) -> None:
    """A thread reads the large body. The request that was sent with it waits for the answer."""
    content = [{"text": "short"}, {"image": {"format": "png", "source": {"bytes": IMAGE}}}]
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    client, large = connect(server, path(), body)
    _, last = connect(server, path("converse-stream"), prompt("short"))
    with client, _:
        client.sendall(large.replace(b"Connection: close\r\n", b"") + last)
        received = b""
        while data := client.recv(1024 * 1024):
            received += data
    heads = [part for part in received.split(b"HTTP/1.1 ") if part]
    assert [head[:3] for head in heads] == [b"200", b"200"]
    assert [call.operation for call in server.calls] == ["Converse", "ConverseStream"]


def test_a_client_that_leaves_while_its_large_body_is_read_is_in_the_history(
    server: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: Queue[Thread] = Queue()
    left = Event()

    def wait(engine: Engine, *request: Any) -> Call:
        threads.put(current_thread())
        left.wait()
        return prepare(engine, *request)

    prepare = Engine.prepare
    monkeypatch.setattr(Engine, "prepare", wait)
    client, request = connect(server, path(), prompt("short " + "x" * LARGE))
    with Http1(server.url) as other:
        client.sendall(request)
        thread = threads.get()
        running = server._running
        assert running is not None
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # sends RST
        until(lambda: not running.connections)  # the other client has not connected yet
        left.set()
        thread.join()
        other.request("POST", path(), (), prompt("short"))
    assert [call.hung_up for call in server.calls if len(call.body) >= LARGE] == [True]
