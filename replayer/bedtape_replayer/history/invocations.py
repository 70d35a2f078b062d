"""Groups calls that are attempts of the same SDK call, by the headers of the SDKs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bedtape_replayer.history.record import Record

_RETRY_COUNT = "x-stainless-retry-count"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The attempts of one SDK call, in order. The history can have forgotten the first attempts."""

    attempts: tuple[Record, ...]

    @property
    def id(self) -> str | None:
        """The invocation id that the SDK sent."""
        return self.attempts[0].invocation_id

    @property
    def first(self) -> Record:
        return self.attempts[0]

    @property
    def last(self) -> Record:
        return self.attempts[-1]

    @property
    def attempt_count(self) -> int:
        """The number of attempts; 1 if the client does not number its attempts."""
        return max(len(self.attempts), self.last.attempt)

    @property
    def client(self) -> tuple[str, str]:
        """The session and the SDK, by which retries are judged together."""
        return self.first.session, self.first.user_agent or ""

    @property
    def request_key(self) -> tuple[str, str, str | None, str, bytes]:
        """A key that is equal for equal requests of the same client."""
        call = self.first.call
        return *self.client, call.operation, call.path, call.body

    @property
    def retries(self) -> list[tuple[Record, Record]]:
        """Each attempt with the next attempt, without pairs between which an attempt is missing."""
        return [
            (one, retry)
            for one, retry in pairwise(self.attempts)
            if retry.attempt == one.attempt + 1
        ]


def group_invocations(calls: Iterable[Record]) -> list[Invocation]:
    """Group the calls by SDK call, in the order in which the first attempts began.

    AWS's SDKs send an invocation id; an attempt continues the last call with its id and a smaller
    number. The clients of Anthropic and OpenAI send a retry count without an id; an attempt
    continues a call of the same request whose last attempt has the previous number and failed: the
    oldest that these clients would retry, or else the newest that they would not. Any other call
    forms its own group, because a call ends with a success or a final error.
    """
    groups: list[list[Record]] = []
    by_key: dict[tuple[object, ...], list[list[Record]]] = defaultdict(list)
    for record in _sort(calls):
        same: list[list[Record]] = []
        group = None
        if record.invocation_id is not None:
            same = by_key[record.session, record.invocation_id]
            group = next((group for group in same[-1:] if group[-1].attempt < record.attempt), None)
        elif record.call.head.get(_RETRY_COUNT) is not None:
            same = by_key[record.session, record.call.path, record.call.body]
            group = _find_group(same, record)
        if group is None:
            group = []
            groups.append(group)
            same.append(group)
        group.append(record)
    return [Invocation(tuple(group)) for group in groups]


def _sort(calls: Iterable[Record]) -> list[Record]:
    """Return the calls in the order in which they began. Within a session, their numbers are this
    order, because the clocks of several servers differ by more than a retry waits.
    """
    began: dict[str, float] = {}
    times: dict[Record, float] = {}
    for record in sorted(calls, key=lambda record: record.number):
        began[record.session] = max(record.began, began.get(record.session, record.began))
        times[record] = began[record.session]
    return sorted(times, key=lambda record: (times[record], record.number))


def _find_group(groups: list[list[Record]], record: Record) -> list[Record] | None:
    """Return the group that an attempt with a retry count continues, or `None`."""
    if record.attempt == 1:
        return None
    before = [
        group
        for group in groups
        if group[-1].attempt == record.attempt - 1 and group[-1].ended <= record.began
    ]
    final = (group for group in reversed(before) if (group[-1].status or 0) >= 400)
    return next((group for group in before if _is_retried(group[-1])), next(final, None))


def _is_retried(record: Record) -> bool:
    """Whether the clients of Anthropic and OpenAI send the request again after this attempt."""
    if record.status is None or (record.hung_up and not record.events):
        return True
    if (header := dict(record.answer_headers).get("x-should-retry")) in ("true", "false"):
        return header == "true"
    return record.status in (408, 409, 429) or record.status >= 500
