"""The commands `bedtape cassette import` and `export`: recordings of other tools
into cassettes, and back.

The room `foreign` converts bytes. This module reads, names and writes files, each
cassette whole or not at all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.backup import make_room, print_backup, refuse_existing
from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson
from bedtape_cassettes.cli.output import print_json, progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign import exporters, import_formats
from bedtape_cassettes.foreign.import_file import DOUBTS, ImportResult, import_file
from bedtape_cassettes.foreign.to_rule import render_overlay
from bedtape_cassettes.model import Cassette, Suite
from bedtape_cassettes.redaction.scrub import Redaction, read_patterns, scrub_text
from bedtape_cassettes.storage import file_names, store
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_cassettes.storage.foreign_files import name_cassettes, read_recording
from bedtape_cassettes.text import format_count

# How many files a summary names.
_NAMED = 3
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")

_FROM = f"The format: auto, or one of {', '.join(import_formats.FORMATS)}."
_EXACT = (
    "Keep every byte and header of the recordings, except secrets. Request ids are as recorded, or"
    " absent."
)
_REDACT = "Pattern to remove besides secrets, before anything is written. Repeatable."


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Recordings, or folders of them.")
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="DIR", help="Folder of cassettes to import into, one cassette per file."
        ),
    ] = CASSETTES,
    overlays: Annotated[
        Path,
        typer.Option(
            "--overlays",
            metavar="DIR",
            help="Folder for the rules made from fixtures, one overlay per file.",
        ),
    ] = Path("overlays"),
    source: Annotated[str, typer.Option("--from", metavar="FORMAT", help=_FROM)] = "auto",
    force: Annotated[
        bool,
        typer.Option(
            "--force/--no-force",
            help="Replace existing cassettes and overlays. `bedtape cassette undo` restores them.",
        ),
    ] = False,
    redact: Annotated[
        list[str] | None, typer.Option("--redact", metavar="PATTERN", help=_REDACT)
    ] = None,
    exact: Annotated[bool, typer.Option("--exact/--no-exact", help=_EXACT)] = False,
    keep_account: Annotated[
        bool,
        typer.Option(
            "--keep-account/--no-keep-account",
            help="Keep the ids of AWS accounts, such as in ARNs.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make cassettes from recordings of other tools.

    Damaged entries and entries of other services are reported and skipped.

    Fixtures with conditions become rules. Exit code 1 if nothing was imported, or
    if an entry was damaged.

    \b
    Examples:
      bedtape cassette import tests/vcr --to cassettes
      bedtape cassette import capture.har --from har
    """
    with exit_on_error():
        wanted = _parse_format(source)
        redaction = replace(read_patterns(redact or []), keeps_accounts=keep_account)
        named = name_cassettes(files)
        rules = [_name_overlay(overlays, name) for name in named.values()]
        with lock(to, create=True):
            suite = store.read_named(to, list(named.values()))
            before = {cassette.name: cassette for cassette in suite}
            reports = []
            room = make_room(to, suite, list(named.values()), rules, force=force)
            with room as backup, progress(len(named), "importing") as tick:
                for path, name in named.items():
                    old = (before[name],) if name in before else ()
                    reports.append(
                        _import(path, name, (to, overlays), wanted, redaction, old, exact)
                    )
                    tick(name)
    if as_json:
        print_json({"files": [*map(_to_json, reports)], "backup": backup and str(backup)})
    else:
        print_backup(backup)
        _report(reports)
    raise typer.Exit(0 if _is_complete(reports) and _count_imported(reports) else 1)


