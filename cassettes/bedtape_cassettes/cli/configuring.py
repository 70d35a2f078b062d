"""The commands `bedtape config …`: the settings in effect, their sources and their JSON Schema."""

from __future__ import annotations

import os

import typer

from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup
from bedtape_cassettes.cli.options import AsJson
from bedtape_cassettes.cli.output import print_json, print_lines
from bedtape_cassettes.config import rendering
from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.config.settings_schema import build_settings_schema

config = typer.Typer(
    cls=SectionedGroup,
    help="Show settings from files and variables.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@config.command(cls=PlainCommand)
def show(as_json: AsJson = False) -> None:
    """Show the settings in effect, each with its file and line or its variable.

    Exit code 2 if one is wrong.

    \b
    Example:
      bedtape config show
    """
    with exit_on_error():
        here = find_working_folder()
        settings = read_settings(here, os.environ, here=here)
    if as_json:
        print_json(rendering.render_json(settings))
    else:
        print_lines(rendering.render_toml(settings))
        for warning in settings.warnings:
            report(warning)


@config.command(cls=PlainCommand)
def schema() -> None:
    """Print the JSON Schema of bedtape.toml, for editors that complete and check this file.

    \b
    Example:
      bedtape config schema > bedtape-settings.schema.json
    """
    print_json(build_settings_schema())
