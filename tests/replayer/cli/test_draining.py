"""`bedtape replay` ends without a failed call: not ready first, then answers end."""

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.exceptions import ProtocolError

from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.server import Server
from support import WAIT, folders
from support.boto import boto3_client
from support.client import Http1, Http2, until
from support.recordings import MODEL, converse, path, prompt, stream
from support.replicas import StateServer, needs_redis
from support.running import Running

Start = Callable[..., Running]
# Longer than a test runs: a second signal ends the server.
LONG = "3600"


@pytest.fixture
def tapes(tmp_path: Path) -> str:
    slow = stream("s", ["one", "two"], at_ms=[0, 0, 0, 300, 300])
    folders.write(tmp_path / "tapes", Cassette("suite", (converse("a", "one"), slow)))
    return str(tmp_path / "tapes")


def get_status(url: str, route: str) -> int:
    with Http1(url) as client:
        return client.request("GET", f"/_bedtape/{route}").status


def test_a_server_that_ends_is_alive_and_not_ready_and_answers(tapes: str, start: Start) -> None:
    running = start(tapes, "--drain", LONG)
    with Http1(running.url) as idle:
        assert idle.request("POST", path(), (), prompt("a")).status == 200
        running.process.send_signal(signal.SIGTERM)
        until(lambda: get_status(running.url, "ready") == 503)
        assert get_status(running.url, "live") == 200
        for client in (idle, Http1(running.url)):  # a connection from before, and a new one
            with client:
                answer = client.request("POST", path(), (), prompt("a"))
                assert (answer.status, answer.header("connection")) == (200, "close")


def test_with_http2_the_next_answer_ends_a_connection_too(tapes: str, start: Start) -> None:
    running = start(tapes, "--drain", LONG)
    with Http2(running.url) as idle:
        for _ in range(2):
            assert idle.request("POST", path(), (), prompt("a")).status == 200
        running.process.send_signal(signal.SIGTERM)
        until(lambda: get_status(running.url, "ready") == 503)
        for client in (idle, Http2(running.url)):  # a connection from before, and a new one
            with client:
                assert client.request("POST", path(), (), prompt("a")).status == 200
                with pytest.raises((ConnectionError, ProtocolError)):  # it has received GOAWAY
                    client.request("POST", path(), (), prompt("a"))


def test_a_connection_that_was_accepted_late_delays_no_end() -> None:
    """The kernel accepts connections until the listener is closed, the server a little later."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = Server(Engine(Library([])))
        await server.start("127.0.0.1", 0)
        _, early = await asyncio.open_connection("127.0.0.1", server.port)
        early.write(b"POST ")
        until_joined = asyncio.ensure_future(_until(lambda: bool(server.connections)))
        await until_joined
        (connection,) = server.connections
        ours, theirs = socket.socketpair()
        accept: Any = connection.wind_down

        def wind_down() -> None:  # the last moment before the server closes what is open
            late = loop.create_task(
                loop.connect_accepted_socket(lambda: Connection(server, loop), ours)
            )
            late.add_done_callback(lambda _: accept())

        connection.wind_down = wind_down  # type: ignore[method-assign]
        await server.stop()  # without a limit
        theirs.close()
        early.close()

    asyncio.run(run())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_a_stream_in_flight_is_complete(tapes: str, start: Start) -> None:
    running = start(tapes, "--speed", "1", "--drain", "0.1")
    events = iter(
        boto3_client(running.url, retries={"total_max_attempts": 1}).converse_stream(
            modelId=MODEL, messages=[{"role": "user", "content": [{"text": "s"}]}]
        )["stream"]
    )
    assert "messageStart" in next(events)
    running.process.send_signal(signal.SIGTERM)
    texts = [
        each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each
    ]
    assert texts == ["one", "two"]
    assert running.process.wait(WAIT) == 0


@needs_redis
def test_a_server_that_ends_leaves_its_calls_in_the_history(
    tapes: str, start: Start, tmp_path: Path
) -> None:
    with StateServer(tmp_path) as server:
        first, second = (start(tapes, "--state", server.url) for _ in range(2))
        with Http1(first.url) as client:
            for _ in range(50):
                assert client.request("POST", path(), (), prompt("a")).status == 200
            assert first.stop() == 0
        with Http1(second.url) as client:
            calls = client.request("GET", "/_bedtape/sessions/default/calls?limit=100").body
        assert [call["number"] for call in json.loads(calls)["calls"]] == list(range(1, 51))
        assert second.stop() == 0
