"""The commands `bedtape migrate …`: change another recorder's suite into one of bedtape."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup

migrate = typer.Typer(
    cls=SectionedGroup,
    help="Move a suite of another recorder to bedtape.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@migrate.callback()
def _group() -> None:
    """Makes a group of one command."""


@migrate.command(cls=PlainCommand)
def vcrpy(
    tests: Annotated[
        list[str] | None,
        typer.Argument(metavar="TESTS", help="Tests and options of pytest. Default: all tests."),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact/--no-exact",
            help=(
                "Keep every byte and header of the recordings, except secrets. Request ids are as"
                " recorded, or absent."
            ),
        ),
    ] = False,
    keep_account: Annotated[
        bool,
        typer.Option(
            "--keep-account/--no-keep-account",
            help="Keep the ids of AWS accounts, such as in ARNs.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force/--no-force", help="Replace existing cassettes, which are backed up."),
    ] = False,
) -> None:
    """Run tests with pytest, and write what they play from cassettes of VCR.py
    as cassettes of bedtape.

    Each test gets a cassette where the fixture `bedrock` looks for it. The end of the output lists
    what to change in the tests. The files of VCR.py and the tests stay as they are. The exit code
    is pytest's.

    \b
    Examples:
      bedtape migrate vcrpy
      bedtape migrate vcrpy tests/test_chat.py -- -n 4
    """
    chosen = [
        name
        for name, on in (("exact", exact), ("keep-account", keep_account), ("force", force))
        if on
    ]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--bedtape-vcr",
        f"--bedtape-migrate={','.join(chosen)}",
    ]
    raise typer.Exit(processes.run([*command, *(tests or [])], os.environ))
