"""Cassettes on disk: folders, packed `.tape` files and the load cache. The only file here that touches the disk.

Reading is all or nothing, and says everything that is wrong. Writing renders and checks everything first, then puts
each file in place atomically, so that no reader ever sees half a file.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing, Problem, SecretFound
from bedtape_cassettes.format import document, tape, yamlio
from bedtape_cassettes.matching.key import key_of_request
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.names import safe_name
from bedtape_cassettes.operations import kebab
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scan, scrub_interaction

__all__ = [
    "Fingerprint",
    "cache_folder",
    "file_name",
    "fingerprint",
    "read",
    "rendered",
    "samples",
    "write",
    "write_tape",
]

_SUFFIXES = (".yaml", ".yml")
TAPE = ".tape"
_MAX_TAPE = 2**30
# Raise it whenever `document.read` makes something else of the same bytes: it is part of what the cache goes by.
_GENERATION = b"1"

Fingerprint = frozenset[tuple[str, int, int]]


def samples() -> Path:
    """The folder of cassettes that ship with bedtape."""
    return Path(__file__).parents[1] / "samples"


# -- finding ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    cassette: str
    name: str  # relative to the folder, for messages and history


def _walk(root: Path, unreadable: Callable[[OSError], None]) -> Iterator[tuple[Path, list[str]]]:
    """Every folder with the names of its files, in order. Links to folders are followed, each folder once."""
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder), sorted((name for name in files if not name.startswith(".")), key=_order)


def _order(name: str) -> tuple[int, str]:
    """Recorded order: by leading number (0002 before 10000), then by name."""
    number = re.match(r"[0-9]{1,18}", name)
    return (int(number[0]) if number else 0, name)


def _ignored(_: OSError) -> None:
    """For those who only look whether something changed."""


def _found(root: Path, unreadable: Callable[[OSError], None] = _ignored) -> tuple[list[_File], list[Path]]:
    """The interaction files and the tapes under a folder. Files right in it make a cassette of the folder's name."""
    files: list[_File] = []
    tapes: list[Path] = []
    for folder, names in _walk(root, unreadable):
        relative = folder.relative_to(root).as_posix()
        cassette = root.resolve().name if relative == "." else relative
        for name in names:
            if name.endswith(_SUFFIXES):
                shown = name if relative == "." else f"{relative}/{name}"
                files.append(_File(folder / name, cassette, shown))
            elif name.endswith(TAPE):
                tapes.append(folder / name)
    return files, tapes


def _problem(path: Path, expected: str, found: str, fix: str) -> Problem:
    return Problem(str(path), 0, expected, found, fix)


def _unreadable(path: Path, error: OSError) -> Problem:
    fix = "restore or remove it" if isinstance(error, FileNotFoundError) else "fix the file or its permissions"
    return _problem(path, "a readable file", error.strerror or type(error).__name__, fix)


# -- reading ---------------------------------------------------------------------------------------------------


def read(paths: Sequence[Path], *, cache: Path | None = None) -> tuple[Cassette, ...]:
    """Every cassette under the given folders and `.tape` files, in name order.

    cache: a folder for the load cache, or None for no cache. Raises CassetteMissing where a path is not there, and
    CassetteInvalid with every problem of every file.
    """
    problems: list[Problem] = []
    cassettes: list[Cassette] = []
    for path in paths:
        try:
            cassettes += _read_path(path, cache)
        except CassetteInvalid as error:
            problems += error.problems
    problems += _clashes(cassettes)
    if problems:
        raise CassetteInvalid(problems)
    return tuple(sorted(cassettes, key=lambda cassette: cassette.name))


def _clashes(cassettes: list[Cassette]) -> list[Problem]:
    seen: set[str] = set()
    doubled = {c.name for c in cassettes if c.name in seen or seen.add(c.name)}  # type: ignore[func-returns-value]
    return [
        Problem(name, 0, "one cassette of a name", "two", "rename one, or give only one of the folders")
        for name in sorted(doubled)
    ]


