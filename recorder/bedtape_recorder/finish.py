"""Turns a journal into cassettes, at the end of a recording and after a crash.

An unchanged interaction keeps the bytes of its file, so that a review shows real changes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.conversations import compute_turn_keys, group_turns
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.key import DEFAULT, MatchRules, compute_request_key, drop_target
from bedtape_cassettes.matching.rerecording import build_pairing_rules, carry_over, is_unchanged
from bedtape_cassettes.matching.stable_values import stabilise
from bedtape_cassettes.model import Cassette, Interaction, is_method, is_path
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.storage import store, undo
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_cassettes.storage.file_names import name_new_files
from bedtape_recorder.capture import RecordedExchange, read_exchanges, to_interaction

__all__ = [
    "RecordedCassette",
    "RecordedExchange",
    "WriteResult",
    "build_cassettes",
    "cassette_name",
    "merge",
    "read_exchanges",
    "recover_file",
    "write",
]


@dataclass(frozen=True, slots=True)
class CassetteChanges:
    """How many recordings of a cassette are new, differ from the earlier one, or equal it.

    kept: the number of earlier recordings whose requests were not made this time.
    """

    name: str
    new: int
    changed: int
    unchanged: int
    kept: int


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of turning a journal into cassettes.

    interactions, partial: numbers of interactions. failed: descriptions of the exchanges that are
    not recorded, because Bedrock did not answer or a cassette cannot contain them. files: the
    written files. changes: of each cassette. tokens: input and output, as `cassette stats`
    counts them. damaged: byte offsets of unreadable parts of the journal. kept: new path of a
    damaged journal. removed: the files of recordings that were pruned. backup: the saved state that
    `bedtape cassette undo` restores. left: in mode `new`, the recordings that were not requested,
    of the cassettes that have new recordings. unpruned: why nothing was pruned, although it was
    requested.
    """

    interactions: int
    partial: int
    failed: tuple[str, ...]
    files: tuple[Path, ...]
    changes: tuple[CassetteChanges, ...]
    tokens: tuple[int, int]
    damaged: tuple[int, ...] = ()
    kept: Path | None = None
    removed: tuple[str, ...] = ()
    backup: Path | None = None
    unpruned: str | None = None
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedCassette:
    """What one run recorded. waves: a number for each interaction; concurrent ones share it."""

    cassette: Cassette
    waves: tuple[int, ...]


def build_cassettes(
    opened: journal.JournalStart, exchanges: Iterable[RecordedExchange]
) -> tuple[list[RecordedCassette], tuple[str, ...]]:
    """Returns the cassettes, and descriptions of the exchanges that are not recorded.

    Each session makes a cassette, unless the journal has a name.
    """
    by_name: dict[str, list[RecordedExchange]] = {}
    failed = []
    for recorded in exchanges:
        sent = recorded.sent
        if recorded.head is None or not (is_method(sent.method) and is_path(sent.path)):
            failed.append(f"{sent.method} {sent.path}: {_explain_failure(recorded)}")
            continue
        by_name.setdefault(cassette_name(opened.name or sent.session), []).append(recorded)
    return [_build_cassette(name, group, opened) for name, group in by_name.items()], tuple(failed)


def _build_cassette(
    name: str, exchanges: list[RecordedExchange], opened: journal.JournalStart
) -> RecordedCassette:
    interactions, waves = [], []
    wave, busy_until = 0, 0.0
    for recorded in exchanges:
        if recorded.head is None:
            continue
        wave += recorded.sent.at >= busy_until
        busy_until = max(busy_until, recorded.end.at if recorded.end else math.inf)
        waves.append(wave)
        interactions.append(to_interaction(recorded, recorded.head, exact=opened.exact))
    return RecordedCassette(Cassette(name, tuple(interactions)), tuple(waves))


def _explain_failure(recorded: RecordedExchange) -> str:
    if recorded.head is not None:
        return "a cassette cannot contain this method or path"
    return str(recorded.end.error) if recorded.end else "the recorder was killed"


# -- what was recorded before ----------------------------------------------------------------------

TurnKey: TypeAlias = tuple[bytes, int]