def export(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="Cassettes: folders or .tape files."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT", help=f"The format: one of {', '.join(exporters.FORMATS)}."
        ),
    ] = "jsonl",
    into: Annotated[
        Path,
        typer.Option("--into", metavar="DIR", help="Folder to write into, one file per cassette."),
    ] = Path("exported"),
    region: Annotated[
        str,
        typer.Option(
            "--region", help="Region of the host names, because cassettes do not contain it."
        ),
    ] = "us-east-1",
    force: Annotated[
        bool, typer.Option("--force/--no-force", help="Replace files that exist.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write cassettes as recordings of other tools. Partial interactions and conversations are
    written to jsonl only.

    \b
    Examples:
      bedtape cassette export --to vcrpy --into tests/vcr
      bedtape cassette export cassettes --to har
    """
    with exit_on_error():
        form = exporters.FORMATS.get(to)
        if form is None:
            raise CassetteError(
                f"--to: expected one of {', '.join(exporters.FORMATS)}; found {to!r}"
            )
        if not _REGION.fullmatch(region):
            raise CassetteError(f"--region: expected a region such as us-east-1, found {region!r}")
        # Some versions of typer ignore a default map for arguments.
        suite = store.read(
            folders or list(map(Path, context.lookup_default("folders") or [CASSETTES]))
        )
        places = {cassette.name: into / f"{cassette.name}{form.suffix}" for cassette in suite}
        if not force:
            refuse_existing([path for path in places.values() if path.exists()])
        with progress(len(suite), "exporting") as tick:
            for cassette in suite:
                _replace_file(places[cassette.name], form.export(cassette, region))
                tick(cassette.name)
    partial, conversations = (0, 0) if to == "jsonl" else _count_left_out(suite)
    if as_json:
        left_out = {"partial_left_out": partial, "conversations_left_out": conversations}
        print_json({"files": [*map(str, places.values())], **left_out})
        return
    counts = ((partial, "partial interaction"), (conversations, "conversation"))
    parts = [format_count(count, noun) for count, noun in counts if count]
    typer.echo(
        f"{into}: {format_count(len(suite), 'file')}"
        + (f"; {' and '.join(parts)} left out" if parts else "")
    )


def _count_left_out(suite: Suite) -> tuple[int, int]:
    """Returns the numbers of partial interactions and of whole conversations."""
    interactions = [each for cassette in suite for each in cassette.interactions]
    whole = [each for each in interactions if not each.partial]
    conversations = sum(each.request.events is not None for each in whole)
    return len(interactions) - len(whole), conversations


# -- files and cassette names ---------------------------------------------------------------------


def _parse_format(source: str) -> str | None:
    if source != "auto" and source not in import_formats.FORMATS:
        raise CassetteError(
            f"--from: expected auto, {', '.join(import_formats.FORMATS)}; found {source!r}"
        )
    return None if source == "auto" else source


def _name_overlay(overlays: Path, name: str) -> Path:
    return overlays / f"{name}.overlay.yaml"


# -- one file --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Report:
    """The import of one file. result: None if it failed. lines: for the user. written: files."""

    path: Path
    result: ImportResult | None
    lines: tuple[str, ...]
    written: tuple[Path, ...] = ()


def _import(
    path: Path,
    name: str,
    places: tuple[Path, Path],
    wanted: str | None,
    redaction: Redaction,
    old: Suite,
    exact: bool,
) -> _Report:
    try:
        result = import_file(read_recording(path), wanted, redaction, exact=exact)
        written = _write(result, name, places, redaction, old)
    except CassetteError as error:
        return _Report(path, None, (f"{path}: not imported: {error}",))
    except ValueError as error:
        return _Report(
            path,
            None,
            (f"{path}: not imported: expected values that YAML can contain, found: {error}",),
        )
    lines = tuple(f"{path} ({result.format}): {remark}" for remark in result.remarks())
    return _Report(path, result, lines, tuple(written))


def _write(
    result: ImportResult, name: str, places: tuple[Path, Path], redaction: Redaction, old: Suite
) -> list[Path]:
    to, overlays = places
    overlay = _name_overlay(overlays, name)
    layers = (
        render_overlay(result.rules, redaction) if result.rules else None
    )  # may raise, so it comes before the first write
    if result.interactions:
        commit(
            to,
            old,
            (file_names.number_files(Cassette(name, result.interactions)),),
            redaction=redaction,
        )
    if layers is not None:
        _replace_file(overlay, layers)
    return [to / name] * bool(result.interactions) + [overlay] * bool(result.rules)


def _replace_file(path: Path, data: bytes) -> None:
    try:
        store.replace_file(path, data)
    except OSError as error:
        fix = "free space or fix permissions, and run this again with --force"
        raise CassetteError(f"{path}: expected to write, found: {error.strerror}; {fix}") from None


def _is_complete(reports: list[_Report]) -> bool:
    return not any(report.result is None or report.result.is_damaged for report in reports)


def _count_imported(reports: list[_Report]) -> int:
    results = [report.result for report in reports if report.result is not None]
    return sum(len(result.interactions) + len(result.rules) for result in results)


def _to_json(report: _Report) -> dict[str, object]:
    result = report.result
    return {
        "file": str(report.path),
        "imported": result is not None,
        "format": result and result.format,
        "interactions": len(result.interactions) if result else 0,
        "rules": len(result.rules) if result else 0,
        "damaged": result is not None and result.is_damaged,
        "left_to_its_tool": dict(sorted(result.hosts.items())) if result else {},
        "doubts": sorted({doubt for _, doubt in result.doubts}) if result else [],
        "remarks": list(report.lines),
        "written": [*map(str, report.written)],
    }


def _report(reports: list[_Report]) -> None:
    """Prints what a user has to read of each file, equal lines once, and a summary by host."""
    paths_by_line: dict[str, list[Path]] = {}
    for report in reports:
        for line in report.lines:
            paths_by_line.setdefault(line.removeprefix(str(report.path)), []).append(report.path)
    for line, paths in paths_by_line.items():
        others = len(set(paths)) - 1
        more = f" and {format_count(others, 'other file')}" if others else ""
        typer.echo(f"{paths[0]}{more}{line}")
    results = [(report.path, report.result) for report in reports if report.result is not None]
    for verb, counters in (
        ("imported", [result.taken for _, result in results]),
        ("left to its tool", [result.hosts for _, result in results]),
    ):
        for host, count in sorted(sum(counters, Counter[str]()).items()):
            typer.echo(f"{scrub_text(host)}: {format_count(count, 'exchange')} {verb}")
    for doubt, meaning in DOUBTS.items():
        _report_doubt(
            meaning,
            [path for path, result in results for _, each in result.doubts if each == doubt],
        )
    written = [place for report in reports for place in report.written]
    where = f" → {_render_places(written)}" if written else ""
    formats = ", ".join(sorted({result.format for _, result in results}))
    complete = _is_complete(reports)
    damage = "" if complete else "; some files or entries were not imported, see above"
    typer.echo(
        f"imported {_count_imported(reports)} from"
        f" {format_count(len(reports), 'file')}{formats and f' ({formats})'}{where}{damage}"
    )


def _report_doubt(meaning: str, paths: list[Path]) -> None:
    if paths:
        files = list(dict.fromkeys(map(str, paths)))
        named = f"{', '.join(files[:_NAMED])}{' …' if len(files) > _NAMED else ''}"
        typer.echo(
            f"{meaning}: {format_count(len(paths), 'answer')} of {format_count(len(files), 'file')}"
            f" ({named})"
        )


def _render_places(written: list[Path]) -> str:
    """Returns the place that was written, or the nearest folder of all."""
    return str(written[0] if len(written) == 1 else os.path.commonpath(written) or ".")
