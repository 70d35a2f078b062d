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
from bedtape_cassettes.format.json_values import MISSING, Change, Place, compare, leaves, render_path
from bedtape_cassettes.matching.key import (
    DEFAULT,
    AnswerHeaders,
    Canonical,
    MatchRules,
    answer_headers,
    canonical,
    canonicalize_request,
    compute_key,
    compute_request_key,
)
from bedtape_cassettes.model import Cassette, Interaction, JsonValue
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memo import Memo


@dataclass(frozen=True, slots=True, eq=False)
class IndexedRecording:
    """An interaction that can be played. number: its position in the recordings with the same match key, from 0."""

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
    """A recording similar to the call: its file, and every field that differs."""

    file: str
    differences: tuple[FieldDifference, ...]


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing answers the call.

    exhausted: with strict, the number of recordings, all of them played. layers: why each rule and fault of the session
    did not answer.
    """

    request: str
    session: str
    recordings: int
    nearest: tuple[Near, ...]
    exhausted: int = 0
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The report. The HTTP answer, the log and a failing test contain the same text."""
        if self.exhausted:
            times = "once" if self.exhausted == 1 else f"{self.exhausted} times"
            lines = [
                f"No recording is left for {self.request}: it was recorded {times}, and --strict does not play it again."
            ]
            return "\n".join([*lines, *(f"  {near.file}" for near in self.nearest), *self._explain_layers()])
        held = format_count(self.recordings, "recording")
        answering = "rule and no recording" if self.layers else "recording"
        lines = [f"No {answering} answers {self.request} (session {self.session}, {held}).", *self._explain_layers()]
        if not self.nearest and not self.layers:
            lines.append("There is no recording of this operation; record one, or check the folder.")
        for number, near in enumerate(self.nearest):
            lines.append(f"{'Nearest' if number == 0 else 'Next'}: {near.file}")
            lines += [f"  {difference}" for difference in near.differences[:_SHOWN]]
            if len(near.differences) > _SHOWN:
                lines.append(f"  … and {len(near.differences) - _SHOWN} more differences")
        return "\n".join(lines)

    def _explain_layers(self) -> list[str]:
        more = len(self.layers) - _SHOWN
        return [*(f"  {line}" for line in self.layers[:_SHOWN]), *([f"  … and {more} more layers"] if more > 0 else [])]


_SHOWN = 12
_WIDTH = 160
_NEAREST = 2
# The maximum number of recordings to compare, because a miss must not delay other tests on the server.
_COMPARED = 400

# The memory for match keys by request.
_MEMO_BYTES = 16 * 1024 * 1024


class Index:
    """Recordings by match key, in recorded order."""

    def __init__(self, cassettes: Iterable[Cassette], rules: MatchRules = DEFAULT) -> None:
        self._rules = rules
        self._queues: dict[bytes, list[IndexedRecording]] = {}
        self._keys: Memo[tuple[str, str, AnswerHeaders, bytes], bytes] = Memo(_MEMO_BYTES)
        self.interactions = tuple(i for c in cassettes for i in c.interactions if not i.partial)
        for interaction in self.interactions:
            key = compute_request_key(interaction.request, rules)
            queue = self._queues.setdefault(key, [])
            queue.append(IndexedRecording(interaction, key, len(queue)))

    def key(self, call: Call) -> bytes:
        """Returns the match key of a call."""
        request = call.request
        key = self._keys.get(request)
        if key is None:
            body = call.body if self._rules.has_patterns else call.outline
            key = compute_key(call.method, call.target, request[2], body, self._rules, self._queues)
            self._keys.keep(request, key, call.request_size)
        return key

    def queue(self, key: bytes) -> list[IndexedRecording]:
        """Returns the recordings with this key in playback order. Empty for a miss."""
        return self._queues.get(key, [])

    def queues(self) -> Iterable[list[IndexedRecording]]:
        """Returns all recordings, grouped by match key."""
        return self._queues.values()

    def report_miss(self, call: Call) -> Miss:
        """Builds the report on a call that no recording answers."""
        sent = canonical(call.method, call.target, answer_headers(call.head.get), call.outline.data, self._rules)
        nearest = nlargest(_NEAREST, self._rank_recordings(sent), key=lambda pair: pair[0])
        report = tuple(Near(file, tuple(find_differences(recorded, sent))) for _, file, recorded in nearest)
        return Miss(self._describe_request(call), self._scrub(call.session), len(self.interactions), report)

    def report_exhausted(self, call: Call, queue: list[IndexedRecording]) -> Miss:
        """Builds the report on a call whose recordings have all been played."""
        played = tuple(Near(recording.interaction.file, ()) for recording in queue[:_SHOWN])
        return Miss(self._describe_request(call), self._scrub(call.session), len(self.interactions), played, len(queue))

    def _describe_request(self, call: Call) -> str:
        target = call.target
        name = target.name or call.method
        return self._scrub(f"{name} of {call.model}" if call.model else f"{name} {target.path}")

    def _scrub(self, text: str) -> str:
        return scrub_text(text, self._rules.redaction)

    def _rank_recordings(self, sent: Canonical) -> Iterator[tuple[float, str, Canonical]]:
        """Yields recordings of the same operation, each with its similarity to the call."""
        distinct = (queue[0].interaction for queue in self._queues.values())
        same = [i for i in distinct if (i.operation or i.request.method) == sent.operation]
        size = len(compact(sent.body))
        close = sorted(same, key=lambda i: (i.model != sent.model, abs(len(i.request.body.data) - size)))
        mine, words = _collect_leaves(sent), _collect_words(sent.body)
        for interaction in close[:_COMPARED]:
            recorded = canonicalize_request(interaction.request, self._rules)
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


def find_differences(recorded: Canonical, sent: Canonical) -> Iterator[FieldDifference]:
    """Yields every field in which two requests differ, in the order of the request."""
    for change in compare(_build_tree(recorded), _build_tree(sent)):
        yield FieldDifference(render_path(change.place).removeprefix("body."), *_shorten_both(change))


def _shorten(value: JsonValue, at: int = 0) -> str:
    text = compact(value).decode(errors="surrogatepass")
    start = 0 if len(text) <= _WIDTH else max(0, min(at - _WIDTH // 3, len(text) - _WIDTH))
    end = start + _WIDTH
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _shorten_both(change: Change) -> tuple[str | None, str | None]:
    """Shortens both values around the first character that differs."""
    before, after = change.before, change.after
    if before is MISSING or after is MISSING:
        return None if before is MISSING else _shorten(before), None if after is MISSING else _shorten(after)
    one, other = compact(before).decode(), compact(after).decode()
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return _shorten(before, at), _shorten(after, at)
