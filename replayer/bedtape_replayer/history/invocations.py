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
    def request_key(self) -> tuple[str, str, str, bytes]:
        """A key that is equal for equal requests of the same client."""
        call = self.first.call
        return *self.client, call.path, call.body

    @property
    def retries(self) -> list[tuple[Record, Record]]:
        """Each attempt with the next attempt, without pairs between which an attempt is missing."""
        return [(one, retry) for one, retry in pairwise(self.attempts) if retry.attempt == one.attempt + 1]


def group_invocations(calls: Iterable[Record]) -> list[Invocation]:
    """Group the calls by SDK call, in the order in which the first attempts began.

    AWS's SDKs send an invocation id. The clients of Anthropic and OpenAI send a retry count without
    an id, so an attempt continues the oldest call of the same request whose last attempt has the
    previous number. Any other call forms its own group.
    """
    groups: list[list[Record]] = []
    by_id: dict[tuple[str, str], list[Record]] = {}
    by_request: dict[tuple[str, str, bytes], list[list[Record]]] = defaultdict(list)
    for record in sorted(calls, key=lambda record: (record.began, record.number)):
        if record.invocation_id is not None:
            group = by_id.setdefault((record.session, record.invocation_id), [])
        elif record.call.head.get(_RETRY_COUNT) is not None:
            group = _find_group(by_request[record.session, record.call.path, record.call.body], record)
        else:
            group = []
        if not group:
            groups.append(group)
        group.append(record)
    return [Invocation(tuple(sorted(group, key=lambda record: record.attempt))) for group in groups]


def _find_group(groups: list[list[Record]], record: Record) -> list[Record]:
    """Return the group that the attempt continues, or a new group of the same request."""
    for group in groups:
        if group[-1].attempt == record.attempt - 1 and group[-1].ended <= record.began:
            return group
    groups.append([])
    return groups[-1]
