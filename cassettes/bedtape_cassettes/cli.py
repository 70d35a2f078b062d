"""The command `bedtape`. Subcommands live with what they command, and are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bedtape_cassettes.sectioned import Plain, Sectioned
from bedtape_cassettes.tour import COMMANDS, END, GROUPS

__all__ = ["app", "main"]

_MODULES = {command.name: command.module for command in COMMANDS}


def _loaded(name: str) -> Any:
    """The command itself."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    command = getattr(import_module(_MODULES[name]), name)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name, cls=Plain)(command)
    group: Any = typer.main.get_command(app)
    return group.commands[name]


class _Tour(Sectioned):
    """All commands by name and line, which suffice to list and to complete them; the one that is asked for is imported."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {c.name: TyperCommand(c.name, help=c.line, rich_help_panel=c.section) for c in COMMANDS}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _loaded(name), rest

    def nearest(self, word: str) -> Iterable[str]:
        """Those of the groups, too: `show` is `cassette show`."""
        return [f"{name} {word}" for name in GROUPS if word in _loaded(name).commands] or super().nearest(word)


app = typer.Typer(cls=_Tour, epilog=END, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"bedtape {version('bedtape')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Record real Amazon Bedrock traffic once, replay it forever."""


def main() -> None:
    """Runs the command line."""
    app(prog_name="bedtape")
