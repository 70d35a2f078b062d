"""Collects what finished tests leave about their Bedrock calls: for the HTML report, and
for annotations on GitHub.

Each process attaches the evidence of a test to its report, as JSON text. pytest-xdist sends reports
to the process that prints, and a worker that crashes later takes nothing with it.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import render_annotation

# GitHub shows no more annotations of one step.
_ANNOTATIONS = 10
# Characters of a failure in the report. pytest prints all of it.
_FAILURE = 20_000


class Evidence:
    """A pytest plugin for the process that prints.

    file: where to write the report, or `None`. workspace: the folder to which GitHub's file names
    are relative, or `None` without annotations. root: pytest's root folder.
    """

    def __init__(self, file: Path | None, workspace: Path | None, root: Path) -> None:
        self._file = file
        self._workspace = workspace
        self._root = root
        self._parts: list[dict[str, Any]] = []
        self._misses: dict[str, None] = {}
        self._outcomes: dict[str, str] = {}
        self._failures: dict[str, tuple[str, int | None]] = {}
        self._said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid
        if report.when == "setup":
            self._outcomes[test] = "passed"
            self._failures.pop(test, None)
        if report.outcome != "passed":
            self._outcomes[test] = report.outcome
        if report.outcome not in ("passed", "skipped") and test not in self._failures:
            self._failures[test] = scrub_text(report.longreprtext[:_FAILURE]), self._line_of(report)
        if (text := getattr(report, "bedtape", None)) is not None:
            self._take(report, json.loads(text))

    def _take(self, report: pytest.TestReport, evidence: dict[str, Any]) -> None:
        failure, line = self._failures.get(report.nodeid, ("", None))
        if (part := evidence["captured"]) is not None:
            part["sessions"][0] |= {
                "outcome": self._outcomes.get(report.nodeid, "passed"),
                "failure": failure,
            }
            self._parts.append(part)
        self._parts += evidence["shared"]
        if self._workspace is None:
            return
        file, first, name = report.location
        path = self._root / file
        shown = path.relative_to(self._workspace) if path.is_relative_to(self._workspace) else path
        for miss in evidence["misses"]:
            title = f"{name}: a Bedrock call without an answer"
            self._misses[
                render_annotation(miss, title, shown.as_posix(), line or (first or 0) + 1)
            ] = None

    def _line_of(self, report: pytest.TestReport) -> int | None:
        """Return the last line of the test's file in the traceback; `None` if there is none."""
        traceback = getattr(report.longrepr, "reprtraceback", None)
        entries = traceback.reprentries if traceback is not None else ()
        places = [
            place for each in entries if (place := getattr(each, "reprfileloc", None)) is not None
        ]
        file = self._root / report.location[0]
        return next(
            (int(each.lineno) for each in reversed(places) if self._root / each.path == file), None
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report. A failure fails the run, because CI would upload nothing."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            page = import_module("bedtape_replayer.api.inspector.report").build_report(
                self._parts, "pytest"
            )
            self._file.write_bytes(page)
        except OSError as error:
            self._said.append(
                f"bedtape: cannot write the report {self._file}: {error.strerror};"
                " choose another file with --bedtape-report"
            )
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        else:
            self._said.append(f"bedtape: report: {self._file}")

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in (*tuple(self._misses)[:_ANNOTATIONS], *self._said):
            terminalreporter.write_line(line)
