"""A journal on disk, from the first record to the cassettes that it becomes. The recorder's only open file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bedtape_cassettes.journal import SUFFIX
from bedtape_recorder.capture import Capture
from bedtape_recorder.finish import Written, recover_file

__all__ = ["Journalled"]


class Journalled:
    """A capture whose journal is a private file under `state`; one a process, for two may record at once.

    Written without a buffer: what is recorded is with the kernel, and outlives this process however it ends.
    """

    def __init__(self, state: Path, *, name: str | None, exact: bool) -> None:
        folder = state / "journals"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{time.time_ns()}-{os.getpid()}{SUFFIX}"
        handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self.capture = Capture(self._file.write, time.monotonic, name=name, exact=exact)

    def finish(self, folder: Path, *, append: bool) -> Written:
        """Writes the cassettes and removes the journal. Raises CassetteError, and then the journal stays."""
        self._file.close()
        return recover_file(self.path, folder, append=append)
