"""The result of a check: its subject, level and fix; and the lines that show results. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.text import Line, Style, escape_controls, format_count

Level: TypeAlias = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check. It contains no secrets.

    level: `note` for a setting that works but often causes a problem, `wrong` for a problem.
    expected, fix: empty if the level is `ok`.
    """

    check: str
    level: Level
    found: str
    expected: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return (
            f"expected {self.expected}, found {self.found}; {self.fix}"
            if self.expected
            else self.found
        )


def ok(check: str, found: str) -> Diagnosis:
    """Return the result of a check without a problem."""
    return Diagnosis(check, "ok", found)


def note(check: str, *, expected: str, found: str, fix: str) -> Diagnosis:
    """Return a note: the setting works, but often causes a problem."""
    return Diagnosis(check, "note", found, expected, fix)


def wrong(check: str, *, expected: str, found: str, fix: str) -> Diagnosis:
    """Return a problem."""
    return Diagnosis(check, "wrong", found, expected, fix)


_STYLES: dict[Level, Style] = {"ok": "plain", "note": "warning", "wrong": "removed"}


def render_lines(diagnoses: Sequence[Diagnosis], width: int | None) -> Iterator[Line]:
    """Yield a line for each result, folded to the width unless it is `None`."""
    longest = max(len(diagnosis.check) for diagnosis in diagnoses)
    for diagnosis in diagnoses:
        head = f"{diagnosis.level:<5}  {diagnosis.check:<{longest}}  "
        text = head + escape_controls(str(diagnosis))
        for line in _fold(text, width, " " * len(head)):
            yield Line(line, _STYLES[diagnosis.level])


def _fold(text: str, width: int | None, indent: str) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def summary(diagnoses: Sequence[Diagnosis]) -> str:
    """Return one line with the number of results of each level."""
    counts = Counter(diagnosis.level for diagnosis in diagnoses)
    notes = format_count(counts["note"], "note")
    return f"bedtape: {counts['wrong']} wrong, {notes}, {counts['ok']} ok; nothing was changed"
