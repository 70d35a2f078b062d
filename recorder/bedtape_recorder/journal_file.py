"""A journal on disk, from its first record until it is turned into cassettes."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from bedtape_cassettes.format.journal import SUFFIX
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_recorder.capture import Capture
from bedtape_recorder.finish import FolderState, WriteResult, recover_file


class JournalFile:
    """A capture whose journal is a private file under `state`. Its name contains the process id.

    Writes are not buffered, so that records survive if this process is killed.
    """

    def __init__(
        self,
        state: Path,
        *,
        name: str | None,
        exact: bool,
        audio: bool = False,
        mode: str | None = None,
        redaction: Redaction = ALWAYS,
    ) -> None:
        folder = state / "journals"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{time.time_ns()}-{os.getpid()}{SUFFIX}"
        handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)  # stops `bedtape recover` from reading it
        self._handle = handle
        self._size = 0
        self.capture = Capture(
            self._write,
            time.monotonic,
            name=name,
            exact=exact,
            audio=audio,
            mode=mode,
            redaction=redaction,
        )

    def _write(self, data: bytes) -> None:
        """Writes all bytes or none: a cut record hides the records after it. Raises OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def finish(
        self,
        folder: Path,
        start: FolderState | None = None,
        *,
        prune: bool = False,
        rules: MatchRules = DEFAULT,
    ) -> WriteResult:
        """Writes the cassettes and removes the journal. start, prune, rules: as in `write`.

        Raises CassetteError or OSError. If it raises, the journal stays.
        """
        prune = prune and self.capture.failure is None
        try:
            return recover_file(
                self.path,
                folder,
                prune=prune,
                redaction=self.capture.redaction,
                start=start,
                rules=rules,
            )
        finally:
            os.close(self._handle)

    def discard(self) -> None:
        """Removes a journal in which nothing was recorded."""
        os.close(self._handle)
        self.path.unlink(missing_ok=True)


def is_in_use(path: Path) -> bool:
    """Whether a running recorder still writes this journal."""
    with path.open("rb") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
