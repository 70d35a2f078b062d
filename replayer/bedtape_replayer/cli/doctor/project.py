"""Checks the project: its cassettes, settings, gate to real calls, and the control API's token."""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.text import format_count
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

_GATE = "RUN_REAL_BEDROCK_TESTS"
_TOKEN = "BEDTAPE_CONTROL_TOKEN"  # noqa: S105 -- a name
_SHORTEST = 16


def check_cassettes(env: Environment) -> Iterator[Diagnosis]:
    """Check that cassettes can be loaded."""
    if not env.cassette_folders:
        yield ok(
            "cassettes",
            "no cassettes: bedtape replay serves the samples; bedtape init writes a first cassette",
        )
    for folder in env.cassette_folders:
        if folder.problems:
            count = len(folder.problems)
            actual = (
                f"{format_count(count, 'problem')} in {folder.folder}, first {folder.problems[0]}"
            )
            fix = f"fix the file; bedtape cassette check --in {folder.folder} lists all problems"
            yield wrong("cassettes", expected="valid cassettes", found=actual, fix=fix)
        else:
            interactions = format_count(folder.interactions, "interaction")
            yield ok(
                "cassettes",
                f"{folder.folder}: {interactions} in {format_count(folder.cassettes, 'cassette')}",
            )


def check_settings(env: Environment) -> Iterator[Diagnosis]:
    """Check the options in files and variables."""
    chosen = env.settings
    if chosen.problems:
        count = len(chosen.problems)
        actual = f"{format_count(count, 'problem')}, first {chosen.problems[0]}"
        fix = "fix it, because no other command starts; bedtape config show lists all problems"
        yield wrong("settings", expected="valid settings", found=actual, fix=fix)
    for warning in chosen.warnings:
        yield note(
            "settings",
            expected="variables that name an option",
            found=warning,
            fix="correct or unset the variable",
        )
    if not chosen.problems and not chosen.warnings:
        yield ok(
            "settings", chosen.file or "no file: options come from the command line and variables"
        )


def check_gate(env: Environment) -> Iterator[Diagnosis]:
    """Check the gate to real calls, which is meant for one command, not for a whole shell."""
    value = env.environ.get(_GATE)
    if not value:
        yield ok("real calls", f"off: {_GATE} is not set")
    elif value == "1":
        actual = (
            f"{_GATE}=1: tests marked real_bedrock run, and calls to real Bedrock are allowed and"
            " cost money"
        )
        fix = f"unset it, and write {_GATE}=1 before the command that records"
        yield note("real calls", expected="a closed gate", found=actual, fix=fix)
    else:
        fix = f"write {_GATE}=1 before the command that records, or unset it"
        yield note(
            "real calls",
            expected=f"{_GATE}=1, or no {_GATE}",
            found="another value, which does not open the gate",
            fix=fix,
        )


def check_token(env: Environment) -> Iterator[Diagnosis]:
    """Check the length of the control API's token. bedtape replay refuses a short token."""
    token = env.environ.get(_TOKEN)
    if token and len(token) < _SHORTEST:
        fix = "set a longer token, or unset it, because bedtape replay does not start"
        yield wrong(
            "control token",
            expected=f"{_TOKEN} of {_SHORTEST} characters or more",
            found=f"{len(token)} characters",
            fix=fix,
        )
    else:
        yield ok(
            "control token",
            f"{_TOKEN} is set" if token else "not set: the control API answers this machine alone",
        )
