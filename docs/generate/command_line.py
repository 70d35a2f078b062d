"""The tables of docs/reference/cli.md, from the commands themselves: what their --help says, for all of them at once."""

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

__all__ = ["commands", "group", "options", "shared"]

_LINKS = (("overlay file", "overlay.md"), ("control API", "control.md"), ("rules and faults", "overlay.md"))
# Told once, for all commands of `bedtape cassette` that have them.
_SHARED = ("--in", "--dry-run", "--json")


@cache
def _root() -> Any:
    return main.load_all()


def _command(words: tuple[str, ...]) -> Any:
    found = _root()
    for word in words:
        found = found.commands[word]
    return found


def commands() -> list[str]:
    """All commands, in the order in which `bedtape --help` has them."""
    rows = (
        (f"[`bedtape {each.name}`](#bedtape-{each.name})", cell(each.section.partition(" (")[0]), cell(each.line))
        for each in COMMANDS
    )
    return table(("command", "to", "what it does"), rows)


def options(*words: str) -> list[str]:
    """The options of a command."""
    rows = [_row(" ".join(words), option) for option in _options(_command(words))]
    return table(("option", "meaning", "default"), rows)


def group(*names: str) -> list[str]:
    """Some commands of `bedtape cassette`: what each does, and what options they have of their own."""
    found = {name: _command(("cassette", name)) for name in names}
    lines = table(("command", "what it does"), ((code(_usage(name, one)), _all(one)) for name, one in found.items()))
    rows = list(_own(found))
    return [*lines, "", *table(("option", "of", "meaning", "default"), rows)] if rows else lines


def shared() -> list[str]:
    """The options that commands of `bedtape cassette` have in common."""
    drop = {option.opts[0]: option for option in _options(_command(("cassette", "drop")))}
    rows = [_row("cassette", drop[name]) for name in _SHARED]
    return table(("option", "meaning", "default"), rows)


def _own(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row an option; commands in which it is the same share one."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, command in found.items():
        for option in _options(command):
            if option.opts[0] not in _SHARED:
                rows.setdefault(_row(f"cassette {name}", option), []).append(code(name))
    for (option, *rest), names in rows.items():
        yield option, ", ".join(names), *rest


def _options(command: Any) -> list[Any]:
    shown = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    return [option for option in shown if option.opts[0] != "--help"]


def _usage(name: str, command: Any) -> str:
    words = [name]
    for argument in command.params:
        if argument.param_type_name == "argument":
            word = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs == -1 else "")
            word = word.replace("......", "...")
            words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def _first(command: Any) -> str:
    return cell((command.help or "").split("\n\n")[0], _LINKS)


def _row(command: str, option: Any) -> tuple[str, str, str]:
    key = (command, option.opts[0])
    meaning = "; ".join(filter(None, (_meaning(option), MORE.get(key))))
    return _names(option), meaning, DEFAULTS.get(key, _default(option))


def _all(command: Any) -> str:
    """What the help says, less its examples."""
    parts = re.split(r"\n\n(?:\x08|Examples?:)", command.help or "")[0].split("\n\n")
    return ". ".join(
        part if at == 0 else part[:1].upper() + part[1:] for at, part in enumerate(cell(p, _LINKS) for p in parts)
    )


def _names(option: Any) -> str:
    """What is on has a way to turn it off, which is told; what is off has one too, which settings alone make useful."""
    off = [name for name in option.secondary_opts if option.default is True or not name.startswith("--no-")]
    return ", ".join(code(name) for name in (*option.opts, *off))


def _meaning(option: Any) -> str:
    told = re.sub(r" ?Default: .*$", "", option.help or "").strip()
    repeats = "Repeatable" in told
    parts = [cell(told.replace("Repeatable.", "").strip(), _LINKS)]
    choices = [choice for choice in _choices(option) if not re.search(rf"\b{choice}\b", told)]
    parts += [f"one of {', '.join(map(code, _choices(option)))}"] if choices else []
    parts += ["repeatable"] if repeats else []
    envvar = getattr(option, "envvar", None)
    parts += [f"or {', '.join(map(code, [envvar] if isinstance(envvar, str) else envvar))}"] if envvar else []
    return "; ".join(parts)


def _choices(option: Any) -> list[str]:
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    return [str(member.value) for member in kind] if isinstance(kind, EnumMeta) else []


def _default(option: Any) -> str:
    told = re.search(r"Default: (.*?)\.?$", re.sub(r"\s+", " ", option.help or ""))
    if told:
        return cell(told[1])
    if option.required:
        return "required"
    match option.default:
        case None | () | []:
            return "none"
        case bool():
            return _off_or_on(option)
        case StrEnum() as member:
            return code(member.value)
        case Path() | str() | int() | float() as value:
            return code(str(value))
    return code(str(option.default))


def _off_or_on(option: Any) -> str:
    return code(option.opts[0]) if option.default and option.secondary_opts else "on" if option.default else "off"
