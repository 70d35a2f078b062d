"""Text for people: lines with a style for the terminal, counts with a noun, control characters escaped. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Line", "Style", "escape_controls", "format_count", "lines"]

Style: TypeAlias = Literal["plain", "title", "role", "faint", "added", "removed", "warning"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is safe to print, because `lines` escapes control characters."""

    text: str
    style: Style = "plain"


def lines(text: str, style: Style = "plain", *, indent: str = "") -> list[Line]:
    """The lines of the text, with control characters escaped."""
    return [Line(indent + escape_controls(line), style) for line in text.splitlines()]


def escape_controls(text: str) -> str:
    """One line that cannot steer a terminal: every unprintable character is replaced by its escape."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def format_count(count: int, noun: str) -> str:
    """The number with its noun: `1 interaction`, `2 interactions`. noun: in the singular."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
