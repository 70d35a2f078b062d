"""The command `bedtape cassette`: which commands it has. What they do stands in the modules beside this one."""

from __future__ import annotations

import typer

__all__ = ["cassette"]

cassette = typer.Typer(help="Look at cassettes, change them, compare them, pack them.", no_args_is_help=True)

# Each module beside this one has plain functions; here they become commands: cassette.command()(looking.ls)
