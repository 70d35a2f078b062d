"""Servers that share their sessions at a state server, each with a loop in a thread of its own."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self
from unittest.mock import patch

import pytest

from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.checks import parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.server import Server, end_tasks, new_event_loop
from bedtape_replayer.server.shared.state import SharedState
from support import WAIT
from support.waits import until

# The seconds after which a state server counts as away.
TIMEOUT = "bedtape_replayer.server.shared.client.TIMEOUT"

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="redis-server is not installed (Debian: apt-get install redis-server)",
)


class StateServer:
    """A redis-server of its own on a free port, which keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        while self._process is None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            self.start()

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, at the same port. No process is left if another program took the port."""
        options = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        command = ["redis-server", "--port", str(self.port), *options, *self._options]
        process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        until(lambda: process.poll() is not None or self._answers())
        self._process = process if process.poll() is None else None

    def _answers(self) -> bool:
        try:
            return self.send("PING").startswith(b"+PONG")
        except OSError:
            return False

    def send(self, command: str) -> bytes:
        """Send a command, and return the answer in the form of the wire."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT) as client:
            client.sendall(f"{command}\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        return answer.removesuffix(b"+OK\r\n")

    def count_subscribers(self) -> int:
        """The number of servers that listen."""
        listing = self.send("CLIENT LIST TYPE pubsub")
        return listing.count(b" addr=")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing, as a machine that hangs."""
        assert self._process is not None
        os.kill(self._process.pid, 19)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, 18)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Replica:
    """One server. state: the URL of the state server; None for sessions of its own."""

    def __init__(
        self,
        library: Library,
        state: str | None,
        *,
        namespace: str = "default",
        version: str = "1",
        strict: bool = False,
    ) -> None:
        self.engine = Engine(library, checks=parse_checks("rules"), strict=strict)
        self.engine.control = Gate(self.engine)
        self._loop = new_event_loop()
        shared = (
            SharedState(self.engine, state, version, namespace=namespace)
            if state is not None
            else None
        )
        self._server = Server(self.engine, state=shared)
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._run(self._server.start("127.0.0.1", 0))
        except BaseException:
            self._end()
            raise

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()  # type: ignore[arg-type]

    def stop(self) -> None:
        self._run(self._server.stop(0))
        self._end()

    def _end(self) -> None:
        self._run(end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def open_replicas(
    count: int, library: Library, state: str | None, *, strict: bool = False
) -> Iterator[Sequence[Replica]]:
    """So many servers that share their sessions. They wait long for the state server, which a
    loaded machine can keep from answering.
    """
    replicas: list[Replica] = []
    with patch(TIMEOUT, WAIT / 5):
        try:
            for _ in range(count):
                replicas.append(Replica(library, state, strict=strict))
            yield replicas
        finally:
            for replica in replicas:
                replica.stop()