def _read_path(path: Path, cache: Path | None) -> list[Cassette]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise CassetteMissing(f"{path}: no such folder; name a folder of cassettes or a .tape file") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        found = OSError(0, str(error)) if isinstance(error, ValueError) else error
        raise CassetteInvalid([_unreadable(path, found)]) from None
    if stat.S_ISDIR(mode):
        return _read_folder(path, cache)
    if path.suffix == TAPE:
        return _read_tape(path)
    raise CassetteMissing(f"{path}: expected a folder of cassettes or a .tape file; name its folder")


def _read_tape(path: Path) -> list[Cassette]:
    return list(tape.unpack(_read_file(path, _MAX_TAPE), str(path)))


def _read_folder(root: Path, cache: Path | None) -> list[Cassette]:
    problems: list[Problem] = []
    files, tapes = _found(root, lambda error: problems.append(_unreadable(Path(error.filename), error)))
    remembered = _Remembered(root, cache)
    found: dict[tuple[str, Path], list[Interaction]] = {}
    for file in files:
        try:
            found.setdefault((file.cassette, file.path.parent), []).append(remembered.interaction(file))
        except CassetteInvalid as error:
            problems += error.problems
    cassettes = [Cassette(name, tuple(interactions)) for (name, _), interactions in found.items()]
    for path in tapes:
        try:
            cassettes += _read_tape(path)
        except CassetteInvalid as error:
            problems += error.problems
    if problems:
        raise CassetteInvalid(problems)
    remembered.keep()
    return cassettes


