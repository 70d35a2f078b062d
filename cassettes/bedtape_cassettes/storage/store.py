"""Reads cassettes from folders and `.tape` files, with a load cache.

`read` returns every cassette or raises one error with every problem of every file.
`commit` writes cassettes.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from importlib import import_module
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing, Problem
from bedtape_cassettes.format import document, tape, yamlio
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.storage.file_names import order_of

_SUFFIXES = (".yaml", ".yml")
TAPE = ".tape"
NEW = ".bedtape-new"  # ends the names of files and folders that are not finished yet
_MAX_TAPE = 2**30
_MAX_BINARY = 2**28
# Interactions that name binary files contain this.
_NAMES_FILES = b"\n  files:"
# Part of the cache's keys. Raise it whenever `document.read` returns another value for the same
# bytes.
_GENERATION = b"1"

Fingerprint = frozenset[tuple[str, int, int, int]]


def samples() -> Path:
    """Returns the folder of the cassettes that ship with bedtape."""
    return Path(__file__).parents[1] / "samples"


# -- finding ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    cassette: str
    name: str  # relative to the folder, for messages and history


def is_inside(root: Path, path: Path) -> bool:
    """Whether a path is below the folder, after all links of both are followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def is_cassette_file(path: Path) -> bool:
    """Whether a file in a folder of cassettes is read as an interaction, by its name."""
    return path.name.endswith(_SUFFIXES) and not path.name.startswith(".")


