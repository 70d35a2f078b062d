"""Makes room for the files that a command writes: refuses existing files, or saves them for
`bedtape cassette undo`.

A command refuses existing files unless the user gives `--force`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage import undo
from bedtape_cassettes.storage.commit import list_files


def refuse_existing(files: Sequence[Path]) -> None:
    """Raises CassetteError if there are files."""
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise CassetteError(
            f"{files[0]}: expected no file yet, found one{more}; choose another folder, or --force"
        )


@contextmanager
def make_room(
    place: Path, before: Suite, names: Sequence[str], overlays: Sequence[Path] = (), *, force: bool
) -> Iterator[Path | None]:
    """Allows the block to replace the named cassettes of `place`, and the overlays.

    Without `force`, raises CassetteError if a file exists. Saves the state for `undo`, and yields
    its folder if git does not hold the old files.
    """
    if not force:
        refuse_existing([*list_files(place, before, names), *filter(Path.exists, overlays)])
    with undo.saving(place, before, names, overlays) as state:
        yield None if state.in_git else state.folder
    undo.discard_unchanged(place, state)


def print_backup(folder: Path | None) -> None:
    """Prints where the old files are that git does not hold."""
    if folder is not None:
        typer.echo(f"git does not hold the old files; backup: {folder}")
