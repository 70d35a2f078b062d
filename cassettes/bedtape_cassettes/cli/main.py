"""The command `bedtape`. A subcommand is imported when the command line names it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import takewhile
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bedtape_cassettes.cli.command_list import COMMANDS, END, GROUPS
from bedtape_cassettes.cli.errors import fail, report
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup
from bedtape_cassettes.config.defaults import Defaults, defaults_of, key_of
from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.config.kinds import Kind, NumberKind, Unfit, WholeNumberKind
from bedtape_cassettes.config.options import TABLES
from bedtape_cassettes.config.reading import render_value
from bedtape_cassettes.errors import ConfigInvalid, Problem

_MODULES = {command.name: command.module for command in COMMANDS}
# These commands report settings themselves, also invalid ones.
_REPORTS_SETTINGS = ("config", "doctor")


def _load(name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    command = getattr(import_module(_MODULES[name]), name)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name, cls=PlainCommand)(command)
    group: Any = typer.main.get_command(app)
    _check_numbers(group.commands[name], name)
    return group.commands[name]


def _check_numbers(command: Any, table: str) -> None:
    """Makes numbers on the command line obey the table of options, as in files and variables.

    Versions of typer differ in the numbers that they accept, such as NaN, and in their messages.
    """
    for parameter in command.params:
        option = TABLES.get(table, {}).get(key_of(parameter) or "")
        if option is not None and isinstance(option.kind, NumberKind | WholeNumberKind):
            parameter.process_value = partial(
                _process_number, parameter.process_value, f"--{key_of(parameter)}", option.kind
            )


def _process_number(
    process: Callable[..., Any], name: str, kind: Kind, ctx: Any, value: Any
) -> Any:
    """Returns what a parameter makes of a value. Ends the command if a text is not of the kind."""
    if isinstance(value, str) and not ctx.resilient_parsing:
        try:
            value = kind.of_text(value)
        except Unfit as error:
            fail(Problem(name, 0, error.expected, render_value(name, value), error.fix))
    return process(ctx, value)


def load_all() -> Any:
    """Returns the command `bedtape` with all subcommands imported, for documentation and tests."""
    root: Any = typer.main.get_command(app)
    root.commands = {name: _load(name) for name in root.commands}
    return root


class _CommandList(SectionedGroup):
    """The list of all commands, for help and completion. A command is imported when it runs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            c.name: TyperCommand(c.name, help=c.line, rich_help_panel=c.section) for c in COMMANDS
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if command is None:
            return name, command, rest
        command = _load(name)
        quiet = (
            ctx.resilient_parsing
            or name in _REPORTS_SETTINGS
            or "--help" in takewhile("--".__ne__, rest)
        )
        ctx.default_map = {name: _defaults(name, command, quiet=quiet)}
        return name, command, rest

    def nearest(self, word: str) -> Iterable[str]:
        """Returns similar commands, also of the groups: `cassette show` for `show`."""
        return [
            f"{name} {word}" for name in GROUPS if word in _load(name).commands
        ] or super().nearest(word)


def _defaults(name: str, command: Any, *, quiet: bool) -> Defaults:
    """Returns the defaults of options from settings.

    Invalid settings end the command with exit code 2.

    quiet: ignores invalid settings, for help, completion and commands that report settings.
    """
    try:
        here = find_working_folder()
        settings = read_settings(here, os.environ, here=here)
    except ConfigInvalid as error:
        if quiet:
            return {}
        fail(error)
    if not quiet:
        for warning in settings.warnings:
            report(warning)
    return defaults_of(command, settings, name)


app = typer.Typer(
    cls=_CommandList,
    epilog=END,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        # takes 20 ms, so it is imported on demand
        metadata: Any = import_module("importlib.metadata")
        # one of the modules that hatch_build.py compiles
        spec = find_spec("bedtape_cassettes.operations")
        build = (
            "compiled"
            if spec and spec.origin and not spec.origin.endswith(".py")
            else "pure Python"
        )
        typer.echo(f"bedtape {metadata.version('bedtape')} ({build})")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Record real Amazon Bedrock traffic once, replay it forever."""


def main() -> None:
    """Runs the command line."""
    app(prog_name="bedtape")
