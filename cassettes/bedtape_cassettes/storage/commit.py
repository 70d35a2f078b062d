"""Writes changed cassettes. The recorder, the importers and the commands all write with `commit`.

A changed cassette is built in a hidden folder beside the old one. Then the two folders change
places in one step of the file system. A killed process or a full disk therefore leaves the old
cassette or the new cassette, never a part of it. Files that do not change keep their bytes. The
caller holds `lock` from before it reads until `commit` returns.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, Problem, SecretFound
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.names import check_name
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, find_secrets, scrub_text
from bedtape_cassettes.redaction.walk import scan, scrub_interaction
from bedtape_cassettes.storage.folder_swap import OLD, Contents, replace_folder
from bedtape_cassettes.storage.store import NEW, TAPE, is_inside, replace_file

BACKUPS = ".bedtape-backup"


def list_changed(before: Suite, after: Suite) -> tuple[str, ...]:
    """Returns the names of the cassettes that differ in content or in file names;
    growing cassettes come first.

    A process that is killed between two cassettes then leaves a moved interaction in both
    cassettes, never in neither.
    """
    old, new = (
        {c.name: [(i.file, i) for i in c.interactions] for c in suite} for suite in (before, after)
    )
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return tuple(
        sorted(
            names, key=lambda name: len(new.get(name, ())) - len(old.get(name, ())), reverse=True
        )
    )


def list_files(place: Path, suite: Suite, names: Sequence[str]) -> tuple[Path, ...]:
    """Returns the files that hold these cassettes: the `.tape` file, or the
    file of each interaction.

    Interactions from a `.tape` file inside the folder have no file of their own and are left out.
    """
    if not place.is_dir():
        return (place,) if place.exists() else ()
    return list_interaction_files(
        place, (i for c in suite if c.name in names for i in c.interactions)
    )


def list_interaction_files(place: Path, interactions: Iterable[Interaction]) -> tuple[Path, ...]:
    """Returns the files of the interactions in a folder, binary files included, each once."""
    paths = (path for i in interactions for path in (place / i.file, *_find_binary_files(place, i)))
    return tuple(dict.fromkeys(path for path in paths if path.is_file()))


def _find_binary_files(place: Path, interaction: Interaction) -> list[Path]:
    folder = (place / interaction.file).parent
    return [folder / name for name in document.collect_files(interaction)]


# -- lock ------------------------------------------------------------------------------------------


@contextmanager
def lock(place: Path, *, create: bool = False, wait: bool = False) -> Iterator[None]:
    """Locks the folder (of the `.tape` file) and removes the files of a killed process.

    create: makes a missing folder and the folders above it, and removes them at the end if they are
    still empty. wait: waits for another process that holds the lock. Raises CassetteError if
    another process holds the lock, or if there is no folder.
    """
    folder = place if create or place.is_dir() else place.parent
    created = _make_folder(folder) if create else []
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CassetteError(
            f"{folder}: expected a folder, found: {error.strerror}; name one with --in"
        ) from None
    try:
        _lock_handle(handle, folder, wait=wait)
        try:
            if folder == place:
                _clean_up(folder.resolve())
            else:
                _remove_all(folder.glob(f".{escape(place.name)}.*{NEW}"))
        except OSError as error:
            raise make_error(folder, error) from None
        yield
    finally:
        with suppress(OSError):  # not empty
            for path in created:
                path.rmdir()
        os.close(handle)


def _make_folder(folder: Path) -> list[Path]:
    """Makes the folder and those above it, and returns the new folders, deepest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "choose another with --to"
        raise CassetteError(
            f"{folder}: expected a folder, found: {error.strerror}; {fix}"
        ) from None
    return missing


