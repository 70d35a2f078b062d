"""Makes a text that a regular expression of a client's schema matches.

From the parsed pattern of Python's own parser. Nothing is searched here; the caller checks the
text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from random import Random
from typing import Any

# The module has no public name since Python 3.11.
_parser: Any = import_module("re._parser")
# The repetitions of a group without a limit, and the longest text.
_REPEATS, _LONGEST = 3, 10_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": _LETTERS,
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": _LETTERS,
    "CATEGORY_NOT_WORD": "-",
    "CATEGORY_NOT_SPACE": _LETTERS,
}


def make_text(pattern: str, chance: Random, least: int = 0) -> str:
    """Return a text that the pattern probably matches, with at least some characters if it can.

    A part that is not known, such as a lookahead, becomes an empty text. least: characters.
    """
    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return ""
    text = _render(parsed, chance, least)
    if not pattern.endswith("$"):
        text += "".join(chance.choices(_LETTERS, k=max(0, least - len(text))))
    return text[:_LONGEST]


def _render(parts: Any, chance: Random, least: int) -> str:
    text = ""
    for operator, argument in parts:
        text += _render_part(str(operator), argument, chance, least)
        if len(text) > _LONGEST:
            break
    return text


def _render_part(operator: str, argument: Any, chance: Random, least: int) -> str:
    match operator:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "a" if argument != ord("a") else "b"
        case "ANY":
            return chance.choice(_LETTERS)
        case "IN":
            return _choose_character(argument, chance)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            fewest, most, inner = argument
            wanted = max(fewest, min(int(most), max(_REPEATS, fewest + 1, least)))
            times = min(chance.randint(fewest if not least else wanted, wanted), _LONGEST)
            return "".join(_render(inner, chance, 0) for _ in range(times))
        case "SUBPATTERN":
            return _render(argument[-1], chance, least)
        case "ATOMIC_GROUP":
            return _render(argument, chance, least)
        case "BRANCH":
            return _render(chance.choice(argument[1]), chance, least)
        case "CATEGORY":
            return chance.choice(_CATEGORIES.get(str(argument), _LETTERS))
    return ""


def _choose_character(choices: Sequence[tuple[Any, Any]], chance: Random) -> str:
    """Return a character of a set such as [a-z0-9]."""
    characters: list[str] = []
    negated = False
    for operator, argument in choices:
        match str(operator):
            case "NEGATE":
                negated = True
            case "LITERAL":
                characters.append(chr(argument))
            case "RANGE":
                low, high = argument
                characters += map(chr, range(low, min(high, low + 255) + 1))
            case "CATEGORY":
                characters += _CATEGORIES.get(str(argument), _LETTERS)
    if negated:
        return chance.choice([each for each in _LETTERS + "0-_" if each not in characters] or ["é"])
    return chance.choice(characters or ["a"])
