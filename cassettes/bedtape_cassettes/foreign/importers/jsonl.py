"""Reads the JSON Lines of `bedtape cassette export`: an interaction's document in each line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.foreign.exchange import Entry, ImportFormat, SkippedEntry
from bedtape_cassettes.format.document import read_document


def _recognise(document: Any) -> bool:
    match document:
        case {"cassette": str(), "file": str(), "bedtape": _}:
            return True
    return False


def _read_interactions(documents: list[Any]) -> Iterator[Entry]:
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict):
            yield SkippedEntry(number, "expected an object, found something else")
            continue
        try:
            own = {key: value for key, value in document.items() if key not in ("cassette", "file")}
            yield read_document(own, f"line {number}")
        except CassetteInvalid as error:
            yield SkippedEntry(
                number, "; ".join(f"expected {p.expected}, found {p.found}" for p in error.problems)
            )


JSONL = ImportFormat(
    "bedtape",
    "a line for each interaction, with `cassette` and `file`",
    _recognise,
    _read_interactions,
)
