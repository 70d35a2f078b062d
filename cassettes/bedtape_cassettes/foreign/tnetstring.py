"""Parses typed netstrings, the format of mitmproxy's flows: `LENGTH:BYTES` and a type's letter."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 50
_LONGEST = 12  # digits: more than any file


def read(data: bytes, at: int = 0, depth: int = 1) -> tuple[Any, int]:
    """Returns the value that begins at `at`, and the offset of its end. Raises ValueError."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep at byte {at}")
    colon = data.find(b":", at, at + _LONGEST + 1)
    digits = data[at:colon]
    if colon < 0 or not digits.isdigit():
        raise ValueError(f"expected a length and a colon at byte {at}")
    start = colon + 1
    end = start + int(digits)
    if end >= len(data):
        raise ValueError(
            f"expected {int(digits)} bytes from byte {start}, found {len(data) - start}"
        )
    return _value(data, start, end, depth), end + 1


def _value(data: bytes, start: int, end: int, depth: int) -> Any:
    kind, body = data[end : end + 1], data[start:end]
    try:
        match kind:
            case b",":
                return body
            case b";":
                return body.decode()
            case b"#":
                return int(body)
            case b"^":
                return float(body)
            case b"!":
                return {b"true": True, b"false": False}[body]
            case b"~":
                return None
            case b"]":
                return _members(data, start, end, depth)
            case b"}":
                members = _members(data, start, end, depth)
                return {
                    _key(key): value for key, value in zip(members[::2], members[1::2], strict=True)
                }
    except (ValueError, KeyError) as error:
        raise ValueError(f"{error} (in the value at byte {start})") from None
    raise ValueError(f"expected a type after byte {end}, found {kind!r}")


def _members(data: bytes, start: int, end: int, depth: int) -> list[Any]:
    values = []
    while start < end:
        value, start = read(data, start, depth + 1)
        values.append(value)
    if start != end:
        raise ValueError("a member that is longer than what holds it")
    return values


def _key(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
