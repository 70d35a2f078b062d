"""The public names of `bedtape_replayer` for docs/reference/api.md, from their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tables import code, table

import bedtape_replayer
from bedtape_cassettes.lazy import lazy_property

__all__ = ["names"]

# What the plugin and the server make, and users are given.
_NOT_MADE = frozenset({"Bedrock", "Call", "Session"})
# What is public for other modules, and not for tests.
_INSIDE = {
    "Bedrock": frozenset({"open", "close", "enter", "leave", "take", "report_misses"}),
    "Replayer": frozenset({"engine", "run"}),
    "Call": frozenset({"target", "scope", "outline", "outline_json", "request_size", "pack"}),
    "MatchRules": frozenset({"has_patterns"}),
    "Failure": frozenset({"build_response"}),
    "Raw": frozenset({"build_response"}),
}


def names() -> list[str]:
    """Every name that can be imported, in the order of the alphabet."""
    return [line for name in bedtape_replayer.__all__ for line in _class(name, getattr(bedtape_replayer, name))]


def _class(name: str, kind: type) -> Iterator[str]:
    base = kind.__mro__[1].__name__
    made = "" if issubclass(kind, BaseException) or name in _NOT_MADE else _signature(kind, skip=0)
    yield f"## {name}"
    yield ""
    yield f"`{name}{made}`{'' if base == 'object' else f', a kind of `{base}`'}"
    yield ""
    yield from _prose(inspect.getdoc(kind) or "")
    members = list(_members(name, kind))
    if members:
        yield from table(("member", "what it is"), members)
        yield ""


def _members(name: str, kind: type) -> Iterator[tuple[str, str]]:
    """The public members that say what they are; what a value is made of stands in its signature."""
    for member, value in vars(kind).items():
        told = _sentence(value)
        if not member.startswith("_") and told and member not in _INSIDE.get(name, ()):
            takes = _signature(value) if inspect.isfunction(value) else ""
            told = told if takes in ("", "()") else f"{code(member + takes)} {told}"
            yield code(f"{member}()" if takes else member), told


def _sentence(member: Any) -> str:
    if isinstance(member, property | cached_property | lazy_property) or inspect.isfunction(member):
        text = inspect.getdoc(member) or ""
        return re.sub(r"\s+", " ", text).replace("|", "\\|")
    return ""


def _signature(member: Any, skip: int = 1) -> str:
    try:
        found = inspect.signature(member)
    except ValueError:
        return ""
    parameters = list(found.parameters.values())[skip:]
    shown = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    shown = re.sub(r": '([^']*)'", r": \1", shown).replace("<factory>", "{}")
    return re.sub(r"MatchRules\(ignore=.*?redact=\(\)\)", "MatchRules()", shown).replace("|", "\\|")


def _prose(text: str) -> Iterator[str]:
    """A docstring as Markdown: it is nearly that; what is drawn or indented in it is code."""
    for part in text.split("\n\n"):
        if part.strip():
            drawn = any(line.startswith("    ") or "├" in line for line in part.splitlines())
            yield from (f"`{line.strip()}`  " for line in part.splitlines()) if drawn else [re.sub(r"\s+", " ", part)]
            yield ""
