"""Finds the recording that answers a call, or reports the nearest recordings and their differences.

An index does not change; the session has the playback positions. Pure: no sockets, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_values import (
    MISSING,
    Change,
    Place,
    compare,
    leaves,
    render_path,
)
from bedtape_cassettes.matching.key import (
    DEFAULT,
    TARGET_HEADER,
    Canonical,
    MatchRules,
    answer_headers,
    canonical,
    canonicalize_request,
    compute_key,
    compute_request_key,
)
from bedtape_cassettes.matching.outline import Outline
from bedtape_cassettes.model import Cassette, Interaction, JsonValue
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.causes import Cause, find_cause


@dataclass(frozen=True, slots=True, eq=False)
class IndexedRecording:
    """A recording to play. number: its position among those with the same match key, from 0."""

    interaction: Interaction
    key: bytes
    number: int


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field in which a recording differs from the call. `None`: the field is missing."""

    field: str
    recorded: str | None
    sent: str | None

    def __str__(self) -> str:
        if self.recorded is None:
            return f"{self.field}: not in the recording, sent {self.sent}"
        if self.sent is None:
            return f"{self.field}: recorded {self.recorded}, not sent"
        return f"{self.field}: recorded {self.recorded}, sent {self.sent}"


@dataclass(frozen=True, slots=True)
class Near:
    """A recording similar to the call: its file, the fields that differ, and the cause."""

    file: str
    differences: tuple[FieldDifference, ...]
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing answers the call.

    exhausted: with strict, the number of recordings, all of them played. layers: why each rule and
    fault of the session did not answer. partial: the files of recordings of this request whose
    answers were cut. elsewhere: the files of recordings of this request that are not played,
    because they are in other folders or cassettes. reason: why Bedrock has no such operation, if
    the answer is Bedrock's answer to that. advice: what to change, if the session is not one that
    plays. turn: what was expected and found in a conversation.
    """

    request: str
    session: str
    recordings: int
    nearest: tuple[Near, ...]
    exhausted: int = 0
    layers: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    reason: str = ""
    advice: str = ""
    turn: str = ""

    def __str__(self) -> str:
        """The report. The HTTP answer, the log and a failing test contain the same text."""
        if self.turn:
            what = f"The conversation of {self.request} does not go on as recorded"
            return f"{what} (session {self.session}): {self.turn}."
        if self.reason:
            return f"Bedrock has no operation for {self.request}: {self.reason}."
        if self.exhausted:
            times = "once" if self.exhausted == 1 else f"{self.exhausted} times"
            lines = [
                f"No recording is left for {self.request}: it was recorded {times}, and strict"
                " playback plays each recording once."
            ]
            return "\n".join(
                [*lines, *(f"  {near.file}" for near in self.nearest), *self._explain_layers()]
            )
        held = format_count(self.recordings, "recording")
        answering = "rule and no recording" if self.layers else "recording"
        lines = [
            f"No {answering} answers {self.request} (session {self.session}, {held}).",
            *self._explain_layers(),
        ]
        if self.advice:
            return "\n".join([*lines, self.advice])
        lines += [
            f"{file} has this request, but its answer was cut while it was recorded, so it is not"
            " played; record it again."
            for file in self.partial
        ]
        lines += [
            f"{file} has this request, but is not played here: play that folder or cassette, or"
            " move the file."
            for file in self.elsewhere
        ]
        if not self.nearest and not self.layers and not self.partial and not self.elsewhere:
            lines.append(
                "There is no recording of this operation; record one, or check the folder."
            )
        for number, near in enumerate(self.nearest):
            lines.append(f"{'Nearest' if number == 0 else 'Next'}: {near.file}")
            lines += [f"  {difference}" for difference in near.differences[:_SHOWN]]
            if len(near.differences) > _SHOWN:
                lines.append(f"  … and {len(near.differences) - _SHOWN} more differences")
            if near.cause is not None:
                lines.append(f"  {near.cause.describe()}")
        return "\n".join(lines)

    @property
    def difference(self) -> str:
        """The cause or the first difference of the nearest recording, in one line."""
        if not self.nearest:
            return "there is no recording of this operation"
        near = self.nearest[0]
        return str(near.cause or next(iter(near.differences), "")).removeprefix("in ")

    def _explain_layers(self) -> list[str]:
        more = len(self.layers) - _SHOWN
        return [
            *(f"  {line}" for line in self.layers[:_SHOWN]),
            *([f"  … and {more} more layers"] if more > 0 else []),
        ]


_SHOWN = 12
_WIDTH = 160
_NEAREST = 2
# The maximum number of recordings to compare, because a miss must not delay
# other tests on the server.
_COMPARED = 400


class Index:
    """Recordings by match key, in recorded order."""

    def __init__(self, cassettes: Iterable[Cassette], rules: MatchRules = DEFAULT) -> None:
        self.rules = rules
        self._queues: dict[bytes, list[IndexedRecording]] = {}
        self._token = object()  # of this index, in what was found out about a request
        all_interactions = [i for c in cassettes for i in c.interactions]
        self.interactions = tuple(i for i in all_interactions if not i.partial)
        self._partial = tuple(i for i in all_interactions if i.partial)
        for interaction in self.interactions:
            key = compute_request_key(interaction.request, rules)
            queue = self._queues.setdefault(key, [])
            queue.append(IndexedRecording(interaction, key, len(queue)))

    def key(self, call: Call) -> bytes:
        """Returns the match key of a call."""
        findings = call.findings
        token, key = findings.key
        if token is not self._token:
            siblings, text = findings.siblings, findings.text
            if siblings is not None and text is not None:
                partial = siblings.find_key(call, self.rules)
                if partial is not None:
                    key = partial.complete(text, self._queues)
                    findings.key = self._token, key
                    return key
            loaded = call.loaded
            body: bytes | Outline = call.outline
            if self.rules.has_patterns:
                body, loaded = call.body, None
            headers = call.request[3]
            key = compute_key(
                call.method, call.target, headers, body, self.rules, self._queues, loaded
            )
            # Earlier recorders did not keep X-Amz-Target. It is the last of the headers.
            if headers and headers[-1][0] == TARGET_HEADER and key not in self._queues:
                older = compute_key(call.method, call.target, headers[:-1], body, self.rules)
                key = older if older in self._queues else key
            findings.key = self._token, key
        return key

    def queue(self, key: bytes) -> list[IndexedRecording]:
        """Returns the recordings with this key in playback order. Empty for a miss."""
        return self._queues.get(key, [])

    def queues(self) -> Iterable[list[IndexedRecording]]:
        """Returns all recordings, grouped by match key."""
        return self._queues.values()

    def report_miss(self, call: Call) -> Miss:
        """Builds the report on a call that no recording answers."""
        sent = canonical(
            call.method, call.target, answer_headers(call.head.get), call.outline.data, self.rules
        )
        nearest = nlargest(_NEAREST, self._rank_recordings(sent), key=lambda pair: pair[0])
        report = tuple(_compare(file, recorded, sent) for _, file, recorded in nearest)
        key = self.key(call)
        partial = tuple(
            i.file for i in self._partial if compute_request_key(i.request, self.rules) == key
        )
        return Miss(
            self._describe_request(call),
            self._scrub(call.session),
            len(self.interactions),
            report,
            partial=partial,
        )

    def report_unknown(self, call: Call, reason: str) -> Miss:
        """Builds the report on a call that is no operation of Bedrock."""
        return Miss(
            self._describe_request(call),
            self._scrub(call.session),
            len(self.interactions),
            (),
            reason=reason,
        )

    def is_nearest(self, call: Call, recording: IndexedRecording) -> bool:
        """Whether no recording is more similar to the call."""
        nearest = self.report_miss(call).nearest
        return bool(nearest) and nearest[0].file == recording.interaction.file

    def report_exhausted(self, call: Call, queue: list[IndexedRecording]) -> Miss:
        """Builds the report on a call whose recordings have all been played."""
        played = tuple(Near(recording.interaction.file, ()) for recording in queue[:_SHOWN])
        return Miss(
            self._describe_request(call),
            self._scrub(call.session),
            len(self.interactions),
            played,
            len(queue),
        )

    def _describe_request(self, call: Call) -> str:
        target = call.target
        name = target.name or call.operation or call.method
        return self._scrub(f"{name} of {call.model}" if call.model else f"{name} {target.path}")

    def _scrub(self, text: str) -> str:
        return scrub_text(text, self.rules.redaction)

    def _rank_recordings(self, sent: Canonical) -> Iterator[tuple[float, str, Canonical]]:
        """Yields recordings of the same operation, each with its similarity to the call."""
        distinct = (queue[0].interaction for queue in self._queues.values())
        same = [i for i in distinct if (i.operation or i.request.method) == sent.operation]
        size = len(compact(sent.body))
        close = sorted(
            same, key=lambda i: (i.model != sent.model, abs(len(i.request.body.data) - size))
        )
        mine, words = _collect_leaves(sent), _collect_words(sent.body)
        for interaction in close[:_COMPARED]:
            recorded = canonicalize_request(interaction.request, self.rules)
            alike = _measure_overlap(mine, _collect_leaves(recorded)) + _measure_overlap(
                words, _collect_words(recorded.body)
            )
            yield alike, interaction.file, recorded


def _build_tree(request: Canonical) -> JsonValue:
    """Builds one tree of the request, so that one comparison covers address, headers and body."""
    return {
        "operation": request.operation,
        "model" if request.model else "path": request.model or request.path,
        "headers": dict(request.headers),
        "body": request.body,
    }


def _collect_leaves(request: Canonical) -> set[tuple[Place, str]]:
    return {(place, repr(leaf)) for place, leaf in leaves(_build_tree(request))}


_WORD = re.compile(r"\w+")


def _collect_words(value: JsonValue) -> set[str]:
    """Collects the words of a request. The beginning of a long request is enough."""
    return set(_WORD.findall(compact(value)[:20_000].decode(errors="ignore")))


def _measure_overlap(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / max(1, len(one | other))


def _compare(file: str, recorded: Canonical, sent: Canonical) -> Near:
    changes = tuple(compare(_build_tree(recorded), _build_tree(sent)))
    return Near(file, tuple(map(_describe_change, changes)), find_cause(changes))


def find_differences(recorded: Canonical, sent: Canonical) -> Iterator[FieldDifference]:
    """Yields every field in which two requests differ, in the order of the request."""
    yield from map(_describe_change, compare(_build_tree(recorded), _build_tree(sent)))


def _describe_change(change: Change) -> FieldDifference:
    return FieldDifference(render_path(change.place).removeprefix("body."), *_shorten_both(change))


def _shorten(value: JsonValue, at: int = 0) -> str:
    text = compact(value).decode(errors="surrogatepass")
    start = 0 if len(text) <= _WIDTH else max(0, min(at - _WIDTH // 3, len(text) - _WIDTH))
    end = start + _WIDTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _shorten_both(change: Change) -> tuple[str | None, str | None]:
    """Shortens both values around the first character that differs."""
    before, after = change.before, change.after
    if before is MISSING or after is MISSING:
        return None if before is MISSING else _shorten(before), (
            None if after is MISSING else _shorten(after)
        )
    one, other = compact(before).decode(), compact(after).decode()
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return _shorten(before, at), _shorten(after, at)