def merge(
    before: Cassette | None,
    now: Cassette,
    waves: Sequence[int] = (),
    *,
    prune: bool = False,
    add: bool = False,
    rules: MatchRules = DEFAULT,
) -> Cassette:
    """Merges two recordings of a cassette.

    The order is that of `now`, and unchanged interactions stay as they are.

    The turns of a conversation follow each other. A recording of a request that was not made this
    time stays behind the recording before it; prune: it is removed. A partial recording does not
    replace a whole recording.

    waves: for each interaction of `now` a number. Interactions with the same number keep their old
    order, because concurrent requests arrive in any order. add: do not replace existing whole
    recordings. rules: what may differ in requests that are the same.
    """
    old, new = (
        dict(zip(_pair_up(interactions, rules), interactions, strict=True))
        for interactions in (before.interactions if before else (), now.interactions)
    )
    renamed = _pair_without_target(old, new, rules)
    old = {renamed.get(key, key): interaction for key, interaction in old.items()}
    places = {key: place for place, key in enumerate(old)}
    wave = dict(zip(new, waves or range(len(new)), strict=True))
    # Requests of one wave that were not recorded before come last, in the order of this run.
    order = sorted(new, key=lambda key: (wave[key], places.get(key, len(old))))
    slots = {key: place for place, key in enumerate(order)}
    # the recordings that stay, by the place of the recording before them
    kept: dict[int, list[TurnKey]] = {}
    slot = -1
    for key in old:
        if key not in slots and not prune:
            digest, turn = key
            # equal requests stay in order
            slots[key] = max(slot, slots.get((digest, turn - 1), -1))
            kept.setdefault(slots[key], []).append(key)
        slot = slots.get(key, slot)
    chosen = [old[key] for key in kept.get(-1, ())]
    for place, key in enumerate(order):
        replaces = not add or key in renamed.values()
        chosen.append(_choose(old.get(key), new[key], add=not replaces, rules=rules))
        chosen += [old[other] for other in kept.get(place, ())]
    return Cassette(now.name, group_turns(chosen))


def _pair_up(interactions: Sequence[Interaction], rules: MatchRules) -> list[TurnKey]:
    """Returns the keys that pair up two recordings of the same requests."""
    return compute_turn_keys((each.request for each in interactions), build_pairing_rules(rules))


def _pair_without_target(
    old: Mapping[TurnKey, Interaction], new: Mapping[TurnKey, Interaction], rules: MatchRules
) -> dict[TurnKey, TurnKey]:
    """Returns the new keys of earlier recordings by their old keys.

    Earlier versions left out X-Amz-Target. A request with this header does not match such a
    recording, so a new recording replaces it.
    """
    plain = [replace(each, request=drop_target(each.request)) for each in new.values()]
    earlier = _pair_up(plain, rules)
    return {
        key: now
        for key, now in zip(earlier, new, strict=True)
        if key != now and key in old and now not in old
    }


def _choose(
    before: Interaction | None, now: Interaction, *, add: bool, rules: MatchRules
) -> Interaction:
    if before is None:
        return now
    if (
        _rank(now) < _rank(before)
        or (add and not before.partial)
        or is_unchanged(before, now, rules)
    ):
        return before
    return carry_over(before, now, rules)


def _rank(interaction: Interaction) -> int:
    """Returns how complete a recording is. It does not replace a more complete one."""
    return 0 if interaction.partial else 1 if interaction.response.ends else 2


FolderState: TypeAlias = tuple[store.Fingerprint, int | None]


def read_state(folder: Path) -> FolderState:
    """Returns what differs after another recorder has written to the folder, even if it
    recorded the same answers.

    Therefore `write` sets the time of the folder itself.
    """
    return store.fingerprint([folder]), folder.stat().st_mtime_ns if folder.is_dir() else None


def write(
    folder: Path,
    opened: journal.JournalStart,
    exchanges: list[RecordedExchange],
    *,
    prune: bool = False,
    redaction: Redaction = ALWAYS,
    start: FolderState | None = None,
    rules: MatchRules = DEFAULT,
) -> WriteResult:
    """Commits the cassettes to `folder`.

    Raises CassetteError after every cassette that can be written is written.

    prune: recordings of requests that were not made this time are copied to a backup and removed
    from the cassettes that were recorded. They stay if an exchange was cut, because the program
    might have made the other requests later, and if the folder no longer equals `start`, because
    another recorder might have made them. rules: the rules that the cassettes are matched with.
    """
    cassettes, failed = build_cassettes(opened, exchanges)
    files: list[Path] = []
    removed: list[str] = []
    errors: list[CassetteError] = []
    with lock(folder, create=True, wait=True):
        unpruned = _find_prune_problem(folder, exchanges, start) if prune else None
        prune = prune and unpruned is None
        before = {cassette.name: cassette for cassette in store.read([folder])}
        planned, changes = [], []
        for recorded in cassettes:
            cassette = recorded.cassette
            old = before.get(cassette.name)
            now = stabilise(_redact(cassette, redaction), rules)
            merged = merge(
                old and _redact(old, redaction),
                now,
                recorded.waves,
                prune=prune,
                add=opened.mode == "new",
                rules=rules,
            )
            planned.append((old, merged))
            changes.append(_count_changes(old, cassette, merged))
            if prune and old is not None:
                stays = {i.file for i in merged.interactions}
                removed += [i.file for i in old.interactions if i.file not in stays]
        suite = tuple(before.values())
        pruned = [
            cassette.name
            for cassette in suite
            if any(i.file in removed for i in cassette.interactions)
        ]
        state = undo.save(folder, suite, pruned) if removed else None
        for old, merged in planned:
            try:
                if opened.mode == "once" and old and not all(i.partial for i in old.interactions):
                    raise CassetteError(_describe_conflict(folder, merged.name))
                files += _commit(folder, old, merged, redaction)
            except CassetteError as error:  # a secret in one cassette must not prevent the others
                errors.append(error)
        if state is not None:
            undo.discard_unchanged(folder, state)
        os.utime(folder)  # see `read_state`
    if errors:
        raise CassetteError("\n".join(map(str, errors)))
    interactions = [i for recorded in cassettes for i in recorded.cassette.interactions]
    partial = sum(interaction.partial for interaction in interactions)
    usages = [
        usage
        for i in interactions
        if (usage := read_usage(i.operation, i.model, i.response)) is not None
    ]
    total = sum(usage.total_input for usage in usages), sum(usage.output for usage in usages)
    return WriteResult(
        len(interactions),
        partial,
        failed,
        tuple(files),
        tuple(sorted(changes, key=lambda change: change.name)),
        total,
        removed=tuple(removed),
        backup=None if state is None else state.folder,
        unpruned=unpruned,
    )


