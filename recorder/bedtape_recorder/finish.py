"""Turns a journal into cassettes, at the end of a recording and after a crash.

An unchanged interaction keeps the bytes of its file, so that a review shows real changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies, eventstream, journal
from bedtape_cassettes.matching.key import compute_request_key, compute_turn_keys
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS, build_interaction, keep_request_headers
from bedtape_cassettes.model import LONGEST_MS, Body, Cassette, Event, Interaction, is_method, is_path
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock

__all__ = [
    "RecordedExchange",
    "WriteResult",
    "build_cassettes",
    "cassette_name",
    "merge",
    "read_exchanges",
    "recover_file",
    "write",
]


@dataclass(slots=True)
class RecordedExchange:
    """The journal records of one exchange."""

    sent: journal.Sent
    head: journal.Head | None = None
    chunks: list[journal.Chunk] = field(default_factory=list)
    end: journal.End | None = None

    @property
    def partial(self) -> bool:
        """Whether the exchange was cut: it has no end, or it ended with an error."""
        return self.end is None or self.end.error is not None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of turning a journal into cassettes.

    interactions, partial: numbers of interactions. failed: descriptions of the exchanges that are
    not recorded, because Bedrock did not answer or a cassette cannot contain them. files, cassettes:
    the written files and cassette names. tokens: input and output, as `cassette stats` counts them.
    damaged: byte offsets of unreadable parts of the journal. kept: new path of a damaged journal.
    """

    interactions: int
    partial: int
    failed: tuple[str, ...]
    files: tuple[Path, ...]
    cassettes: tuple[str, ...]
    tokens: tuple[int, int]
    damaged: tuple[int, ...] = ()
    kept: Path | None = None


def read_exchanges(records: Iterable[journal.Record]) -> tuple[journal.Opened | None, list[RecordedExchange]]:
    """Returns the opening record and the exchanges of a journal, in the order of their requests."""
    opened = None
    exchanges: dict[int, RecordedExchange] = {}
    for record in records:
        match record:
            case journal.Opened():
                opened = record
            case journal.Sent():
                exchanges[record.exchange] = RecordedExchange(record)
            case journal.Damaged():  # the damaged part may contain the ends of open exchanges
                for recorded in exchanges.values():
                    sent = recorded.sent
                    recorded.end = recorded.end or journal.End(sent.exchange, sent.at, "the journal is damaged")
            case _ if record.exchange in exchanges and exchanges[record.exchange].end is None:
                _add(exchanges[record.exchange], record)
    return opened, list(exchanges.values())


def _add(recorded: RecordedExchange, record: journal.Head | journal.Chunk | journal.End) -> None:
    match record:
        case journal.Head():
            recorded.head = record
        case journal.Chunk():
            recorded.chunks.append(record)
        case journal.End():
            recorded.end = record


def _to_interaction(recorded: RecordedExchange, head: journal.Head, *, exact: bool) -> Interaction:
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
        after_ms=_compute_ms(sent.at, head.at),
        # The time of each event, because the scrubber emits chunks of whole events.
        at_ms=[_compute_ms(head.at, chunk.at) for chunk in recorded.chunks for _ in range(_count_events(chunk.data))],
    )
    return replace(interaction, partial=recorded.partial)


def _compute_ms(one: float, other: float) -> int:
    """Returns the milliseconds between two times, limited to the range of a cassette."""
    return min(max(0, round((other - one) * 1000)), LONGEST_MS)


def _count_events(data: bytes) -> int:
    try:
        return len(eventstream.decode_all(data))
    except eventstream.FrameError:
        return max(1, data.count(b"\n\n"))


