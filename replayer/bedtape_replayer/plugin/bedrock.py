"""The class of the `bedrock` fixture: a test's session, client and misses. It starts no server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedtape_cassettes.addresses import (
    CLIENT_VARIABLES,
    DEFAULT_SESSION,
    isolate_environment,
    point_environment,
    render_prefix,
)
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.storage.authority import open_authority
from bedtape_cassettes.storage.trust import trust
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.api.inspector.capture import Part, capture
from bedtape_replayer.engine.session import Session, SessionServer
from bedtape_replayer.engine.session_state import Select
from bedtape_replayer.history.calls import Calls
from bedtape_replayer.history.listing import list_calls
from bedtape_replayer.history.retries.finding import WAITS, Finding
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.plugin.loading import load_library
from bedtape_replayer.plugin.marks import PlayRequest
from bedtape_replayer.plugin.patched_environment import PatchedEnvironment
from bedtape_replayer.plugin.summary import Summary

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient

__tracebackhide__ = True  # so that pytest shows the line of the test
_MOST = 5
_FIX_OF_RULES = "Correct the rule, or the program if it departs from a script."
_NOTHING = Library(())


@cache
def _sdk() -> Any:
    """Return one boto3 session for all clients, because loading models is the slowest part."""
    return import_module("boto3").Session(
        aws_access_key_id="bedtape",
        aws_secret_access_key="bedtape",  # noqa: S106
    )


class Bedrock(Session):
    """Amazon Bedrock for one test, or for the tests of a module or run, with its own cassette,
    rules, faults and calls.

    See the fixtures `bedrock`, `bedrock_module`, `bedrock_session` and `bedrock_factory`.

    While a test is recorded, the recorder gets the calls that rules, faults and
    cassettes do not answer.
    """

    def __init__(
        self,
        play_request: PlayRequest,
        server: SessionServer,
        url: str,
        library: Library | None,
        recorder: str | None,
        here: Path,
        *,
        accepts: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name or play_request.cassette, server)
        self.play_request = play_request
        self.tally = Summary(tests=1)
        self.retries_fast = play_request.fast_retries
        self._base = url
        self._library = library
        self._recorder = recorder
        self._here = here
        self._accepts = accepts
        self.captured: Part | None = None
        self.accepted: list[tuple[Interaction, Call]] = []
        self._misses: list[str] = []
        self._broken: set[str] = set()  # of the misses, those of rules that failed
        self.missed: list[Call] = []
        self._reported = 0
        self._misses_before = 0
        self._counted_before = 0
        self._calls_before = 0
        self._shared: tuple[object, ...] = ()
        self._environment: PatchedEnvironment | None = None
        self._withheld: dict[str, str] = {}

    # -- for tests ---------------------------------------------------------------------------------

    @property
    def recorded(self) -> bool:
        """Whether calls that nothing else answers go to real Bedrock and are recorded."""
        return self._recorder is not None

    def client(self, **options: Any) -> BedrockRuntimeClient:
        """A boto3 client for `bedrock-runtime`. options: those of boto3's `client`."""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        made: BedrockRuntimeClient = _sdk().client(
            "bedrock-runtime", **{"endpoint_url": self.url, "region_name": region, **options}
        )
        return made

    def play(self, cassette: str | None, *, strict: bool | None = None) -> None:
        """Play another cassette from the same folder; `None` for the test's own cassette.

        strict: play each recording once; `None` for the value of the test's mark or the settings.
        """
        play_request = self.play_request
        library = load_library(
            play_request.folder, cassette or play_request.cassette, play_request.match
        )
        if library is None:
            raise ValueError(
                f"expected a cassette {cassette or self.name!r} in {play_request.folder}, found none"
            )
        self._library = library

        def choose() -> None:
            state = self._state()
            state.library, state.strict = library, play_request.strict if strict is None else strict
            self._hold(library)

        self._do(choose)

    def fast_retries(self) -> None:
        """Let boto3, aiobotocore, Anthropic's and OpenAI's clients retry without waiting,
        until the end of the test.

        Every attempt still goes over HTTP. The verdict then does not judge waits.
        """
        self.retries_fast = True

    @property
    def verdict(self) -> tuple[Finding, ...]:
        """The client's mistakes in retrying; without `fast_retries`, also in its waits."""
        findings = super().verdict
        return (
            tuple(each for each in findings if each.kind not in WAITS)
            if self.retries_fast
            else findings
        )

    def reset(self) -> None:
        """Remove layers, positions and calls, as at the test's start. Misses stay."""

        def forget() -> None:
            sessions = self._server.engine.sessions
            is_default = sessions.find(DEFAULT_SESSION) is sessions.find(self.name)
            state = sessions.reset(self.name)
            if is_default:
                sessions.share(DEFAULT_SESSION, state)
            self._calls_before = 0

        self._do(forget)

    def __repr__(self) -> str:
        """Returns the cassette, the counts of `Session`, and the number of misses."""
        misses = f", {len(self._misses)} without an answer" if self._misses else ""
        return f"{super().__repr__()[:-1]}{misses}>"

    # -- for the plugin ----------------------------------------------------------------------------

    def open(self, overlay: Overlay) -> None:
        """Create the session with the overlay of the test's mark."""
        play_request, sessions = self.play_request, self._server.engine.sessions
        sessions.drop(self.name)
        state = self._state()
        state.library = self._library or _NOTHING
        state.strict, state.speed = play_request.strict, play_request.speed
        if self._recorder is not None:
            state.upstream = f"{self._recorder}{render_prefix(play_request.cassette)}"
        state.layers.replace_own(overlay)
        self._shared = overlay.layers
        if self._accepts:
            state.substitute = self._accept
        if not self.recorded:
            self._hold(state.library)

    def become_default(self) -> None:
        """Give the session the calls without a session, for clients that outlive their test."""
        self._server.engine.sessions.share(DEFAULT_SESSION, self._state())

    def open_selecting(self, select: Select) -> None:
        """Create a session whose recordings `select` chooses. It is not the default session."""
        state = self._state()
        state.library, state.select = self._library or _NOTHING, select
        self._hold(state.library)

    def _accept(self, call: Call, index: Index) -> IndexedRecording | None:
        """Answers a miss with the next recording, whose request is replaced at the test's end."""
        recording = self._state().take_next_unplayed(index, call)
        if recording is not None:
            self.accepted.append((recording.interaction, call))
        return recording

    def begin_body(self) -> None:
        """Note the layers of marks and fixtures before the body of the test runs."""
        self._shared = self._read_layers()

    def _read_layers(self) -> tuple[object, ...]:
        """Return the session's own layers. Runs in any thread, because an overlay does not
        change: the session gets another one.
        """
        state = self._server.engine.sessions.find(self.name)
        return () if state is None else state.layers.own.layers

    def gather(self) -> None:
        """Count the calls of the session, if a server in another process has answered them."""

    def begin_test(self) -> None:
        """Note the calls before a test, so that the report of the test contains its own calls."""
        calls = self.calls
        self._calls_before = calls[-1].number if calls else 0
        self._misses_before = len(self._misses)
        self._counted_before = self.tally.answered + self.tally.ruled + len(self._misses)

    @property
    def test_calls(self) -> Calls:
        """The calls since the test began, without forgotten calls."""
        calls, before = self.calls, self._calls_before
        recent = tuple(record for record in calls.records if record.number > before)
        return Calls(recent, 0 if before else calls.forgotten)

    @property
    def test_misses(self) -> list[str]:
        """The misses since the test began, if they are a failure."""
        self.gather()
        return (
            []
            if self.play_request.allow_misses
            else list(dict.fromkeys(self._misses[self._misses_before :]))
        )

    def capture(self, title: str, redaction: Redaction) -> Part:
        """Return the calls of the test for the report."""
        return capture(self._server.engine, self._state(), title, redaction)

    @property
    def properties(self) -> dict[str, str]:
        """The properties of the running test in JUnit files. They have the fixture's name."""
        self.gather()
        name, misses = self.play_request.fixture, len(self._misses) - self._misses_before
        calls = self.tally.answered + self.tally.ruled + len(self._misses) - self._counted_before
        start = "bedtape" if name == "bedrock" else f"bedtape_{name.removeprefix('bedrock_')}"
        return {
            f"{start}_cassette": self.play_request.cassette,
            f"{start}_calls": str(calls),
            f"{start}_misses": str(misses),
        }

    def close(self, *, keeps: bool) -> None:
        """Drop the session, by both its names. keeps: its own name stays, for the inspector."""
        sessions = self._server.engine.sessions
        if sessions.find(DEFAULT_SESSION) is sessions.find(self.name):
            sessions.drop(DEFAULT_SESSION)
        if not keeps:
            sessions.drop(self.name)

    def enter(self) -> None:
        """Set the environment, also after a fixture has changed it."""
        if self._environment is None:
            wanted = self._isolate(os.environ)
            if self.play_request.endpoint == "kept" and not self.recorded:
                wanted = self._withhold_endpoints(wanted)
            self._environment = PatchedEnvironment(wanted)
        self._environment.enter()

    def _isolate(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the test, in which calls go to the server."""
        point = point_environment if self.recorded else isolate_environment
        wanted = point(environ, self._base)
        if self._base.startswith("https:"):
            wanted = trust(wanted, open_authority(environ).certificate)
        return wanted

    def point_child(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the environment of a child process, whose requests are not redirected."""
        return {**environ, **self._withheld} if self._withheld else environ

    def _withhold_endpoints(self, wanted: dict[str, str]) -> dict[str, str]:
        """Return the environment with the endpoints that AWS SDKs had before."""
        names = [
            name for name, variable in CLIENT_VARIABLES.items() if variable.clients == "AWS SDKs"
        ]
        self._withheld = {name: wanted.pop(name) for name in names if name in wanted}
        return {**wanted, **{name: os.environ[name] for name in names if name in os.environ}}

    def leave(self) -> None:
        """Restore the environment."""
        if self._environment is not None:
            self._environment.leave()
            self._environment = None

    def take(self, answer: Answer) -> None:
        """Count an answered call. Runs in the server's thread."""
        tally = self.tally
        match answer.source:
            case "cassette":
                tally.answered += 1
                if answer.file is not None:
                    tally.played.add(self._place(answer.file))
            case "rule" | "fault" | "validation" | "simulation":
                tally.ruled += 1
            case "miss":
                tally.missed += 1
                self._misses.append(str(answer.miss))
                self.missed.append(answer.call)
                if answer.miss and answer.miss.nearest and (cause := answer.miss.nearest[0].cause):
                    tally.causes.append((str(cause).removeprefix("in "), cause.options))
            case "overlay":
                self._misses.append(str(answer.by))
                self._broken.add(str(answer.by))

    def report_misses(self, shown: str = "") -> str | None:
        """Returns a report on the misses since the last report, or None if there are none
        or the test allows misses.

        shown: the failure that pytest prints. The report does not repeat a miss
        that the failure contains.
        """
        self.gather()
        misses = self._misses[self._reported :]
        self._reported += len(misses)
        if not misses or self.play_request.allow_misses:
            return None
        calls = "1 call was" if len(misses) == 1 else f"{len(misses)} calls were"
        broken = all(miss in self._broken for miss in misses)
        what = "refused by bedtape, because a rule failed" if broken else "answered by nothing"
        distinct = [miss for miss in dict.fromkeys(misses) if miss.partition("\n")[0] not in shown]
        above = "" if distinct else " The error above contains the reason."
        more = [f"… and {len(distinct) - _MOST} more"] if len(distinct) > _MOST else []
        return "\n\n".join(
            [
                f"{self.play_request.fixture}: {calls} {what}.{above}",
                *distinct[:_MOST],
                *more,
                _FIX_OF_RULES if broken else self._suggest_fix(),
            ]
        )

    def report_calls(self, *, all_layers: bool = True) -> str:
        """Returns the calls of the test, one line each, and the layers that did not act.

        all_layers: False if later tests may use the layers.
        """
        calls, unused = self.test_calls, self._find_unused() if all_layers else []
        forgotten = f", after {calls.forgotten} older calls" if calls.forgotten else ""
        lines = [
            f"{format_count(len(calls), 'call')}{forgotten}{':' if calls else ''}",
            *list_calls(calls),
        ]
        shown = () if self.play_request.unused == "ignore" else unused
        return "\n".join([*lines, *(line for _, line in shown)])

    def report_unused(self) -> str | None:
        """Count the layers of the test that did not act. Returns a report if the test must fail.

        A test fails if a script has turns that did not come, or if the settings make
        unused layers a failure.
        """
        unused = [(layer, line.partition(": ")) for layer, line in self._find_unused()]
        fails = self.play_request.unused == "fail"
        failing = [
            text
            for layer, (_, _, text) in unused
            if fails or (isinstance(layer, Rule) and layer.needed > 1)
        ]
        if failing:
            listed = "\n".join(f"  {text}" for text in failing)
            what, fix = (
                "rules and faults that never acted",
                "Remove them, or make the test call them.",
            )
            if not fails:
                what = "the program ended before the script"
                fix = "Remove the turns that did not come, or let the program come to them."
            return f"{self.play_request.fixture}: {what}:\n{listed}\n{fix}"
        if self.play_request.unused == "list":
            owner = self.play_request.test or self.play_request.fixture
            self.tally.unused += [f"{owner}: {text}" for _, (_, _, text) in unused]
        return None

    def _find_unused(self) -> list[tuple[Rule | Fault, str]]:
        """Returns the layers that the body of the test added and that did not act,
        each with a line for the report.

        Layers of marks and fixtures may be for other tests.
        """

        def find() -> list[tuple[Rule | Fault, str]]:
            lines = self._state().layers.list_unused()
            return [(layer, line) for layer, line in lines if layer not in self._shared]

        # A test that adds no layer does not wait for the server's thread.
        if self.recorded or self._read_layers() == self._shared:
            return []
        return self._do(find)

    def _suggest_fix(self) -> str:
        fixture = self.play_request.fixture
        if self._do(lambda: bool(self._state().layers)):
            return f"Correct the rule that should answer, or add one with {fixture}.respond(...)."
        path = self.play_request.folder / self.play_request.cassette
        name = path.relative_to(self._here) if path.is_relative_to(self._here) else path
        tests = f" '{self.play_request.test}'" if self.play_request.test else ""
        again = f"RUN_REAL_BEDROCK_TESTS=1 pytest --bedtape={{}}{tests}"
        if self._library is None:
            return f"There is no cassette {name}. Record it: {again.format('once')}\nor answer with {fixture}.respond(...)."
        lines = [f"The cassette {name} lacks it. Record it: {again.format('new')}"]
        if self.tally.causes:
            lines.append(f"or keep the recorded answer: pytest --bedtape=accept{tests}")
        return "\n".join([*lines, f"or answer with {fixture}.respond(...)."])

    def _hold(self, library: Library) -> None:
        files = (
            each.file
            for cassette in library.cassettes
            for each in cassette.interactions
            if not each.partial
        )
        self.tally.held.update(map(self._place, files))

    def _place(self, file: str) -> str:
        return f"{self.play_request.folder}/{file}"
