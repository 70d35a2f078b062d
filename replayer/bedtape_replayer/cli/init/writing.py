"""Reads the top folder of a project and writes files into it: all files or none.

The module of `init` that uses the disk.

Each file is written beside its place and renamed in one step, so that no file is incomplete. After
an error or Ctrl-C, the files that were written are removed. Existing files are not replaced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from bedtape_cassettes.config.files import read_settings
from bedtape_cassettes.errors import Problem
from bedtape_cassettes.storage import git, store
from bedtape_replayer.cli.init.plan import CASSETTE, PlannedFile
from bedtape_replayer.cli.init.project import PACKAGE, PYPROJECT, InitError, Project

_Undo = Callable[[], object]


def look(root: Path) -> Project:
    """Describe the folder. Raises InitError if it cannot be read or is no place for a project."""
    if root in (Path(root.anchor), Path.home()):
        raise InitError(
            [Problem(str(root), 0, "a project's folder", "another", "go to your project first")]
        )
    try:
        names = frozenset(os.listdir(root))  # noqa: PTH208
        return Project(names, _text(root / PYPROJECT), _text(root / PACKAGE), _find_folder(root))
    except (OSError, UnicodeDecodeError) as error:
        raise InitError(
            [Problem(str(root), 0, "to read what is there", str(error), "fix that first")]
        ) from None


def _text(path: Path) -> str | None:
    return path.read_bytes().decode() if path.exists() else None


def _find_folder(root: Path) -> str | None:
    """The first folder in the project that its own file of settings names. Raises ConfigInvalid."""
    settings = read_settings(root, {}, here=root)
    if settings.file is None or Path(settings.file).parent != root:
        return None
    paths = settings.of("run").get("cassettes", ())
    named = (
        [Path(place) for place in paths if isinstance(place, str)]
        if isinstance(paths, tuple)
        else []
    )
    plain = (
        path
        for path in named
        if not path.is_absolute() and ".." not in path.parts and path.suffix != store.TAPE
    )
    return next((path.as_posix() for path in plain), None)


def sample() -> dict[str, bytes]:
    """Return the files of the sample cassette that the tests play."""
    first = min((store.samples() / CASSETTE).iterdir())
    return {first.name: first.read_bytes()}


def attributes(root: Path) -> PlannedFile:
    """Return the lines that the folder's .gitattributes lacks.

    Git reads this file in every folder of a repository.
    """
    path = root / git.ATTRIBUTES
    what = "git diff shows .tape files as text"
    try:
        text = path.read_text()
    except FileNotFoundError:
        return PlannedFile(git.ATTRIBUTES, git.find_missing_line("").encode(), what)
    except (OSError, UnicodeDecodeError) as error:
        raise InitError(
            [Problem(str(path), 0, "to read it", str(error), "fix that first")]
        ) from None
    added = git.find_missing_line(text)
    return PlannedFile(
        git.ATTRIBUTES,
        added.encode(),
        what,
        adds=True,
        there="" if added else "has its line already",
    )


def is_there(root: Path, piece: PlannedFile) -> bool:
    """Whether the project has it already."""
    return bool(piece.there) or (not piece.adds and os.path.lexists(root / piece.path))


def obstacles(root: Path, pieces: Iterable[PlannedFile]) -> list[Problem]:
    """What stands where folders have to be, or may not be written."""
    problems = {}
    for piece in pieces:
        place = root / piece.path
        parent = next(
            folder for folder in (place.parent, *place.parent.parents) if os.path.lexists(folder)
        )
        shown = os.path.relpath(parent, root)
        if not parent.is_dir():
            problems[shown] = Problem(shown, 0, "a folder", "a file", "move it away")
        elif not os.access(parent, os.W_OK | os.X_OK):
            problems[shown] = Problem(
                shown, 0, "a folder that can be written", "one that cannot", "fix permissions"
            )
    return list(problems.values())


# -- writing ---------------------------------------------------------------------------------------


def write(root: Path, pieces: Iterable[PlannedFile], last: Callable[[], None]) -> None:
    """Writes the pieces and does `last`. Undoes it and raises InitError if the disk fails."""
    undo: list[_Undo] = []
    try:
        for piece in pieces:
            _write(root / piece.path, piece, undo)
        last()
    except BaseException as error:
        for step in reversed(undo):
            step()
        if isinstance(error, OSError):
            where = error.filename or root
            fix = "nothing was written; fix that, and run it again"
            raise InitError(
                [Problem(str(where), 0, "to write", error.strerror or str(error), fix)]
            ) from None
        raise


def _write(path: Path, piece: PlannedFile, undo: list[_Undo]) -> None:
    for folder in reversed([folder for folder in path.parents if not folder.exists()]):
        undo.append(lambda folder=folder: _remove_empty(folder))  # type: ignore[misc]
        folder.mkdir()
    ready = path.with_name(f".{path.name}.bedtape")
    undo.append(lambda: _remove(ready))
    if isinstance(piece.content, bytes):
        before = path.read_bytes() if piece.adds else b""
        ready.write_bytes(before + piece.content)
        if piece.adds:
            path = path.resolve()  # a link stays one
            shutil.copymode(path, ready)
            undo.append(lambda: _restore(path, ready, before))
        else:
            undo.append(lambda: _remove(path))
    else:
        ready.mkdir()
        for name, data in piece.content.items():
            (ready / name).write_bytes(data)
        undo.append(lambda: _remove(path))
    ready.replace(path)


def _restore(path: Path, ready: Path, before: bytes) -> None:
    if path.read_bytes() != before:
        ready.write_bytes(before)
        shutil.copymode(path, ready)
        ready.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()
