"""Loads the cassettes and the overlay of one test when the test begins.

Other cassettes in the folder are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.library import Library
from bedtape_replayer.overlay.document import parse_overlay
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.server.loading import load, read_overlay

# Tests can share a cassette by name. The cache is bounded, because a suite can have
# thousands of cassettes.
_KEPT = 64


def load_library(folder: Path, name: str, rules: MatchRules = DEFAULT) -> Library | None:
    """Return the recordings of a cassette, of a folder of cassettes, or of a
    `.tape`; None if none exists.

    rules: the match rules. Raises CassetteInvalid.
    """
    for path in (folder / name, folder / f"{name}{store.TAPE}"):
        if seen := store.fingerprint([path]):
            return _load_cached(path, name, seen, rules)
    return None


@lru_cache(maxsize=_KEPT)
def _load_cached(
    path: Path,
    name: str,
    seen: store.Fingerprint,  # noqa: ARG001 - a part of the cache key
    rules: MatchRules,
) -> Library | None:
    try:
        library = load([path], rules=rules)
    except CassetteMissing:  # the folder contains no cassette
        return None
    if path.suffix == store.TAPE:
        return library
    return Library((_rename_files(cassette, name) for cassette in library.cassettes), rules)


def _rename_files(cassette: Cassette, name: str) -> Cassette:
    """Return the cassette with its name and file names relative to the folder of all cassettes."""
    files = tuple(replace(each, file=f"{name}/{each.file}") for each in cassette.interactions)
    folder = files[0].file.rpartition("/")[0] if files else cassette.name
    return replace(cassette, name=folder, interactions=files)


def load_overlay(overlay: Path | Mapping[str, Any] | None) -> Overlay:
    """Return the overlay of a mark: a file, a document, or nothing. Raises OverlayInvalid."""
    if overlay is None:
        return NOTHING
    # The layers get names of the test, because a file for all tests may be below them.
    if isinstance(overlay, Path):
        return read_overlay(overlay, "")
    return parse_overlay(dict(overlay))
