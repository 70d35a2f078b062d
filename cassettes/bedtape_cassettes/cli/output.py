"""How the commands of `bedtape cassette` speak: lines with colour on a terminal, JSON, one-line errors, progress; and the
options that several of them have. Recordings are read here; nothing is changed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import Line, Style

__all__ = [
    "load",
    "print_json",
    "print_lines",
    "progress",
]

# -- speaking --------------------------------------------------------------------------------------------------

_COLOURS: dict[Style, dict[str, Any]] = {
    "title": {"bold": True},
    "role": {"fg": "cyan"},
    "faint": {"dim": True},
    "added": {"fg": "green"},
    "removed": {"fg": "red"},
    "warning": {"fg": "yellow"},
}


def print_lines(lines: Iterable[Line]) -> None:
    """Prints them; in colour on a terminal, unless NO_COLOR is set."""
    colour = False if os.environ.get("NO_COLOR") else None
    for line in lines:
        typer.echo(typer.style(line.text, **_COLOURS.get(line.style, {})), color=colour)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[str], None]]:
    """A bar on stderr that moves on with each call, on a terminal and where there is much to do."""
    if length < 20 or not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


# -- reading ---------------------------------------------------------------------------------------------------


def load(folder: Path) -> Suite:
    """Every cassette of the folder or `.tape` file. Raises CassetteError, also where there is none."""
    suite = store.read([folder], cache=store.cache_folder(os.environ))
    if not suite:
        raise CassetteMissing(f"{folder}: expected cassettes, found none; name their folder with --in")
    return suite
