"""Renders the tables of docs/reference/cli.md from the help texts of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import EnumMeta, StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from more import DEFAULTS, MORE
from tables import cell, code, table

from bedtape_cassettes.cli import main
from bedtape_cassettes.cli.command_list import COMMANDS

__all__ = ["render_commands", "render_group", "render_options", "render_shared"]

_LINKS = (
    ("overlay file", "overlay.md"),
    ("control API", "control.md"),
    ("rules and faults", "overlay.md"),
)
# These options of `bedtape cassette` have one table, because several commands share them.
_SHARED = ("--in", "--dry-run", "--json")


@cache
def _load_root() -> Any:
    return main.load_all()


def _find_command(words: tuple[str, ...]) -> Any:
    command = _load_root()
    for word in words:
        command = command.commands[word]
    return command


def render_commands() -> list[str]:
    """Renders all commands, in the order of `bedtape --help`."""
    rows = (
        (
            f"[`bedtape {each.name}`](#bedtape-{each.name})",
            cell(each.section.partition(" (")[0]),
            cell(each.line),
        )
        for each in COMMANDS
    )
    return table(("command", "to", "what it does"), rows)


def render_options(*words: str) -> list[str]:
    """Renders the options of a command."""
    rows = [_build_row(" ".join(words), option) for option in _list_options(_find_command(words))]
    return table(("option", "meaning", "default"), rows)


def render_group(*names: str) -> list[str]:
    """Renders the named commands of `bedtape cassette`, and their options that are not shared."""
    named = {name: _find_command(("cassette", name)) for name in names}
    lines = table(
        ("command", "what it does"),
        ((code(_render_usage(name, one)), _describe(one)) for name, one in named.items()),
    )
    rows = list(_list_own(named))
    return [*lines, "", *table(("option", "of", "meaning", "default"), rows)] if rows else lines


def render_shared() -> list[str]:
    """Renders the options that commands of `bedtape cassette` share."""
    drop = {option.opts[0]: option for option in _list_options(_find_command(("cassette", "drop")))}
    rows = [_build_row("cassette", drop[name]) for name in _SHARED]
    return table(("option", "meaning", "default"), rows)


def _list_own(named: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yields a row for each option. Commands with the same option share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, command in named.items():
        for option in _list_options(command):
            if option.opts[0] not in _SHARED:
                rows.setdefault(_build_row(f"cassette {name}", option), []).append(code(name))
    for (option, *rest), names in rows.items():
        yield option, ", ".join(names), *rest


def _list_options(command: Any) -> list[Any]:
    shown = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    return [option for option in shown if option.opts[0] != "--help"]


def _render_usage(name: str, command: Any) -> str:
    words = [name]
    for argument in command.params:
        if argument.param_type_name == "argument":
            word = (argument.metavar or argument.name.upper()) + (
                "..." if argument.nargs == -1 else ""
            )
            word = word.replace("......", "...")
            words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def _build_row(command: str, option: Any) -> tuple[str, str, str]:
    key = (command, option.opts[0])
    meaning = "; ".join(filter(None, (_render_meaning(option), MORE.get(key))))
    return _render_names(option), meaning, DEFAULTS.get(key, _render_default(option))


def _describe(command: Any) -> str:
    """Returns the help text without the examples."""
    parts = re.split(r"\n\n(?:\x08|Examples?:)", command.help or "")[0].split("\n\n")
    return ". ".join(
        part if at == 0 else part[:1].upper() + part[1:]
        for at, part in enumerate(cell(p, _LINKS) for p in parts)
    )


def _render_names(option: Any) -> str:
    """Renders the names of the option.

    The name that turns a switch off appears if the switch is on by default.
    """
    off = [
        name
        for name in option.secondary_opts
        if option.default is True or not name.startswith("--no-")
    ]
    return ", ".join(code(name) for name in (*option.opts, *off))


def _render_meaning(option: Any) -> str:
    text = re.sub(r" ?Default: .*$", "", option.help or "").strip()
    repeats = "Repeatable" in text
    parts = [cell(text.replace("Repeatable.", "").strip(), _LINKS)]
    choices = [choice for choice in _list_choices(option) if not re.search(rf"\b{choice}\b", text)]
    parts += [f"one of {', '.join(map(code, _list_choices(option)))}"] if choices else []
    parts += ["repeatable"] if repeats else []
    envvar = getattr(option, "envvar", None)
    parts += (
        [f"or {', '.join(map(code, [envvar] if isinstance(envvar, str) else envvar))}"]
        if envvar
        else []
    )
    return "; ".join(parts)


def _list_choices(option: Any) -> list[str]:
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    return [str(member.value) for member in kind] if isinstance(kind, EnumMeta) else []


def _render_default(option: Any) -> str:
    match = re.search(r"Default: (.*?)\.?$", re.sub(r"\s+", " ", option.help or ""))
    if match:
        return cell(match[1])
    if option.required:
        return "required"
    match option.default:
        case None | () | []:
            return "none"
        case bool():
            return _render_switch(option)
        case StrEnum() as member:
            return code(member.value)
        case Path() | str() | int() | float() as value:
            return code(str(value))
    return code(str(option.default))


def _render_switch(option: Any) -> str:
    return (
        code(option.opts[0])
        if option.default and option.secondary_opts
        else "on"
        if option.default
        else "off"
    )
