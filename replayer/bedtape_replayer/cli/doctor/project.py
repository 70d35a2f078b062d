"""Checks of the project itself: its cassettes, the gate to real calls, the control API's token. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.text import format_count
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment

_GATE = "RUN_REAL_BEDROCK_TESTS"
_TOKEN = "BEDTAPE_CONTROL_TOKEN"  # noqa: S105 -- a name
_SHORTEST = 16


def check_cassettes(env: Environment) -> Iterator[Diagnosis]:
    """Whether they load."""
    if not env.shelves:
        yield ok("cassettes", "none yet: bedtape replay serves the samples that ship; bedtape init makes a first one")
    for shelf in env.shelves:
        if shelf.problems:
            count = len(shelf.problems)
            first = f"{format_count(count, 'problem')} in {shelf.folder}, first {shelf.problems[0]}"
            fix = f"fix the file; bedtape cassette check --in {shelf.folder} says all"
            yield wrong("cassettes", expected="cassettes that load", found=first, fix=fix)
        else:
            held = f"{format_count(shelf.interactions, 'interaction')} in {format_count(shelf.cassettes, 'cassette')}"
            yield ok("cassettes", f"{shelf.folder}: {held}")


def check_settings(env: Environment) -> Iterator[Diagnosis]:
    """Whether every option that is kept in a file or a variable is one, and can be."""
    chosen = env.settings
    if chosen.problems:
        count = len(chosen.problems)
        first = f"{format_count(count, 'problem')}, first {chosen.problems[0]}"
        fix = "fix it; bedtape config show says all, and no command starts before"
        yield wrong("settings", expected="settings that are sound", found=first, fix=fix)
    for warning in chosen.warnings:
        yield note("settings", expected="variables that say an option", found=warning, fix="fix or unset it")
    if not chosen.problems and not chosen.warnings:
        yield ok("settings", chosen.file or "no file: options are as the command line and variables say")


def check_gate(env: Environment) -> Iterator[Diagnosis]:
    """The gate is for one command, not for a shell."""
    said = env.environ.get(_GATE)
    if not said:
        yield ok("real calls", f"off: {_GATE} is not set")
    elif said == "1":
        opened = f"{_GATE}=1: tests marked real_bedrock run, calls to real Bedrock are not refused, and cost money"
        fix = f"unset it, and write {_GATE}=1 before the command that records"
        yield note("real calls", expected="the gate shut", found=opened, fix=fix)
    else:
        fix = f"write {_GATE}=1 before the command that records, or unset it"
        yield note("real calls", expected=f"{_GATE}=1 or none", found="something else, which opens nothing", fix=fix)


def check_token(env: Environment) -> Iterator[Diagnosis]:
    """The control API's token, which bedtape replay refuses if it is easily guessed."""
    token = env.environ.get(_TOKEN)
    if token and len(token) < _SHORTEST:
        fix = "take a longer one, or unset it: bedtape replay does not start with it"
        yield wrong(
            "control token", expected=f"{_TOKEN} of {_SHORTEST} characters or more", found=str(len(token)), fix=fix
        )
    else:
        yield ok("control token", f"{_TOKEN} is set" if token else "none: the control API answers this machine alone")
