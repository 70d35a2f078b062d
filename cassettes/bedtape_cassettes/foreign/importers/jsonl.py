"""Reads the JSON Lines that `bedtape cassette export` writes: a document of an
interaction in each line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.foreign.exchange import Entry, ImportFormat, Skipped
from bedtape_cassettes.format.document import read_document


def _recognise(document: Any) -> bool:
    match document:
        case {"cassette": str(), "file": str(), "bedtape": _}:
            return True
    return False


def _read_interactions(documents: list[Any]) -> Iterator[Entry]:
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict):
            yield Skipped(number, "expected an object, found something else")
            continue
        try:
            own = {key: value for key, value in document.items() if key not in ("cassette", "file")}
            yield read_document(own, f"line {number}")
        except CassetteInvalid as error:
            yield Skipped(
                number, "; ".join(f"expected {p.expected}, found {p.found}" for p in error.problems)
            )


JSONL = ImportFormat(
    "bedtape",
    "a line for each interaction, with `cassette` and `file`",
    _recognise,
    _read_interactions,
)
