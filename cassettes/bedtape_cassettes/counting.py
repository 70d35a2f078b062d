"""How many there are, in words: `1 interaction`, `2 interactions`."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """The number with the noun, which takes an s but for one. noun: in the singular."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
