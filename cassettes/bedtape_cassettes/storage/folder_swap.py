"""Replaces the files of a folder in one step, so that readers see all old or all new files."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from bedtape_cassettes.format.binary_files import is_binary_name
from bedtape_cassettes.storage.store import NEW

OLD = ".bedtape-old"

Contents = dict[str, Path | bytes]  # by file name: the bytes, or the file to take them from


def replace_folder(folder: Path, contents: Contents, old: frozenset[str]) -> None:
    """Replaces the files `old` of the folder by `contents`. Everything else in the folder stays."""
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    ready = parent / f".{folder.name}{NEW}"
    if ready.exists():  # behind a link, where `lock` does not clean up
        shutil.rmtree(ready)
    try:
        ready.mkdir()
        _fill(ready, folder, contents, old)
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
    with suppress(OSError):  # folders above that are empty now are removed too
        while not folder.exists() and parent != folder:
            parent.rmdir()
            parent = parent.parent


def _fill(ready: Path, folder: Path, contents: Contents, old: frozenset[str]) -> None:
    if folder.exists():
        shutil.copystat(folder, ready)
        for entry in folder.iterdir():
            if entry.name not in old and not (
                is_binary_name(entry.name) and entry.name in contents
            ):
                _carry(entry, ready / entry.name)
    for name, source in contents.items():
        if (ready / name).exists():
            raise FileExistsError(
                0, "a file of that name which is no cassette's", str(folder / name)
            )
        if isinstance(source, bytes):
            (ready / name).write_bytes(source)
            (ready / name).chmod(0o644)
        elif source == folder / name:
            _carry(source, ready / name)
        else:
            shutil.copy2(source, ready / name)


def _carry(source: Path, target: Path) -> None:
    """Links the file, or each file of the folder, so that its time does not change."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without links; a full disk makes the copy fail too
        shutil.copy2(source, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> None:
    """Exchanges two folders in one step, or in two steps, which `lock` finishes after a kill."""
    if _swap_folders(one, other):
        return
    aside = other.with_name(f".{other.name}{OLD}")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    shutil.rmtree(aside)


_HERE = -100  # AT_FDCWD


_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def _swap_folders(one: Path, other: Path) -> bool:
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
