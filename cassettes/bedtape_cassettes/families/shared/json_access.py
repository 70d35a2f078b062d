"""Reads members of parsed JSON by path and type.

A member of another type is read as a missing member.

No function raises, because clients can send any JSON.
"""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue

# JSON can hold numbers that a float cannot: 1e999, or a thousand digits.
_LARGEST = 1e308


def member(value: JsonValue, *path: str) -> JsonValue:
    """The member at the path, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: JsonValue, *path: str) -> str:
    """The string at the path, or "". Lone surrogates become `?`, because UTF-8 has none."""
    leaf = value
    for name in path:
        leaf = leaf.get(name) if isinstance(leaf, dict) else None
    if not isinstance(leaf, str):
        return ""
    return leaf if leaf.isascii() else leaf.encode(errors="replace").decode()


def items(value: JsonValue, *path: str) -> list[JsonValue]:
    """The list at the path, or an empty list."""
    leaf = value
    for name in path:
        leaf = leaf.get(name) if isinstance(leaf, dict) else None
    return leaf if isinstance(leaf, list) else []


def texts(value: JsonValue, *path: str) -> tuple[str, ...]:
    """The strings in the list at the path."""
    return tuple([text(item) for item in items(value, *path) if isinstance(item, str)])


def number(value: JsonValue, *path: str) -> float | None:
    """The number at the path, or None. No number: a boolean, and what a float cannot hold."""
    leaf = member(value, *path)
    if leaf is None or isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return None
    return leaf if -_LARGEST <= leaf <= _LARGEST else None


def integer(value: JsonValue, *path: str) -> int | None:
    """The whole number at the path, or None. 28.0 is one, because guardrails turn 28 into it."""
    leaf = number(value, *path)
    return int(leaf) if leaf is not None and leaf == leaf // 1 else None
