"""Where a key stands in the text of a TOML file, for messages: tomllib does not tell. Pure; nothing is checked here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

__all__ = ["KeyLines"]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_LINE = re.compile(rf"\s*(?:\[\s*(?P<table>{_DOTTED})\s*\]|(?P<key>{_DOTTED})\s*=)")


class KeyLines:
    """The lines of a text's keys and tables. It is gone through once, when the first is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _firsts(self) -> dict[tuple[str, ...], int]:
        firsts: dict[tuple[str, ...], int] = {}
        for number, written in _read_keys(self._text):
            firsts.setdefault(written, number)
        return firsts

    def line_of(self, path: tuple[str, ...]) -> int:
        """The line, from 1, of a key or table; else of the first key below it, or of the innermost table around it; else 0.

        Lines of a text in triple quotes can be taken for keys; then the line is wrong, and nothing else is.
        """
        if path not in self._firsts:
            below = (line for each, line in self._firsts.items() if each[: len(path)] == path)
            if line := next(below, 0):
                return line
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self._firsts[each] for each in around if each in self._firsts), 0)


def _read_keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every table and key, from the file's top on, with its line."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if (match := _LINE.match(line)) is None:
            continue
        if match["table"]:
            table = _parts(match["table"])
            yield number, table
        else:
            yield number, (*table, *_parts(match["key"]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
