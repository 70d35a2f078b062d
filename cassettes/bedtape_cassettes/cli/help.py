"""The layout of `--help`: commands by section, each with its first sentence, and
values by plain type names.

The section of a command is its `rich_help_panel`, although rich is not used. Contexts and
formatters are `Any` because they are click's own in older versions of typer, and typer's in newer
ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand, TyperGroup

_LONGEST = 200
_OFF = re.compile(r"  \[default: no-[a-z-]+]$")


# Typer's name of a type, and the name that `--help` shows.
_VALUES = {
    "str": "TEXT",
    "int": "N",
    "int range": "N",
    "float": "NUMBER",
    "path": "PATH",
    "Path": "PATH",
}


def _options(params: Iterable[Any], ctx: Any, kind: str) -> Iterator[tuple[str, str]]:
    for param in params:
        record = param.get_help_record(ctx)
        if record is not None and param.param_type_name == kind:
            name, text = record
            if _OFF.search(text):  # for a switch that is off, show only the form that turns it on
                name, text = name.partition(" / ")[0], _OFF.sub("", text)
            yield _plain(name, argument=kind == "argument"), text


def _plain(name: str, *, argument: bool) -> str:
    """Returns an argument without its type, or an option with a plain type name or its choices."""
    typed = re.fullmatch(r"(.*) <(?:list\[)?(.*?)]?>", name)
    if typed is None:
        return name
    return typed[1] if argument else f"{typed[1]} {_VALUES.get(typed[2], typed[2])}"


def _format(command: Any, ctx: Any, formatter: Any) -> None:
    """Writes plain text. Older versions of typer have no option for it if rich is installed."""
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    command.format_options(ctx, formatter)
    command.format_epilog(ctx, formatter)


class PlainCommand(TyperCommand):
    """A command with plain help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _format(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            if rows := list(_options(self.get_params(ctx), ctx, kind)):
                with formatter.section(title):
                    formatter.write_dl(rows)


class SectionedGroup(TyperGroup):
    """A group of commands, listed by section in the order of registration."""

    def list_commands(self, _: Any) -> list[str]:
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _format(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if not command.hidden:
                row = (name, command.get_short_help_str(_LONGEST))
                sections.setdefault(command.rich_help_panel or "Commands", []).append(row)
        widest = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), line) for name, line in rows])
        with formatter.section("Options"):
            formatter.write_dl(list(_options(self.get_params(ctx), ctx, "option")))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if word not in self.commands and word[:1] != "-" and not ctx.resilient_parsing:
            near = [f"{ctx.command_path} {name}" for name in self.nearest(word)]
            fix = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"{ctx.command_path} --help lists them"
            )
            ctx.fail(f"expected a command, found {word}; {fix}")
        return super().resolve_command(ctx, args)

    def nearest(self, word: str) -> Iterable[str]:
        """Returns the commands with the same meaning as the word, or else with a similar name."""
        same = _SYNONYMS.get(word, word)
        return [same] if same in self.commands else get_close_matches(word, self.commands, 1)


# Names that other tools give to commands of `bedtape cassette`.
_SYNONYMS = {
    "list": "ls",
    "dir": "ls",
    "cat": "show",
    "view": "show",
    "search": "grep",
    "find": "grep",
    "rm": "drop",
    "remove": "drop",
    "delete": "drop",
    "mv": "move",
    "cp": "copy",
    "sed": "replace",
    "lint": "check",
    "validate": "check",
    "verify": "check",
    "revert": "undo",
    "restore": "undo",
}