def _lock_handle(handle: int, folder: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return  # a file system without locks
        fix = "wait until it is done, and run this again"
        raise CassetteError(
            f"{folder}: expected to be alone, found another command that changes it; {fix}"
        ) from None


def _clean_up(folder: Path) -> None:
    """Restores the cassettes that a killed process moved aside, and removes its new folders."""
    beside_old, beside_new = (folder.with_name(f".{folder.name}{suffix}") for suffix in (OLD, NEW))
    for path in [*folder.rglob(f".*{OLD}"), *filter(Path.exists, [beside_old])]:
        home = path.with_name(path.name[1 : -len(OLD)])
        if home.exists():
            shutil.rmtree(path)
        else:
            path.rename(home)
    _remove_all([*folder.rglob(f".*{NEW}"), *filter(Path.exists, [beside_new])])


def _remove_all(paths: Iterable[Path]) -> None:
    for path in list(paths):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


# -- backups ---------------------------------------------------------------------------------------


def open_backups(place: Path) -> Path:
    """Makes `.bedtape-backup`, which neither readers nor git consider. Raises OSError."""
    root = place if place.is_dir() else place.parent
    backups = root / BACKUPS
    _refuse_link(root, backups)
    backups.mkdir(exist_ok=True)
    (backups / ".gitignore").write_text("*\n")
    return backups


def back_up(place: Path, files: Sequence[Path], stamp: str) -> Path:
    """Copies the files into `.bedtape-backup/STAMP`, which it returns. Raises CassetteError."""
    root = place if place.is_dir() else place.parent
    try:
        backups = open_backups(place)
        candidates = (backups / (stamp if n == 1 else f"{stamp}-{n}") for n in range(1, 1000))
        target = next(path for path in candidates if not path.exists())
        target.mkdir()
        for file in files:
            copy = target / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    except OSError as error:
        raise make_error(root / BACKUPS, error) from None
    return target


def make_error(path: Path, error: OSError) -> CassetteError:
    """Returns the error for a failed write in the folder."""
    where = error.filename or path
    reason = error.strerror or type(error).__name__
    fix = "nothing was changed in it; free space or fix permissions, and run this again"
    if error.errno == errno.EXDEV:  # a folder of an image's lower layer
        fix = "this file system does not let the folder be renamed: change a copy of it (cp -r)"
    return CassetteError(f"{where}: expected to write, found: {reason}; {fix}")


# -- commit ----------------------------------------------------------------------------------------


def commit(
    place: Path,
    before: Suite,
    after: Suite,
    *,
    redaction: Redaction = ALWAYS,
    report: Callable[[str], object] | None = None,
    copies: Path | None = None,
) -> None:
    """Replaces the cassettes `before`, which the folder or `.tape` file holds,
    by the cassettes `after`.

    A folder may hold other cassettes as well; they do not change. Each interaction of `after` has a
    file name. What is written is scrubbed, and checked for secrets before the first change. An
    interaction that `before` contains keeps the bytes of its file, comments included. report:
    called with the name of each changed cassette when its files are ready, which takes nearly all
    of the time. copies: a folder with copies of the files of `after`, whose bytes are written.
    Raises SecretFound or CassetteError; each cassette is then either old or new.
    """
    if place.suffix == TAPE and not place.is_dir():
        _commit_tape(place, after, redaction, report)
        return
    new = {cassette.name: cassette for cassette in after}
    names = list_changed(before, after)
    _check_names(name for name in names if name in new)
    sources = {
        i: (copies or place) / i.file for c in (after if copies else before) for i in c.interactions
    }
    contents = _render_all(
        place, before, [new[name] for name in names if name in new], redaction, sources, report
    )
    for name in names:
        try:
            folder = _find_folder(place, name, before)
            replace_folder(folder, contents.get(name, {}), _list_old_names(place, name, before))
        except OSError as error:
            raise make_error(place / name, error) from None
        if report and name not in new:
            report(name)


def _commit_tape(
    path: Path, suite: Suite, redaction: Redaction, report: Callable[[str], object] | None
) -> None:
    _check_names(cassette.name for cassette in suite)
    clean, changed = [], []
    for cassette in suite:
        interactions = []
        for interaction in cassette.interactions:
            scrubbed = scrub_interaction(interaction, redaction)
            interactions.append(scrubbed)
            if scrubbed != interaction:  # otherwise, the search for secrets had no finds
                changed.append((Path(interaction.file), scrubbed))
        clean.append(Cassette(cassette.name, tuple(interactions)))
        if report:
            report(cassette.name)
    _refuse_secrets(changed, redaction)
    data = tape.pack(clean)
    tape.unpack(data, str(path))
    try:
        replace_file(path, data)
    except OSError as error:
        raise make_error(path, error) from None


def _check_names(names: Iterable[str]) -> None:
    problems = [
        Problem(scrub_text(name), 0, "a name without a secret", kind, "choose another name")
        for name in map(check_name, names)
        for kind in find_secrets(name.encode())
    ]
    if problems:
        raise SecretFound(problems)


def _refuse_secrets(named: Iterable[tuple[Path, Interaction]], redaction: Redaction) -> None:
    fix = "take it out: bedtape cassette redact"
    problems = [
        Problem(str(path), 0, "no secret", f"{finding.kind} in {finding.where}", fix)
        for path, interaction in named
        for finding in scan(interaction, redaction)
    ]
    if problems:
        raise SecretFound(problems)


def _render_all(
    place: Path,
    before: Suite,
    cassettes: Sequence[Cassette],
    redaction: Redaction,
    sources: Mapping[Interaction, Path],
    report: Callable[[str], object] | None,
) -> dict[str, Contents]:
    """Returns each cassette's new contents. Interactions of `sources` keep their file's bytes."""
    by_file = {(c.name, i.file): i for c in before for i in c.interactions}
    contents: dict[str, Contents] = {}
    changed: dict[str, list[tuple[Path, Interaction]]] = {}
    scrubbed: list[tuple[Path, Interaction]] = []
    for cassette in cassettes:
        contents[cassette.name] = {}
        changed[cassette.name] = []
        for interaction in cassette.interactions:
            path = place / interaction.file
            same = by_file.get((cassette.name, interaction.file)) == interaction
            source = path if same else sources.get(interaction)
            if source is not None and source.is_file():
                contents[cassette.name][path.name] = source
                contents[cassette.name] |= _take_binary_files(
                    source, interaction, moved=source != path
                )
            else:
                clean = scrub_interaction(interaction, redaction)
                changed[cassette.name].append((path, clean))
                if clean != interaction:  # otherwise, the search for secrets had no finds
                    scrubbed.append((path, clean))
    _refuse_secrets(scrubbed, redaction)
    for name, interactions in changed.items():
        for path, interaction in interactions:
            contents[name] |= _render(path, interaction)
        if report:
            report(name)
    return contents


def _take_binary_files(source: Path, interaction: Interaction, *, moved: bool) -> Contents:
    """Returns the binary files that an unchanged interaction names.

    It may contain them itself, as in older cassettes.
    """
    files = (
        (source.with_name(name), content)
        for name, content in document.collect_files(interaction).items()
    )
    return {path.name: content if moved else path for path, content in files if path.is_file()}


def _render(path: Path, interaction: Interaction) -> Contents:
    """Returns the file and its binary files. Raises CassetteError if they would read otherwise."""
    try:
        data, files = document.write_with_files(interaction)
    except ValueError as error:
        raise CassetteError(
            f"{path}: expected an interaction that YAML can hold, found one it cannot: {error}"
        ) from None
    if document.read(data, str(path), files.__getitem__) != interaction:
        raise CassetteError(
            f"{path}: expected an interaction that is read back as it was, found one that is not"
        )
    return {path.name: data, **files}


def _list_old_names(place: Path, name: str, before: Suite) -> frozenset[str]:
    files = [i.file for c in before if c.name == name for i in c.interactions]
    if packed := [file for file in files if not (place / file).is_file()]:
        fix = "give that with --in, or bedtape cassette unpack it first"
        raise CassetteError(
            f"{name}: expected the file {place / packed[0]}, found none: it is in a .tape file;"
            f" {fix}"
        )
    binary = (
        path.name
        for c in before
        if c.name == name
        for i in c.interactions
        for path in _find_binary_files(place, i)
    )
    return frozenset((*(file.rpartition("/")[2] for file in files), *binary))


def _find_folder(place: Path, name: str, before: Suite) -> Path:
    """Returns the folder of the cassette's files; `place` if it contains the files directly."""
    first = next((i.file for c in before if c.name == name for i in c.interactions), None)
    path = place / name if first is None else (place / first).parent
    _refuse_link(place, path)
    folder = path.resolve()
    if Path.cwd().resolve().is_relative_to(folder) and first is not None:
        fix = "go to a folder above, and name the folder with --in"
        raise CassetteError(
            f"{folder}: expected to be run from outside the cassette that changes; {fix}"
        )
    return folder


def _refuse_link(place: Path, path: Path) -> None:
    """Raises CassetteError for a link that leads out of the folder; branches can contain one."""
    if not is_inside(place, path):
        actual = f"a link to {path.resolve()}"
        raise CassetteError(
            f"{path}: expected a folder below {place}, found {actual}; remove the link, or name its"
            " folder"
        )


# -- one folder ------------------------------------------------------------------------------------
