"""`bedtape cassette` in this process, and programs in their own."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from support import WAIT


def run(*arguments: str, code: int = 0) -> str:
    """Runs the command, checks the exit code, and returns its output."""
    result = CliRunner().invoke(cassette, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def run_program(
    arguments: Sequence[str | Path],
    environ: Mapping[str, str],
    folder: Path | None = None,
    limit: float = WAIT,
    text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end and returns its exit code and output.

    limit: seconds after which a program hangs. text: its standard input.
    """
    return subprocess.run(
        arguments,
        input=text,
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


@contextmanager
def hold_port() -> Iterator[str]:
    """A port at which nothing listens, and which the system gives to no other program.

    A server can listen at it, because servers set SO_REUSEADDR as this socket does.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield str(holder.getsockname()[1])
