"""The commands `bedtape cassette scan`, `redact` and `check`: find secrets, replace
them, and check cassettes.

`redact` changes cassettes; `scan` and `check` read them. No command uses the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.changing import change
from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.options import CASSETTES, AsJson, DryRun, Folder
from bedtape_cassettes.cli.output import load, print_json, print_lines, progress
from bedtape_cassettes.errors import CassetteError, CassetteInvalid
from bedtape_cassettes.format.cassette_schema import CASSETTE
from bedtape_cassettes.format.json_values import leaves, parse_path
from bedtape_cassettes.format.patterns import compile_pattern
from bedtape_cassettes.model import JsonValue, Suite
from bedtape_cassettes.redaction.engine import Look, Search, find_pattern
from bedtape_cassettes.redaction.kinds import KINDS, NAMES
from bedtape_cassettes.storage import git
from bedtape_cassettes.suites import checks, secrets
from bedtape_cassettes.suites.selector import pick
from bedtape_cassettes.text import Line, format_count, lines

Some = Annotated[
    list[str] | None,
    typer.Argument(metavar="SELECTOR", help="Interactions to check. Default: all."),
]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help=f"Only these, repeatable: {', '.join(NAMES)}.")
]
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "--pattern",
        metavar="REGEX",
        help="Also find matches of this pattern, or of its group. Repeatable.",
    ),
]


def _build_search(
    kinds: list[str] | None, patterns: list[str] | None, paths: list[str] | None = None
) -> Search:
    """Returns a search for the kinds, patterns and paths of the options. Raises CassetteError."""
    if wrong := [kind for kind in kinds or () if kind not in NAMES]:
        raise CassetteError(
            f"--kind: expected one of {', '.join(NAMES)}, found {wrong[0]!r}; choose one"
        )
    looks = tuple(find_pattern(_compile_pattern(pattern)) for pattern in patterns or ())
    return Search(tuple(KINDS[kind] for kind in kinds or ()), looks, tuple(paths or ()))


def _add_all_kinds(search: Search) -> Search:
    """Adds every kind to the search, and detect-secrets' detectors if they are installed."""
    detectors = secrets.load_detectors()
    if detectors is None:
        report(
            "detect-secrets is not installed, so its detectors are not used; to install it: pip"
            " install 'bedtape[scan]'"
        )
    more: tuple[Look, ...] = () if detectors is None else (detectors,)
    looks = (*search.looks, *more)
    return replace(search, kinds=tuple(KINDS[name] for name in NAMES), looks=looks)


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except ValueError as error:
        fix = "put a backslash before characters that are meant literally"
        raise CassetteError(
            f"--pattern: expected a regular expression, found {pattern!r} ({error}); {fix}"
        ) from None


# -- scan ------------------------------------------------------------------------------------------


def scan(
    selectors: Some = None,
    kinds: Kinds = None,
    patterns: Patterns = None,
    folder: Folder = CASSETTES,
    as_json: AsJson = False,
) -> None:
    """Find secrets and personal data, also in base64, percent-encoded, or split over events.

    The exit code is 1 if any is found.

    If detect-secrets is installed (bedtape[scan]), its detectors are used too. bedtape does not
    verify secrets, so it contacts no host.

    \b
    Examples:
      bedtape cassette scan
      bedtape cassette scan 'weather:2' --kind email --json
    """
    with exit_on_error():
        search = _build_search(kinds, patterns)
        if not kinds:
            search = _add_all_kinds(search)
        suite = load(folder)
        picked = pick(suite, selectors or ["*"])
        with progress(sum(map(len, picked.values())), "scanning") as tick:
            findings = secrets.scan(suite, picked, search, tick)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            how = f", {finding.how}" if finding.how else ""
            print_lines(
                lines(
                    f"{finding.cassette}:{finding.number}: {finding.kind} in {finding.where}{how}:"
                    f" {finding.shown}",
                    "warning",
                )
            )
        places = {finding.where for finding in findings}
        fix = (
            "; to replace secrets: bedtape cassette redact"
            if places - {*secrets.NAME_PLACES}
            else ""
        )
        for place, command in secrets.NAME_PLACES.items():
            fix += f"; to change {place}: bedtape cassette {command}" if place in places else ""
        print_lines([Line(f"{len(findings) or 'nothing'} found{fix}", "title")])
    raise typer.Exit(1 if findings else 0)


# -- redact ----------------------------------------------------------------------------------------


