"""The findings of a verdict, and the values that its rules share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.model import JsonValue
from bedtape_replayer.history.invocations import Invocation
from bedtape_replayer.history.record import Record

# A header of AWS's SDKs. Other clients do not send it.
AWS_HEADER = "amz-sdk-request"
# The throttling errors of botocore and the JavaScript SDK. After these errors, both SDKs draw their
# waits from a range of at least 0.5 s.
THROTTLING = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"),
        *(
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
        ),
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
    "ignored_stream_error",
    "delivered_text_twice",
]

# The mistakes that concern the wait before a retry.
WAITS: tuple[Mistake, ...] = ("no_backoff", "ignored_retry_after")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake of a client.

    calls: the calls that prove the mistake. group: the invocation id, if the mistake concerns
    one SDK call with an id.
    """

    kind: Mistake
    explanation: str
    calls: tuple[Record, ...]
    group: str | None = None

    def __str__(self) -> str:
        numbers = ", ".join(str(record.number) for record in self.calls[:12])
        more = "…" if len(self.calls) > 12 else ""
        return f"{self.kind} (calls {numbers}{more}): {self.explanation}"

    def as_json(self) -> dict[str, JsonValue]:
        """Return the finding for the control API. Calls are numbers."""
        calls: list[JsonValue] = [record.number for record in self.calls]
        return {
            "kind": self.kind,
            "group": self.group,
            "explanation": self.explanation,
            "calls": calls,
        }


def is_failure(record: Record) -> bool:
    """Whether the call was answered with an error."""
    return (record.status is None or record.status >= 400) and not record.hung_up


def group_by_client(calls: Iterable[Invocation]) -> dict[tuple[str, str], list[Invocation]]:
    """Return the SDK calls by session and SDK."""
    groups: dict[tuple[str, str], list[Invocation]] = defaultdict(list)
    for invocation in calls:
        groups[invocation.client].append(invocation)
    return groups
