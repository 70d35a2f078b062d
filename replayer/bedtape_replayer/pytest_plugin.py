"""The pytest plugin: the fixture `bedrock`, the marks `bedrock` and `real_bedrock`,
and the option `--bedtape`.

The server and its modules are imported for the first test that uses the fixture. The plugin does
not call real Bedrock itself, and blocks tests that do unless `RUN_REAL_BEDROCK_TESTS=1` is set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.plugin import options as options
from bedtape_replayer.plugin.options import GATE
from bedtape_replayer.plugin.plugin import Plugin, locate

if TYPE_CHECKING:
    from bedtape_replayer.plugin.bedrock import Bedrock
    from bedtape_replayer.plugin.sharing import BedrockFactory

_MARKS = (
    (
        "bedrock(name=None, *, overlay=None, strict=None, speed=None, allow_misses=False,"
        " unused='list', fast_retries=False): answer this test's Bedrock calls from the cassette of"
        " that name, or of the test's, and from an overlay"
    ),
    f"real_bedrock: calls real Amazon Bedrock: skipped unless {GATE}=1",
)
_FIXTURES = ("bedrock", "bedrock_module", "bedrock_session", "bedrock_factory")
_PLUGIN = pytest.StashKey[Plugin]()
_BEDROCK = pytest.StashKey["Bedrock"]()
_EVIDENCE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_to(parser)


def pytest_configure(config: pytest.Config) -> None:
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    plugin = config.stash[_PLUGIN] = Plugin(config)
    plugin.guard.install()
    _collect_evidence(config, plugin)


def _collect_evidence(config: pytest.Config, plugin: Plugin) -> None:
    """Register the writer of report and annotations, if this process prints and one is wanted."""
    workspace = options.workspace_of(config, os.environ)
    if hasattr(config, "workerinput") or (plugin.report is None and workspace is None):
        return
    evidence = import_module("bedtape_replayer.plugin.evidence").Evidence(
        plugin.report, workspace, config.rootpath
    )
    config.pluginmanager.register(evidence, "bedtape-evidence")


def pytest_unconfigure(config: pytest.Config) -> None:
    plugin = config.stash.get(_PLUGIN, None)
    if plugin is not None:
        plugin.guard.lift()
        plugin.end()
        plugin.keep(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    plugin = config.stash[_PLUGIN]
    plugin.active = plugin.active or any(map(_concerns, items))
    if not plugin.open:
        skip = pytest.mark.skip(
            reason=f"calls real Amazon Bedrock, which costs money: set {GATE}=1 to run it"
        )
        for item in items:
            if item.get_closest_marker("real_bedrock"):
                item.add_marker(skip)


# -- one test --------------------------------------------------------------------------------------


@pytest.fixture
def bedrock(request: pytest.FixtureRequest) -> Bedrock:
    """Amazon Bedrock for this test, answered from its cassette
    (cassettes/MODULE/TEST) and from rules.

    The environment points every AWS SDK to it. bedrock.respond("spam", json={...}) and
    bedrock.fail("ThrottlingException") choose answers, bedrock.calls and
    bedrock.assert_called(times=1) show and check calls, bedrock.client() is a boto3 client. A call
    without an answer fails the test.
    """
    bedrock = _begin(request.node)
    bedrock.enter()  # a fixture with a larger scope may have changed the environment
    return bedrock


@pytest.fixture(scope="module")
def bedrock_module(request: pytest.FixtureRequest) -> Iterator[Bedrock]:
    """Amazon Bedrock for the tests of a module, with one session and the cassette
    cassettes/MODULE/bedrock_module.

    It answers the calls of all tests while it is open, except of tests that also use `bedrock`.
    """
    name = "bedrock_module"
    marks = [(mark.args, mark.kwargs) for mark in request.node.iter_markers("bedrock")]
    with _share(request.config, request.node.nodeid, request.path, [name], marks, name) as bedrock:
        yield bedrock


@pytest.fixture(scope="session")
def bedrock_session(pytestconfig: pytest.Config) -> Iterator[Bedrock]:
    """Amazon Bedrock for all tests of a process, with one session and the cassette
    cassettes/bedrock_session.

    The folder `cassettes` is in pytest's root folder. Each worker of pytest-xdist is a process.
    """
    name = "bedrock_session"
    with _share(pytestconfig, "", pytestconfig.rootpath / name, [], [], name) as bedrock:
        yield bedrock


@pytest.fixture(scope="session")
def bedrock_factory(pytestconfig: pytest.Config) -> BedrockFactory:
    """Make sessions for any scope: `with bedrock_factory("checkout") as bedrock: yield bedrock`.

    The arguments are a cassette's name and those of the mark `bedrock`. folder: the folder that
    contains the folder `cassettes`; pytest's root folder by default.
    """
    factory: BedrockFactory = import_module("bedtape_replayer.plugin.sharing").BedrockFactory(
        pytestconfig.stash[_PLUGIN].running, pytestconfig.rootpath
    )
    return factory


def _share(config: pytest.Config, *session: Any) -> AbstractContextManager[Bedrock]:
    """Open a session that several tests may use. session: the arguments of `Run.begin`."""
    context: AbstractContextManager[Bedrock] = import_module(
        "bedtape_replayer.plugin.sharing"
    ).share(config.stash[_PLUGIN].running, *session)
    return context


def _begin(item: pytest.Item) -> Bedrock:
    """Return the test's session. The first call begins it."""
    if _BEDROCK not in item.stash:
        try:
            item.stash[_BEDROCK] = item.config.stash[_PLUGIN].running().begin(*locate(item))
        except CassetteError as error:
            pytest.fail(f"bedrock: {error}", pytrace=False)
    return item.stash[_BEDROCK]


