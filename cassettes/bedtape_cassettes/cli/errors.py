"""One way to print an error and to exit: `bedtape: MESSAGE` on stderr, exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.text import escape_controls


def report(message: object, *, prefix: str = "bedtape: ") -> None:
    """Prints the message on stderr, with control characters escaped.

    Only its first line has the prefix.
    """
    typer.echo("\n".join(map(escape_controls, f"{prefix}{message}".splitlines())), err=True)


def fail(message: object, code: int = 2) -> NoReturn:
    """Prints the message on stderr and ends the command with the exit code."""
    report(message)
    raise typer.Exit(code) from None


@contextmanager
def exit_on_error(*kinds: type[Exception]) -> Iterator[None]:
    """Prints a CassetteError of the block, or another of the kinds, and exits with code 2."""
    caught: tuple[type[Exception], ...] = (CassetteError, *kinds)
    try:
        yield
    except caught as error:
        fail(error)
