"""Changed cassettes put in place of the old ones on disk, each as a whole; and the old ones kept aside.

A cassette is made ready in a hidden folder beside it, then the two folders change places in one step of the file system:
whoever kills this, or fills the disk, leaves the old cassette or the new one. Files that do not change keep their bytes.
It never asks git: whether to keep a copy is told it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, Problem, SecretFound
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.redaction.scrub import scan, scrub_interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.selector import Suite

__all__ = ["BACKUPS", "back_up", "changed", "files_of", "locked", "put"]

BACKUPS = ".bedtape-backup"
_NEW, _OLD = ".bedtape-new", ".bedtape-old"


def changed(before: Suite, after: Suite) -> tuple[str, ...]:
    """The names of the cassettes that differ, in files or in what they hold; those that others go into come first.

    In that order a kill between two cassettes leaves what was moved in both, never in none.
    """
    old, new = ({c.name: [(i.file, i) for i in c.interactions] for c in suite} for suite in (before, after))
    differing = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return tuple(sorted(differing, key=lambda name: len(new.get(name, ())) - len(old.get(name, ())), reverse=True))


def files_of(place: Path, suite: Suite, names: Sequence[str]) -> tuple[Path, ...]:
    """The files that hold these cassettes: the one `.tape`, or each interaction's."""
    if not place.is_dir():
        return (place,) if place.exists() else ()
    paths = (place / i.file for cassette in suite if cassette.name in names for i in cassette.interactions)
    return tuple(
        path for path in paths if path.is_file()
    )  # what is not is in a .tape file of the folder: `put` says so


