"""Finds, names and reads files of other recorders, for the import and for playing them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign.file_reader import MAX_BYTES
from bedtape_cassettes.foreign.import_file import ImportResult, import_file
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count

_SUFFIX = re.compile(r"(?i)\.(?:ya?ml|jsonl?|har|flows?|mitm|dump)(?:\.gz)?\Z")
_CLASS = re.compile(r"(?<![^/])([A-Z]\w*)\.(?=test)")


@dataclass(frozen=True, slots=True)
class ForeignRecordings:
    """The cassettes of other recorders' files, and a line for each part that cannot be played."""

    cassettes: tuple[Cassette, ...]
    remarks: tuple[str, ...]


def find_foreign(paths: Iterable[Path]) -> list[Path]:
    """Returns the paths with recordings of other tools: files, and folders without own files."""
    return [
        path
        for path in paths
        if (_is_foreign_folder(path) if path.is_dir() else path.suffix != store.TAPE)
    ]


def _is_foreign_folder(path: Path) -> bool:
    holds = False
    for file in path.rglob("*"):  # the first file decides nearly always
        if file.suffix == store.TAPE:
            return False
        if _is_recording(file.relative_to(path)) and file.is_file():
            if is_own(file):
                return False
            holds = True
    return holds


def list_files(paths: Sequence[Path]) -> list[Path]:
    """Returns the files of other recorders at these paths. Raises CassetteError."""
    return list(name_cassettes(paths))


def play_foreign(paths: Sequence[Path]) -> ForeignRecordings:
    """Returns the recordings with every recorded byte and header, one cassette per file.

    The files do not change. Raises CassetteError, with a line for each file
    that is not a recording.
    """
    cassettes, remarks, problems = [], [], []
    for path, name in name_cassettes(paths).items():
        try:
            result = import_file(read_recording(path), redaction=None, exact=True)
        except CassetteError as error:
            problems.append(f"{path}: {error}")
            continue
        remarks += [f"{path}: {remark}" for remark in _list_remarks(result)]
        each = tuple(
            replace(one, file=f"{path}#{number}")
            for number, one in enumerate(result.interactions, 1)
        )
        cassettes += [Cassette(name, each)] if each else []
    if problems:
        raise CassetteError("\n".join(problems))
    return ForeignRecordings(tuple(cassettes), tuple(remarks))


def _list_remarks(result: ImportResult) -> list[str]:
    lines = list(result.remarks())
    if result.rules:
        fix = "`bedtape cassette import` makes rules of them"
        lines = [
            f"expected recorded requests, found {format_count(len(result.rules), 'fixture')} with"
            f" conditions; {fix}"
        ]
    return lines + [
        f"{format_count(count, 'exchange')} of {scrub_text(host)} not played"
        for host, count in sorted(result.hosts.items())
    ]


# -- files and cassette names ---------------------------------------------------------------------


def name_cassettes(given: Sequence[Path]) -> dict[Path, str]:
    """Returns the cassette name of each file: its path in the given folder, or its own name.

    Files of bedtape's own in a folder are left out. Raises CassetteError for a folder without other
    recordings, and for two files of one name.
    """
    named: dict[Path, str] = {}
    for path in given:
        if not path.is_dir():
            named[path] = cassette_name(_SUFFIX.sub("", path.name))
            continue
        inside = [file for file in _find_recordings(path) if not is_own(file)]
        if not inside:
            raise CassetteError(
                f"{path}: expected recordings (.yaml, .json, .har, .flow, .gz of them), found none"
            )
        named |= {file: _name_after_path(file.relative_to(path)) for file in inside}
    return _make_unique(named)


def _find_recordings(folder: Path) -> list[Path]:
    """Returns the files below a folder whose names are names of recordings, sorted."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and _is_recording(file.relative_to(folder))
    ]


def _is_recording(path: Path) -> bool:
    return _SUFFIX.search(path.name) is not None and not any(
        part.startswith(".") for part in path.parts
    )


def is_own(path: Path) -> bool:
    """Whether a file is an interaction of bedtape's, which the target folder may contain."""
    try:
        with path.open("rb") as file:
            return file.read(16).startswith(b"bedtape: ")
    except OSError:  # the reader of cassettes reports it
        return True


def _name_after_path(path: Path) -> str:
    """Returns the cassette name of a file. pytest-recording joins class and test by a dot."""
    return cassette_name(_CLASS.sub(r"\1/", _SUFFIX.sub("", path.as_posix())))


def _make_unique(named: dict[Path, str]) -> dict[Path, str]:
    """Adds the folder to names that occur twice, because Polly names every file `recording.har`."""
    alike = {name for name, count in Counter(named.values()).items() if count > 1}
    named = {
        path: cassette_name(f"{path.absolute().parent.name}/{name}") if name in alike else name
        for path, name in named.items()
    }
    doubled = [
        name
        for name, count in Counter(name.casefold() for name in named.values()).items()
        if count > 1
    ]
    if doubled:
        fix = "import each file into another folder with --to"
        raise CassetteError(
            f"expected different file names, found two files for the cassette {doubled[0]!r}; {fix}"
        )
    return named


def read_recording(path: Path) -> bytes:
    """Returns the bytes of a file. Raises CassetteError."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CassetteError(
                f"expected at most {MAX_BYTES >> 20} MiB, found {size >> 20}; split the file"
            )
        return path.read_bytes()
    except OSError as error:
        raise CassetteError(f"expected a file, found: {error.strerror}") from None
