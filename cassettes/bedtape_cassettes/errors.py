"""What can be wrong with a cassette, said so that it can be fixed.

CassetteError
├── CassetteInvalid   the files are wrong: every problem, each with its file and line
├── CassetteMissing   there is nothing to read
├── ConfigInvalid     settings are wrong: every problem, each with its file and line, or its variable
└── SecretFound       a write was refused: it would have put a secret on disk
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CassetteError", "CassetteInvalid", "CassetteMissing", "ConfigInvalid", "Problem", "SecretFound"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one file: what was expected, what was found, where, and what fixes it, if that is not plain.

    `line` counts from 1; 0 means the file as a whole.
    """

    file: str
    line: int
    expected: str
    found: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        said = f"{where}: expected {self.expected}, found {self.found}"
        return f"{said}; {self.fix}" if self.fix else said


class CassetteError(Exception):
    """Whatever keeps a cassette from being read or written."""


class CassetteInvalid(CassetteError):
    """One or more files are not cassettes. `problems` holds all of them, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class CassetteMissing(CassetteError):
    """The folder or file that was named is not there, or holds no cassette."""


class ConfigInvalid(CassetteError):
    """Settings say what cannot be. `problems` holds all of them; a variable's has its name for a file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class SecretFound(CassetteError):
    """A write was refused because the interaction still looks as if it held a secret."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