def build_cassettes(
    opened: journal.Opened, exchanges: Iterable[RecordedExchange]
) -> tuple[list[Cassette], tuple[str, ...]]:
    """Returns the cassettes, and descriptions of the exchanges that are not recorded.

    Each session makes a cassette, unless the journal has a name.
    """
    by_name: dict[str, list[Interaction]] = {}
    failed = []
    for recorded in exchanges:
        sent, head = recorded.sent, recorded.head
        if head is None or not (is_method(sent.method) and is_path(sent.path)):
            failed.append(f"{sent.method} {sent.path}: {_explain_failure(recorded)}")
            continue
        name = cassette_name(opened.name or sent.session)
        by_name.setdefault(name, []).append(_to_interaction(recorded, head, exact=opened.exact))
    return [Cassette(name, tuple(interactions)) for name, interactions in by_name.items()], tuple(failed)


def _explain_failure(recorded: RecordedExchange) -> str:
    if recorded.head is not None:
        return "a cassette cannot contain this method or path"
    return str(recorded.end.error) if recorded.end else "the recorder was killed"


# -- what was recorded before ----------------------------------------------------------------------------------

_TIMINGS = re.compile(rb'("(?:latencyMs|invocationLatency|firstByteLatency)"\s*:\s*)\d+(?:\.\d+)?')
# An exact recording keeps these headers. Other recordings keep the last.
_VOLATILE_HEADERS = VOLATILE_RESPONSE_HEADERS | {"x-amzn-bedrock-invocation-latency"}


def _strip_volatile(interaction: Interaction) -> object:
    """Returns an interaction's content without timings, padding and request ids, for comparison."""
    request, response = interaction.request, interaction.response
    request = replace(request, headers=keep_request_headers(request.headers))
    headers = tuple((n, v) for n, v in response.headers if n.lower() not in _VOLATILE_HEADERS)
    body: object
    if isinstance(response.body, Body):
        body = _TIMINGS.sub(rb"\g<1>0", response.body.data)
    else:
        body = (
            response.body.padded,
            tuple((event.headers, _strip_volatile_payload(event)) for event in response.body.events),
        )
    return interaction.partial, interaction.exact, request, response.status, headers, body


def _strip_volatile_payload(event: Event) -> bytes:
    payload, _ = bodies.unpad(event.payload)
    if event.form == "bytes" and payload == event.payload:
        payload = bodies.compact(bodies.open_chunk(payload))
    return _TIMINGS.sub(rb"\g<1>0", payload)


def merge(before: Cassette | None, now: Cassette, *, keep: bool, add: bool = False) -> Cassette:
    """Merges two recordings of a cassette. Keeps the old order and unchanged interactions.

    keep: keep recordings of requests that were not made this time. add: do not replace existing
    whole recordings. A partial recording does not replace a whole recording.
    """
    old, new = (
        dict(zip(compute_turn_keys(i.request for i in interactions), interactions, strict=True))
        for interactions in (before.interactions if before else (), now.interactions)
    )
    places = {key: place for place, key in enumerate([*old, *(key for key in new if key not in old)])}
    chosen = {key: interaction for key, interaction in old.items() if keep or key in new}
    for key, interaction in new.items():
        if key not in old or _replaces(interaction, old[key], add=add):
            chosen[key] = interaction
    return Cassette(now.name, tuple(chosen[key] for key in sorted(chosen, key=places.__getitem__)))


def _replaces(now: Interaction, before: Interaction, *, add: bool) -> bool:
    if not before.partial and (add or now.partial):
        return False
    return _strip_volatile(before) != _strip_volatile(now)


FolderState: TypeAlias = tuple[store.Fingerprint, int | None]


def read_state(folder: Path) -> FolderState:
    """Returns what differs after another recorder has written to the folder, even if it recorded the same answers.

    Therefore `write` sets the time of the folder itself.
    """
    return store.fingerprint([folder]), folder.stat().st_mtime_ns if folder.is_dir() else None


