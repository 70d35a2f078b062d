"""The tour names commands that exist, and fits a terminal of 80 columns."""

from importlib import import_module

import pytest
import typer

from bedtape_cassettes.cli.command_list import COMMANDS, END, GROUPS, Command

# Two before, two between, and two that help leaves free at the right.
_WIDTH = 80 - 6


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_where_the_tour_says(command: Command) -> None:
    target = getattr(import_module(command.module), command.name)
    assert isinstance(target, typer.Typer) == (command.name in GROUPS)
    assert callable(target)


def test_every_line_is_one_sentence_that_fits() -> None:
    widest = max(len(command.name) for command in COMMANDS)
    for command in COMMANDS:
        assert command.line.endswith(".")
        assert len(command.line) + widest <= _WIDTH, command.line
        assert command.line.count(". ") == 0


def test_examples_are_of_commands_that_there_are() -> None:
    examples = [
        line.split("bedtape ")[1].split()[0] for line in END.splitlines() if line.startswith("  ")
    ]
    assert examples
    assert set(examples) <= {command.name for command in COMMANDS}
