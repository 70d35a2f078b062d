"""Finds which of many short texts a long text contains, in one pass for several of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

_T = TypeVar("_T")

# Characters that prose seldom contains, the rarest first.
_RARE = "_@%=+(/:.0123456789-zxjqkvw"


class _Group(NamedTuple):
    """Hints with the same rare character. alone: the numbers of the values of which this character
    is a hint. hints: the other hints, each with the number of its value. pattern: matches a text
    that contains one of `hints`; `None` for few hints.
    """

    rare: str
    alone: list[int]
    hints: list[tuple[str, int]]
    pattern: re.Pattern[str] | None


class HintIndex(Generic[_T]):
    """Returns the values of which a text contains a hint.

    Hints with the same rare character are searched for only if the text contains that character,
    because nearly all texts contain few of these characters. rows: each value with its hints. The
    hint "" is in each text. few: more hints with the same rare character get a pattern, which is
    searched for as fast as one hint, but takes a millisecond to make.
    """

    def __init__(self, rows: Iterable[tuple[_T, Iterable[str]]], few: float = 1) -> None:
        self._values: list[_T] = []
        groups: dict[str, list[tuple[str, int]]] = {}
        for number, (value, hints) in enumerate(rows):
            self._values.append(value)
            for hint in hints:
                rare = next((character for character in _RARE if character in hint), hint[:1])
                groups.setdefault(rare, []).append((hint, number))
        self._groups = [_make_group(rare, hints, few) for rare, hints in groups.items()]

    def find(self, text: str) -> list[_T]:
        """Returns each value once, in the order of the rows."""
        numbers = set[int]()
        for rare, alone, hints, pattern in self._groups:
            if rare in text:
                numbers.update(alone)
                if pattern is None or pattern.search(text) is not None:
                    for hint, number in hints:
                        if hint in text:
                            numbers.add(number)
        return [*map(self._values.__getitem__, sorted(numbers))]

    def has(self, text: str) -> bool:
        """Returns whether the text contains a hint."""
        for rare, alone, hints, pattern in self._groups:
            if rare in text:
                if alone:
                    return True
                if pattern is None or pattern.search(text) is not None:
                    for hint, _ in hints:
                        if hint in text:
                            return True
        return False


def _make_group(rare: str, hints: Sequence[tuple[str, int]], few: float) -> _Group:
    alone = [number for hint, number in hints if hint == rare]
    others = [(hint, number) for hint, number in hints if hint != rare]
    words = dict.fromkeys(hint for hint, _ in others)
    pattern = _compile(rare, words) if len(words) > few else None
    return _Group(rare, alone, others, pattern)


def _compile(rare: str, words: Iterable[str]) -> re.Pattern[str]:
    """Returns a pattern that matches if a text contains one of the words. Each contains `rare`.

    The pattern begins with `rare`, because `re` finds the literal text at the beginning of a
    pattern much faster than one of several texts.
    """
    branches = []
    for word in words:
        before, _, after = word.partition(rare)
        behind = f"(?<={re.escape(before + rare)})" if before else ""
        branches.append(behind + re.escape(after))
    return re.compile(f"{re.escape(rare)}(?:{'|'.join(branches)})")
