"""The plugin's state during one run of pytest: the server, the tests' sessions, the blocks."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from traceback import walk_stack
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

from bedtape_cassettes.addresses import block_environment, read_host, read_service, supply_keys
from bedtape_replayer.plugin import options as options
from bedtape_replayer.plugin.blocking import CLOSED_URL, Guard, RealBedrockBlocked
from bedtape_replayer.plugin.options import GATE
from bedtape_replayer.plugin.patched_environment import lacks_credentials

if TYPE_CHECKING:
    from bedtape_replayer.plugin.migrating import MigratedTest
    from bedtape_replayer.plugin.run import Run
    from bedtape_replayer.plugin.settings import RunSettings
    from bedtape_replayer.plugin.vcr_cassettes import VcrCassettes


_RECORD = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "record"]


_USE_FIXTURE = "use the fixture in the test, `def test_it(bedrock)`, so that bedtape answers it"


def locate(
    item: pytest.Item,
) -> tuple[str, Path, list[str], list[tuple[tuple[Any, ...], Mapping[str, Any]]]]:
    """Return the arguments of `read_marks` for a test."""
    names = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return (
        item.nodeid,
        item.path,
        [*names, item.name],
        [(m.args, m.kwargs) for m in item.iter_markers("bedrock")],
    )


class Plugin:
    """The state of the plugin in one pytest process: its options, and the run after the
    first test that uses it.

    Raises pytest.UsageError for invalid settings.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.here = config.invocation_params.dir
        self.open = os.environ.get(GATE) == "1"
        self.run: Run | None = None
        self._process = 0
        self._run_id = str(getattr(config, "workerinput", {}).get("testrunuid", uuid4().hex))
        self.counted: list[dict[str, Any]] = []
        self.settings = options.settings_of(config)
        self.mode = options.mode_of(config, self.settings, gate_is_open=self.open)
        self.report = options.report_of(config, self.settings)
        self.keeps = options.keeps(config)
        self._kept: Run | None = None
        self._blocks = options.blocks_of(config, self.settings)
        self._command = options.command_of(config, self.settings) or _RECORD
        self._environ = dict(os.environ)
        # A project without settings and without a test that uses the plugin is left alone.
        self.active = options.has_settings(config, self.settings)
        self.item: pytest.Item | None = None
        # runs the tests, and need not be the process's main thread
        self._thread = threading.current_thread()
        # Blocked calls of other threads: the exception, and the frames of the thread. No test fails
        # for an exception in a thread, unless the thread that waits for it raises it again.
        self._blocked: list[tuple[RealBedrockBlocked, str, set[FrameType]]] = []
        self._plays_vcr = options.plays_vcr(config, self.settings)
        self._migrates = options.migrates(config)
        self._url = options.url_of(config, self.settings, self.mode)
        self._vcr: VcrCassettes | None = None
        self.guard = Guard(
            self._route,
            self._signs,
            self._refuse,
            self._environ_of_child,
            self._waits,
            self._open_vcr,
            self._close_vcr,
            lambda: self._running or self._plays_vcr,
        )

    def running(self) -> Run:
        """Return the run, which the first test that uses the fixture starts."""
        if self.run is not None and self._process != os.getpid():
            # the test runs in a fork of the process whose threads serve
            self.run = self._vcr = None
        if self.run is None:
            self._process = os.getpid()
            settings = import_module("bedtape_replayer.plugin.settings").run_settings(
                self.settings,
                mode=self.mode,
                command=self._command,
                environ=self._environ,
                here=self.here,
                captures=self.report is not None,
                keeps=self.keeps,
                migrates=self._migrates,
                url=self._url,
                run_id=self._run_id,
            )
            self.run = self._make_run(settings)
        return self.run

    def _make_run(self, settings: RunSettings) -> Run:
        package = "bedtape_replayer.plugin"
        if settings.url is None:
            run: Run = import_module(f"{package}.run").Run(settings, self.here)
        else:
            run = import_module(f"{package}.remote.run").RemoteRun(settings, self.here)
        return run

    def end(self) -> None:
        """End the run and keep its counts."""
        self._vcr = None
        run, self.run = self.run, None
        if run is not None:
            run.close()
            self.counted.append(run.tally.as_plain())
            self._kept = run if self.keeps else None

    def keep(self, config: pytest.Config) -> None:
        """Keep the server running until Ctrl-C, if the user wants it and a test has started it."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self._kept is not None and terminal is not None:
            self._kept.keep(terminal.write_line)

    @property
    def _running(self) -> bool:
        return self.run is not None and self.run.running

    @property
    def _blocking(self) -> bool:
        return self.active and self._blocks and not self.open

    def _route(self, request: Any) -> None:
        """Set the URL of botocore's request. The fixture comes before cassettes of VCR.py."""
        __tracebackhide__ = True
        if self.run is not None and self.run.running:
            request.url = self.run.route(request.url)
            request.headers.update(self.run.headers_for(request.url))
            return
        if self._vcr is not None:
            self._vcr.take(request)
        if self._blocking and self.run is not None and self.run.is_of_ended_test(request.url):
            self._raise_blocked(
                "expected a test with the fixture, found a call by a client that another test has"
                f" created; {_USE_FIXTURE}"
            )

    def _open_vcr(self, context: object, cassette: Any) -> None:
        module = import_module("bedtape_replayer.plugin.vcr_cassettes")
        module.ignore_requests(cassette, lambda url: self.run is not None and self.run.is_own(url))
        if self._plays_vcr and not self._running:
            run = self.running()
            if self._vcr is None:
                migrates = None if self._migrates is None else self._find_migrated
                self._vcr = module.VcrCassettes(
                    partial(run.begin_vcr, self._name_test), run.end_vcr, migrates
                )
            self._vcr.open(context, cassette)

    def _close_vcr(self, context: object) -> None:
        if self._vcr is not None:
            self._vcr.close(context)

    def _find_migrated(self) -> MigratedTest:
        """Return the running test in the migration."""
        assert self.item is not None
        marked = self.item.get_closest_marker("vcr") is not None
        return self.running().find_migrated(*locate(self.item), marked=marked)

    def _name_test(self) -> str:
        return self.item.nodeid if self.item is not None else ""

    def _signs(self, url: str) -> bool:
        return (self._running or self._blocking) and read_service(url) is not None

    def _refuse(self, host: str) -> None:
        __tracebackhide__ = True
        if not self._blocking or read_host(host) is None:
            return
        fix = (
            "create the client inside the test or in a fixture, so that bedtape answers it"
            if self._running
            else _USE_FIXTURE
        )
        self._raise_blocked(
            f"expected no call to real Amazon Bedrock, found one to {host}; {fix}, or set {GATE}=1"
            " to allow real calls, which cost money (`block = false` in [tool.bedtape.pytest]"
            " turns this check off)"
        )

    def _raise_blocked(self, reason: str) -> NoReturn:
        __tracebackhide__ = True
        error = RealBedrockBlocked(reason)
        if (thread := threading.current_thread()) is not self._thread:
            frames = {frame for frame, _ in walk_stack(None)}
            self._blocked.append(
                (error, f"RealBedrockBlocked in the thread {thread.name}: {reason}", frames)
            )
        raise error

    def take_unanswered(self, *, waits: bool = True) -> list[str]:
        """Return reports of calls since the last report that failed without failing a test.

        waits: as of `Run.take_strays`.
        """
        blocked, self._blocked = self._blocked, []
        lost = [text for error, text, frames in blocked if _get_outermost(error) in frames]
        strays = self.run.take_strays(waits=waits) if self.run is not None else []
        return list(dict.fromkeys([*lost, *strays]))

    def _waits(self) -> bool:
        return self.run is None or self.run.waits

    def _environ_of_child(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        if self.run is not None and self.run.running:
            return self.run.point_child(environ)
        if not self._blocking:
            return environ
        blocked = block_environment(environ, CLOSED_URL)
        return supply_keys(blocked) if lacks_credentials(environ) else blocked


def _get_outermost(error: BaseException) -> FrameType | None:
    """Return the outermost frame that the exception has reached."""
    return error.__traceback__.tb_frame if error.__traceback__ is not None else None
