"""The commands `bedtape overlay …`: overlay files checked, and their JSON Schema for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.cli.errors import report
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.text import format_count
from bedtape_replayer.overlay.schema import OVERLAY
from bedtape_replayer.server.loading import read_overlay

overlay = typer.Typer(
    cls=SectionedGroup,
    help="Check overlay files, which contain rules and faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@overlay.command(cls=PlainCommand)
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Overlay files.")]) -> None:
    """Say everything that is wrong with overlay files, each with its line. Exit 1 where anything is.

    \b
    Example:
      bedtape overlay check tests/faults.yaml
    """
    failed = False
    for file in files:
        try:
            read = read_overlay(file)
        except CassetteError as error:
            report(error, prefix="")
            failed = True
        else:
            print(f"{file}: {format_count(len(read.rules), 'rule')}, {format_count(len(read.faults), 'fault')}")
    raise typer.Exit(1 if failed else 0)


@overlay.command(cls=PlainCommand)
def schema() -> None:
    """Print the JSON Schema of overlay files, for editors that complete and check these files.

    \b
    Example:
      bedtape overlay schema > .vscode/bedtape-overlay.schema.json
    """
    print(json.dumps(OVERLAY, indent=2))
