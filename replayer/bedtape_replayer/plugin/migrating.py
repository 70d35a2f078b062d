"""Writes what tests played from VCR.py's cassettes as cassettes, where the fixture looks
(`bedtape migrate vcrpy`).

A request that VCR.py matched although its body differs is written as the test sends it, so that the
migrated test gets the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import MatchRules, canonicalize_request, compute_request_key
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_cassettes.storage.file_names import number_files
from bedtape_cassettes.storage.undo import save
from bedtape_replayer.answering.match import find_differences
from bedtape_replayer.plugin.marks import PlayRequest
from bedtape_replayer.plugin.summary import Summary

# What `--bedtape-migrate` can contain, separated by commas.
OPTIONS = ("exact", "keep-account", "force")
_ADD = 'usefixtures("bedrock")'


@dataclass(frozen=True, slots=True)
class PlayedAnswer:
    """One answer of VCR.py. recorded: its entry. sent: the entry with the request as sent."""

    recorded: Interaction
    sent: Interaction


@dataclass(slots=True)
class MigratedTest:
    """A test, and what it played. marked: whether it has the mark `vcr`. exact: whether every byte
    and header is kept. hosts: the other hosts of its cassettes. sources: the files of its
    cassettes.
    """

    play_request: PlayRequest
    file: Path
    marked: bool
    exact: bool
    played: list[PlayedAnswer] = field(default_factory=list)
    hosts: Counter[str] = field(default_factory=Counter)
    sources: set[Path] = field(default_factory=set)


class Migration:
    """The tests of one run that played entries of Bedrock from cassettes of VCR.py.

    chosen: the options, some of `OPTIONS`. here: the folder that pytest was
    started in, for messages. run: the run's id.
    """

    def __init__(self, chosen: Sequence[str], here: Path, run: str) -> None:
        self._run = run
        self._exact = "exact" in chosen
        self._keeps_accounts = "keep-account" in chosen
        self._force = "force" in chosen
        self._here = here
        self._tests: dict[str, MigratedTest] = {}

    def find(self, play_request: PlayRequest, file: Path, *, marked: bool) -> MigratedTest:
        """Returns the test, which may have opened other cassettes before."""
        return self._tests.setdefault(
            play_request.test, MigratedTest(play_request, file, marked, self._exact)
        )

    def write(self, tally: Summary) -> None:
        """Writes a cassette for each test, and adds what a user has to do to the summary."""
        for test in self._tests.values():
            if not test.played:
                tally.migrated.append(("unplayed", test.play_request.test, ""))
                continue
            try:
                tally.migrated += list(self._write(test))
            except CassetteError as error:
                tally.messages.append(f"not migrated: {test.play_request.test}: {error}")
                tally.failed = True

    def _write(self, test: MigratedTest) -> Iterator[tuple[str, str, str]]:
        folder, name = test.play_request.folder, test.play_request.cassette
        rules = test.play_request.match
        redaction = replace(rules.redaction, keeps_accounts=self._keeps_accounts)
        interactions = []
        for each in test.played:
            same = compute_request_key(each.recorded.request, rules) == compute_request_key(
                each.sent.request, rules
            )
            interactions.append(each.recorded if same else each.sent)
            if not same:
                pair = (
                    canonicalize_request(one.request, rules) for one in (each.recorded, each.sent)
                )
                difference = next(
                    (str(one) for one in find_differences(*pair)), "another host or path"
                )
                yield "changed", f"{test.play_request.test}: {scrub_text(difference)}", ""
        interactions = _drop_repeats(interactions, rules)
        with lock(folder, create=True, wait=True):
            before = store.read_named(folder, [name])
            if before and not self._force:
                raise CassetteError(
                    f"{folder / name}: expected no cassette yet, found one; --force replaces it"
                )
            if before:
                save(folder, before, [name], run=self._run)
            commit(
                folder,
                before,
                (number_files(Cassette(name, tuple(interactions))),),
                redaction=redaction,
            )
        yield "written", test.play_request.test, str(len(interactions))
        yield "change", self._show(test.file), _describe_change(test)
        yield from (
            ("source", self._show(path), ",".join(sorted(test.hosts))) for path in test.sources
        )

    def _show(self, path: Path) -> str:
        return str(path.relative_to(self._here)) if path.is_relative_to(self._here) else str(path)


def _drop_repeats(interactions: Sequence[Interaction], rules: MatchRules) -> list[Interaction]:
    """Returns the interactions without repeated last answers, which replay repeats itself."""
    following: dict[bytes, Interaction] = {}
    differs: set[bytes] = set()
    kept = []
    for interaction in reversed(interactions):
        key = compute_request_key(interaction.request, rules)
        if key in following and key not in differs and following[key] == interaction:
            continue
        if key in following:
            differs.add(key)
        following[key] = interaction
        kept.append(interaction)
    return kept[::-1]


def _describe_change(test: MigratedTest) -> str:
    others = ", ".join(map(scrub_text, sorted(test.hosts)))
    match test.marked, bool(others):
        case True, True:
            return f"add the mark {_ADD}; the mark vcr still plays {others}"
        case True, False:
            return f"replace the mark vcr by {_ADD}"
        case False, True:
            return f"add the mark {_ADD}; the cassette that the test opens still plays {others}"
    return f"add the mark {_ADD}, and remove the code that opens the cassette"
