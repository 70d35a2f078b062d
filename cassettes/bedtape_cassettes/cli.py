"""The command `bedtape`. Subcommands live with what they command, and are imported when they are asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

__all__ = ["main"]

_COMMANDS = {
    "replay": "bedtape_replayer.cli",
    "run": "bedtape_replayer.run",
    "record": "bedtape_recorder.cli",
    "recover": "bedtape_recorder.cli",
    "overlay": "bedtape_replayer.overlay.cli",
    "cassette": "bedtape_cassettes.commands.app",
    "demo": "bedtape_replayer.demo",
    "doctor": "bedtape_replayer.doctor.cli",
}


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


def main() -> None:
    """Runs the command line."""
    _app(sys.argv[1:])(prog_name="bedtape")
