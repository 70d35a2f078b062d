"""A `bedtape replay` in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO

from support import WAIT

COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()"]


def _pump(pipe: IO[str], lines: Queue[str | None]) -> None:
    with pipe:
        for line in pipe:
            lines.put(line.rstrip("\n"))
    lines.put(None)


class Running:
    """A `bedtape replay` that was started, its lines as they come."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "replay", "--port", "0", *arguments],
            cwd=cwd,
            env={**os.environ, "BEDTAPE_CACHE_DIR": "", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stdout: Queue[str | None] = Queue()
        self.stderr: Queue[str | None] = Queue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pipes = ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))
        self._pumps = [Thread(target=_pump, args=pair, daemon=True) for pair in pipes]
        for pump in self._pumps:
            pump.start()
        first = self.stdout.get(timeout=WAIT)
        match = re.fullmatch(
            r"bedtape: listening on (http://(?:127\.0\.0\.1|0\.0\.0\.0):\d+)", first or ""
        )
        assert match, (first, self.errors())
        self.url = match[1]

    def line(self) -> str:
        """The next line on stderr."""
        line = self.stderr.get(timeout=WAIT)
        assert line is not None, "the command ended"
        return line

    def errors(self) -> list[str]:
        """The lines on stderr that are left when the command has ended."""
        return list(iter(lambda: self.stderr.get(timeout=WAIT), None))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT)

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT)
        for pump in self._pumps:
            pump.join(WAIT)
