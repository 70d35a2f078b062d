"""The command line as a whole, every command imported: for tests of what all commands have in common."""

from __future__ import annotations

from typing import Any

import typer

from bedtape_cassettes import cli

__all__ = ["whole"]


def whole() -> Any:
    """The command `bedtape` with its commands in `commands`, and theirs in theirs."""
    root: Any = typer.main.get_command(cli.app)
    root.commands = {name: cli.loaded(name) for name in root.commands}
    return root
