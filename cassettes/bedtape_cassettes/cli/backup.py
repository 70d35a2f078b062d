"""What is about to be replaced and git does not hold is kept first. With the time of day in the folder's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from bedtape_cassettes.storage import commit, git

__all__ = ["set_aside", "set_aside_and_tell"]


def set_aside(place: Path, files: Sequence[Path]) -> Path | None:
    """Copies the files into the backups of `place`, and gives where; None where git holds them."""
    if git.holds(files):
        return None
    return commit.back_up(place, files, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))


def set_aside_and_tell(place: Path, files: Sequence[Path]) -> None:
    """The same, and says so."""
    if files and (kept := set_aside(place, files)) is not None:
        typer.echo(f"git does not hold what was there: it is kept in {kept}")
