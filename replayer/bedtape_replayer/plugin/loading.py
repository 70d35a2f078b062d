"""One test's cassettes, loaded when the test begins: those of its name alone, however many there are beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server.loading import load

__all__ = ["load_library"]

# Tests may share a cassette by name; what is kept is bounded, for a suite may have thousands.
_KEPT = 64


def load_library(folder: Path, name: str, rules: MatchRules = DEFAULT) -> Library | None:
    """The recordings of a cassette, or of all below a folder of that name, or in a tape; None where there are none.

    rules: what makes requests the same.

    Raises CassetteInvalid.
    """
    for path in (folder / name, folder / f"{name}{store.TAPE}"):
        if seen := store.fingerprint([path]):
            return _load_cached(path, name, seen, rules)
    return None


@lru_cache(maxsize=_KEPT)
def _load_cached(
    path: Path,
    name: str,
    seen: store.Fingerprint,  # noqa: ARG001 - a changed one is another
    rules: MatchRules,
) -> Library | None:
    try:
        found = load([path], rules=rules)
    except CassetteMissing:  # nothing in it that can be played
        return None
    if path.suffix == store.TAPE:
        return found
    return Library((_rename_files(cassette, name) for cassette in found.cassettes), rules)


def _rename_files(cassette: Cassette, name: str) -> Cassette:
    """Its files as they are named in the folder of all cassettes."""
    files = tuple(replace(each, file=f"{name}/{each.file}") for each in cassette.interactions)
    return replace(cassette, interactions=files)
