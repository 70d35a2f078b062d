"""A bash that a page's commands are typed into, one after the other; what they
leave, the next ones find.

Nothing here knows what a page is. Waiting is reading: a command ends with a
mark that it prints itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO

from support import WAIT


class Shell:
    """A running bash, as a context manager; what it started ends with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when the shell is
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            errors="replace",
        )
        self._pipes = tempfile.TemporaryDirectory(prefix="bedtape-pages-")
        self._servers: list[Server] = []
        self._said = _reading(self._bash.stdout)
        # each server is a process group of its own, and takes Ctrl-C as in a terminal
        self._type("set -m")

    def run(self, command: str) -> tuple[int, str]:
        """Types a command and waits for its end: its exit code, and what it printed."""
        self._type("{ " + command + "\n} </dev/null 2>&1; printf '\\n\\001%s\\n' $?")
        lines: list[str] = []
        while (line := self._next(command)) is not None:
            if line.startswith("\001"):
                return int(line[1:]), "".join(lines).removesuffix("\n")
            lines.append(line)
        raise AssertionError(f"bash ended at {command!r}: {''.join(lines)}{self._read_stderr()}")

    def serve(self, command: str) -> Server:
        """Types a command that goes on. It ends when it is stopped, or with the shell."""
        pipe = Path(self._pipes.name) / str(len(self._servers))
        os.mkfifo(pipe)
        self._type("{ " + command.rstrip().removesuffix("&") + f"\n}} </dev/null >'{pipe}' 2>&1 &")
        self._servers.append(Server(command, pipe))
        return self._servers[-1]

    def stop(self) -> None:
        """Ends what goes on, as Ctrl-C does, and waits for it."""
        self.run('for job in $(jobs -p); do kill -INT -- "-$job" 2>/dev/null; done; wait')
        for server in self._servers:
            server.close()

    def _next(self, command: str) -> str | None:
        try:
            return self._said.get(timeout=WAIT)
        except Empty:
            raise AssertionError(
                f"{command!r} has not ended; does it serve? Then end it with &"
            ) from None

    def _type(self, text: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{text}\n")
        self._bash.stdin.flush()

    def _read_stderr(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read()

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._bash.poll() is None:
                self.stop()
        finally:
            self._bash.kill()
            self._bash.communicate()
            self._complaints.close()
            self._pipes.cleanup()


class Server:
    """What a command that goes on has said so far."""

    def __init__(self, command: str, pipe: Path) -> None:
        self.command = command
        self.printed = ""
        self._file = pipe.open(errors="replace")
        self._lines = _reading(self._file)

    def wait_for(self, enough: Callable[[str], bool]) -> bool:
        """Reads on until it has said enough; False where it ends, or
        nothing comes any more, before.
        """
        while not enough(self.printed):
            try:
                line = self._lines.get(timeout=WAIT)
            except Empty:
                return False
            if line is None:
                return enough(self.printed)
            self.printed += line
        return True

    def close(self) -> None:
        self._file.close()


def _reading(file: IO[str] | None) -> Queue[str | None]:
    """The lines of a pipe as they come, and None at its end."""
    assert file is not None
    lines: Queue[str | None] = Queue()

    def pump() -> None:
        try:
            for line in file:
                lines.put(line)
        except ValueError:  # closed while it was read
            pass
        lines.put(None)

    Thread(target=pump, daemon=True).start()
    return lines


def commands(text: str) -> list[tuple[str, str]]:
    """What is typed in a console block, and what each command prints: `$ ` begins one, and `> `
    or a `\\` goes on with it.
    """
    pairs: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif pairs and not pairs[-1][1] and (line.startswith("> ") or pairs[-1][0].endswith("\\")):
            pairs[-1] = (f"{pairs[-1][0]}\n{line.removeprefix('> ')}", "")
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}{line}\n")
        else:
            raise ValueError(f"expected `$ ` before the first command, found {line!r}")
    return pairs


def goes_on(command: str) -> bool:
    """Whether a command serves until it is stopped."""
    program = re.match(r"(?:\w+=\S+ +)*(bedtape (?:replay|record)\b)", command)
    ends = re.search(r" -- |--(?:help|verify|print-addon)\b", command)
    return command.rstrip().endswith("&") or (program is not None and ends is None)
