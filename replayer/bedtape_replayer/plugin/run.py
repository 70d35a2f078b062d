"""The state that the tests of one process share: the server, the recorders, and the counts.

The server starts with the first test that needs it. One test runs at a time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.overlay.document import parse_overlay
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.session_layers import NameTaken
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.blocking import redirect
from bedtape_replayer.plugin.loading import load_library
from bedtape_replayer.plugin.marks import MarkInvalid, PlayRequest, read_marks
from bedtape_replayer.plugin.recording import Recording, RecordingFailed
from bedtape_replayer.plugin.settings import RunSettings
from bedtape_replayer.plugin.summary import Summary
from bedtape_replayer.server.loading import read_overlay
from bedtape_replayer.server.thread import Replayer


class CannotBegin(CassetteError):
    """A test's cassette, overlay, mark or recorder is invalid. The message contains the fix."""


class Run:
    """The run of one process.

    settings: how tests are played and recorded. here: the folder that pytest was started in, for
    messages. Raises the errors of `Replayer` if the server cannot start.
    """

    def __init__(self, settings: RunSettings, here: Path) -> None:
        self.tally = Summary()
        self._settings = settings
        self._here = here
        self._recordings: dict[Path, Recording] = {}
        self._restore: Callable[[], object] = lambda: None
        self._current: Bedrock | None = None
        self._server = Replayer(
            (),
            match=settings.match,
            overlay=settings.overlay,
            validate=settings.validate,
            ids=settings.ids,
            history=settings.history,
            observer=self._observe,
        ).start()

    def begin(
        self, test: str, file: Path, names: Sequence[str], marks: Sequence[tuple[Sequence[Any], Mapping[str, Any]]]
    ) -> Bedrock:
        """Begin a test: its session and its environment. The arguments are those of `read_marks`. Raises CannotBegin."""
        try:
            return self._begin(read_marks(test, file, names, marks, self._settings.marks))
        except (CassetteError, MarkInvalid, NameTaken, RecordingFailed) as error:
            raise CannotBegin(str(error)) from None

    def _begin(self, play_request: PlayRequest) -> Bedrock:
        library, overlay = (
            load_library(play_request.folder, play_request.cassette, play_request.match),
            _overlay(play_request),
        )
        mode = self._settings.mode
        records = mode in ("new", "all") or (mode == "once" and library is None)
        recorder = self._start_recorder(play_request.folder).url if records and play_request.overlay is None else None
        bedrock = Bedrock(play_request, self._server, self._server.url, library, recorder, self._here)

        def lay() -> None:
            bedrock.open()
            self._server.engine.sessions.get(bedrock.name).layers.replace_own(overlay)
            self._current = bedrock

        self._server.run(lay)
        bedrock.enter()
        return bedrock

    def end(self, bedrock: Bedrock) -> None:
        """End a test: restore the environment and add its counts. Later calls belong to no test."""
        bedrock.leave()

        def leave() -> None:
            bedrock.close()
            self._current = None
            self.tally.add(bedrock.tally.as_plain())

        self._server.run(leave)

    def close(self) -> None:
        """Stop the recorders, which write their cassettes, and stop the server."""
        while self._recordings:
            _, recording = self._recordings.popitem()
            said, count, well = recording.stop()
            self.tally.recorded += count
            self.tally.said.append(said)
            self.tally.failed = self.tally.failed or not well
        self._restore()
        self._server.stop()

    def route(self, url: str) -> str:
        """Return the URL to use for a request: the current test's, for real Bedrock and for recorders of other tests."""
        current = self._current
        return url if current is None else redirect(url, current.url, self._bases(current))

    @property
    def running(self) -> bool:
        """Whether a test that uses bedtape is running."""
        return self._current is not None

    def _bases(self, current: Bedrock) -> list[str]:
        """Return the servers whose URLs a client may have kept from another test."""
        recorders = [recording.url for recording in self._recordings.values()]
        return [*recorders, self._server.url] if current.recorded else recorders

    def _start_recorder(self, folder: Path) -> Recording:
        if not self._recordings:
            self._end_in_order()
        if folder not in self._recordings:
            settings = self._settings
            self._recordings[folder] = Recording(settings.command, folder, settings.mode, settings.environ)
        return self._recordings[folder]

    def _end_in_order(self) -> None:
        """Let SIGTERM end a recording run as Ctrl-C does, because a recorder left alone would keep listening with real keys."""
        try:
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        except ValueError:  # not the main thread
            return
        self._restore = lambda: signal.signal(signal.SIGTERM, before)

    def _observe(self, outcome: Outcome) -> None:
        current, answer = self._current, outcome.answer
        if current is not None and answer.call.session == current.name:
            current.take(answer)


def _overlay(play_request: PlayRequest) -> Overlay:
    if play_request.overlay is None:
        return NOTHING
    # The layers get names of the test, because a file for all tests may be below them.
    return (
        read_overlay(play_request.overlay, "")
        if isinstance(play_request.overlay, Path)
        else parse_overlay(dict(play_request.overlay))
    )
