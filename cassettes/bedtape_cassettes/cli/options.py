"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import store

CASSETTES = Path("cassettes")


def _complete(context: typer.Context, incomplete: str) -> list[str]:
    """Returns cassette names for shell completion."""
    try:
        suite = store.read(
            [context.params.get("folder") or CASSETTES], cache=store.cache_folder(os.environ)
        )
    except CassetteError:
        return []
    return [cassette.name for cassette in suite if cassette.name.startswith(incomplete)]


_SELECTOR = (
    "Interactions: weather, weather:2, weather:1-3, weather:op=ConverseStream,model=*nova*,"
    " 'weather:prompt=rain'."
)

Folder = Annotated[
    Path, typer.Option("--in", metavar="DIR", help="Folder of cassettes, or a .tape file.")
]
AsJson = Annotated[bool, typer.Option("--json/--no-json", help="Print JSON.")]
OfClient = Annotated[
    bool, typer.Option("--request/--answer", help="Change the events of a conversation's client.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run/--no-dry-run", help="Show what would change, and change nothing.")
]
Selectors = Annotated[
    list[str], typer.Argument(metavar="SELECTOR", help=_SELECTOR, autocompletion=_complete)
]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="CASSETTE", help="Names of cassettes, or globs.", autocompletion=_complete
    ),
]

# The options of matching, for every command that plays recordings.
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        help="JSON path to leave out when requests are compared (messages.*.id). Repeatable.",
    ),
]
Placeholder = Annotated[
    list[str] | None,
    typer.Option(
        "--placeholder",
        help="Pattern whose matches in text compare as equal (dates, uuids). Repeatable.",
    ),
]
AnyProfile = Annotated[
    bool,
    typer.Option(
        "--any-profile/--no-any-profile",
        help="Treat us.MODEL, eu.MODEL and global.MODEL as the same model.",
    ),
]
RecordedRedact = Annotated[
    list[str] | None,
    typer.Option(
        "--redact",
        metavar="PATTERN",
        help="Pattern that the cassettes were recorded with. Repeatable.",
    ),
]

AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="Host name under which requests are accepted, besides loopback. Repeatable.",
    ),
]
