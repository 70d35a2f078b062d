"""Renders findings: text for people, JSON, JUnit XML, and annotations of GitHub Actions. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from xml.etree import ElementTree

from bedtape_cassettes.text import Level, escape_controls, format_count, render_annotation
from bedtape_recorder.drift.findings import SEVERITIES, Finding, Severity, Verdict

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run. folder: the folder of cassettes, as it was named."""

    folder: str
    verdicts: Sequence[Verdict]
    findings: Sequence[Finding]

    @property
    def unexpected(self) -> list[Finding]:
        """The findings that no allow-list contains."""
        return [finding for finding in self.findings if not finding.allowed]


def _render_text(report: Report) -> Iterator[str]:
    for finding in report.unexpected:
        yield escape_controls(f"{finding.severity}: {finding.drift}")
        yield f"  {format_count(len(finding.files), 'recording')}: {_list_files(finding.files)}"
        yield escape_controls(f"  to allow it, add to the allow-list: {finding.entry}")


def _list_files(files: Sequence[str]) -> str:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return escape_controls(", ".join(files[:_SHOWN])) + more


def _render_json(report: Report) -> Iterator[str]:
    findings = [
        {
            "severity": one.severity,
            **asdict(one.drift),
            "allowed": one.allowed,
            "files": list(one.files),
        }
        for one in report.findings
    ]
    skipped = [
        {"file": verdict.file, "reason": verdict.skipped}
        for verdict in report.verdicts
        if verdict.skipped
    ]
    sent = sum(verdict.skipped is None for verdict in report.verdicts)
    tokens = sum(verdict.tokens for verdict in report.verdicts)
    yield json.dumps(
        {"sent": sent, "tokens_used": tokens, "findings": findings, "skipped": skipped}, indent=2
    )


def _render_junit(report: Report) -> Iterator[str]:
    """One test case for each recording, in a suite for each cassette."""
    by_file: dict[str, list[Finding]] = {}
    for finding in report.unexpected:
        for file in finding.files:
            by_file.setdefault(file, []).append(finding)
    root = ElementTree.Element("testsuites", name="bedtape record --verify")
    suites: dict[str, ElementTree.Element] = {}
    for verdict in report.verdicts:
        name, _, file = verdict.file.rpartition("/")
        suite = suites.get(name)
        if suite is None:
            suite = suites[name] = ElementTree.SubElement(root, "testsuite", name=name)
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=file, file=f"{report.folder}/{verdict.file}"
        )
        if verdict.skipped:
            ElementTree.SubElement(case, "skipped", message=_clean(verdict.skipped))
        if findings := by_file.get(verdict.file):
            shown = "\n".join(f"{finding.severity}: {finding.drift}" for finding in findings)
            failure = ElementTree.SubElement(
                case, "failure", message=_clean(shown.splitlines()[0]), type=findings[0].severity
            )
            failure.text = _clean(shown)
    for suite in suites.values():
        for attribute, tag in (
            ("tests", "testcase"),
            ("failures", ".//failure"),
            ("skipped", ".//skipped"),
        ):
            suite.set(attribute, str(len(suite.findall(tag))))
    ElementTree.indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield ElementTree.tostring(root, encoding="unicode")


def _clean(text: str) -> str:
    """Escapes control characters, which XML cannot contain."""
    return "\n".join(map(escape_controls, text.splitlines()))


_LEVELS: Mapping[Severity, Level] = {"lost": "error", "changed": "warning", "added": "notice"}


def _render_github(report: Report) -> Iterator[str]:
    """One annotation for each finding, at its first recording."""
    for finding in report.unexpected:
        file = f"{report.folder}/{finding.files[0]}"
        also = (
            f" (also in {format_count(len(finding.files) - 1, 'other recording')})"
            if finding.files[1:]
            else ""
        )
        title, level = f"bedtape: {finding.severity}", _LEVELS[finding.severity]
        yield render_annotation(f"{finding.drift}{also}", title, file, 1, level)


FORMATS: Mapping[str, Callable[[Report], Iterator[str]]] = {
    "text": _render_text,
    "json": _render_json,
    "junit": _render_junit,
    "github": _render_github,
}


def render(report: Report, name: str) -> Iterator[str]:
    """Yields the lines of the report in a format of `FORMATS`."""
    return FORMATS[name](report)


def summarize(report: Report) -> Iterator[str]:
    """Yields the lines for stderr: what was not sent, and the totals."""
    reasons: dict[str, list[str]] = {}
    for verdict in report.verdicts:
        if verdict.skipped:
            reasons.setdefault(verdict.skipped, []).append(verdict.file)
    for reason, files in reasons.items():
        yield f"{_list_files(files)}: not compared: {reason}"
    sent = sum(verdict.skipped is None for verdict in report.verdicts)
    tokens = sum(verdict.tokens for verdict in report.verdicts)
    counts = Counter(finding.severity for finding in report.unexpected)
    shown = ", ".join(
        f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity]
    )
    allowed = len(report.findings) - len(report.unexpected)
    more = f"; {allowed} allowed" if allowed else ""
    findings = format_count(len(report.unexpected), "finding") if shown else "no findings"
    yield f"sent {sent} again ({tokens} tokens): {findings}{f' ({shown})' if shown else ''}{more}"
