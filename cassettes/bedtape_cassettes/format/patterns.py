"""Users' regular expressions: Python's syntax, searched by an engine that stops
when a search takes too long.

Python's own engine cannot be stopped: a pattern such as `^(a+)+$` on forty characters blocks the
process, and no signal is handled meanwhile. The engine here raises `SlowPattern` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from bedtape_cassettes.errors import CassetteError

# Seconds of processor time for a search, and for each million characters of the text. A usual
# pattern takes a hundredth.
_SECONDS, _SECONDS_PER_MILLION = 1.0, 1.0

# The engine reads `{e<=1}` after a group as approximate matching. In Python's syntax, it is text.
_TEXT_BRACE = re.compile(r"(?<!\\)(?<!\\N)\{(?![0-9,])")
# Python reads `[[:alpha:]]` as a set of these characters, and the engine as every letter.
_POSIX = re.compile(r"(?<!\\)\[:\^?[a-z]+:\]")
_FLAGS = ("ASCII", "IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE")


class SlowPattern(CassetteError):
    """A search took too long. It was stopped, and its result is unknown."""

    def __init__(self, pattern: str, size: int) -> None:
        self.pattern = pattern
        fix = "make it simpler: repeat no group that contains a repetition, such as (a+)+"
        super().__init__(
            f"expected a pattern that needs at most {_limit(size):.1f} s for a text of {size}"
            f" characters, found {pattern!r}, which was stopped then; {fix}"
        )


def compile_pattern(source: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """The pattern. Raises ValueError if it is not a regular expression of Python's."""
    if posix := _POSIX.search(source):
        raise ValueError(
            f"Python has no classes such as {posix[0]}; write the characters, as in [a-z]"
        )
    try:
        return re.compile(source, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None


def matches(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the pattern matches anywhere in the text. Raises SlowPattern."""
    try:
        return _compile(pattern).search(text, timeout=_limit(len(text))) is not None
    except (TimeoutError, MemoryError):
        raise SlowPattern(pattern.pattern, len(text)) from None


def find_spans(pattern: re.Pattern[str], text: str, group: int = 0) -> Iterator[tuple[int, int]]:
    """Yields where a group of the pattern matches; (-1, -1) if the group has no part in a match.

    Raises SlowPattern.
    """
    try:
        for match in _compile(pattern).finditer(text, timeout=_limit(len(text))):
            yield match.span(group)
    except (TimeoutError, MemoryError):
        raise SlowPattern(pattern.pattern, len(text)) from None


def replace_all(pattern: re.Pattern[str], new: str, text: str) -> str:
    """The text with `new`, literally, instead of every match. Raises SlowPattern."""
    try:
        return str(_compile(pattern).sub(lambda _: new, text, timeout=_limit(len(text))))
    except (TimeoutError, MemoryError):
        raise SlowPattern(pattern.pattern, len(text)) from None


def expand_all(pattern: re.Pattern[str], template: str, text: str) -> str:
    """The text with `template`, which can refer to groups, for every match. Raises SlowPattern."""
    try:
        return str(_compile(pattern).sub(template, text, timeout=_limit(len(text))))
    except (TimeoutError, MemoryError):
        raise SlowPattern(pattern.pattern, len(text)) from None


def _limit(size: int) -> float:
    return _SECONDS + _SECONDS_PER_MILLION * size / 1_000_000


@lru_cache(maxsize=4096)
def _compile(pattern: re.Pattern[str]) -> Any:
    engine = import_module("regex")  # here, because it takes 40 ms, and few projects have patterns
    flags = engine.VERSION0
    for name in _FLAGS:
        if pattern.flags & getattr(re, name):
            flags |= getattr(engine, name)
    return engine.compile(_TEXT_BRACE.sub(r"\\{", pattern.pattern), flags, cache_pattern=False)
