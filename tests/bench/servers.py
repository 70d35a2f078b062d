"""The servers that are measured, each in a process of its own: bedtape, nginx, and
others in `.venv-bench`.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import material

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OTHERS = Path(os.environ.get("BEDTAPE_BENCH_ENV", ROOT / ".venv-bench"))
BEDTAPE = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()"]
# The compiled build, which is measured if `make compiled` has made it.
COMPILED = ROOT / ".venv-compiled" / "bin" / "bedtape"


@dataclass(frozen=True)
class Served:
    """A server that runs: where, and its process."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Missing(Exception):
    """What is to be measured is not installed, or does not answer."""


@contextmanager
def bedtape(*arguments: str, log: bool = False, compiled: bool = False) -> Iterator[Served]:
    """A `bedtape replay`. log: with a line for each call, as by default, in a file.
    compiled: of the compiled build.
    """
    quiet = () if log else ("--log-level", "error")
    command = [
        *([str(COMPILED)] if compiled else BEDTAPE),
        "replay",
        "--port",
        "0",
        *quiet,
        *arguments,
    ]
    with (
        tempfile.TemporaryFile() as lines,
        _ended(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=lines if log else None, text=True
            )
        ) as process,
    ):
        assert process.stdout is not None
        yield Served(int(process.stdout.readline().rpartition(":")[2]), process.pid)


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


_NGINX = """
daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json; client_max_body_size 25m;
  client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work}; uwsgi_temp_path {work};
  scgi_temp_path {work};
  server {{ listen 127.0.0.1:{port}{h2} backlog=1024; location / {{ return 200 '{body}'; }} }}
}}
"""


@contextmanager
def nginx(*, h2: bool = False) -> Iterator[Served]:
    """One worker of nginx that answers all with one constant of the same size."""
    if shutil.which("nginx") is None:
        raise Missing("nginx is not installed (Debian: nginx-light)")
    with tempfile.TemporaryDirectory(prefix="bedtape-nginx-") as work:
        port = free_port()
        said = _NGINX.format(
            work=work, port=port, h2=" http2" if h2 else "", body=material.answer(0).decode()
        )
        config = Path(work, "nginx.conf")
        config.write_text(said)
        with start_program(["nginx", "-c", str(config), "-p", work], port) as served:
            children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
            yield Served(port, int(children[0]) if children else served.pid)


@contextmanager
def start_program(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    """A command that listens on a port; waits until it does."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with _ended(process):
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise Missing(f"{Path(command[0]).name} does not start") from None
                time.sleep(0.05)
        yield Served(port, process.pid)


def _program(name: str) -> str:
    for program in (OTHERS / "bin" / name, OTHERS / "node_modules" / ".bin" / name):
        if program.exists():
            return str(program)
    raise Missing(f"{name} is not in {OTHERS.name} (`make bench` puts it there)")


@contextmanager
def floor() -> Iterator[Served]:
    """The least that a server in Python can do: uvloop, and a constant for whatever comes."""
    port = free_port()
    with start_program([sys.executable, str(HERE / "floor.py"), str(port)], port) as served:
        yield served


@contextmanager
def uvicorn(folder: Path) -> Iterator[Served]:
    """bedtape's engine behind uvicorn: the same work, another server."""
    port = free_port()
    command = [
        _program("uvicorn"),
        "asgi_app:app",
        "--app-dir",
        str(HERE),
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    with start_program(
        [*command, "--no-access-log"], port, {"BENCH_FOLDER": str(folder)}
    ) as served:
        yield served


@contextmanager
def aiohttp(folder: Path) -> Iterator[Served]:
    """bedtape's engine behind aiohttp."""
    port = free_port()
    _program("uvicorn")  # they are installed together
    command = [_program("python"), str(HERE / "aiohttp_app.py"), str(folder), str(port)]
    with start_program(command, port) as served:
        yield served


@contextmanager
def aimock(_: Path) -> Iterator[Served]:
    """aimock with one fixture, which answers all."""
    port = free_port()
    program = _program("llmock")
    with tempfile.TemporaryDirectory() as work:
        fixture = {
            "match": {"userMessage": ":"},
            "response": {"content": material.words(material.ANSWERED, 3)},
        }
        file = Path(work, "all.json")
        file.write_text(json.dumps({"fixtures": [fixture]}))
        command = [program, "-p", str(port), "-f", str(file), "--log-level", "silent"]
        with start_program(command, port) as served:
            yield served


@contextmanager
def moto(_: Path) -> Iterator[Served]:
    """moto's server, with what it has for Bedrock."""
    port = free_port()
    with start_program([_program("moto_server"), "-p", str(port)], port) as served:
        yield served


@contextmanager
def ministack(_: Path) -> Iterator[Served]:
    """ministack, with Bedrock alone."""
    port = free_port()
    said = {"GATEWAY_PORT": str(port), "SERVICES": "bedrock-runtime", "LOG_LEVEL": "ERROR"}
    with start_program([_program("ministack")], port, said) as served:
        yield served


OPPONENTS: dict[str, Callable[[Path], object]] = {
    "uvicorn": uvicorn,
    "aiohttp": aiohttp,
    "aimock": aimock,
    "ministack": ministack,
    "moto": moto,
}