def redact(
    selectors: Some = None,
    kinds: Kinds = None,
    patterns: Patterns = None,
    paths: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="JSONPATH",
            help="JSON path whose value is removed from requests and answers. Repeatable.",
        ),
    ] = None,
    fixed: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="TEXT", help="Text to write instead of a numbered placeholder."
        ),
    ] = None,
    folder: Folder = CASSETTES,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Replace what scan finds, or the named values, by placeholders.

    Equal values get the same placeholder.

    Placeholders are REDACTED-KIND-NUMBER. A value of four characters or more is replaced everywhere
    in the selected interactions, so that an answer that a client sends back still matches. Streams
    keep the number of their events.

    \b
    Examples:
      bedtape cassette redact
      bedtape cassette redact weather --kind email --dry-run
      bedtape cassette redact --path 'messages.*.content.*.document.name'
      bedtape cassette redact --pattern 'ticket-\\d+'
    """
    with exit_on_error():
        for path in paths or ():
            _check_path(path)
        search = _build_search(kinds, patterns, paths)
        if not (kinds or patterns or paths):
            search = _add_all_kinds(search)
    names = secrets.Names(fixed)

    def alter(suite: Suite) -> Suite:
        picked = pick(suite, selectors or ["*"])
        with progress(2 * sum(map(len, picked.values())), "redacting") as tick:
            return secrets.redact_suite(suite, picked, search, names, tick)

    change(folder, alter, dry_run=dry_run, as_json=as_json)


def _check_path(path: str) -> None:
    try:
        if parse_path(path):
            return
    except ValueError as error:
        raise CassetteError(f"--path: {error}; write it like messages.*.content.0.text") from None
    raise CassetteError(
        f"--path: expected the path of a member, found {path!r}, which is the complete body; give"
        " the path of a member"
    )


# -- check -----------------------------------------------------------------------------------------


def check(
    folder: Folder = CASSETTES,
    history: Annotated[
        Path | None,
        typer.Option(
            "--history",
            metavar="FILE",
            help="JSON file that contains the names of the files that were played.",
        ),
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", metavar="AGE", help="Greatest age of a recording: 90d, 12w, 1y."),
    ] = None,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift/--no-drift", help="Check requests and answers with botocore's models."
        ),
    ] = True,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="KIND",
            help="Kind of note that is a problem: note for all, or its name. Repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check cassettes: their format, requests that shadow each other, drift, ended models, age.

    The exit code is 1 if there is a problem.

    Drift is a difference from the service models of the installed botocore; AWS is not contacted.
    Notes (unknown members, equal answers, ended models, recordings that no test played) do not
    change the exit code, unless --fail-on names them. Equal notes are one line.

    \b
    Examples:
      bedtape cassette check
      bedtape cassette check --max-age 90d --history played.json --json
      bedtape cassette check --fail-on model-ended --fail-on never-played
    """
    with exit_on_error():
        oldest = None if max_age is None else _parse_age(max_age)
        played = None if history is None else _read_played(history)
        failing = _read_kinds(fail_on or ())
        results = [
            _raise_level(result, failing)
            for result in _run_checks(folder, oldest, played, drift=drift)
        ]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result, places in checks.group(results):
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            shown = (
                f"{result.level}: {result.where}{more}: {result.kind}: {result.message};"
                f" {result.fix}"
            )
            print_lines(lines(shown, "warning" if result.level == "wrong" else "faint"))
        wrong = sum(result.level == "wrong" for result in results)
        print_lines([Line(f"{wrong} wrong, {format_count(len(results) - wrong, 'note')}", "title")])
    raise typer.Exit(1 if any(result.level == "wrong" for result in results) else 0)


def _read_kinds(kinds: Sequence[str]) -> frozenset[str]:
    if unknown := [kind for kind in kinds if kind not in ("note", *checks.KINDS)]:
        known = ", ".join(("note", *checks.KINDS))
        raise CassetteError(f"--fail-on: expected one of {known}, found {unknown[0]!r}; choose one")
    return frozenset(checks.KINDS if "note" in kinds else kinds)


def _raise_level(result: checks.CheckResult, failing: frozenset[str]) -> checks.CheckResult:
    return replace(result, level="wrong") if result.kind in failing else result


def _run_checks(
    folder: Path, oldest: int | None, played: frozenset[str] | None, *, drift: bool
) -> list[checks.CheckResult]:
    try:
        suite = load(folder)
    except CassetteInvalid as error:
        return [
            checks.CheckResult(
                "wrong",
                "format",
                f"{p.file}:{p.line}" if p.line else p.file,
                f"expected {p.expected}, found {p.found}",
                p.fix,
            )
            for p in error.problems
        ]
    # Importing botocore takes most of a second, so it is imported on demand.
    model = import_module("bedtape_cassettes.suites.service_model") if drift else None
    today = datetime.now(UTC)
    changed = git.read_change_times(folder, (i.file for c in suite for i in c.interactions))
    days = {file: int((today.timestamp() - time) // 86400) for file, time in changed.items()}
    facts = checks.Facts(today.date(), played, days, oldest, model)
    with progress(sum(len(cassette.interactions) for cassette in suite), "checking") as tick:
        return checks.check(suite, facts, tick)


_UNITS = {"d": 1, "w": 7, "m": 30, "y": 365}


def _parse_age(age: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([dwmy])?", age)
    if match is None:
        raise CassetteError(
            f"--max-age: expected days, weeks, months or years, found {age!r}; write it like 90d"
        )
    return int(match[1]) * _UNITS[match[2] or "d"]


def _read_played(history: Path) -> frozenset[str]:
    """Returns the texts of the JSON or of its lines, with the files of played recordings."""
    try:
        data = history.read_bytes()
    except OSError as error:
        fix = "give the file that the control API or the test run wrote"
        raise CassetteError(
            f"{history}: expected a history, found: {error.strerror}; {fix}"
        ) from None
    values: list[JsonValue]
    try:
        try:
            values = [json.loads(data)]
        except ValueError:
            values = [json.loads(line) for line in data.splitlines() if line.strip()]
    except ValueError:
        raise CassetteError(
            f"{history}: expected JSON or JSON lines, found neither; write the history again"
        ) from None
    return frozenset(leaf for value in values for _, leaf in leaves(value) if isinstance(leaf, str))


# -- schema ----------------------------------------------------------------------------------------


def schema() -> None:
    """Print the JSON Schema of an interaction's file, for editors that
    complete and check these files.

    \b
    Example:
      bedtape cassette schema > bedtape-cassette.schema.json
    """
    print_json(CASSETTE)
