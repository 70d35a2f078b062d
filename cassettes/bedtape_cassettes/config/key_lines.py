"""The lines of keys in the text of a TOML file, because tomllib does not report them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_LINE = re.compile(rf"\s*(?:\[\s*(?P<table>{_DOTTED})\s*\]|(?P<key>{_DOTTED})\s*=)")


class KeyLines:
    """The lines of the keys and tables of a text, which the first call of `line_of` parses."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _firsts(self) -> dict[tuple[str, ...], int]:
        firsts: dict[tuple[str, ...], int] = {}
        for number, path in _read_keys(self._text):
            firsts.setdefault(path, number)
        return firsts

    def line_of(self, path: tuple[str, ...]) -> int:
        """Returns the line, from 1, of a key or table.

        Without one, returns the line of the first key below it, or of the innermost table around
        it, or 0. A line inside triple quotes may look like a key, so the returned line may be
        wrong.
        """
        if path not in self._firsts:
            below = (line for each, line in self._firsts.items() if each[: len(path)] == path)
            if line := next(below, 0):
                return line
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self._firsts[each] for each in around if each in self._firsts), 0)


def _read_keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
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
