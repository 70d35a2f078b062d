"""Diagnoses as lines to read: level, what was looked at, what was found of it. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from bedtape_cassettes.text import Line, Style, escape_controls, format_count
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, Level

__all__ = ["render_lines", "summary"]

_STYLES: dict[Level, Style] = {"ok": "plain", "note": "warning", "wrong": "removed"}


def render_lines(diagnoses: Sequence[Diagnosis], width: int | None) -> Iterator[Line]:
    """A line a diagnosis; where there is a width, it is folded under its beginning."""
    longest = max(len(diagnosis.check) for diagnosis in diagnoses)
    for diagnosis in diagnoses:
        head = f"{diagnosis.level:<5}  {diagnosis.check:<{longest}}  "
        text = head + escape_controls(str(diagnosis))
        for line in _fold(text, width, " " * len(head)):
            yield Line(line, _STYLES[diagnosis.level])


def _fold(text: str, width: int | None, indent: str) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def summary(diagnoses: Sequence[Diagnosis]) -> str:
    """How many of each."""
    counts = Counter(diagnosis.level for diagnosis in diagnoses)
    notes = format_count(counts["note"], "note")
    return f"bedtape: {counts['wrong']} wrong, {notes}, {counts['ok']} ok; nothing was changed"
