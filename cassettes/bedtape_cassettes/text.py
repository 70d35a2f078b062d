"""Lines to read, on a terminal or in a file: plain text and a word for how a terminal may show it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.printable import printable

__all__ = ["Line", "Style", "lines"]

Style: TypeAlias = Literal["plain", "title", "role", "faint", "added", "removed", "warning"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line, safe to print: made by `lines`, whatever a recording says."""

    text: str
    style: Style = "plain"


def lines(text: str, style: Style = "plain", *, indent: str = "") -> list[Line]:
    """The text's lines with what could steer a terminal shown as escapes."""
    return [Line(indent + printable(line), style) for line in text.splitlines()]
