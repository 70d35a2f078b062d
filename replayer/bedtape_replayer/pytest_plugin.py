"""The pytest plugin: the fixture `bedrock`, the marks `bedrock` and `real_bedrock`, and the option `--bedtape`.

The server and its modules are imported for the first test that uses the fixture. The plugin does not call real Bedrock
itself, and blocks tests that do unless `RUN_REAL_BEDROCK_TESTS=1` is set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from bedtape_cassettes.addresses import read_service
from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.plugin import options as options
from bedtape_replayer.plugin.blocking import Guard, RealBedrockBlocked
from bedtape_replayer.plugin.options import GATE

if TYPE_CHECKING:
    from bedtape_replayer.plugin.bedrock import Bedrock
    from bedtape_replayer.plugin.run import Run

_RECORD = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "record"]
_MARKS = (
    "bedrock(name=None, *, overlay=None, strict=None, speed=None, allow_misses=False): answer this test's Bedrock calls"
    " from the cassette of that name, or of the test's, and from an overlay",
    f"real_bedrock: calls real Amazon Bedrock: skipped unless {GATE}=1",
)
_PLUGIN = pytest.StashKey["_Plugin"]()
_BEDROCK = pytest.StashKey["Bedrock"]()


class _Plugin:
    """The state of the plugin in one pytest process: its options, and the run after the first test that uses it.

    Raises pytest.UsageError for invalid settings.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.here = config.invocation_params.dir
        self.open = os.environ.get(GATE) == "1"
        self.run: Run | None = None
        self.counted: list[dict[str, Any]] = []
        self.settings = options.settings_of(config)
        self.mode = options.mode_of(config, self.settings, gate_is_open=self.open)
        self._blocks = options.blocks_of(config, self.settings)
        self._command = options.command_of(config, self.settings) or _RECORD
        self._environ = dict(os.environ)
        self.guard = Guard(self._route, self._signs)

    def running(self) -> Run:
        """Return the run, which the first test that uses the fixture starts."""
        if self.run is None:
            settings = import_module("bedtape_replayer.plugin.settings").run_settings(
                self.settings, mode=self.mode, command=self._command, environ=self._environ, here=self.here
            )
            self.run = import_module("bedtape_replayer.plugin.run").Run(settings, self.here)
        return self.run

    def end(self) -> None:
        """End the run and keep its counts."""
        run, self.run = self.run, None
        if run is not None:
            run.close()
            self.counted.append(run.tally.as_plain())

    def _signs(self, url: str) -> bool:
        return self.run is not None and self.run.running and read_service(url) is not None

    def _route(self, url: str) -> str:
        __tracebackhide__ = True
        if self.run is not None and self.run.running:
            return self.run.route(url)
        if self._blocks and not self.open and read_service(url) is not None:
            raise RealBedrockBlocked(
                f"expected no call to real Amazon Bedrock, found one to {url.split('?')[0]}; use the fixture in the test,"
                f" `def test_it(bedrock)`, so that bedtape answers it, or set {GATE}=1 to allow real calls, which cost"
                " money (`block = false` in [tool.bedtape.pytest] turns this check off)"
            )
        return url


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_to(parser)


def pytest_configure(config: pytest.Config) -> None:
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    plugin = config.stash[_PLUGIN] = _Plugin(config)
    plugin.guard.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    plugin = config.stash.get(_PLUGIN, None)
    if plugin is not None:
        plugin.guard.lift()
        plugin.end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.stash[_PLUGIN].open:
        skip = pytest.mark.skip(reason=f"calls real Amazon Bedrock, which costs money: set {GATE}=1 to run it")
        for item in items:
            if item.get_closest_marker("real_bedrock"):
                item.add_marker(skip)


# -- one test --------------------------------------------------------------------------------------------------


@pytest.fixture
def bedrock(request: pytest.FixtureRequest) -> Bedrock:
    """Amazon Bedrock for this test, answered from its cassette (cassettes/MODULE/TEST) and from rules.

    The environment points every AWS SDK to it. bedrock.respond("spam", json={...}) and bedrock.fail("ThrottlingException")
    choose answers, bedrock.calls and bedrock.assert_called(times=1) show and check calls, bedrock.client() is a boto3
    client. A call without an answer fails the test.
    """
    found = _begin(request.node)
    found.enter()  # a fixture with a larger scope may have changed the environment
    return found


def _begin(item: pytest.Item) -> Bedrock:
    """Return the test's session. The first call begins it."""
    if _BEDROCK not in item.stash:
        names = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
        marks = [(mark.args, mark.kwargs) for mark in item.iter_markers("bedrock")]
        try:
            run = item.config.stash[_PLUGIN].running()
            item.stash[_BEDROCK] = run.begin(item.nodeid, item.path, [*names, item.name], marks)
        except CassetteError as error:
            pytest.fail(f"bedrock: {error}", pytrace=False)
    return item.stash[_BEDROCK]


def _fail_on_misses(found: Bedrock | None) -> None:
    if found is not None and (report := found.report_misses()):
        pytest.fail(report, pytrace=False)


def _uses(item: pytest.Item) -> bool:
    """Whether the test uses this plugin's fixture. A project may have another fixture of the same name."""
    info = getattr(item, "_fixtureinfo", None)
    found = info.name2fixturedefs.get("bedrock") if info is not None else None
    return bool(found and found[-1].func.__module__ == __name__)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin before all fixtures of the test, because a fixture with a larger scope may create a client."""
    if _uses(item):
        _begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    result = yield
    if not getattr(item, "_excinfo", None):  # a unittest test keeps its failure in this attribute
        _fail_on_misses(item.stash.get(_BEDROCK, None))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the misses to the report of a test that failed for another reason."""
    report = yield
    found = item.stash.get(_BEDROCK, None)
    if found is not None and report.failed and (misses := found.report_misses()):
        report.sections.append(("bedrock", misses))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """End after the test's other fixtures, because they may still call Bedrock."""
    try:
        result = yield
    finally:
        found = item.stash.get(_BEDROCK, None)
        if found is not None:
            item.config.stash[_PLUGIN].running().end(found)
            del item.stash[_BEDROCK]  # the test may be run again
    _fail_on_misses(found)
    return result


# -- the end ---------------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - what pytest-xdist calls it
    """Add the counts of a worker of pytest-xdist that has ended."""
    node.config.stash[_PLUGIN].counted += getattr(node, "workeroutput", {}).get("bedtape", [])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    plugin = session.config.stash.get(_PLUGIN, None)
    if plugin is None:
        return
    plugin.end()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["bedtape"] = plugin.counted
    elif any(counted["failed"] for counted in plugin.counted) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    plugin = config.stash[_PLUGIN]
    for warning in plugin.settings.warnings:
        terminalreporter.write_line(f"bedtape: {warning}", yellow=True)
    if not plugin.counted:
        return
    total = import_module("bedtape_replayer.plugin.summary").Summary()
    for counted in plugin.counted:
        total.add(counted)
    for line in total.lines(str(plugin.here), verbose=config.get_verbosity() > 0):
        terminalreporter.write_line(line)