# -- one at a time ---------------------------------------------------------------------------------------------


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Keeps other commands from changing the folder (or the tape's folder), and clears up after one that was killed."""
    folder = place if place.is_dir() else place.parent
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CassetteError(f"{folder}: expected a folder, found: {error.strerror}; name one with --in") from None
    try:
        _lock(handle, folder)
        if folder == place:
            try:
                _clear_up(folder.resolve())
            except OSError as error:
                raise _unwritable(folder, error) from None
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return  # a file system without locks
        fix = "wait until it is done, and run this again"
        raise CassetteError(f"{folder}: expected to be alone, found another command that changes it; {fix}") from None


def _clear_up(folder: Path) -> None:
    """What a killed command left: a cassette put aside comes back, one made ready goes."""
    beside = folder.with_name(f".{folder.name}{_OLD}"), folder.with_name(f".{folder.name}{_NEW}")
    for left in (*folder.rglob(f".*{_OLD}"), *(path for path in beside[:1] if path.exists())):
        home = left.with_name(left.name[1 : -len(_OLD)])
        if home.exists():
            shutil.rmtree(left)
        else:
            left.rename(home)
    for left in (*folder.rglob(f".*{_NEW}"), *(path for path in beside[1:] if path.exists())):
        shutil.rmtree(left)


# -- copies ----------------------------------------------------------------------------------------------------


def back_up(place: Path, files: Sequence[Path], stamp: str) -> Path:
    """Copies of the files under `.bedtape-backup/STAMP`, which nobody reads as cassettes and git does not see."""
    root = place if place.is_dir() else place.parent
    backups = root / BACKUPS
    try:
        backups.mkdir(exist_ok=True)
        (backups / ".gitignore").write_text("*\n")
        numbered = (backups / (stamp if n == 1 else f"{stamp}-{n}") for n in range(1, 1000))
        target = next(path for path in numbered if not path.exists())
        for file in files:
            copy = target / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    except OSError as error:
        raise _unwritable(backups, error) from None
    return target


def _unwritable(path: Path, error: OSError) -> CassetteError:
    where = error.filename or path
    found = error.strerror or type(error).__name__
    fix = "nothing was changed in it; free space or fix permissions, and run this again"
    if error.errno == errno.EXDEV:  # a folder of an image's lower layer
        fix = "this file system does not let the folder be renamed: change a copy of it (cp -r)"
    return CassetteError(f"{where}: expected to write, found: {found}; {fix}")


# -- in place --------------------------------------------------------------------------------------------------


def put(place: Path, before: Suite, after: Suite, told: Callable[[str], None] = lambda _: None) -> None:
    """Makes the folder, or the `.tape` file, hold `after`, where it holds `before`.

    told: called with the name of each cassette that was put in place. Raises SecretFound or CassetteError; what is in
    place by then is whole.
    """
    if place.suffix == store.TAPE and not place.is_dir():
        store.write_tape(place, after)
        return
    ready = {cassette.name: _Ready(place, before, cassette) for cassette in after}
    names = changed(before, after)
    rendered = {name: ready[name].files() for name in names if name in ready}  # all is checked before anything is put
    for name in names:
        try:
            folder = _folder(place, name, before)
            _replace(folder, rendered.get(name, {}), _old_files(place, name, before))
        except OSError as error:
            raise _unwritable(place / name, error) from None
        told(name)


def _old_files(place: Path, name: str, before: Suite) -> frozenset[str]:
    files = [i.file for c in before if c.name == name for i in c.interactions]
    if packed := [file for file in files if not (place / file).is_file()]:
        fix = "give that with --in, or bedtape cassette unpack it first"
        raise CassetteError(f"{name}: expected the file {place / packed[0]}, found none: it is in a .tape file; {fix}")
    return frozenset(file.rpartition("/")[2] for file in files)


def _folder(place: Path, name: str, before: Suite) -> Path:
    """Where the cassette is: the folder of its files, which is `place` itself for files right in it."""
    first = next((i.file for c in before if c.name == name for i in c.interactions), None)
    folder = (place / name if first is None else (place / first).parent).resolve()
    if Path.cwd().resolve().is_relative_to(folder) and first is not None:
        fix = "go to a folder above, and name the folder with --in"
        raise CassetteError(f"{folder}: expected to be run from outside the cassette that changes; {fix}")
    return folder


class _Ready:
    """A cassette's files as they are to be: where to take each from, or its bytes."""

    def __init__(self, place: Path, before: Suite, cassette: Cassette) -> None:
        self.cassette = cassette
        self.place = place
        self.own = {i.file: i for c in before for i in c.interactions if c.name == cassette.name}
        self.origins = {i: place / i.file for c in before for i in c.interactions}

    def files(self) -> dict[str, Path | bytes]:
        found: dict[str, Path | bytes] = {}
        for interaction in self.cassette.interactions:
            same = self.own.get(interaction.file) == interaction
            path = self.place / interaction.file
            name = interaction.file.rpartition("/")[2]
            # An interaction that is only moved keeps its bytes, comments and all.
            origin = path if same else self.origins.get(interaction)
            found[name] = origin if origin is not None and origin.is_file() else _rendered(path, interaction)
        return found


def _rendered(path: Path, interaction: Interaction) -> bytes:
    """The file's bytes, sure to hold no secret and to be read back as they are meant."""
    clean = scrub_interaction(interaction)
    if findings := scan(clean):
        fix = "take it out: bedtape cassette redact"
        raise SecretFound([Problem(str(path), 0, "no secret", f"{f.kind} in {f.where}", fix) for f in findings])
    return store.rendered(path, clean)


def _replace(folder: Path, files: dict[str, Path | bytes], old: frozenset[str]) -> None:
    """Puts the folder in place with these files instead of the old ones, and whatever else it held."""
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    ready = parent / f".{folder.name}{_NEW}"
    if ready.exists():  # below a link, where clearing up does not look
        shutil.rmtree(ready)
    try:
        ready.mkdir()
        _fill(ready, folder, files, old)
        if not folder.exists():
            ready.rename(folder)
        elif any(ready.iterdir()):
            _exchange(ready, folder)
        else:
            ready.rmdir()
            folder.rename(ready)
    finally:
        if ready.exists():
            shutil.rmtree(ready)
    with suppress(OSError):  # the folders above are gone too where nothing else is in them
        while not folder.exists() and parent != folder:
            parent.rmdir()
            parent = parent.parent


def _fill(ready: Path, folder: Path, files: dict[str, Path | bytes], old: frozenset[str]) -> None:
    if folder.exists():
        shutil.copystat(folder, ready)
        for entry in folder.iterdir():
            if entry.name not in old:
                _carry(entry, ready / entry.name)
    for name, source in files.items():
        if (ready / name).exists():
            raise FileExistsError(0, "a file of that name which is no cassette's", str(folder / name))
        if isinstance(source, bytes):
            (ready / name).write_bytes(source)
            (ready / name).chmod(0o644)
        elif source == folder / name:
            _carry(source, ready / name)
        else:
            shutil.copy2(source, ready / name)


def _carry(source: Path, target: Path) -> None:
    """The same file in the new folder, with its time; folders with all that they hold."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without links, or at the end of its disk: then this fails too
        shutil.copy2(source, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> None:
    """Two folders change places: in one step where the system can (Linux, macOS), else in two that `locked` fixes."""
    if _swapped(one, other):
        return
    aside = other.with_name(f".{other.name}{_OLD}")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    shutil.rmtree(aside)


_HERE = -100  # AT_FDCWD
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def _swapped(one: Path, other: Path) -> bool:
    paths = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = library.renamex_np(*paths, _SWAP)
        else:
            failed = library.renameat2(_HERE, paths[0], _HERE, paths[1], _SWAP)
    except (AttributeError, OSError):  # a C library without it
        return False
    return not failed
