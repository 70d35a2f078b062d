"""What `bedtape replay` plays: cassettes, and files of other recorders as they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import typer

from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.foreign_files import find_foreign, list_files, play_foreign
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.play_options import DEFAULT_FOLDER
from bedtape_replayer.cli.shared_server import Mirror, open_folders, read_address
from bedtape_replayer.server.loading import load, watch
from bedtape_replayer.server.monitoring.metrics import Measure
from bedtape_replayer.server.namespaces import Namespace


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


@dataclass(slots=True)
class Source:
    """Where recordings come from, and their library. seen: the fingerprint before it was read.

    A source without places has no recordings.
    """

    recordings: Recordings
    library: Library
    seen: store.Fingerprint
    _mirrors: list[Mirror] = field(default_factory=list)

    @classmethod
    def open(
        cls, places: Sequence[str | Path], rules: MatchRules, report: Callable[[str], object]
    ) -> Source:
        """Read the recordings. places: folders, files, and addresses of buckets.

        Raises CassetteError.
        """
        if not places:
            return cls(Recordings((), (), rules), Library((), rules), store.fingerprint(()))
        paths, mirrors = open_folders(places, report)
        recordings = Recordings.find(paths, rules)
        seen = store.fingerprint(recordings.watched)
        return cls(recordings, recordings.load(report), seen, mirrors)

    def name_place(self, path: Path) -> str:
        """Return a folder or file for messages: the address of a bucket, if it is from there."""
        return next((str(mirror) for mirror in self._mirrors if mirror.file == path), str(path))

    def list_measures(self) -> Iterator[Measure]:
        """Yield the measures of the buckets, which differ in the label `bucket`."""
        for mirror in self._mirrors:
            yield from mirror.list_measures()

    async def follow(
        self,
        changed: Callable[[Library], None],
        failed: Callable[[CassetteError], None],
        report: Callable[[str], object],
    ) -> None:
        """Fetch newer versions of buckets, and read what changes, until cancelled.

        changed: gets the new library. failed: gets the error if a change cannot be read. report:
        gets a line for each problem of a bucket, and for each part of a file that is not played.
        """
        read = partial(self.recordings.load, report)
        watched = self.recordings.watched
        watching = watch(watched, self.seen, read=read, changed=changed, failed=failed)
        await asyncio.gather(watching, *(mirror.follow(report) for mirror in self._mirrors))


class Sources:
    """Opens sources, each once, because a server follows each and keeps its library in memory.

    rules: to match requests. report: is called with a line for each part of a file that cannot be
    played, and for a bucket that cannot be reached.
    """

    def __init__(self, rules: MatchRules, report: Callable[[str], object]) -> None:
        self._rules = rules
        self._report = report
        self._sources: dict[tuple[str, ...], Source] = {}

    def open(self, places: Sequence[str | Path]) -> Source:
        """Return the source of these folders, files and addresses. Raises CassetteError."""
        key = tuple(map(_identify, places))
        if key not in self._sources:
            self._sources[key] = Source.open(places, self._rules, self._report)
        return self._sources[key]


def _identify(place: str | Path) -> str:
    """Return the same text for all spellings of a place."""
    return read_address(place) or str(Path(place).resolve())


@dataclass(frozen=True, slots=True)
class Service:
    """A namespace, and the source of its recordings."""

    namespace: Namespace
    source: Source


def choose_folders(
    context: typer.Context, folders: Sequence[Path] | None, more: Sequence[Path] | None
) -> list[Path]:
    """Return the folders of the command line, or those of the settings, or the default.

    folders: of the argument, which settings also set. more: of the option.
    """
    source = context.get_parameter_source("folders")
    if more and source is not None and source.name != "COMMANDLINE":
        folders = None
    return [*(folders or ()), *(more or ())] or _default_folders(context)


def _default_folders(context: typer.Context) -> list[Path]:
    """Return the folders of the settings, which some versions of click ignore, or the default."""
    if named := context.lookup_default("folders"):
        return list(map(Path, named))
    if DEFAULT_FOLDER.is_dir() and store.fingerprint([DEFAULT_FOLDER]):
        return [DEFAULT_FOLDER]
    return [store.samples()]


def describe(served: Service) -> str:
    """Return the numbers of interactions and cassettes, and where they are from."""
    engine, recordings = served.namespace.engine, served.source.recordings
    folders, library = [*recordings.folders, *recordings.foreign], engine.library
    where = (
        "the shipped samples"
        if folders == [store.samples()]
        else ", ".join(map(served.source.name_place, folders))
    )
    team = f"namespace {engine.namespace}: " if engine.namespace else ""
    return (
        f"{team}{format_count(len(library), 'interaction')} in"
        f" {format_count(len(library.cassettes), 'cassette')} from {where}"
    )
