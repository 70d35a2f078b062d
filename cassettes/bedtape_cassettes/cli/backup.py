"""Makes room for the files that a command writes: refuses existing files, or backs them up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import git
from bedtape_cassettes.storage.commit import back_up


def set_aside(place: Path, files: Sequence[Path]) -> Path | None:
    """Backs up the files of `place` and returns the folder of the copies; `None` if git holds every file."""
    if git.contains(files):
        return None
    return back_up(place, files, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))


def refuse_existing(files: Sequence[Path]) -> None:
    """Raises CassetteError if there are files."""
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        raise CassetteError(
            f"{files[0]}: expected nothing there yet, found a file{more}; choose another folder, or --force"
        )


def make_room(place: Path, files: Sequence[Path], others: Sequence[Path] = (), *, force: bool) -> None:
    """Allows the command to replace the files of `place` and the files `others`, which have no backup.

    Without `force`, raises CassetteError if a file exists. With `force`, backs up the files of `place` and
    prints the folder of the copies.
    """
    if not force:
        refuse_existing([*files, *others])
    if files and (kept := set_aside(place, files)) is not None:
        typer.echo(f"git does not hold what was there: it is kept in {kept}")
