"""Turns a journal into cassettes, at the end of a recording and after a crash.

A recorded interaction that did not change keeps the bytes of its file, so that a review shows what the model changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedtape_cassettes.errors import CassetteError, SecretFound
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies, eventstream, journal
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS, build_interaction, keep_request_headers
from bedtape_cassettes.model import LONGEST_MS, Body, Cassette, Event, Interaction, is_method, is_path
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock

__all__ = ["Recorded", "Written", "cassette_name", "cassettes_of", "merge", "recorded_in", "recover_file", "write"]


@dataclass(slots=True)
class Recorded:
    """One exchange as the journal has it."""

    sent: journal.Sent
    head: journal.Head | None = None
    chunks: list[journal.Chunk] = field(default_factory=list)
    end: journal.End | None = None

    @property
    def partial(self) -> bool:
        """Whether it was cut: the client saw no end, or a broken one."""
        return self.end is None or self.end.error is not None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a journal. `failed` are exchanges that Bedrock never answered: they are not recorded.

    tokens: input and output, as `cassette stats` counts them. damaged: where in the journal bytes could not be read; kept: what it is called now, where there are any.
    """

    interactions: int
    partial: int
    failed: tuple[str, ...]
    files: tuple[Path, ...]
    cassettes: tuple[str, ...]
    tokens: tuple[int, int]
    damaged: tuple[int, ...] = ()
    kept: Path | None = None


def recorded_in(records: Iterable[journal.Record]) -> tuple[journal.Opened | None, list[Recorded]]:
    """The exchanges of a journal in the order in which they were sent."""
    opened = None
    found: dict[int, Recorded] = {}
    for record in records:
        match record:
            case journal.Opened():
                opened = record
            case journal.Sent():
                found[record.exchange] = Recorded(record)
            case journal.Damaged():
                _cut_all(found.values())
            case _ if record.exchange in found and found[record.exchange].end is None:
                _add(found[record.exchange], record)
    return opened, list(found.values())


def _add(recorded: Recorded, record: journal.Head | journal.Chunk | journal.End) -> None:
    match record:
        case journal.Head():
            recorded.head = record
        case journal.Chunk():
            recorded.chunks.append(record)
        case journal.End():
            recorded.end = record


def _cut_all(exchanges: Iterable[Recorded]) -> None:
    """What is under way where the journal is damaged may have lost something there: what comes later is not its end."""
    for recorded in exchanges:
        if recorded.end is None:
            recorded.end = journal.End(recorded.sent.exchange, recorded.sent.at, "the journal is damaged")


def _interaction(recorded: Recorded, head: journal.Head, *, exact: bool) -> Interaction:
    sent = recorded.sent
    interaction = build_interaction(
        method=sent.method,
        path=sent.path,
        request_headers=sent.headers,
        request_body=sent.body,
        status=head.status,
        response_headers=head.headers,
        response_body=b"".join(chunk.data for chunk in recorded.chunks),
        exact=exact,
        after_ms=_between(sent.at, head.at),
        at_ms=_times(recorded, head),
    )
    return replace(interaction, partial=recorded.partial)


def _times(recorded: Recorded, head: journal.Head) -> list[int]:
    """When each event came: a chunk holds whole events, for it was scrubbed by them."""
    times: list[int] = []
    for chunk in recorded.chunks:
        times += [_between(head.at, chunk.at)] * _events_in(chunk.data)
    return times


def _between(one: float, other: float) -> int:
    """Milliseconds, as a cassette may hold them; a laptop may have slept for days in between."""
    return min(max(0, round((other - one) * 1000)), LONGEST_MS)


def _events_in(data: bytes) -> int:
    try:
        return len(eventstream.decode_all(data))
    except eventstream.FrameError:
        return max(1, data.count(b"\n\n"))


def cassettes_of(opened: journal.Opened, exchanges: Iterable[Recorded]) -> tuple[list[Cassette], tuple[str, ...]]:
    """The cassettes that the exchanges make, by session or under the one name; and what never got an answer."""
    found: dict[str, list[Interaction]] = {}
    failed = []
    for recorded in exchanges:
        sent, head = recorded.sent, recorded.head
        if head is None or not (is_method(sent.method) and is_path(sent.path)):
            failed.append(f"{sent.method} {sent.path}: {_why_not(recorded)}")
            continue
        name = cassette_name(opened.name or sent.session)
        found.setdefault(name, []).append(_interaction(recorded, head, exact=opened.exact))
    return [Cassette(name, tuple(interactions)) for name, interactions in found.items()], tuple(failed)


def _why_not(recorded: Recorded) -> str:
    if recorded.head is not None:
        return "no cassette can hold such a method or path"
    return str(recorded.end.error) if recorded.end else "the recorder was killed"


# -- what was recorded before ----------------------------------------------------------------------------------

_TIMINGS = re.compile(rb'("(?:latencyMs|invocationLatency|firstByteLatency)"\s*:\s*)\d+(?:\.\d+)?')
# An exact recording keeps them; else they are gone already, but for the last.
_NEVER_THE_SAME = VOLATILE_RESPONSE_HEADERS | {"x-amzn-bedrock-invocation-latency"}


def _steady(interaction: Interaction) -> object:
    """The interaction without what is never the same twice and means nothing: how long things took, padding, ids."""
    request, response = interaction.request, interaction.response
    asked = replace(request, headers=keep_request_headers(request.headers))
    headers = tuple((n, v) for n, v in response.headers if n.lower() not in _NEVER_THE_SAME)
    body: object
    if isinstance(response.body, Body):
        body = _TIMINGS.sub(rb"\g<1>0", response.body.data)
    else:
        body = response.body.padded, tuple((event.headers, _steady_payload(event)) for event in response.body.events)
    return interaction.partial, interaction.exact, asked, response.status, headers, body


