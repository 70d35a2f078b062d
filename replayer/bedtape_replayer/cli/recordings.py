"""What `bedtape replay` plays: cassettes, and files of other recorders as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.foreign_files import find_foreign, list_files, play_foreign
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server.loading import load


@dataclass(frozen=True, slots=True)
class Recordings:
    """folders: of cassettes, or `.tape` files. foreign: other recorders' files. rules: to match."""

    folders: tuple[Path, ...]
    foreign: tuple[Path, ...]
    rules: MatchRules

    @classmethod
    def find(cls, paths: Sequence[Path], rules: MatchRules) -> Recordings:
        """Divides the paths. Raises CassetteError for foreign files without a name of their own."""
        foreign = find_foreign(path for path in paths if path.exists())
        return cls(tuple(path for path in paths if path not in foreign), tuple(foreign), rules)

    @property
    def watched(self) -> tuple[Path, ...]:
        """The folders and files whose changes are noticed."""
        return (*self.folders, *(list_files(self.foreign) if self.foreign else ()))

    def load(self, report: Callable[[str], object]) -> Library:
        """Returns the library of all recordings. Raises CassetteError.

        report: is called with a line for each part of a file that cannot be played.
        """
        cache = store.cache_folder(os.environ)
        if not self.foreign:
            return load(self.folders, rules=self.rules, cache=cache)
        played = play_foreign(self.foreign)
        for remark in played.remarks:
            report(remark)
        own = store.read(self.folders, cache=cache)
        if clashes := {each.name for each in own} & {each.name for each in played.cassettes}:
            fix = "give only one of them"
            raise CassetteError(
                f"expected one cassette of a name, found two with the name {min(clashes)!r}; {fix}"
            )
        library = Library((*own, *played.cassettes), self.rules)
        if not len(library):
            where = ", ".join(map(str, (*self.folders, *self.foreign)))
            raise CassetteMissing(
                f"{where}: expected at least one recorded exchange with Bedrock, found none"
            )
        return library
