"""What a check says: one thing looked at, whether it is well, and what fixes it if not. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Diagnosis", "Level", "note", "ok", "wrong"]

Level: TypeAlias = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. note: it works, and surprises people; wrong: what bedtape is for fails.

    `expected` and `fix` are empty where it is well. Nothing in it is a secret.
    """

    check: str
    level: Level
    found: str
    expected: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return f"expected {self.expected}, found {self.found}; {self.fix}" if self.expected else self.found


def ok(check: str, found: str) -> Diagnosis:
    """It is well."""
    return Diagnosis(check, "ok", found)


def note(check: str, *, expected: str, found: str, fix: str) -> Diagnosis:
    """It works, but not as people think."""
    return Diagnosis(check, "note", found, expected, fix)


def wrong(check: str, *, expected: str, found: str, fix: str) -> Diagnosis:
    """It does not work."""
    return Diagnosis(check, "wrong", found, expected, fix)
