"""`bedtape replay --workers N`: one port, several processes, each with a port of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bedtape_replayer.cli.workers import workers_on

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")

_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "replay"]
_DEADLINE = 30


@dataclass(frozen=True)
class Crew:
    """A command that runs two workers, and the ports that it told: the shared one, then each one's own."""

    process: subprocess.Popen[str]
    ports: tuple[int, ...]

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it still said on stderr."""
        errors = self.process.communicate(timeout=_DEADLINE)[1]
        return self.process.returncode, errors


@contextmanager
def _crew(folder: Path, *arguments: str) -> Iterator[Crew]:
    environment = {**os.environ, "BEDTAPE_CACHE_DIR": ""}
    command = [*_COMMAND, "--workers", "2", "--log-level", "error", *(arguments or ("--port", "0"))]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(3)]
        yield Crew(process, tuple(int(found[1]) for line in told if (found := re.search(r":(\d+)\n", line))))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    with _crew(tmp_path) as found:
        yield found


def _ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    client = HTTPConnection("127.0.0.1", port, timeout=_DEADLINE)
    try:
        client.request(method, path, body)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def _seen(port: int) -> int:
    told = json.loads(_ask(port, "GET", "/_bedtape/sessions/default")[1])
    count: int = told.get("calls", 0)  # a session begins with its first call
    return count


def test_the_shared_port_is_served_by_all_and_each_counts_its_own(crew: Crew) -> None:
    shared, one, other = crew.ports
    for _ in range(40):
        assert _ask(shared, "POST", "/model/amazon.nova-lite-v1%3A0/converse", b"{}")[0] == 400  # a miss
    assert _seen(one) + _seen(other) == 40


def test_a_client_with_a_workers_own_port_always_finds_that_worker(crew: Crew) -> None:
    _, one, other = crew.ports
    rule = {"answer": {"text": "pinned"}}
    status, said = _ask(one, "POST", "/_bedtape/sessions/default/rules", json.dumps(rule).encode())
    assert status == 200, said
    asked = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()
    for _ in range(10):
        status, body = _ask(one, "POST", "/model/amazon.nova-lite-v1%3A0/converse", asked)
        assert status == 200
        assert b"pinned" in body
    assert _ask(other, "POST", "/model/amazon.nova-lite-v1%3A0/converse", asked)[0] == 400
    assert (_seen(one), _seen(other)) == (10, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_all_in_order(crew: Crew, number: signal.Signals) -> None:
    assert _ask(crew.ports[0], "GET", "/")[0] == 400
    crew.process.send_signal(number)
    assert crew.end() == (0, "")
    for port in crew.ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_worker_that_dies_takes_the_others_with_it(crew: Crew) -> None:
    assert _ask(crew.ports[1], "GET", "/")[0] == 400
    children = Path(f"/proc/{crew.process.pid}/task/{crew.process.pid}/children")
    if not children.exists():
        pytest.skip("this system does not tell the children of a process")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    code, errors = crew.end()
    assert code == 1
    assert errors == "bedtape: a worker ended before its time, and the others with it\n"


def test_a_port_that_others_use_is_refused_even_if_they_would_share_it(crew: Crew, tmp_path: Path) -> None:
    port = crew.ports[0]
    command = [*_COMMAND, "--workers", "2", "--port", str(port)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_DEADLINE)
    assert found.returncode == 2
    assert found.stderr == (
        f"bedtape: cannot listen on 127.0.0.1 ports {port} to {port + 2}: it is in use; choose another with --port, or 0"
        " for any that is free\n"
    )


def test_own_ports_follow_the_shared_one() -> None:
    port = 20_000
    workers = None
    while workers is None:  # until four in a row are free
        port += 5
        try:
            workers = workers_on("127.0.0.1", port, 3)
        except OSError:
            continue
    try:
        assert [worker.shared.getsockname()[1] for worker in workers] == [port] * 3
        assert [worker.own.getsockname()[1] for worker in workers] == [port + 1, port + 2, port + 3]
    finally:
        for worker in workers:
            for listener in worker.sockets:
                listener.close()


# A signal after each fork, before anything else can happen.
_EARLY = """
import os, signal
from bedtape_replayer.cli import workers

forked = workers._forked

def forked_and_told(*given):
    child = forked(*given)
    os.kill(os.getpid(), signal.{name})
    return child

workers._forked = forked_and_told
print(workers.run(workers.workers_on("127.0.0.1", 0, 2), lambda worker, leash: os.read(leash, 1)))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_that_comes_while_the_workers_begin_is_heard(name: str) -> None:
    command = [sys.executable, "-c", _EARLY.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
