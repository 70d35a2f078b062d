"""Saves cassettes and overlays before a change, and restores them.

A saved state is a folder in `.bedtape-backup` with the old files of the changed cassettes and a
list of their names. An import also writes overlays, which are elsewhere; the list has their paths
from the folder of cassettes. Of states whose files git holds, the newest 20 are kept. Other states
are not removed, because they may be the only copy.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette, Suite
from bedtape_cassettes.storage import git, store
from bedtape_cassettes.storage.commit import BACKUPS, back_up, commit, list_files, make_error

_LIST = "undo.json"
_OVERLAYS = ".overlays"
# Only files with this ending are restored outside the folder of cassettes, because a branch may
# contain a saved state.
_OVERLAY = ".overlay.yaml"
_MOST_IN_GIT = 20


@dataclass(frozen=True, slots=True)
class SavedState:
    """A saved state on disk. names: the cassettes that the change touches, also new ones.

    tape: the name of the changed `.tape` file, or `None` for a folder. in_git: whether git holds
    all old files. overlays: the paths of the overlays that the change touches, also new ones, from
    the folder of cassettes. The old file of the first one, if it existed, is `.overlays/0` in the
    state's folder. run: the id of the run that saved it, whose states are restored together; empty
    for a state of its own.
    """

    folder: Path
    names: tuple[str, ...]
    tape: str | None
    in_git: bool
    overlays: tuple[str, ...] = ()
    run: str = ""


@contextmanager
def saving(
    place: Path, suite: Suite, names: Sequence[str], overlays: Sequence[Path] = (), *, run: str = ""
) -> Iterator[SavedState]:
    """Saves the state as `save` does.

    If the block raises an error and has changed nothing, removes the state again.
    """
    state = save(place, suite, names, overlays, run=run)
    try:
        yield state
    except BaseException:
        discard_unchanged(place, state)
        raise


def save(
    place: Path, suite: Suite, names: Sequence[str], overlays: Sequence[Path] = (), *, run: str = ""
) -> SavedState:
    """Copies the files of these cassettes of the folder or `.tape` file before a change.

    Raises CassetteError.

    overlays: overlays that the change may write, each with the ending `.overlay.yaml`. run: as in
    `SavedState`. The caller holds the folder's lock, and then changes no other cassettes.
    """
    files = list_files(place, suite, names)
    in_git = git.contains([*files, *filter(Path.exists, overlays)])
    folder = _copy(place, files)
    root = _find_root(place)
    paths = tuple(os.path.relpath(path.resolve(), root) for path in overlays)
    state = SavedState(
        folder, tuple(sorted(names)), None if place.is_dir() else place.name, in_git, paths, run
    )
    try:
        _copy_overlays(root, paths, folder)
        members = {"names": state.names, "tape": state.tape, "in_git": in_git, "overlays": paths}
        content = json.dumps(members | ({"run": run} if run else {}))
        store.replace_file(folder / _LIST, content.encode())
        _remove_oldest(folder.parent)
    except OSError as error:
        raise make_error(folder, error) from None
    return state


def _find_root(place: Path) -> Path:
    return (place if place.is_dir() else place.parent).resolve()


def _copy_overlays(root: Path, paths: Sequence[str], folder: Path) -> None:
    """Copies the overlays that exist into the folder. Raises OSError."""
    for number, path in enumerate(paths):
        if (root / path).is_file():
            (folder / _OVERLAYS).mkdir(exist_ok=True)
            shutil.copy2(root / path, folder / _OVERLAYS / str(number))


def _copy(place: Path, files: Sequence[Path]) -> Path:
    return back_up(place, files, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))


def _remove_oldest(backups: Path) -> None:
    states: list[SavedState] = []
    for path in _list_newest(backups):
        with suppress(CassetteError):  # `undo` reports a damaged state
            states.append(_read_state(path))
    in_git = [state for state in states if state.in_git]
    kept = list(dict.fromkeys(state.run or state.folder.name for state in in_git))[:_MOST_IN_GIT]
    for old in in_git:
        if (old.run or old.folder.name) not in kept:
            shutil.rmtree(old.folder)


def discard_unchanged(place: Path, state: SavedState) -> None:
    """Removes the state if the cassettes and overlays are as they were.

    Removes it also if it would be alone in the folder: a folder without cassettes cannot be played.
    """
    with suppress(CassetteError, OSError):
        if _is_unchanged(place, state) or (place.is_dir() and _is_alone(place, state)):
            _discard(state)


def _discard(state: SavedState) -> None:
    """Removes the state, and the folder of the states if it is then empty. Raises OSError."""
    shutil.rmtree(state.folder)
    backups = state.folder.parent
    if [path.name for path in backups.iterdir()] == [".gitignore"]:
        shutil.rmtree(backups)


def _is_unchanged(place: Path, state: SavedState) -> bool:
    """Whether each file has the bytes of its copy."""
    root = place if place.is_dir() else place.parent
    copies = [
        path for path in state.folder.rglob("*") if path.is_file() and path != state.folder / _LIST
    ]
    old = {
        path.relative_to(state.folder) for path in copies if path.parent != state.folder / _OVERLAYS
    }
    pairs = [*_pair_overlays(place, state), *((state.folder / path, root / path) for path in old)]
    # Only these files name binary files, so the others are equal if these are.
    now = {path for path in old if not store.is_cassette_file(path)}
    now |= {path.relative_to(root) for path in _list_now(place, state.names)}
    return now == old and all(_read_bytes(copy) == _read_bytes(path) for copy, path in pairs)


def _list_now(place: Path, names: Sequence[str]) -> list[Path]:
    """Returns the `.tape` file, or the files of the interactions of these cassettes, unread."""
    if not place.is_dir():
        return [place] if place.exists() else []
    folders = [place / name for name in names]
    if _is_direct(place, names):
        folders.append(place)
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and store.is_cassette_file(path)
    ]


def _is_alone(place: Path, state: SavedState) -> bool:
    backups = state.folder.parent
    return [*place.iterdir()] == [backups] and {path.name for path in state.folder.iterdir()} == {
        _LIST
    }


def _pair_overlays(place: Path, state: SavedState) -> list[tuple[Path, Path]]:
    """Returns the copy of each overlay of the state, and its path."""
    root = _find_root(place)
    return [
        (state.folder / _OVERLAYS / str(number), root / path)
        for number, path in enumerate(state.overlays)
    ]


def _read_bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def undo(
    place: Path, begin: Callable[[int], Callable[[str], object]] = lambda _: lambda _: None
) -> tuple[tuple[str, ...], Path | None]:
    """Restores the files of the last saved state of the folder or `.tape` file, or of all states
    that the last run saved.

    Returns the names of its cassettes and the paths of its overlays, and a folder with copies of
    the files that were replaced, because they may contain later recordings; `None` if git holds
    these files. The next call restores the state before. begin: called with the number of steps of
    each state; returns a function to call after each step. The caller holds the folder's lock.
    Raises CassetteError if there is no saved state.
    """
    state = _find_last(place)
    if state is None:
        raise CassetteError(f"{place}: expected a change that can be undone, found none")
    run = state.run
    restored, copies = _restore(place, state, begin)
    while run and (state := _find_last(place)) is not None and state.run == run:
        more, others = _restore(place, state, begin)
        restored += more
        if others is not None:
            copies = others.parent
    return tuple(dict.fromkeys(restored)), copies


def _find_last(place: Path) -> SavedState | None:
    root, tape = (place, None) if place.is_dir() else (place.parent, place.name)
    states = map(_read_state, _list_newest(root / BACKUPS))
    return next((state for state in states if state.tape == tape), None)


def _restore(
    place: Path, state: SavedState, begin: Callable[[int], Callable[[str], object]]
) -> tuple[tuple[str, ...], Path | None]:
    tape = state.tape
    tick = begin(len(_list_now(place, state.names)) + len(store.fingerprint([state.folder])))
    now = _read_changed(place, state.names, tick) if tape is None else ()
    files = list_files(place, now, state.names)
    overlays = _pair_overlays(place, state)
    in_git = git.contains([*files, *(path for _, path in overlays if path.exists())])
    copies = None if in_git else _copy(place, files)
    if copies is not None:
        _copy_overlays(_find_root(place), state.overlays, copies)
    if tape is None:
        _restore_folder(place, state, now, tick)
    elif (state.folder / tape).is_file():
        store.replace_file(place, (state.folder / tape).read_bytes())
    else:
        place.unlink(missing_ok=True)
    for old, path in overlays:
        _restore_file(old, path)
    (state.folder / _LIST).unlink()  # first, because a part of a state must not be restored
    _discard(state)
    return (*state.names, *(os.path.relpath(path) for old, path in overlays)), copies


def _restore_file(old: Path, path: Path) -> None:
    if old.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        store.replace_file(path, old.read_bytes())
    else:
        path.unlink(missing_ok=True)


def _is_direct(folder: Path, names: Sequence[str]) -> bool:
    """Whether the files of one of the cassettes may be directly in the folder."""
    own = folder.resolve().name
    return own in names and not (folder / own).is_dir()


def _read_changed(folder: Path, names: Sequence[str], tick: Callable[[str], object]) -> Suite:
    """Reads the cassettes of these names, and no other files, which may be of other tools."""
    if not folder.is_dir():
        return ()
    if _is_direct(folder, names):
        suite = store.read([folder], report=tick)
        return tuple(cassette for cassette in suite if cassette.name in names)
    return store.read_named(folder, names, report=tick)


def _restore_folder(
    folder: Path, state: SavedState, now: Suite, tick: Callable[[str], object]
) -> None:
    saved = tuple(
        _name_as_in(folder, cassette) for cassette in store.read([state.folder], report=tick)
    )
    commit(
        folder,
        now,
        tuple(cassette for cassette in saved if cassette.name in state.names),
        copies=state.folder,
    )


def _name_as_in(folder: Path, cassette: Cassette) -> Cassette:
    """Names a cassette of the saved state: files directly in the folder have its name."""
    direct = all("/" not in interaction.file for interaction in cassette.interactions)
    return Cassette(folder.resolve().name, cassette.interactions) if direct else cassette


def _list_newest(backups: Path) -> list[Path]:
    """Returns the lists of the states that can be restored, newest first."""
    lists = [
        path
        for path in backups.glob(f"*/{_LIST}")
        if not path.is_symlink() and not path.parent.is_symlink()
    ]
    return sorted(
        lists,
        key=lambda path: (path.stat().st_mtime_ns, len(path.parent.name), path.parent.name),
        reverse=True,
    )


def _read_state(path: Path) -> SavedState:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        value = None
    match value:
        case {
            "names": list(names),
            "tape": str() | None as tape,
            "in_git": bool(in_git),
            **rest,
        } if _are_texts(names):
            overlays = rest.get("overlays", [])
            if (
                isinstance(overlays, list)
                and _are_texts(overlays)
                and all(each.endswith(_OVERLAY) for each in overlays)
            ):
                run = str(rest.get("run", ""))
                return SavedState(path.parent, tuple(names), tape, in_git, tuple(overlays), run)
        case list(names) if _are_texts(names):  # of bedtape before 2026-11-29
            return SavedState(path.parent, tuple(names), None, False)
    fix = "remove the file"
    raise CassetteError(
        f"{path}: expected a list of names of cassettes, found something else; {fix}"
    )


def _are_texts(names: list[object]) -> bool:
    return all(isinstance(name, str) for name in names)
