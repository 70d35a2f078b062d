"""The command `bedtape guide`: prints the guide for coding agents, which is one page.

The page is docs/reference/guide.md, whose blocks run in tests. `docs/generate` writes it to
guide.md beside this module, without the notes for these tests.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import typer

from bedtape_cassettes.cli.command_list import COMMANDS
from bedtape_cassettes.cli.options import AsJson


def guide(as_json: AsJson = False) -> None:
    """Print a guide for coding agents: one page of Markdown with what a test needs.

    \b
    Example:
      bedtape guide
    """
    text = files("bedtape_replayer.cli").joinpath("guide.md").read_text(encoding="utf-8")
    if not as_json:
        typer.echo(text, nl=False)
        return
    typer.echo(json.dumps(_split(text), indent=2))


def _split(text: str) -> dict[str, Any]:
    """The guide by its headings, and the commands with their lines of help."""
    head, *sections = text.split("\n## ")
    titles = (section.partition("\n") for section in sections)
    return {
        "guide": {"": head, **{title: body.strip() for title, _, body in titles}},
        "commands": {command.name: command.line for command in COMMANDS},
    }
