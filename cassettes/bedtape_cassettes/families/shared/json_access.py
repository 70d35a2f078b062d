"""Members of parsed JSON, by path: each as the type that it should have, and as nothing where the client sent another.

Never raises: it runs on whatever clients send.
"""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue

__all__ = ["integer", "items", "member", "number", "text", "texts"]

# JSON can hold numbers that no float can: 1e999, or a thousand digits.
_LARGEST = 1e308


def member(value: JsonValue, *path: str) -> JsonValue:
    """The member at the path; None where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: JsonValue, *path: str) -> str:
    """The string at the path, or an empty one; halves of surrogate pairs, which no UTF-8 can hold, become `?`."""
    found = member(value, *path)
    return found.encode(errors="replace").decode() if isinstance(found, str) else ""


def items(value: JsonValue, *path: str) -> list[JsonValue]:
    """The list at the path, or an empty one."""
    found = member(value, *path)
    return found if isinstance(found, list) else []


def texts(value: JsonValue, *path: str) -> tuple[str, ...]:
    """The strings in the list at the path."""
    return tuple(text(item) for item in items(value, *path) if isinstance(item, str))


def number(value: JsonValue, *path: str) -> float | None:
    """The number at the path, if a float can hold it. JSON's booleans are none."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found if -_LARGEST <= found <= _LARGEST else None


def integer(value: JsonValue, *path: str) -> int | None:
    """The whole number at the path, however it is written: guardrails turn 28 into 28.0."""
    found = number(value, *path)
    return int(found) if found is not None and found == found // 1 else None
