"""Help by sections, with whole sentences and values in people's words; and what is
told of an unknown command.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from bedtape_cassettes.cli.help import PlainCommand, SectionedGroup

group = typer.Typer(cls=SectionedGroup, rich_markup_mode=None, add_completion=False)
LONG = (
    "a sentence that is longer than what help gives to a line, and is told all the same to its"
    " very end"
)


class Size(StrEnum):
    small = "small"
    large = "large"


@group.command(cls=PlainCommand, rich_help_panel="First")
def paint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="What to paint.")],
    name: Annotated[str, typer.Option(help="Its name.")] = "it",
    port: Annotated[int, typer.Option(min=0, help="Its port.")] = 0,
    speed: Annotated[float, typer.Option(help="Its speed.")] = 1.0,
    size: Annotated[Size, typer.Option(help="Its size.")] = Size.small,
    into: Annotated[list[Path] | None, typer.Option(help="Its folders.")] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Its folder.")] = Path(),
    dry: Annotated[bool, typer.Option("--dry", help="Nothing.")] = False,
    off: Annotated[bool, typer.Option("--off/--no-off", help="Off.")] = False,
    on: Annotated[bool, typer.Option("--on/--no-on", help="On.")] = True,
) -> None:
    """Paint. And more of it."""


@group.command(cls=PlainCommand, rich_help_panel="Second", help=f"{LONG.capitalize()}.")
def plan() -> None: ...


@group.command(cls=PlainCommand, hidden=True)
def hidden() -> None: ...


def _help(*arguments: str) -> str:
    return CliRunner().invoke(group, [*arguments, "--help"], env={"COLUMNS": "80"}).output


def test_commands_stand_in_their_sections_before_the_options() -> None:
    shown = _help()
    places = [
        shown.index(part)
        for part in ("First:\n  paint  Paint.\n", "Second:\n  plan   A ", "Options:\n  --help")
    ]
    assert places == sorted(places)
    assert LONG.capitalize() in " ".join(shown.split())
    assert "hidden" not in shown
    assert "And more" not in shown


def test_values_are_called_what_people_call_them() -> None:
    shown = _help("paint")
    rows = {line.split("  ")[1] for line in shown.splitlines() if line.startswith("  ")}
    options = {
        "--name TEXT",
        "--port N",
        "--speed NUMBER",
        "--size small|large",
        "--into PATH",
        "--to DIR",
        "--dry",
        "--off",
        "--on / --no-on",
    }
    assert {"FILE", *options} <= rows
    assert "default: no-" not in shown
    assert "<" not in shown.replace("x<", "").replace("x>", "")


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("plant", "did you mean root plan?"),
        ("xyzzy", "root --help lists them"),
        ("-x", "No such option"),
    ],
)
def test_an_unknown_command_is_told_with_the_nearest(word: str, fix: str) -> None:
    done = CliRunner().invoke(group, [word], prog_name="root")
    assert done.exit_code == 2
    assert fix in done.output