def _fail_on_misses(item: pytest.Item, own: Bedrock | None = None) -> None:
    """Fail the test if calls were answered by nothing, or blocked in a thread. own: the session of
    the test, if it has ended.
    """
    plugin = item.config.stash[_PLUGIN]
    sessions = [
        own or item.stash.get(_BEDROCK, None),
        *(plugin.run.shared if plugin.run is not None else ()),
    ]
    reports = [report for each in sessions if each is not None and (report := each.report_misses())]
    if reports := [*reports, *plugin.take_unanswered(waits=own is None)]:
        pytest.fail("\n\n".join(reports), pytrace=False)


def _uses(item: pytest.Item, fixture: str = "bedrock") -> bool:
    """Whether the test uses this plugin's fixture, and not another of the same name."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.get(fixture) if info is not None else None
    return bool(definitions and definitions[-1].func.__module__ == __name__)


def _concerns(item: pytest.Item) -> bool:
    """Whether the test uses this plugin: one of its fixtures or marks."""
    return any(_uses(item, name) for name in _FIXTURES) or any(
        item.get_closest_marker(name) for name in ("bedrock", "real_bedrock")
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin before all fixtures of the test, because one of larger scope may create a client."""
    plugin = item.config.stash[_PLUGIN]
    plugin.item = item
    if plugin.run is not None:
        plugin.run.begin_test()
    if _uses(item):
        _begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if (bedrock := item.stash.get(_BEDROCK, None)) is not None:
        bedrock.begin_body()
    result = yield
    if not getattr(item, "_excinfo", None):  # a unittest test keeps its failure in this attribute
        _fail_on_misses(item)
        if bedrock is not None and (report := bedrock.report_unused()):
            pytest.fail(report, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the misses and the calls to the report of a failed test."""
    report = yield
    plugin = item.config.stash[_PLUGIN]
    run = plugin.run
    if report.failed and ((unanswered := plugin.take_unanswered()) or run is not None):
        failure = str(report.longrepr)
        if (bedrock := item.stash.get(_BEDROCK, None)) is not None:
            parts = (bedrock.report_misses(failure), bedrock.report_calls())
            report.sections.append(("bedrock", "\n\n".join(filter(None, parts))))
        if run is not None:
            report.sections += run.report_shared(partial(_uses, item), failure)
        if more := [each for each in unanswered if each.partition("\n")[0] not in failure]:
            report.sections.append(("bedrock, outside the test", "\n\n".join(more)))
    if report.when == "teardown" and (evidence := item.stash.get(_EVIDENCE, None)) is not None:
        report.bedtape = evidence  # type: ignore[attr-defined] # pytest-xdist sends attributes of reports
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """End after the test's other fixtures, because they may still call Bedrock."""
    try:
        result = yield
    finally:
        bedrock, run = item.stash.get(_BEDROCK, None), item.config.stash[_PLUGIN].run
        if bedrock is not None:
            item.config.stash[_PLUGIN].running().end(bedrock)
            del item.stash[_BEDROCK]  # the test may be run again
        if run is not None:
            properties = run.describe_shared(partial(_uses, item)) | (
                bedrock.properties if bedrock is not None else {}
            )
            own = [each for each in item.user_properties if not each[0].startswith("bedtape_")]
            item.user_properties[:] = [*own, *properties.items()]
            shared, misses = run.collect_shared()
            misses += bedrock.test_misses if bedrock is not None else ()
            captured = bedrock.captured if bedrock is not None else None
            item.stash[_EVIDENCE] = json.dumps(
                {"captured": captured, "shared": shared, "misses": misses}
            )
    _fail_on_misses(item, bedrock)
    return result


# -- the end ---------------------------------------------------------------------------------------


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
    elif (
        any(counted["failed"] for counted in plugin.counted)
        and session.exitstatus == pytest.ExitCode.OK
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
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