def write(
    folder: Path,
    opened: journal.Opened,
    exchanges: list[RecordedExchange],
    *,
    keep: bool,
    redaction: Redaction = ALWAYS,
    start: FolderState | None = None,
) -> WriteResult:
    """Commits the cassettes to `folder`. Raises CassetteError after every cassette that can be written is written.

    keep: recordings of requests that were not made this time stay (record mode `new`, and after a crash). They also
    stay if an exchange was cut, because the program might have made the other requests later, and if the folder no
    longer equals `start`, because another recorder might have made them. Mode `once` replaces no recording.
    """
    keep = keep or any(recorded.partial for recorded in exchanges)
    cassettes, failed = build_cassettes(opened, exchanges)
    files: list[Path] = []
    errors: list[CassetteError] = []
    with lock(folder, create=True, wait=True):
        keep = keep or (start is not None and read_state(folder) != start)
        before = {cassette.name: cassette for cassette in store.read([folder])}
        for cassette in cassettes:
            old = before.get(cassette.name)
            try:
                if opened.mode == "once" and old and not all(i.partial for i in old.interactions):
                    raise CassetteError(_describe_conflict(folder, cassette.name))
                now = _redact(cassette, redaction)
                merged = merge(old and _redact(old, redaction), now, keep=keep, add=opened.mode == "new")
                files += _commit(folder, old, merged, redaction)
            except CassetteError as error:  # a secret in one cassette must not prevent the others
                errors.append(error)
        os.utime(folder)  # see `read_state`
    if errors:
        raise CassetteError("\n".join(map(str, errors)))
    interactions = [i for cassette in cassettes for i in cassette.interactions]
    partial = sum(interaction.partial for interaction in interactions)
    names = tuple(sorted(cassette.name for cassette in cassettes))
    usages = [usage for i in interactions if (usage := read_usage(i.operation, i.model, i.response)) is not None]
    total = sum(usage.total_input for usage in usages), sum(usage.output for usage in usages)
    return WriteResult(len(interactions), partial, failed, tuple(files), names, total)


def _describe_conflict(folder: Path, name: str) -> str:
    fix = "bedtape recover --record new adds to it what it lacks, --record all replaces what was recorded again"
    return f"{folder / name}: expected no cassette, because of --record once, found one that is newer; {fix}"


def _commit(folder: Path, old: Cassette | None, new: Cassette, redaction: Redaction) -> list[Path]:
    """Commits one cassette with its files numbered anew, and returns the files."""
    home = old.interactions[0].file.rpartition("/")[0] if old and old.interactions else None
    numbered = store.number_files(new, home)
    commit(folder, (old,) if old else (), (numbered,), redaction=redaction)
    return [_check_written(folder / interaction.file, interaction) for interaction in numbered.interactions]


def _check_written(path: Path, interaction: Interaction) -> Path:
    """Raises CassetteError if the file does not answer the recorded request, so that its journal stays."""
    if compute_request_key(store.read_interaction(path).request) != compute_request_key(interaction.request):
        raise CassetteError(f"{path}: expected the recorded interaction, found another one; record it again")
    return path


def _redact(cassette: Cassette, redaction: Redaction) -> Cassette:
    """Replaces what the redaction names, so that recordings made before and after it was set match."""
    if redaction == ALWAYS:
        return cassette
    return Cassette(cassette.name, tuple(scrub_interaction(i, redaction) for i in cassette.interactions))


def recover_file(
    path: Path,
    folder: Path,
    *,
    mode: str | None = None,
    keep: bool = False,
    redaction: Redaction = ALWAYS,
    start: FolderState | None = None,
) -> WriteResult:
    """Turns a journal into cassettes and removes the journal. Raises CassetteError or OSError.

    mode: the record mode, if not the journal's. keep, start: as in `write`. A damaged journal is renamed.
    """
    records = list(journal.read(path.read_bytes(), str(path)))
    opened, exchanges = read_exchanges(records)
    if opened is None:
        opened = journal.Opened(journal.VERSION, None, False)
    if mode is not None:
        opened = replace(opened, mode=mode)
    keep = keep or opened.mode in (None, "new")
    damaged = tuple(record.at for record in records if isinstance(record, journal.Damaged))
    written = write(folder, opened, exchanges, keep=keep or bool(damaged), redaction=redaction, start=start)
    if not damaged:
        path.unlink()
        return written
    path.chmod(0o600)
    return replace(written, damaged=damaged, kept=path.replace(path.with_name(f"{path.name}.damaged")))