def _count_changes(old: Cassette | None, now: Cassette, merged: Cassette) -> CassetteChanges:
    before = {i.file: i for i in old.interactions} if old else {}
    kept = len(merged.interactions) - len(now.interactions)
    new = sum(i.file not in before for i in merged.interactions)
    equal = sum(before.get(i.file) == i for i in merged.interactions)
    changed = len(merged.interactions) - new - equal
    return CassetteChanges(now.name, new, changed, equal - kept, kept)


def _find_prune_problem(
    folder: Path, exchanges: Iterable[RecordedExchange], start: FolderState | None
) -> str | None:
    if any(recorded.partial for recorded in exchanges):
        return "an answer was cut, so the program may not have made all its requests"
    if start is not None and read_state(folder) != start:
        return "another process has changed the folder, and may have recorded the other requests"
    return None


def _describe_conflict(folder: Path, name: str) -> str:
    fix = (
        "bedtape recover --record new adds to it what it lacks, --record all replaces what was"
        " recorded again"
    )
    return (
        f"{folder / name}: expected no cassette, because of --record once, found one that is newer;"
        f" {fix}"
    )


def _commit(folder: Path, old: Cassette | None, new: Cassette, redaction: Redaction) -> list[Path]:
    """Commits one cassette, whose unchanged files keep their names, and returns the files."""
    home = old.interactions[0].file.rpartition("/")[0] if old and old.interactions else None
    named = name_new_files(new, home)
    commit(folder, (old,) if old else (), (named,), redaction=redaction)
    return [
        _check_written(folder / interaction.file, interaction) for interaction in named.interactions
    ]


def _check_written(path: Path, interaction: Interaction) -> Path:
    """Raises CassetteError if the file does not answer its request, so that its journal stays."""
    if compute_request_key(store.read_interaction(path).request) != compute_request_key(
        interaction.request
    ):
        raise CassetteError(
            f"{path}: expected the recorded interaction, found another one; record it again"
        )
    return path


def _redact(cassette: Cassette, redaction: Redaction) -> Cassette:
    """Replaces what the redaction names, so that recordings from before and after it match."""
    if redaction == ALWAYS:
        return cassette
    return Cassette(
        cassette.name, tuple(scrub_interaction(i, redaction) for i in cassette.interactions)
    )


def recover_file(
    path: Path,
    folder: Path,
    *,
    mode: str | None = None,
    prune: bool = False,
    redaction: Redaction = ALWAYS,
    start: FolderState | None = None,
    rules: MatchRules = DEFAULT,
) -> WriteResult:
    """Turns a journal into cassettes and removes the journal. Raises CassetteError or OSError.

    mode: the record mode, if not the journal's. prune, start, rules: as in `write`. A
    damaged journal is renamed.
    """
    records = list(journal.read(path.read_bytes(), str(path)))
    opened, exchanges = read_exchanges(records)
    if opened is None:
        opened = journal.JournalStart(journal.VERSION, None, False)
    if mode is not None:
        opened = replace(opened, mode=mode)
    damaged = tuple(record.at for record in records if isinstance(record, journal.DamagedPart))
    written = write(
        folder,
        opened,
        exchanges,
        prune=prune and not damaged,
        redaction=redaction,
        start=start,
        rules=rules,
    )
    if not damaged:
        path.unlink()
        return written
    path.chmod(0o600)
    return replace(
        written, damaged=damaged, kept=path.replace(path.with_name(f"{path.name}.damaged"))
    )
