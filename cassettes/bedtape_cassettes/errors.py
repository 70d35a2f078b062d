"""Errors of cassettes, settings and overlays, and the problems that they list.

CassetteError
├── CassetteMissing     the folder or file to read does not exist or holds no cassette
└── Invalid             a document or option is wrong: `problems` lists every problem
    ├── CassetteInvalid files are not cassettes
    ├── ConfigInvalid   settings or options are wrong
    └── SecretFound     a write was refused, because it would have put a secret on disk
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bedtape_cassettes.model import Place, render_path


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what was expected, what was found, where, and how to fix it
    (empty if that is obvious).

    file: the file, environment variable or option that has the problem; empty for a document that
    is not in a file. line: counted from 1; 0 means the file as a whole. path: the place in a JSON
    or YAML document.
    """

    file: str
    line: int
    expected: str
    found: str
    fix: str = ""
    path: Place = ()

    @classmethod
    def at(cls, path: Place, expected: str, found: str, fix: str = "") -> Problem:
        """A problem at a place of a document that is not in a file."""
        return cls("", 0, expected, found, fix, path)

    @property
    def where(self) -> str:
        """The file and line, else the path as people write it: `rules[0].when.turn`."""
        if self.file:
            return f"{self.file}:{self.line}" if self.line else self.file
        return render_path(self.path)

    def __str__(self) -> str:
        expected = (
            f"{self.expected} at {render_path(self.path)}"
            if self.file and self.path
            else self.expected
        )
        text = f"{self.where or 'the document'}: expected {expected}, found {self.found}"
        return f"{text}; {self.fix}" if self.fix else text


class CassetteError(Exception):
    """A cassette, a setting or an overlay cannot be read, written or used."""


class CassetteMissing(CassetteError):
    """The folder or file does not exist, or it holds no cassette."""


class Invalid(CassetteError):
    """A document or an option is wrong. `problems` lists every problem in document order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class CassetteInvalid(Invalid):
    """One or more files are not cassettes; `problems` lists every problem."""


class ConfigInvalid(Invalid):
    """Settings or options are wrong. `file` of a problem may be a variable or an option."""


class SecretFound(Invalid):
    """A write was refused, because the interaction still looks as if it contained a secret."""