def _steady_payload(event: Event) -> bytes:
    payload, _ = bodies.unpad(event.payload)
    if event.form == "bytes" and payload == event.payload:
        payload = bodies.compact(bodies.open_chunk(payload))
    return _TIMINGS.sub(rb"\g<1>0", payload)


def merge(before: Cassette | None, now: Cassette, *, keep: bool, add: bool = False) -> Cassette:
    """The cassette to write: in the old order where requests are the old ones, unchanged answers as they were.

    keep: keep recordings of requests that were not made this time. add: whole recordings that exist stay as they are. A
    cut recording never replaces a whole one.
    """
    old = {} if before is None else dict(_keyed(before.interactions))
    new = dict(_keyed(now.interactions))
    places = {key: place for place, key in enumerate([*old, *(key for key in new if key not in old)])}
    chosen = {key: interaction for key, interaction in old.items() if keep or key in new}
    for key, interaction in new.items():
        if key not in old or _replaces(interaction, old[key], add=add):
            chosen[key] = interaction
    return Cassette(now.name, tuple(chosen[key] for key in sorted(chosen, key=places.__getitem__)))


def _replaces(now: Interaction, before: Interaction, *, add: bool) -> bool:
    if not before.partial and (add or now.partial):
        return False
    return _steady(before) != _steady(now)


def _keyed(interactions: Iterable[Interaction]) -> Iterable[tuple[tuple[bytes, int], Interaction]]:
    """Each with its match key and how many of that key came before it."""
    seen: dict[bytes, int] = {}
    for interaction in interactions:
        key = compute_request_key(interaction.request)
        number = seen.get(key, 0)
        seen[key] = number + 1
        yield (key, number), interaction


def write(
    folder: Path, opened: journal.Opened, exchanges: list[Recorded], *, keep: bool, redaction: Redaction = ALWAYS
) -> Written:
    """Commits the cassettes to `folder`. Raises CassetteError after every cassette that can be written is written.

    keep: recordings of requests that were not made this time stay (record mode `new`, and after a crash). They also stay if
    an exchange was cut, because the program might have made the other requests later.
    """
    keep = keep or any(recorded.partial for recorded in exchanges)
    cassettes, failed = cassettes_of(opened, exchanges)
    files: list[Path] = []
    errors: list[CassetteError] = []
    with lock(folder, create=True):
        before = {cassette.name: cassette for cassette in store.read([folder])}
        for cassette in cassettes:
            old = before.get(cassette.name)
            try:
                now = _redact(cassette, redaction)
                merged = merge(old and _redact(old, redaction), now, keep=keep, add=opened.mode == "new")
                files += _commit(folder, old, merged, redaction)
            except CassetteError as error:  # a secret in one cassette must not prevent the others
                errors.append(error)
    if errors:
        raise CassetteError("\n".join(map(str, errors)))
    interactions = [i for cassette in cassettes for i in cassette.interactions]
    partial = sum(interaction.partial for interaction in interactions)
    names = tuple(sorted(cassette.name for cassette in cassettes))
    usages = [usage for i in interactions if (usage := read_usage(i.operation, i.model, i.response)) is not None]
    total = sum(usage.total_input for usage in usages), sum(usage.output for usage in usages)
    return Written(len(interactions), partial, failed, tuple(files), names, total)


def _commit(folder: Path, old: Cassette | None, new: Cassette, redaction: Redaction) -> list[Path]:
    """Commits one cassette with its files numbered anew, and returns the files."""
    home = old.interactions[0].file.rpartition("/")[0] if old and old.interactions else None
    numbered = store.number_files(new, home)
    try:
        commit(folder, (old,) if old else (), (numbered,), redaction=redaction)
    except SecretFound as error:
        fix = "take it out; a recording's journal is written without it by `bedtape recover --redact PATTERN`"
        raise SecretFound(replace(problem, fix=fix) for problem in error.problems) from None
    return [folder / interaction.file for interaction in numbered.interactions]


def _redact(cassette: Cassette, redaction: Redaction) -> Cassette:
    """Replaces matches of the user's patterns, so that recordings made before and after a pattern was set match."""
    if not redaction.patterns:
        return cassette
    return Cassette(cassette.name, tuple(scrub_interaction(i, redaction) for i in cassette.interactions))


def recover_file(path: Path, folder: Path, *, keep: bool | None = None, redaction: Redaction = ALWAYS) -> Written:
    """Turns a journal into cassettes, and removes it when they are written. Raises CassetteError or OSError.

    keep: as in `write`; None: as the journal's record mode says. A damaged journal is put aside, not removed.
    """
    records = list(journal.read(path.read_bytes(), str(path)))
    opened, exchanges = recorded_in(records)
    if opened is None:
        opened = journal.Opened(journal.VERSION, None, False)
    if keep is None:
        keep = opened.mode in (None, "new")
    damaged = tuple(record.at for record in records if isinstance(record, journal.Damaged))
    written = write(folder, opened, exchanges, keep=keep or bool(damaged), redaction=redaction)
    if not damaged:
        path.unlink()
        return written
    path.chmod(0o600)
    return replace(written, damaged=damaged, kept=path.replace(path.with_name(f"{path.name}.damaged")))
