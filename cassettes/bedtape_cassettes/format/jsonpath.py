"""JSON paths as they are written everywhere in bedtape: members joined by dots, items by number, `*` for any.

`messages.*.content[0].text` and `$.messages[*].content.0.text` are the same path.
"""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue

__all__ = ["find", "parts", "same"]


def parts(path: str) -> tuple[str, ...]:
    """The path taken apart; () for `$`. Raises ValueError where a part is empty."""
    dotted = path.removeprefix("$").replace("[", ".").replace("]", "").removeprefix(".")
    found = tuple(dotted.split(".")) if dotted else ()
    if "" in found:
        raise ValueError(f"expected members joined by dots (messages.*.text), found {path!r}")
    return found


def find(value: JsonValue, path: str) -> list[JsonValue]:
    """Every value that the path leads to, in order."""
    found = [value]
    for part in parts(path):
        found = [inner for outer in found for inner in _below(outer, part)]
    return found


def _below(value: JsonValue, part: str) -> list[JsonValue]:
    if isinstance(value, dict):
        if part == "*":
            return list(value.values())
        return [value[part]] if part in value else []
    if isinstance(value, list):
        if part == "*":
            return value
        return [value[int(part)]] if part.isdecimal() and int(part) < len(value) else []
    return []


def same(one: JsonValue, other: JsonValue) -> bool:
    """JSON's equality: 1 and 1.0 are the same number, and neither is true."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
