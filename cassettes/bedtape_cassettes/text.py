"""Formats text for people: styles, counts with a noun, escaped characters, GitHub annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["plain", "title", "role", "faint", "added", "removed", "warning"]
Level: TypeAlias = Literal["error", "warning", "notice"]

# All white space of Unicode, for a character class. With re.ASCII, `\s` does not match the
# ideographic space of Japanese texts, nor spaces that do not break a line.
SPACES = "\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is safe to print, because `lines` escapes control characters."""

    text: str
    style: Style = "plain"


def lines(text: str, style: Style = "plain", *, indent: str = "") -> list[Line]:
    """Returns the lines of the text, with control characters escaped."""
    return [Line(indent + escape_controls(line), style) for line in text.splitlines()]


def escape_controls(text: str) -> str:
    """Returns the text with unprintable characters escaped, so that it is safe to print."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def format_count(count: int, noun: str) -> str:
    """Returns the number with its noun (in the singular): `1 interaction`, `2 interactions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def render_annotation(
    message: str, title: str, file: str = "", line: int = 0, level: Level = "error"
) -> str:
    """Returns the line that makes GitHub Actions annotate code. file: within the repository."""
    place = {"file": file, "line": str(line)} if file else {}
    properties = ",".join(
        f"{name}={_escape_property(value)}" for name, value in {**place, "title": title}.items()
    )
    return f"::{level} {properties}::{_escape_message(message)}"


def _escape_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_message(text).replace(":", "%3A").replace(",", "%2C")


def format_uuid(data: bytes) -> str:
    """Returns `str(UUID(bytes=data, version=4))` of these 16 bytes, in a third of its time."""
    digits = data.hex()
    variant = "89ab"[data[8] >> 4 & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
