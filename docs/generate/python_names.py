"""Renders the public names of `bedtape_replayer` for docs/reference/api.md from
signatures and docstrings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tables import code, table

import bedtape_replayer
from bedtape_cassettes.lazy import lazy_property

__all__ = ["render_names"]

# The plugin and the server create these objects; users receive them.
_NOT_CONSTRUCTED = frozenset({"Bedrock", "BedrockFactory", "Call", "Session"})
# Members for other modules of bedtape, which users do not need.
_INTERNAL = {
    "Bedrock": frozenset(
        {
            *(
                "open",
                "open_selecting",
                "become_default",
                "close",
                "enter",
                "leave",
                "point_child",
                "take",
            ),
            *("begin_body", "begin_test", "capture", "properties", "test_calls", "test_misses"),
            *("report_calls", "report_misses", "report_unused"),
        }
    ),
    "Replayer": frozenset({"engine", "run"}),
    "Call": frozenset(
        {
            "target",
            "scope",
            "outline",
            "outline_json",
            "loaded",
            "findings",
            "request_size",
            "share",
            "pack",
        }
    ),
    "MatchRules": frozenset({"has_patterns"}),
    "Failure": frozenset({"build_response"}),
    "Raw": frozenset({"build_response"}),
}


def render_names() -> list[str]:
    """Renders every name that can be imported, in alphabetical order."""
    return [
        line
        for name in bedtape_replayer.__all__
        for line in _render_class(name, getattr(bedtape_replayer, name))
    ]


def _render_class(name: str, kind: type) -> Iterator[str]:
    base = kind.__mro__[1].__name__
    made = (
        ""
        if issubclass(kind, BaseException) or name in _NOT_CONSTRUCTED
        else _render_signature(kind, skip=0)
    )
    yield f"## {name}"
    yield ""
    yield f"`{name}{made}`{'' if base == 'object' else f', a kind of `{base}`'}"
    yield ""
    yield from _render_prose(inspect.getdoc(kind) or "")
    members = list(_list_members(name, kind))
    if members:
        yield from table(("member", "meaning"), members)
        yield ""


def _list_members(name: str, kind: type) -> Iterator[tuple[str, str]]:
    """Yields the public members with a docstring. Fields appear in the signature of the class."""
    for member, value in vars(kind).items():
        text = _read_docstring(value)
        if not member.startswith("_") and text and member not in _INTERNAL.get(name, ()):
            takes = _render_signature(value) if inspect.isfunction(value) else ""
            text = text if takes in ("", "()") else f"{code(member + takes)} {text}"
            yield code(f"{member}()" if takes else member), text


def _read_docstring(member: Any) -> str:
    if isinstance(member, property | cached_property | lazy_property) or inspect.isfunction(member):
        text = inspect.getdoc(member) or ""
        return re.sub(r"\s+", " ", text).replace("|", "\\|")
    return ""


def _render_signature(member: Any, skip: int = 1) -> str:
    try:
        signature = inspect.signature(member)
    except ValueError:
        return ""
    parameters = list(signature.parameters.values())[skip:]
    shown = str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    shown = re.sub(r": '([^']*)'", r": \1", shown).replace("<factory>", "{}")
    return re.sub(r"MatchRules\(ignore=.*?redact=\(\)\)", "MatchRules()", shown).replace("|", "\\|")


def _render_prose(text: str) -> Iterator[str]:
    """Renders a docstring as Markdown. Trees and indented lines become code."""
    for part in text.split("\n\n"):
        if part.strip():
            drawn = any(line.startswith("    ") or "├" in line for line in part.splitlines())
            yield from (
                (f"`{line.strip()}`  " for line in part.splitlines())
                if drawn
                else [re.sub(r"\s+", " ", part)]
            )
            yield ""
