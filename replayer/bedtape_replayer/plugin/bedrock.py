"""The class of the `bedrock` fixture: the session of one test, its client and its misses. It starts no server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedtape_cassettes.addresses import DEFAULT_SESSION, isolate_environment, point_environment, render_prefix
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.session import Running, Session
from bedtape_replayer.plugin.loading import load_library
from bedtape_replayer.plugin.marks import PlayRequest
from bedtape_replayer.plugin.summary import Summary

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient

__tracebackhide__ = True  # so that pytest shows the line of the test
_MOST = 5
_NOTHING = Library(())


@cache
def _sdk() -> Any:
    """Return one boto3 session for all clients, because loading botocore's models is the slowest part."""
    return import_module("boto3").Session(aws_access_key_id="bedtape", aws_secret_access_key="bedtape")  # noqa: S106


class Bedrock(Session):
    """Amazon Bedrock for one test, with its own cassette, rules, faults and calls. See the `bedrock` fixture.

    While a test is recorded, assertions on its calls do nothing.
    """

    def __init__(
        self,
        play_request: PlayRequest,
        server: Running,
        url: str,
        library: Library | None,
        recorder: str | None,
        here: Path,
    ) -> None:
        super().__init__(play_request.cassette, server)
        self.play_request = play_request
        self.tally = Summary(tests=1)
        self._base = url
        self._library = library
        self._recorder = recorder
        self._here = here
        self._misses: list[str] = []
        self._reported = 0
        self._surroundings: PatchedEnvironment | None = None

    # -- for tests ---------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The endpoint of this test's session; the recorder's endpoint while the test is recorded."""
        return super().url if self._recorder is None else f"{self._recorder}{render_prefix(self.name)}"

    @property
    def recorded(self) -> bool:
        """Whether the calls of this test go to real Bedrock and are recorded."""
        return self._recorder is not None

    def client(self, **options: Any) -> BedrockRuntimeClient:
        """A boto3 client for `bedrock-runtime` with endpoint, keys and region. options: those of boto3's `client`."""
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
        library = load_library(play_request.folder, cassette or play_request.cassette, play_request.match)
        if library is None:
            raise ValueError(f"expected a cassette {cassette or self.name!r} in {play_request.folder}, found none")
        self._library = library
        self._play_instead()

        def choose() -> None:
            state = self._state()
            state.library, state.strict = library, play_request.strict if strict is None else strict
            self._hold(library)

        self._do(choose)

    def reset(self) -> None:
        """Remove layers, positions and calls, as at the test's start. Misses stay."""

        def forget() -> None:
            sessions = self._server.engine.sessions
            sessions.share(DEFAULT_SESSION, sessions.reset(self.name))

        self._do(forget)

    # While a test is recorded, its calls go to the recorder: no rule or fault can answer them, and no assertion is run.

    def overlay(self, document: Mapping[str, Any]) -> None:
        """Do as `Session.overlay`. A test with layers is replayed, not recorded."""
        self._play_instead()
        super().overlay(document)

    def _add(self, make: Callable[[Any], Any]) -> str:
        self._play_instead()
        return super()._add(make)

    def _judge(self, assertion: Callable[[], object]) -> None:
        if not self.recorded:
            super()._judge(assertion)

    # -- for the plugin ----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Create the session. It is also the default session, so that clients that outlive a test reach the running test."""
        play_request, sessions = self.play_request, self._server.engine.sessions
        sessions.drop(self.name)
        state = self._state()
        state.library = self._library or _NOTHING
        state.strict, state.speed = play_request.strict, play_request.speed
        sessions.share(DEFAULT_SESSION, state)
        if not self.recorded:
            self._hold(state.library)

    def close(self) -> None:
        """Drop the session, by both its names."""
        for name in (self.name, DEFAULT_SESSION):
            self._server.engine.sessions.drop(name)

    def enter(self) -> None:
        """Set the environment, also after a fixture has changed it."""
        if self._surroundings is None:
            wanted = (
                point_environment(os.environ, self.url)
                if self.recorded
                else isolate_environment(os.environ, self._base)
            )
            self._surroundings = PatchedEnvironment(wanted)
        self._surroundings.enter()

    def leave(self) -> None:
        """Restore the environment."""
        if self._surroundings is not None:
            self._surroundings.leave()
            self._surroundings = None

    def take(self, answer: Answer) -> None:
        """Count an answered call. Runs in the server's thread."""
        tally = self.tally
        match answer.source:
            case "cassette":
                tally.answered += 1
                tally.played.add(self._place(str(answer.by)))
            case "rule" | "fault" | "validation":
                tally.ruled += 1
            case "miss":
                tally.missed += 1
                self._misses.append(str(answer.miss))
            case "overlay":
                self._misses.append(f"A rule cannot give its answer: {answer.by}")

    def report_misses(self) -> str | None:
        """Returns a report on the misses since the last report, or None if there are none or the test allows misses."""
        misses = self._misses[self._reported :]
        self._reported += len(misses)
        if not misses or self.play_request.allow_misses:
            return None
        calls = "1 call was" if len(misses) == 1 else f"{len(misses)} calls were"
        distinct = list(dict.fromkeys(misses))
        more = [f"… and {len(distinct) - _MOST} more"] if len(distinct) > _MOST else []
        return "\n\n".join([f"bedrock: {calls} answered by nothing.", *distinct[:_MOST], *more, self._suggest_fix()])

    def _suggest_fix(self) -> str:
        path = self.play_request.folder / self.name
        name = path.relative_to(self._here) if path.is_relative_to(self._here) else path
        again = f"RUN_REAL_BEDROCK_TESTS=1 pytest --bedtape={{}} '{self.play_request.test}'"
        if self._library is None:
            return (
                f"There is no cassette {name}. Record it: {again.format('once')}\nor answer with bedrock.respond(...)."
            )
        return f"The cassette {name} lacks it. Record it: {again.format('new')}\nor answer with bedrock.respond(...)."

    def _hold(self, library: Library) -> None:
        files = (each.file for cassette in library.cassettes for each in cassette.interactions if not each.partial)
        self.tally.held.update(map(self._place, files))

    def _place(self, file: str) -> str:
        return f"{self.play_request.folder}/{file}"

    def _play_instead(self) -> None:
        if self.recorded:
            self.leave()
            self._recorder = None
            self.enter()
            self._do(lambda: self._hold(self._library or _NOTHING))


# -- the environment of a test ---------------------------------------------------------------------------------


class PatchedEnvironment:
    """Variables that are changed together. wanted: the complete environment during the test."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        before = dict(os.environ)
        changed = {name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name)}
        self._before = {name: before.get(name) for name in changed}
        self._wanted = {name: wanted.get(name) for name in changed}

    def enter(self) -> None:
        """Set the variables. Call this again to set variables that were changed since."""
        _set(self._wanted)

    def leave(self) -> None:
        """Restore the variables."""
        _set(self._before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
