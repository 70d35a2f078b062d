"""The state that the tests of one process share: the server, the recorders, and the counts.

The server starts with the first test that needs it. One test runs at a time. Sessions of a module
or of the run are open at the same time as the session of a test. The innermost session has the
environment and the calls that name no session.
"""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import DEFAULT_SESSION, split_prefixes
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.api.inspector.capture import Part
from bedtape_replayer.overlay.session_layers import NameTaken
from bedtape_replayer.plugin.accepting import accept_requests, keep_misses, pair_misses
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.blocking import redirect
from bedtape_replayer.plugin.loading import load_library, load_overlay
from bedtape_replayer.plugin.marks import MarkInvalid, PlayRequest, read_marks
from bedtape_replayer.plugin.migrating import MigratedTest, Migration
from bedtape_replayer.plugin.recording import Recording, RecordingError
from bedtape_replayer.plugin.remote.server import RemoteServer
from bedtape_replayer.plugin.settings import RunSettings
from bedtape_replayer.plugin.summary import Summary
from bedtape_replayer.server.other_folders import OtherFolders, find_other_folders
from bedtape_replayer.server.thread import Replayer

# The order of open sessions, the outermost first; then the order in which they began.
_RANKS = {"bedrock_session": 0, "bedrock_module": 1, "bedrock_factory": 1, "bedrock": 2}
Marks: TypeAlias = Sequence[tuple[Sequence[Any], Mapping[str, Any]]]


class CannotBegin(CassetteError):
    """A test's cassette, overlay, mark or recorder is invalid. The message contains the fix."""


