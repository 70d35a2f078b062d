"""The commands `bedtape cassette import` and `export`: recordings of other tools into cassettes, and back.

The room `foreign` converts bytes. This module reads, names and writes files, each cassette whole or not at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.backup import make_room, refuse_existing
from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES
from bedtape_cassettes.cli.output import progress
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign import exporters, import_formats
from bedtape_cassettes.foreign.file_reader import MAX_BYTES
from bedtape_cassettes.foreign.import_file import ImportResult, import_file
from bedtape_cassettes.foreign.to_rule import render_overlay
from bedtape_cassettes.model import Cassette, Suite
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import Redaction, read_patterns
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, list_files, lock

_SUFFIX = re.compile(r"(?i)\.(?:ya?ml|json|har|flows?|mitm|dump)(?:\.gz)?\Z")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")

_FROM = f"The format: auto, or one of {', '.join(import_formats.FORMATS)}."
_REDACT = "Pattern to remove besides secrets, before anything is written. Repeatable."


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings, or folders of them.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder of cassettes to import into, one cassette per file.")
    ] = CASSETTES,
    overlays: Annotated[
        Path,
        typer.Option(
            "--overlays", metavar="DIR", help="Folder for the rules made from fixtures, one overlay per file."
        ),
    ] = Path("overlays"),
    source: Annotated[str, typer.Option("--from", metavar="FORMAT", help=_FROM)] = "auto",
    force: Annotated[
        bool,
        typer.Option(
            "--force/--no-force",
            help="Replace existing cassettes and overlays. Cassettes that git does not hold are backed up.",
        ),
    ] = False,
    redact: Annotated[list[str] | None, typer.Option("--redact", metavar="PATTERN", help=_REDACT)] = None,
) -> None:
    """Make cassettes from recordings of other tools. Damaged and foreign entries are reported and skipped.

    Fixtures with conditions become rules. Exit code 1 if nothing was imported, or if an entry was damaged.

    \b
    Examples:
      bedtape cassette import tests/vcr --to cassettes
      bedtape cassette import capture.har --from har
    """
    with exit_on_error():
        wanted = _format(source)
        redaction = read_patterns(redact or [])
        named = _name_cassettes(files)
        there = [path for name in named.values() if (path := _overlay(overlays, name)).exists()]
        with lock(to, create=True):
            suite = store.read([to])
            before = {cassette.name: cassette for cassette in suite}
            make_room(to, list_files(to, suite, list(named.values())), there, force=force)
            reports = []
            with progress(len(named), "importing") as tick:
                for path, name in named.items():
                    old = (before[name],) if name in before else ()
                    reports.append(_import(path, name, (to, overlays), wanted, redaction, old))
                    tick(name)
    raise typer.Exit(_report(reports))


def export(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER", help="Cassettes: folders or .tape files.")
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help=f"The format: one of {', '.join(exporters.FORMATS)}.")
    ] = "jsonl",
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Folder to write into, one file per cassette.")
    ] = Path("exported"),
    region: Annotated[
        str, typer.Option("--region", help="Region of the host names, because cassettes do not contain it.")
    ] = "us-east-1",
    force: Annotated[bool, typer.Option("--force/--no-force", help="Replace files that exist.")] = False,
) -> None:
    """Write cassettes as recordings of other tools. Partial interactions are written to jsonl only.

    \b
    Examples:
      bedtape cassette export --to vcrpy --into tests/vcr
      bedtape cassette export cassettes --to har
    """
    with exit_on_error():
        form = exporters.FORMATS.get(to)
        if form is None:
            raise CassetteError(f"--to: expected one of {', '.join(exporters.FORMATS)}; found {to!r}")
        if not _REGION.fullmatch(region):
            raise CassetteError(f"--region: expected a region such as us-east-1, found {region!r}")
        # Some versions of typer ignore a default map for arguments.
        suite = store.read(folders or list(map(Path, context.lookup_default("folders") or [CASSETTES])))
        places = {cassette.name: into / f"{cassette.name}{form.suffix}" for cassette in suite}
        if not force:
            refuse_existing([path for path in places.values() if path.exists()])
        with progress(len(suite), "exporting") as tick:
            for cassette in suite:
                _replace_file(places[cassette.name], form.export(cassette, region))
                tick(cassette.name)
    cut = sum(i.partial for cassette in suite for i in cassette.interactions) if to != "jsonl" else 0
    typer.echo(f"{into}: {len(suite)} files" + (f"; {cut} interactions that were cut are left out" if cut else ""))


# -- files and cassette names ---------------------------------------------------------------------


def _format(source: str) -> str | None:
    if source != "auto" and source not in import_formats.FORMATS:
        raise CassetteError(f"--from: expected auto, {', '.join(import_formats.FORMATS)}; found {source!r}")
    return None if source == "auto" else source


def _name_cassettes(given: Sequence[Path]) -> dict[Path, str]:
    """Returns the cassette name of each file: its path in the given folder, or its own name."""
    found: dict[Path, str] = {}
    for path in given:
        if not path.is_dir():
            found[path] = cassette_name(_SUFFIX.sub("", path.name))
            continue
        inside = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_recording(file.relative_to(path))]
        if not inside:
            raise CassetteError(
                f"{path}: expected recordings in it (.yaml, .json, .har, .flow, .gz of them), found none"
            )
        found |= {file: cassette_name(_SUFFIX.sub("", file.relative_to(path).as_posix())) for file in inside}
    return _make_unique(found)


def _is_recording(path: Path) -> bool:
    return _SUFFIX.search(path.name) is not None and not any(part.startswith(".") for part in path.parts)


def _make_unique(named: dict[Path, str]) -> dict[Path, str]:
    """Adds the folder to names that occur twice, because Polly names every file `recording.har`."""
    alike = {name for name, count in Counter(named.values()).items() if count > 1}
    named = {
        path: cassette_name(f"{path.absolute().parent.name}/{name}") if name in alike else name
        for path, name in named.items()
    }
    doubled = [name for name, count in Counter(name.casefold() for name in named.values()).items() if count > 1]
    if doubled:
        fix = "import them one by one, each --to a folder of its own"
        raise CassetteError(f"expected files of different names, found two for the cassette {doubled[0]!r}; {fix}")
    return named


def _overlay(overlays: Path, name: str) -> Path:
    return overlays / f"{name}.overlay.yaml"


# -- one file --------------------------------------------------------------------------------------------------

_Report = tuple[list[str], int, bool]
"""The lines to print, the number of imported entries, and whether no entry was damaged."""


def _import(
    path: Path, name: str, places: tuple[Path, Path], wanted: str | None, redaction: Redaction, old: Suite
) -> _Report:
    try:
        result = import_file(_read(path), wanted, redaction)
        written = _write(result, name, places, redaction, old)
    except CassetteError as error:
        return [f"{path}: not imported: {error}"], 0, False
    except ValueError as error:
        return [f"{path}: not imported: expected values that YAML can hold, found others: {error}"], 0, False
    count = len(result.interactions) + len(result.rules)
    lines = [f"{path} ({result.format}): {count} imported" + "".join(f" → {place}" for place in written)]
    return lines + [f"  {remark}" for remark in result.remarks()], count, not result.is_damaged


def _write(result: ImportResult, name: str, places: tuple[Path, Path], redaction: Redaction, old: Suite) -> list[Path]:
    to, overlays = places
    overlay = _overlay(overlays, name)
    layers = (
        render_overlay(result.rules, redaction) if result.rules else None
    )  # may raise, so it comes before the first write
    if result.interactions:
        commit(to, old, (store.number_files(Cassette(name, result.interactions)),), redaction=redaction)
    if layers is not None:
        _replace_file(overlay, layers)
    return [to / name] * bool(result.interactions) + [overlay] * bool(result.rules)


def _read(path: Path) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CassetteError(f"expected at most {MAX_BYTES >> 20} MiB, found {size >> 20}; split the file")
        return path.read_bytes()
    except OSError as error:
        raise CassetteError(f"expected a file, found: {error.strerror}") from None


def _replace_file(path: Path, data: bytes) -> None:
    try:
        store.replace_file(path, data)
    except OSError as error:
        fix = "free space or fix permissions, and run this again with --force"
        raise CassetteError(f"{path}: expected to write, found: {error.strerror}; {fix}") from None


def _report(reports: list[_Report]) -> int:
    for lines, _, _ in reports:
        typer.echo("\n".join(lines))
    total, whole = sum(count for _, count, _ in reports), all(sound for _, _, sound in reports)
    typer.echo(f"imported {total} from {len(reports)} files" + ("" if whole else "; not all, see above"))
    return 0 if whole and total else 1