def _walk(root: Path, report: Callable[[Problem], object]) -> Iterator[tuple[Path, list[str]]]:
    """Yields each folder and the names of its files.

    Visits a folder once. Follows links that stay below the root.
    """
    seen: set[str] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            report(_make_unreadable(folder, error))
            continue
        inside = [entry for entry in visible if not _leaves(root, entry, report)]
        folders = {entry.name for entry in inside if _is_folder(entry)}
        pending += [folder / name for name in sorted(folders, reverse=True)]
        yield (
            folder,
            sorted((entry.name for entry in inside if entry.name not in folders), key=order_of),
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _leaves(root: Path, entry: os.DirEntry[str], report: Callable[[Problem], object]) -> bool:
    """Whether an entry is a link out of the folder, which a branch can contain."""
    if not entry.is_symlink() or is_inside(root, Path(entry.path)):
        return False
    if _is_folder(entry) or entry.name.endswith((*_SUFFIXES, TAPE)):
        fix = "replace it by a copy, or name its folder too"
        actual = f"one to {os.path.realpath(entry.path)}"
        report(Problem(entry.path, 0, "no link out of the folder of cassettes", actual, fix))
    return True


def _find_files(root: Path, report: Callable[[Problem], object]) -> tuple[list[_File], list[Path]]:
    """Files directly in the folder are a cassette of its name. report: gets each problem."""
    files: list[_File] = []
    tapes: list[Path] = []
    for folder, names in _walk(root, report):
        relative = folder.relative_to(root).as_posix()
        cassette = root.resolve().name if relative == "." else relative
        for name in names:
            if name.endswith(_SUFFIXES):
                relative_name = name if relative == "." else f"{relative}/{name}"
                files.append(_File(folder / name, cassette, relative_name))
            elif name.endswith(TAPE):
                tapes.append(folder / name)
    return files, tapes


def _make_unreadable(path: Path, error: OSError) -> Problem:
    fix = (
        "restore or remove it"
        if isinstance(error, FileNotFoundError)
        else "fix the file or its permissions"
    )
    return Problem(str(path), 0, "a readable file", error.strerror or type(error).__name__, fix)


# -- reading ---------------------------------------------------------------------------------------


def read(
    paths: Sequence[Path],
    *,
    cache: Path | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> tuple[Cassette, ...]:
    """Returns every cassette under the given folders and `.tape` files, sorted by name.

    cache: a folder for the load cache, or None for no cache. report: called with the name of each
    file of a folder. Raises CassetteMissing if a path does not exist, and CassetteInvalid with
    every problem of every file.
    """
    problems: list[Problem] = []
    cassettes: list[Cassette] = []
    for path in paths:
        try:
            cassettes += _read_path(path, cache, report)
        except CassetteInvalid as error:
            problems += error.problems
    problems += _find_clashes(cassettes)
    if problems:
        raise CassetteInvalid(problems)
    return tuple(sorted(cassettes, key=lambda cassette: cassette.name))


def read_named(
    folder: Path, names: Sequence[str], report: Callable[[str], object] = lambda _: None
) -> Suite:
    """Reads the cassettes of these names, and no other files, which may be of other tools.

    report: as in `read`.
    """
    return tuple(
        Cassette(
            name, tuple(replace(each, file=f"{name}/{each.file}") for each in cassette.interactions)
        )
        for name in names
        if (folder / name).is_dir()
        for cassette in read([folder / name], report=report)
        if cassette.name == (folder / name).resolve().name
    )


def _find_clashes(cassettes: list[Cassette]) -> list[Problem]:
    counts = Counter(cassette.name for cassette in cassettes)
    return [
        Problem(
            name, 0, "one cassette of a name", "two", "rename one, or give only one of the folders"
        )
        for name in sorted(counts)
        if counts[name] > 1
    ]


def _read_path(path: Path, cache: Path | None, report: Callable[[str], object]) -> list[Cassette]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise CassetteMissing(
            f"{path}: no such file or folder; name a folder of cassettes or a .tape file"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        cause = OSError(0, str(error)) if isinstance(error, ValueError) else error
        raise CassetteInvalid([_make_unreadable(path, cause)]) from None
    if stat.S_ISDIR(mode):
        return _read_folder(path, cache, report)
    if path.suffix == TAPE:
        return _read_tape(path)
    raise CassetteMissing(
        f"{path}: expected a folder of cassettes or a .tape file; name its folder"
    )


def _read_tape(path: Path) -> list[Cassette]:
    return list(tape.unpack(_read_file(path, _MAX_TAPE), str(path)))


def _read_folder(root: Path, cache: Path | None, report: Callable[[str], object]) -> list[Cassette]:
    problems: list[Problem] = []
    files, tapes = _find_files(root, problems.append)
    cached = _Cache(root, cache)
    by_folder: dict[tuple[str, Path], list[Interaction]] = {}
    for file in files:
        try:
            by_folder.setdefault((file.cassette, file.path.parent), []).append(cached.read(file))
        except CassetteInvalid as error:
            problems += _find_other_recorder(file.path) or error.problems
        report(file.name)
    cassettes = [
        Cassette(name, tuple(interactions)) for (name, _), interactions in by_folder.items()
    ]
    for path in tapes:
        try:
            cassettes += _read_tape(path)
        except CassetteInvalid as error:
            problems += error.problems
    if problems:
        raise CassetteInvalid(problems)
    cached.save()
    return cassettes


def _find_other_recorder(path: Path) -> list[Problem]:
    """Returns one problem for a file of another recorder, which is no interaction at all."""
    # folders rarely have such files
    import_formats = import_module("bedtape_cassettes.foreign.import_formats")
    try:
        form = import_formats.read(_read_file(path, yamlio.MAX_BYTES)).format
    except CassetteError:
        return []
    fix = (
        "convert it with `bedtape cassette import`, or move it to another folder, which `bedtape"
        " replay` can play"
    )
    return [
        Problem(
            str(path),
            0,
            "a file of bedtape's own",
            f"a recording of {import_formats.FORMATS[form].tool}",
            fix,
        )
    ]


def _read_file(path: Path, limit: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
            raise CassetteInvalid(
                [Problem(str(path), 0, "a file", "a device, pipe or socket", "remove it")]
            )
        if status.st_size > limit:
            actual = f"{status.st_size / 2**20:.1f} MiB"
            raise CassetteInvalid(
                [Problem(str(path), 0, f"at most {limit >> 20} MiB", actual, "split or shorten it")]
            )
        return path.read_bytes()
    except OSError as error:
        raise CassetteInvalid([_make_unreadable(path, error)]) from None


def read_interaction(path: Path) -> Interaction:
    """Returns the interaction in one file. Raises CassetteInvalid."""
    return document.read(
        _read_file(path, yamlio.MAX_BYTES), str(path), partial(_load_binary, path.parent)
    )


def _load_binary(folder: Path, name: str) -> bytes:
    """Returns the content of a binary file beside an interaction. Raises KeyError."""
    path = folder / name
    try:
        if path.is_symlink():
            raise KeyError(name)
        return _read_file(path, _MAX_BINARY)
    except CassetteInvalid:
        raise KeyError(name) from None


class _Cache:
    """The load cache of one folder: parsed interactions by the digest of their file's content.

    File times are not used, because a checkout sets all times to now. Each folder has one cache
    file, which contains the interactions of the last load. If the cache cannot be read or written,
    files are parsed without it.
    """

    def __init__(self, root: Path, cache: Path | None) -> None:
        digest = blake2b(str(root.resolve()).encode(), digest_size=12).hexdigest()
        self.path = cache / f"{digest}{TAPE}" if cache else None
        self.rows = self._load()
        self.used: dict[bytes, tape.Row] = {}
        self.parsed = 0

    def _load(self) -> dict[bytes, tape.Row]:
        try:
            return tape.unpack_rows(self.path.read_bytes()) if self.path else {}
        except OSError:
            return {}

    def read(self, file: _File) -> Interaction:
        data = _read_file(file.path, yamlio.MAX_BYTES)
        load = partial(_load_binary, file.path.parent)
        # a binary file may be missing now
        if self.path is None or _NAMES_FILES in data:
            return replace(document.read(data, str(file.path), load), file=file.name)
        digest = blake2b(data, digest_size=16, person=_GENERATION).digest()
        if (row := self.rows.get(digest)) is not None:
            try:
                interaction = tape.from_row(row, file.name)
            except (TypeError, ValueError):
                pass  # written by another version: parse the file
            else:
                self.used[digest] = row
                return interaction
        interaction = replace(document.read(data, str(file.path)), file=file.name)
        self.used[digest] = tape.to_row(interaction)
        self.parsed += 1
        return interaction

    def save(self) -> None:
        if self.path is None or (not self.parsed and self.used.keys() == self.rows.keys()):
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.path, tape.pack_rows(self.used))
        except OSError:
            pass  # a read-only home must not prevent a replay


def cache_folder(environ: dict[str, str] | os._Environ[str]) -> Path | None:
    """Returns the load cache's folder: `BEDTAPE_CACHE_DIR` (None if empty) or the user's folder."""
    if (named := environ.get("BEDTAPE_CACHE_DIR")) is not None:
        return Path(named) if named else None
    base = environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "bedtape"
    except RuntimeError:  # no home
        return None


def find_state_folder(environ: Mapping[str, str]) -> Path:
    """Returns the private folder of the certificate authorities and the journals.

    Raises CassetteError without a home.
    """
    if named := environ.get("BEDTAPE_STATE_DIR"):
        return Path(named)
    base = environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "bedtape"
    except RuntimeError:
        fix = "name one in BEDTAPE_STATE_DIR"
        raise CassetteError(
            f"BEDTAPE_STATE_DIR: expected a folder for private files, found no home; {fix}"
        ) from None


# -- watching --------------------------------------------------------------------------------------


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """Returns the path, time, size and inode of each file, which differ after a cassette changes.

    The inode shows that a file was replaced by one of the same size within one tick of the file
    system's clock. Opens no file.
    """
    marks: set[tuple[str, int, int, int]] = set()
    for path in paths:
        files, tapes = _find_files(path, lambda _: None)
        marks |= {
            mark
            for p in (path, *(f.path for f in files), *tapes)
            if (mark := _read_mark(p)) is not None
        }
    return frozenset(marks)


def _read_mark(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # removed since it was listed
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


# -- files -----------------------------------------------------------------------------------------


def replace_file(path: Path, data: bytes) -> None:
    """Replaces a file in one step: a reader sees the old bytes or the new bytes.

    Makes missing folders. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=NEW)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
