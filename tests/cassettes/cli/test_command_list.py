"""The tour names commands that exist, and fits a terminal of 80 columns."""

import shlex
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer

from bedtape_cassettes.cli.command_list import COMMANDS, END, GROUPS, Command
from bedtape_cassettes.cli.main import load_all

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


def _list_examples(command: Any) -> Iterator[str]:
    """The lines below `Examples:` in the help of a command and of the commands in it."""
    yield from (command.help or "").partition("Examples:\n")[2].split("\n\n")[0].splitlines()
    for each in getattr(command, "commands", {}).values():
        yield from _list_examples(each)


_EXAMPLES = [line.strip() for line in _list_examples(load_all())]


@pytest.mark.parametrize("example", _EXAMPLES)
def test_each_line_of_examples_is_a_command_with_its_options(example: str) -> None:
    words = shlex.split(example.partition(" && ")[0], comments=True)
    command, at = load_all(), words.index("bedtape") + 1
    while words[at:] and words[at] in getattr(command, "commands", {}):
        command, at = command.commands[words[at]], at + 1
    with command.make_context(command.name, words[at:]) as context:
        assert not context.args
