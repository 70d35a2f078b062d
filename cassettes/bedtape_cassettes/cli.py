"""The command `bedtape`. Subcommands live with what they command, and are imported when they are asked for."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any

import typer

from bedtape_cassettes.config.defaults import Defaults, defaults_of
from bedtape_cassettes.config.files import read_settings
from bedtape_cassettes.errors import ConfigInvalid
from bedtape_cassettes.printable import printable

__all__ = ["main"]

_COMMANDS = {
    "replay": "bedtape_replayer.cli",
    "run": "bedtape_replayer.run",
    "record": "bedtape_recorder.cli",
    "recover": "bedtape_recorder.cli",
    "overlay": "bedtape_replayer.overlay.cli",
    "cassette": "bedtape_cassettes.commands.app",
    "demo": "bedtape_replayer.demo",
    "config": "bedtape_cassettes.commands.configuring",
}
# They tell of settings themselves, wrong ones too.
_TELL_OF_SETTINGS = ("config",)


def _app(arguments: list[str]) -> typer.Typer:
    """The app with the asked command alone, or with all of them where none is asked: `bedtape --help`."""
    app = typer.Typer(
        help="Record real Amazon Bedrock traffic once, replay it forever.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)
    asked = next(iter(arguments), "")
    for name in [asked] if asked in _COMMANDS else _COMMANDS:
        command = getattr(import_module(_COMMANDS[name]), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _defaults(command: Any, arguments: list[str]) -> Defaults:
    """What settings say in place of options. Where they are wrong, nothing is done: exit code 2.

    Help, completion and what tells of settings work all the same.
    """
    asked = next(iter(arguments), "")
    completing = "_BEDTAPE_COMPLETE" in os.environ
    if asked not in _COMMANDS and not completing:
        return {}
    quiet = completing or asked in _TELL_OF_SETTINGS or "--help" in takewhile("--".__ne__, arguments)
    try:
        here = Path.cwd()
        settings = read_settings(here, os.environ, here=here)
    except ConfigInvalid as error:
        if quiet:
            return {}
        _tell(str(error))
        raise SystemExit(2) from None
    if not quiet:
        for warning in settings.warnings:
            _tell(warning)
    return defaults_of(command, settings)


def _tell(text: str) -> None:
    print("\n".join(map(printable, f"bedtape: {text}".splitlines())), file=sys.stderr)


def main() -> None:
    """Runs the command line."""
    arguments = sys.argv[1:]
    command = typer.main.get_command(_app(arguments))
    command(prog_name="bedtape", default_map=_defaults(command, arguments))
