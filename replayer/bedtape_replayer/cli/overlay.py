"""The commands `bedtape overlay …`: overlay files checked, and their JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bedtape_cassettes.cli.errors import report
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup
from bedtape_cassettes.cli.options import AsJson
from bedtape_cassettes.cli.output import print_json
from bedtape_cassettes.errors import CassetteError, Invalid
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
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Overlay files.")],
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with overlay files, each with its line.

    Exit 1 where anything is.

    \b
    Example:
      bedtape overlay check tests/faults.yaml
    """
    checks = [_check(file) for file in files]
    if as_json:
        print_json([each for _, each in checks])
    for error, each in [] if as_json else checks:
        if error is not None:
            report(error, prefix="")
        else:
            counts = format_count(each["rules"], "rule"), format_count(each["faults"], "fault")
            print(f"{each['file']}: {', '.join(counts)}")
    raise typer.Exit(1 if any(error for error, _ in checks) else 0)


def _check(file: Path) -> tuple[CassetteError | None, dict[str, Any]]:
    """Returns the error of a file, if it has one, and the file's row of the JSON."""
    try:
        read = read_overlay(file)
    except CassetteError as error:
        problems = error.problems if isinstance(error, Invalid) else ()
        rows = [
            {"where": one.where, "expected": one.expected, "found": one.found, "fix": one.fix}
            for one in problems
        ]
        return error, {"file": str(file), "error": str(error), "problems": rows}
    return None, {"file": str(file), "rules": len(read.rules), "faults": len(read.faults)}


@overlay.command(cls=PlainCommand)
def schema() -> None:
    """Print the JSON Schema of overlay files, for editors that complete and check these files.

    \b
    Example:
      bedtape overlay schema > .vscode/bedtape-overlay.schema.json
    """
    print_json(OVERLAY)
