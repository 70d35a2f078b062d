"""The files of a recording: the existing cassettes, which are played, and the new journal."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

from bedtape_cassettes.addresses import render_prefix
from bedtape_cassettes.config.options import without_settings
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.rules import render_arguments
from bedtape_cassettes.model import Headers
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.finish import CassetteChanges, WriteResult, read_state
from bedtape_recorder.journal_file import JournalFile
from bedtape_recorder.settings import Settings, read_own_secrets

# Headers that belong to one connection, or that http.client sets.
_CONNECTION_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "authorization", "connection"}
)


class RecordingFiles:
    """The journal, opened beside existing cassettes. Raises RecorderError if they cannot play."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._before = read_state(settings.folder)
        self.existing = ExistingCassettes(settings, environ)
        self.existing.start()
        self.journal = JournalFile(
            store.find_state_folder(environ),
            name=settings.name,
            exact=settings.exact,
            audio=settings.audio,
            mode=settings.record,
            redaction=replace(settings.redaction, own=read_own_secrets(environ)),
        )

    def write(self, *, prune: bool) -> WriteResult:
        """Turn the journal into cassettes. It stays after CassetteError or OSError."""
        left = self.existing.stop()
        written = self.journal.finish(
            self._settings.folder, self._before, prune=prune, rules=self._settings.match
        )
        return replace(written, left=left)

    def discard(self) -> None:
        """Remove the journal, because the recording did not start."""
        self.journal.discard()
        self.existing.stop()


@dataclass(frozen=True, slots=True)
class PlayedAnswer:
    """An answer from a cassette, instead of the real answer."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class ExistingCassettes:
    """A replay server for the cassettes that exist.

    Record mode `once` plays existing cassettes and records nothing into them. Record mode `new`
    also records the calls that the cassettes do not contain. played: calls that were answered.
    missed: calls that were not.
    """

    settings: Settings
    environ: Mapping[str, str]
    played: int = 0
    missed: int = 0
    _names: frozenset[str] = frozenset()
    # the cassettes with new recordings beside existing ones
    _added: set[str] = field(default_factory=set)
    _process: subprocess.Popen[str] | None = None
    _address: tuple[str, int] | None = None

    def start(self) -> None:
        """Starts the server if there are cassettes. Raises RecorderError."""
        folder = self.settings.folder
        if self.settings.record == "all" or not folder.is_dir():
            return
        try:
            cassettes = store.read([folder])
        except CassetteError as error:
            raise RecorderError(f"the cassettes to add to cannot be read\n{error}") from None
        self._names = frozenset(
            c.name for c in cassettes if not all(i.partial for i in c.interactions)
        )
        if not self._names:
            return
        code = "from bedtape_cassettes.cli.main import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "replay",
            str(folder),
            "--port",
            "0",
            "--log-level",
            "error",
        ]
        command += render_arguments(self.settings.match)
        # A separate session, because the recorded program may still make calls after Ctrl-C.
        self._process = subprocess.Popen(  # noqa: S603
            command,
            env=without_settings(self.environ),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        url = urlsplit(line.split()[-1] if line else "")
        if url.hostname is None or url.port is None:
            raise RecorderError("the cassettes that exist could not be played")
        self._address = (url.hostname, url.port)

    def stop(self) -> tuple[str, ...]:
        """Stops the server.

        Returns the recordings that were not requested, of the sessions that have new recordings.
        """
        left = self._find_unplayed()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        return left

    def _find_unplayed(self) -> tuple[str, ...]:
        if self._address is None:
            return ()
        files: list[str] = []
        for name in sorted(self._added):
            connection = http.client.HTTPConnection(*self._address, timeout=60)
            try:
                connection.request("GET", f"/_bedtape/sessions/{quote(name, safe='')}/unplayed")
                response = connection.getresponse()
                files += json.loads(response.read()) if response.status == HTTPStatus.OK else []
            finally:
                connection.close()
        return tuple(files)

    def play(
        self, session: str, method: str, path: str, headers: Headers, body: bytes
    ) -> PlayedAnswer | None:
        """Returns the answer of a cassette; None if the call is to be recorded."""
        name = self.settings.name or cassette_name(scrub_text(session, self.settings.redaction))
        if self._address is None or name not in self._names:
            return None
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        try:
            kept = {n: v for n, v in headers if n.lower() not in _CONNECTION_HEADERS}
            connection.request(method, f"{render_prefix(name)}{path}", body, kept)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        missed = response.getheader("x-amzn-errortype") == "CassetteMissException"
        if missed and self.settings.record == "new":
            self._added.add(name)
            return None
        self.played += not missed
        self.missed += missed
        hops = ("connection", "transfer-encoding", "content-length")
        return PlayedAnswer(
            response.status,
            tuple((n, v) for n, v in response.getheaders() if n.lower() not in hops),
            data,
        )


def render_summary(written: WriteResult) -> str:
    """Returns the lines to print at the end of a recording."""
    into = format_count(len(written.changes), "cassette")
    lines = [f"bedtape: recorded {format_count(written.interactions, 'interaction')} into {into}"]
    lines += [f"  {_render_changes(change)}" for change in written.changes]
    if written.partial:
        count = format_count(written.partial, "answer")
        was = "was cut: it is kept" if written.partial == 1 else "were cut: they are kept"
        lines.append(f"bedtape: {count} {was} as partial and never replayed")
    lines += [
        f"bedtape: the journal is damaged at byte {at}: what can be read is recovered, and it is"
        f" kept: {written.kept}"
        for at in written.damaged
    ]
    lines += [f"bedtape: not recorded: {failed}" for failed in written.failed]
    if written.unpruned:
        lines.append(f"bedtape: --prune removed nothing: {written.unpruned}")
    if written.removed:
        count = format_count(len(written.removed), "recording")
        lines.append(
            f"bedtape: removed {count} of requests not made; bedtape cassette undo restores them"
        )
        lines += [f"  {file}" for file in written.removed]
    if written.left:
        verb = "was" if len(written.left) == 1 else "were"
        lines.append(
            f"bedtape: {format_count(len(written.left), 'recording')} beside new ones {verb} not"
            " requested"
        )
        lines.append(
            "  if new recordings replaced them, remove these files of the folder of cassettes:"
        )
        lines += [f"  rm {shlex.quote(file)}" for file in written.left]
    return "\n".join(lines)


def _render_changes(change: CassetteChanges) -> str:
    """Returns the cassette's name, and what a review of an earlier cassette will show."""
    earlier = change.changed + change.unchanged + change.kept
    if not earlier:
        return change.name
    counts = {
        "new": change.new,
        "changed": change.changed,
        "unchanged": change.unchanged,
        "not recorded again, so kept as before": change.kept,
    }
    return f"{change.name}: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n)


def to_json(journal: Path, written: WriteResult) -> dict[str, object]:
    """Returns what `render_summary` prints, and the files, as values of JSON."""
    return {
        "journal": str(journal),
        "interactions": written.interactions,
        "partial": written.partial,
        "cassettes": [asdict(change) for change in written.changes],
        "files": [str(file) for file in written.files],
        "not_recorded": list(written.failed),
        "damaged_at": list(written.damaged),
        "kept": written.kept and str(written.kept),
    }
