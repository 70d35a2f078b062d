"""Finds the recording of a request that misses in folders that the server does not play, so
that a miss can name it.

A folder is read at the first miss, and again after it has changed. Large folders are left out,
because a miss must not delay other tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server.loading import find_folders, load

# Where projects keep cassettes.
_USUAL = ("cassettes", "tests/cassettes", "test/cassettes")
_MOST_FILES = 2000


def find_other_folders(played: Iterable[Path]) -> list[Path]:
    """Return the usual folders and those of the settings, without the `played` folders."""
    here = Path.cwd()
    without = {(here / folder).resolve() for folder in played}
    try:
        configured = find_folders()
    except CassetteError:
        configured = []
    folders = {
        (here / folder).resolve(): folder
        for folder in (*configured, *(here / name for name in _USUAL))
    }
    return [folder for place, folder in folders.items() if place not in without]


class OtherFolders:
    """Returns the files that have a call's request.

    folders: returns the folders to search. rules: the match rules of the server.
    """

    def __init__(self, folders: Callable[[], Iterable[Path]], rules: MatchRules = DEFAULT) -> None:
        self._folders = folders
        self._rules = rules
        self._loaded: dict[Path, tuple[store.Fingerprint, Library | None]] = {}

    def __call__(self, call: Call) -> tuple[str, ...]:
        return tuple(self._find(call))

    def _find(self, call: Call) -> Iterator[str]:
        for folder in self._folders():
            if (library := self._load(folder)) is not None:
                index = library.index(None)
                shown = os.path.relpath(folder)
                yield from (
                    f"{shown}/{each.interaction.file}" for each in index.queue(index.key(call))[:1]
                )

    def _load(self, folder: Path) -> Library | None:
        seen = store.fingerprint([folder])
        before, library = self._loaded.get(folder, (frozenset(), None))
        if seen != before:
            library = self._read(folder) if len(seen) <= _MOST_FILES else None
            self._loaded[folder] = seen, library
        return library

    def _read(self, folder: Path) -> Library | None:
        try:
            return load([folder], rules=self._rules)
        except CassetteError:
            return None