class _EndedSession(NamedTuple):
    """A session of wider scope that ended in the running test.

    calls: the report. misses, properties: as in `Bedrock`, of the running test.
    """

    fixture: str
    calls: str
    misses: list[str]
    properties: dict[str, str]


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
        migrates, run_id = settings.migrates, settings.run_id
        self._migration = None if migrates is None else Migration(migrates, here, run_id)
        self._restore: Callable[[], object] = lambda: None
        self._open: list[Bedrock] = []
        # Of the sessions of wider scope that ended in the running test.
        self._ended: list[_EndedSession] = []
        self._captured: list[Part] = []
        # The names of all sessions, and the misses of sessions that are not open.
        self._names: set[str] = set()
        self._strays: deque[str] = deque()
        self._playing: dict[str, Bedrock] = {}
        self._numbers = count(1)
        self._runs = Counter[str]()
        self._server = self._start_server()

    def _start_server(self) -> Replayer | RemoteServer:
        settings = self._settings
        server = Replayer(
            (),
            match=settings.match,
            overlay=settings.overlay,
            validate=settings.validate,
            ids=settings.ids,
            simulate=settings.simulate,
            tls=settings.tls,
            history=settings.history,
            observer=self._observe,
        ).start()
        server.engine.elsewhere = OtherFolders(self._find_folders, settings.match)
        server.engine.advise = self._advise
        return server

    @property
    def _current(self) -> Bedrock | None:
        """The innermost open session."""
        return self._open[-1] if self._open else None

    def begin(
        self, test: str, file: Path, names: Sequence[str], marks: Marks, fixture: str = "bedrock"
    ) -> Bedrock:
        """Begin a session and its environment. Arguments as of `read_marks`. Raises CannotBegin."""
        try:
            return self._begin(read_marks(test, file, names, marks, self._settings.marks, fixture))
        except (CassetteError, MarkInvalid, NameTaken, RecordingError) as error:
            raise CannotBegin(str(error)) from None

    def _begin(self, play_request: PlayRequest) -> Bedrock:
        overlay = load_overlay(play_request.overlay)
        name, number = play_request.cassette, 1
        while name in self._playing:  # an open session of wider scope has the same cassette
            name, number = f"{play_request.cassette} {number + 1}", number + 1
        bedrock = self._make_session(play_request, name)

        def lay() -> None:
            bedrock.open(overlay)
            self._playing[bedrock.name] = bedrock
            self._names.add(bedrock.name)
            if innermost:
                bedrock.become_default()

        before = self._current
        opened = sorted([*self._open, bedrock], key=lambda each: _RANKS[each.play_request.fixture])
        innermost = opened[-1] is bedrock
        self._server.run(lay)
        self._open = opened
        if innermost:
            if before is not None:
                before.leave()
            bedrock.enter()
        return bedrock

    def _make_session(self, play_request: PlayRequest, name: str) -> Bedrock:
        """Return the session of a test, with its cassette or its recorder."""
        library = load_library(play_request.folder, play_request.cassette, play_request.match)
        mode = self._settings.mode
        records = mode in ("new", "all") or (mode == "once" and library is None)
        recorder = self._start_recorder(play_request.folder).url if records else None
        played, server, accepts = None if mode == "all" else library, self._server, mode == "accept"
        return Bedrock(
            *(play_request, server, server.url, played, recorder, self._here),
            accepts=accepts,
            name=name,
        )

    def enter(self) -> None:
        """Set the environment of the innermost session, because a fixture may have changed it."""
        if self._current is not None:
            self._current.enter()

    # -- sessions of wider scope -------------------------------------------------------------------

    @property
    def shared(self) -> list[Bedrock]:
        """The open sessions that several tests may use."""
        return [each for each in self._open if each.play_request.fixture != "bedrock"]

    def begin_test(self) -> None:
        """Note where the sessions of wider scope are before a test."""
        self._ended, self._captured = [], []
        for each in self.shared:
            each.begin_test()

    def end_shared(self, bedrock: Bedrock) -> str | None:
        """End a session of wider scope.

        Returns its misses that no test has reported, and its unused layers, as a failure.
        """
        calls = bedrock.report_calls()
        problem = "\n\n".join(filter(None, (bedrock.report_misses(), bedrock.report_unused())))
        if bedrock.test_calls:
            fixture, misses = bedrock.play_request.fixture, bedrock.test_misses
            self._ended.append(_EndedSession(fixture, calls, misses, bedrock.properties))
        self.end(bedrock)
        if bedrock.captured is not None:
            self._captured.append(bedrock.captured)
        return problem or None

    def report_shared(self, used: Callable[[str], bool], failure: str) -> Iterator[tuple[str, str]]:
        """Yield the name of the fixture and the report of each session of wider scope that
        the failed test concerns.

        used: whether the test requests a fixture. failure: the failure that pytest prints.
        """
        for each in self.shared:
            if each.test_calls or used(each.play_request.fixture):
                parts = (each.report_misses(failure), each.report_calls(all_layers=False))
                yield each.play_request.fixture, "\n\n".join(filter(None, parts))
        yield from ((each.fixture, each.calls) for each in self._ended)

    def describe_shared(self, used: Callable[[str], bool]) -> dict[str, str]:
        """Return the properties of the test for JUnit, of the sessions of
        wider scope that it concerns.

        used: whether the test requests a fixture.
        """
        properties: dict[str, str] = {}
        for each in self.shared:
            if each.test_calls or used(each.play_request.fixture):
                properties |= each.properties
        for ended in self._ended:
            properties |= ended.properties
        return properties

    def collect_shared(self) -> tuple[list[Part], list[str]]:
        """Return the captured calls of sessions that ended in the test, and the test's misses."""
        misses = [miss for each in self._ended for miss in each.misses]
        return self._captured, [
            *misses,
            *(miss for each in self.shared for miss in each.test_misses),
        ]

    def begin_vcr(
        self,
        test: Callable[[], str],
        cassette: Cassette,
        folder: Path,
        select: Callable[[Call, Index], Any],
    ) -> Bedrock:
        """Begin a session that plays the Bedrock entries of a cassette of VCR.py.

        The environment stays as it is.

        test: returns the id of the running test. select: chooses the recording of a call.
        """
        name = f"{cassette.name} {next(self._numbers)}"
        library = Library([cassette], self._settings.match)
        play_request = PlayRequest(test(), folder, name, allow_misses=True, unused="ignore")
        bedrock = Bedrock(play_request, self._server, self._server.url, library, None, self._here)

        def choose(call: Call, index: Index) -> IndexedRecording | None:
            chosen: IndexedRecording | None = select(call, index)
            if chosen is not None and not index.queue(index.key(call)):
                bedrock.tally.unlike.append(f"{test()}: {index.report_miss(call).difference}")
            return chosen

        def lay() -> None:
            bedrock.open_selecting(choose)
            self._playing[bedrock.name] = bedrock

        self._server.run(lay)
        return bedrock

    def find_migrated(
        self, test: str, file: Path, names: Sequence[str], marks: Marks, *, marked: bool
    ) -> MigratedTest:
        """Return a test in the migration. marked: whether it has the mark `vcr`.

        The rest are arguments of `read_marks`.
        """
        assert self._migration is not None
        return self._migration.find(
            read_marks(test, file, names, marks, self._settings.marks), file, marked=marked
        )

    def end_vcr(self, bedrock: Bedrock) -> None:
        """End a session that plays a cassette of VCR.py."""
        self._server.run(lambda: self._close(bedrock))

    def is_own(self, url: str) -> bool:
        """Whether a URL is of this run's server or of one of its recorders."""
        bases = [self._server.url, *(recording.url for recording in self._recordings.values())]
        return any(url == base or url.startswith(f"{base}/") for base in bases)

    def _close(self, bedrock: Bedrock) -> None:
        bedrock.close(keeps=self._settings.keeps)
        self._playing.pop(bedrock.name, None)
        self.tally.add(bedrock.tally.as_plain())

    def end(self, bedrock: Bedrock) -> None:
        """End a session: restore the environment and add its counts.

        Later calls belong to the sessions around it.
        """
        before = self._current
        self._open.remove(bedrock)
        now = self._current
        pairs: list[tuple[Interaction, Call]] = []
        if now is not before:
            bedrock.leave()
            if now is not None:
                now.enter()

        def leave() -> None:
            if now is not None and now is not before:
                now.become_default()
            if self._settings.captures:
                bedrock.captured = self._capture(bedrock)
            pairs.extend(self._pair_misses(bedrock))
            self._close(bedrock)

        self._server.run(leave)
        if not bedrock.recorded and self._settings.url is None:
            played = bedrock.play_request
            keep_misses(played.folder, (played.cassette,), pairs, played.match.redaction)
        if bedrock.accepted and not bedrock.tally.missed:
            self.tally.messages += accept_requests(
                bedrock.play_request, bedrock.accepted, self._settings.run_id
            )

    def _pair_misses(self, bedrock: Bedrock) -> list[tuple[Interaction, Call]]:
        """Return the misses of a session, each with the recording whose request it may replace."""
        engine = self._server.engine
        state = engine.sessions.find(bedrock.name)
        if not bedrock.missed or bedrock.recorded or state is None:
            return []
        return pair_misses(state, engine.library, bedrock.missed)

    def _capture(self, bedrock: Bedrock) -> Part:
        """Return the calls of a test for the report. A test that runs again gets a number."""
        played = bedrock.play_request
        own = "" if played.fixture == "bedrock" else f" ({played.fixture}, {played.cassette})"
        test = f"{played.test}{own}".strip()
        self._runs[test] += 1
        title = test if self._runs[test] == 1 else f"{test} (run {self._runs[test]})"
        return bedrock.capture(title, self._settings.match.redaction)

    def close(self) -> None:
        """Stop the recorders, which write cassettes, and the server, unless it is kept."""
        if self._migration is not None:
            self._migration.write(self.tally)
        while self._recordings:
            _, recording = self._recordings.popitem()
            message, count, well = recording.stop()
            self.tally.recorded += count
            self.tally.messages.append(message)
            self.tally.failed = self.tally.failed or not well
        self._restore()
        if not self._settings.keeps:
            self._server.stop()

    def keep(self, say: Callable[[str], object]) -> None:
        """Keep the server running until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            say(f"bedtape: the inspector is at {self._server.url}/_bedtape/ until you press Ctrl-C")
            while True:
                signal.pause()
        self._server.stop()

    def route(self, url: str) -> str:
        """Return the URL for a request: the current test's, for Bedrock and others' recorders."""
        current = self._current
        if current is None:
            return url
        # Over http, because a client that was made before the test does not trust
        # bedtape's certificate.
        return redirect(url, current.url.replace("https://", "http://", 1), self._bases())

    def headers_for(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - of servers with tokens
        """Return the headers that a request of botocore to this URL needs."""
        return {}

    def take_strays(self, *, waits: bool = True) -> list[str]:
        """Return the misses, since the last call of this method, of tests that have ended.

        waits: whether the server first reads what clients have sent. `end` has waited for that.
        """
        if waits:
            self._server.run(lambda: None)
        # The server's thread may append at the same time: each operation of a deque is atomic.
        return [self._strays.popleft() for _ in range(len(self._strays))]

    def _advise(self, session: str) -> str:
        """Return what to change if a call of this session misses; an empty
        string if the session is open.

        A client names the session of the test that created it, or no session.
        """
        if session in self._playing:
            return ""
        if session in self._names:
            return (
                f"The session {session!r} is of a test that has ended, so another test has created this client. Create the"
                " client in the test or in a fixture, after the fixture bedrock."
            )
        if self._open or session != DEFAULT_SESSION:
            return ""
        return (
            "No test with a fixture of bedtape is running, so another test has created this client. Use the fixture in this"
            " test, `def test_it(bedrock)`, and create the client in the test."
        )

    def is_of_ended_test(self, url: str) -> bool:
        """Whether the URL is the endpoint of a test that has ended."""
        parts = urlsplit(url)
        name = split_prefixes(parts.path)[0] or DEFAULT_SESSION
        return (
            parts.netloc == urlsplit(self._server.url).netloc
            and self._server.engine.sessions.find(name) is None
        )

    def point_child(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the environment of a child process of the running test."""
        return environ if self._current is None else self._current.point_child(environ)

    @property
    def running(self) -> bool:
        """Whether a test that uses bedtape is running."""
        return self._current is not None

    @property
    def waits(self) -> bool:
        """Whether SDKs wait before they retry. The running test decides."""
        return self._current is None or not self._current.retries_fast

    def _bases(self) -> list[str]:
        """Return the servers whose URLs a client may have kept from another test."""
        return [recording.url for recording in self._recordings.values()]

    def _find_folders(self) -> list[Path]:
        """Return the folders with recordings of other tests and of `bedtape record`."""
        own = list(dict.fromkeys(each.play_request.folder for each in self._open))
        return [*own, *find_other_folders(own)]

    def _start_recorder(self, folder: Path) -> Recording:
        if not self._recordings:
            self._end_in_order()
        if folder not in self._recordings:
            settings = self._settings
            self._recordings[folder] = Recording(
                settings.command, folder, settings.mode, settings.environ
            )
        return self._recordings[folder]

    def _end_in_order(self) -> None:
        """Let SIGTERM end a run as Ctrl-C does. A recorder left alone would keep real keys."""
        try:
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        except ValueError:  # not the main thread
            return
        self._restore = lambda: signal.signal(signal.SIGTERM, before)

    def _observe(self, outcome: Outcome) -> None:
        answer = outcome.sample  # a miss has no repetition
        if (playing := self._playing.get(answer.call.session)) is not None:
            playing.take(answer)
        elif (miss := answer.miss) is not None and miss.advice:
            self._strays.append(str(miss))
