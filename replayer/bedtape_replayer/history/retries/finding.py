"""What a verdict consists of, and the words its rules share. Values only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.model import JsonValue
from bedtape_replayer.history.invocations import Invocation
from bedtape_replayer.history.record import Record

__all__ = ["AWS_HEADER", "THROTTLING", "Finding", "Mistake", "by_client", "failed"]

# Only AWS's SDKs send it.
AWS_HEADER = "amz-sdk-request"
# What botocore and the JavaScript SDK call throttling, by name: both wait for it on a scale of 0.5 s or more.
THROTTLING = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
        *("TooManyRequestsException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
        *("BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown"),
        *("PriorRequestNotComplete", "EC2ThrottledException", "TransactionInProgressException"),
    }
)

Mistake: TypeAlias = Literal[
    "no_backoff",
    "retried_what_it_must_not",
    "ignored_retry_after",
    "retry_storm",
    "gave_up_early",
    "accepted_truncated_stream",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. group: the invocation id, where it is about one SDK call that has one. calls: those that show it."""

    kind: Mistake
    explanation: str
    calls: tuple[Record, ...]
    group: str | None = None

    def __str__(self) -> str:
        numbers = ", ".join(str(record.number) for record in self.calls[:12])
        more = "…" if len(self.calls) > 12 else ""
        return f"{self.kind} (calls {numbers}{more}): {self.explanation}"

    def as_json(self) -> dict[str, JsonValue]:
        """For the control API; calls by their numbers."""
        calls: list[JsonValue] = [record.number for record in self.calls]
        return {"kind": self.kind, "group": self.group, "explanation": self.explanation, "calls": calls}


def failed(record: Record) -> bool:
    """Whether it was answered with an error."""
    return (record.status is None or record.status >= 400) and not record.hung_up


def by_client(calls: Iterable[Invocation]) -> dict[tuple[str, str], list[Invocation]]:
    """SDK calls by whose they are."""
    found: dict[tuple[str, str], list[Invocation]] = defaultdict(list)
    for invocation in calls:
        found[invocation.client].append(invocation)
    return found
