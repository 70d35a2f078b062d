"""A program that is run with its calls led somewhere, and that bedtape outlives: to write down, or to say, what it did."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = ["run"]


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command; its exit code, 128 and the signal where one ended it. Raises OSError where it cannot be run."""
    child = subprocess.Popen(command, env=environment)  # noqa: S603 - what the user asked for
    with _outlived(child):
        code = child.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _outlived(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the child too, which decides what it means; SIGTERM is passed on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
