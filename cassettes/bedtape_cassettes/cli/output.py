"""The output of `bedtape cassette`: coloured lines, JSON, progress; and its cassette reader."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import typer

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import Line, Style

# -- printing --------------------------------------------------------------------------------------

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
    """Shows a progress bar on stderr, if it is a terminal, when the work has taken a second.

    Yields a function to call after each of `length` steps.
    """
    if not _is_terminal():
        yield lambda _: None
        return
    began, done = time.monotonic(), 0
    with ExitStack() as stack:
        bar: Any = None

        def tick(_: str) -> None:
            nonlocal bar, done
            done += 1
            if bar is not None:
                bar.update(1)
            elif time.monotonic() - began >= _PATIENCE_S:
                bar = stack.enter_context(
                    typer.progressbar(length=length, label=label, file=sys.stderr)
                )
                bar.update(done)

        yield tick


_PATIENCE_S = 1.0


def _is_terminal() -> bool:
    return sys.stderr.isatty()


# -- reading ---------------------------------------------------------------------------------------


def read(folder: Path) -> Suite:
    """Returns every cassette of the folder or `.tape` file, which may be none."""
    files = len(store.fingerprint([folder])) if _is_terminal() else 0
    with progress(files, "reading") as tick:
        return store.read([folder], cache=store.cache_folder(os.environ), report=tick)


def load(folder: Path) -> Suite:
    """Returns every cassette of the folder or `.tape` file. Raises CassetteError if none exists."""
    suite = read(folder)
    if not suite:
        raise CassetteMissing(
            f"{folder}: expected cassettes, found none; name their folder with --in"
        )
    return suite
