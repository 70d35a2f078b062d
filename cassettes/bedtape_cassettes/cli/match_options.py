"""The options that say what makes two requests the same, for every command that plays recordings."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AnyProfile", "Ignore", "Placeholder", "RecordedRedact"]

Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="JSON path to leave out when requests are compared (messages.*.id). Repeatable."),
]
Placeholder = Annotated[
    list[str] | None,
    typer.Option("--placeholder", help="Pattern whose matches in text compare as equal (dates, uuids). Repeatable."),
]
AnyProfile = Annotated[
    bool,
    typer.Option("--any-profile/--no-any-profile", help="Take us.MODEL, eu.MODEL, global.MODEL for the same model."),
]
RecordedRedact = Annotated[
    list[str] | None,
    typer.Option("--redact", metavar="PATTERN", help="Pattern that the cassettes were recorded with. Repeatable."),
]
