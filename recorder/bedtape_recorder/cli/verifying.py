"""Sends recordings to the real service again, prints the findings, and accepts new answers."""

from __future__ import annotations

import os
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from bedtape_cassettes.cli.changing import change
from bedtape_cassettes.cli.errors import fail, report
from bedtape_recorder.drift import findings, reports
from bedtape_recorder.drift.plan import Plan
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.settings import Settings


class Format(StrEnum):
    """The form in which `--verify` prints findings."""

    text = "text"
    json = "json"
    junit = "junit"
    github = "github"


def verify_recordings(
    settings: Settings, plan: Plan, allow_list: Path | None, form: str, *, accept: bool
) -> int:
    """Print the findings. Return 1 if the allow-list lacks one of them, otherwise 0."""
    if accept and form != Format.text:
        raise RecorderError(
            f"--accept: expected --format text, found --format {form}; leave one of them out"
        )
    allowed = _read_allow_list(allow_list)
    send = import_module("bedtape_recorder.verify").verify
    verdicts: list[findings.Verdict] = list(send(settings, os.environ, report, plan))
    result = reports.Report(str(settings.folder), verdicts, findings.group(verdicts, allowed))
    for line in reports.render(result, form):
        print(line, flush=True)
    for line in reports.summarize(result):
        report(line)
    if all(verdict.skipped for verdict in verdicts):
        fail("no request could be sent again, so nothing was verified")
    if not accept or not result.unexpected:
        return 1 if result.unexpected else 0
    answers = findings.list_acceptable(verdicts, result.findings)
    left = {file for finding in result.unexpected for file in finding.files} - answers.keys()
    if answers:
        change(
            settings.folder,
            lambda suite: findings.accept(suite, answers),
            dry_run=False,
            as_json=False,
        )
    for file in sorted(left):
        report(f"{file}: not accepted, because the new answer is incomplete or an error")
    return 1 if left else 0


def _read_allow_list(file: Path | None) -> tuple[findings.Entry, ...]:
    if file is None:
        return ()
    try:
        return findings.parse_allow_list(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise RecorderError(
            f"--allow-list: expected a text file, found: {error}; correct the path"
        ) from None
