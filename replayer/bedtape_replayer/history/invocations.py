"""Which calls are attempts of one and the same SDK call, as the SDKs' own headers tell. Pure: no clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bedtape_replayer.history.record import Record

__all__ = ["Invocation", "invocations"]

_COUNT = "x-stainless-retry-count"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of an SDK, as its attempts in order; the first may be forgotten already."""

    attempts: tuple[Record, ...]

    @property
    def id(self) -> str | None:
        """What the SDK named it."""
        return self.attempts[0].invocation_id

    @property
    def first(self) -> Record:
        return self.attempts[0]

    @property
    def last(self) -> Record:
        return self.attempts[-1]

    @property
    def taken(self) -> int:
        """How many attempts it took; 1 where the client does not say."""
        return max(len(self.attempts), self.last.attempt)

    @property
    def client(self) -> tuple[str, str]:
        """Whose retries are judged together: session and SDK."""
        return self.first.session, self.first.user_agent or ""

    @property
    def asked(self) -> tuple[str, str, str, bytes]:
        """What is the same when the same is asked again, by the same client."""
        call = self.first.call
        return *self.client, call.path, call.body

    @property
    def retries(self) -> list[tuple[Record, Record]]:
        """Each attempt with the next, where none between them is missing."""
        return [(one, next_) for one, next_ in pairwise(self.attempts) if next_.attempt == one.attempt + 1]


def invocations(calls: Iterable[Record]) -> list[Invocation]:
    """The calls grouped, in the order in which the first attempts began.

    AWS's SDKs send an invocation id. Anthropic's and OpenAI's send a retry count alone: an attempt goes to the
    oldest failure of the same request that had one attempt less. Any other call is on its own.
    """
    groups: list[list[Record]] = []
    named: dict[tuple[str, str], list[Record]] = {}
    counted: dict[tuple[str, str, bytes], list[list[Record]]] = defaultdict(list)
    for record in sorted(calls, key=lambda record: (record.began, record.number)):
        if record.invocation_id is not None:
            group = named.setdefault((record.session, record.invocation_id), [])
        elif record.call.head.get(_COUNT) is not None:
            group = _counted(counted[record.session, record.call.path, record.call.body], record)
        else:
            group = []
        if not group:
            groups.append(group)
        group.append(record)
    return [Invocation(tuple(sorted(group, key=lambda record: record.attempt))) for group in groups]


def _counted(same: list[list[Record]], record: Record) -> list[Record]:
    """The group that the attempt continues, of those of the same request; else a new one."""
    for group in same:
        if group[-1].attempt == record.attempt - 1 and group[-1].ended <= record.began:
            return group
    same.append([])
    return same[-1]