def _read_file(path: Path, limit: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise CassetteInvalid([_problem(path, "a file", "a device, pipe or socket", "remove it")])
        if status.st_size > limit:
            found = f"{status.st_size / 2**20:.1f} MiB"
            raise CassetteInvalid([_problem(path, f"at most {limit >> 20} MiB", found, "split or shorten it")])
        return path.read_bytes()
    except OSError as error:
        raise CassetteInvalid([_unreadable(path, error)]) from None


class _Remembered:
    """The load cache of one folder: parsed interactions by the digest of their file's content.

    By content, not by time: a checkout sets all times to now. One file a folder, so that it cannot grow without end.
    A cache that cannot be read or written is no cache; it never keeps anybody from loading.
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

    def interaction(self, file: _File) -> Interaction:
        data = _read_file(file.path, yamlio.MAX_BYTES)
        digest = blake2b(data, digest_size=16, person=_GENERATION).digest()
        if (row := self.rows.get(digest)) is not None:
            try:
                interaction = tape.from_row(row, file.name)
            except (TypeError, ValueError):
                pass  # a cache of another make: parse as if there were none
            else:
                self.used[digest] = row
                return interaction
        interaction = replace(document.read(data, str(file.path)), file=file.name)
        self.used[digest] = tape.to_row(interaction)
        self.parsed += 1
        return interaction

    def keep(self) -> None:
        if self.path is None or (not self.parsed and self.used.keys() == self.rows.keys()):
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self.path, tape.pack_rows(self.used))
        except OSError:
            pass  # a read-only home is no reason not to replay


def cache_folder(environ: dict[str, str] | os._Environ[str]) -> Path | None:
    """Where the load cache is kept: `BEDTAPE_CACHE_DIR` (empty: nowhere), else the user's cache folder."""
    if (named := environ.get("BEDTAPE_CACHE_DIR")) is not None:
        return Path(named) if named else None
    base = environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "bedtape"
    except RuntimeError:  # no home
        return None


# -- watching --------------------------------------------------------------------------------------------------


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """What changes when a cassette on disk changes: each file's path, time and size. Reads no file."""
    marks: set[tuple[str, int, int]] = set()
    for path in paths:
        files, tapes = _found(path)
        marks |= {mark for p in (path, *(f.path for f in files), *tapes) if (mark := _mark(p)) is not None}
    return frozenset(marks)


def _mark(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed
        return None
    return None if stat.S_ISDIR(status.st_mode) else (str(path), status.st_mtime_ns, status.st_size)


# -- writing ---------------------------------------------------------------------------------------------------


def _replace(path: Path, data: bytes) -> None:
    """Puts a file in place whole: a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def file_name(order: int, interaction: Interaction) -> str:
    """`0002-converse-stream-91be03d7.yaml`: recorded order from 1, operation, start of the match key."""
    name = re.sub("[^a-z-]", "", kebab(interaction.operation or interaction.request.method))
    return f"{order:04d}-{name}-{key_of_request(interaction.request).hex()[:8]}.yaml"


def _refuse_secrets(named: Iterable[tuple[Path, Interaction]]) -> None:
    fix = "take it out; a recording's journal is written without it by `bedtape recover --redact PATTERN`"
    problems = [
        _problem(path, "no secret", f"{finding.kind} in {finding.where}", fix)
        for path, interaction in named
        for finding in scan(interaction)
    ]
    if problems:
        raise SecretFound(problems)


def _checked_name(name: str) -> str:
    if not safe_name(name):
        raise CassetteError(f"expected a cassette name of plain parts joined by /, found {name!r}; choose another")
    return name


def rendered(path: Path, interaction: Interaction) -> bytes:
    """The file's bytes, sure to be read back as this interaction. Raises CassetteError where YAML cannot hold it."""
    try:
        data = document.write(interaction)
    except ValueError as error:
        raise CassetteError(
            f"{path}: expected an interaction that YAML can hold, found one it cannot: {error}"
        ) from None
    if not _holds(path, data) and document.read(data, str(path)) != interaction:
        raise CassetteError(f"{path}: expected an interaction that is read back as it was, found one that is not")
    return data


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _is_interaction(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def write(root: Path, cassette: Cassette, *, redaction: Redaction = ALWAYS) -> tuple[Path, ...]:
    """Writes the cassette under `root` and returns its files; what the folder held of it before is replaced.

    Everything is scrubbed, rendered and checked before the first byte is written. A file that would not change is
    not touched. Raises SecretFound or CassetteError, and then nothing has changed; but where the disk fails half way,
    each file is still the old one or the new one, and no old one is gone.
    """
    folder = root / _checked_name(cassette.name)
    scrubbed = [scrub_interaction(interaction, redaction) for interaction in cassette.interactions]
    named = [(folder / file_name(number, i), i) for number, i in enumerate(scrubbed, 1)]
    _refuse_secrets(named)
    try:
        written = {path: rendered(path, interaction) for path, interaction in named}
        _put(folder, written)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return tuple(written)


def _put(folder: Path, written: dict[Path, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stale = {path for path in folder.iterdir() if _is_interaction(path)} - written.keys()
    for path, data in written.items():
        if not _holds(path, data):
            _replace(path, data)
    for path in stale:
        path.unlink()


def _unwritable(path: Path, error: OSError) -> CassetteError:
    found = error.strerror or type(error).__name__
    where = error.filename or path
    return CassetteError(f"{where}: expected to write, found: {found}; free space or fix permissions, and write again")


def write_tape(path: Path, cassettes: Iterable[Cassette], *, redaction: Redaction = ALWAYS) -> None:
    """Writes the cassettes as one `.tape` file. Raises SecretFound or CassetteError, and then nothing has changed."""
    packed = [Cassette(_checked_name(c.name), tuple(_named(c, redaction))) for c in cassettes]
    _refuse_secrets((Path(i.file), i) for c in packed for i in c.interactions)
    data = tape.pack(packed)
    tape.unpack(data, str(path))
    try:
        _replace(path, data)
    except OSError as error:
        raise _unwritable(path, error) from None


def _named(cassette: Cassette, redaction: Redaction) -> Iterator[Interaction]:
    """The interactions scrubbed, each with the name of the file it was or would be written to."""
    for number, interaction in enumerate(cassette.interactions, 1):
        scrubbed = scrub_interaction(interaction, redaction)
        yield replace(scrubbed, file=scrubbed.file or f"{cassette.name}/{file_name(number, scrubbed)}")
