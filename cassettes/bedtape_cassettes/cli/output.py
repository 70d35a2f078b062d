"""The output of `bedtape cassette`: coloured lines, JSON and progress; and the reader of its recordings."""

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

# -- printing --------------------------------------------------------------------------------------------------

_COLOURS: dict[Style, dict[str, Any]] = {
    "title": {"bold": True},
    "role": {"fg": "cyan"},
    "faint": {"dim": True},
    "added": {"fg": "green"},
    "removed": {"fg": "red"},
    "warning": {"fg": "yellow"},
}


def print_lines(lines: Iterable[Line]) -> None:
    """Prints the lines, in colour on a terminal unless NO_COLOR is set."""
    colour = False if os.environ.get("NO_COLOR") else None
    for line in lines:
        typer.echo(typer.style(line.text, **_COLOURS.get(line.style, {})), color=colour)


def print_json(value: object) -> None:
    """Prints the value as indented JSON."""
    typer.echo(json.dumps(value, indent=2))


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[str], None]]:
    """Shows a progress bar on stderr if it is a terminal and `length` is at least 20."""
    if length < 20 or not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


# -- reading ---------------------------------------------------------------------------------------------------


def load(folder: Path) -> Suite:
    """Returns every cassette of the folder or `.tape` file. Raises CassetteError if none exists."""
    suite = store.read([folder], cache=store.cache_folder(os.environ))
    if not suite:
        raise CassetteMissing(f"{folder}: expected cassettes, found none; name their folder with --in")
    return suite
