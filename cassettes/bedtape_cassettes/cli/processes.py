"""Runs other programs: a program whose calls bedtape records or answers, and the user's editor."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bedtape_cassettes.errors import CassetteError

ENDING = (signal.SIGINT, signal.SIGTERM)
"""The signals by which people and supervisors end a process."""


def die_at_next_signal() -> None:
    """Lets the next of these signals kill the process, also if it runs no Python code then."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command and returns its exit code, or 128 plus the signal. Raises OSError."""
    child = subprocess.Popen(command, env=environment)  # noqa: S603 -- the user's own command
    with _forward_signals(child):
        code = child.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _forward_signals(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ignores SIGINT, because Ctrl-C reaches the child too, and forwards SIGTERM.

    The second SIGTERM kills the child.
    """

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: child.kill())
        child.terminate()

    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def edit_text(text: str, name: str) -> str:
    """Opens the text in `$VISUAL` or `$EDITOR`, as git does, and returns the edited text.

    name: the name of the temporary file, which gives the editor its language. Raises CassetteError.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="bedtape-") as folder:
        path = Path(folder) / name
        path.write_text(text, newline="")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603 -- the user's own command
        except (OSError, ValueError) as error:
            fix = "set EDITOR, or change the interaction with bedtape cassette set"
            raise CassetteError(
                f"EDITOR: expected an editor that runs, found {command!r} ({error}); {fix}"
            ) from None
        if done.returncode:
            actual = f"that {command!r} ended with {done.returncode}"
            raise CassetteError(
                f"EDITOR: expected exit code 0, found {actual}; nothing was changed"
            )
        return path.read_bytes().decode(errors="replace")
