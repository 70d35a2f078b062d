"""What a client did wrong when things failed, judged from its calls: who waits, who gives up, who asks too often.

A false accusation is worse than silence: each rule names only what no SDK does by its own defaults, and says why its
threshold is what it is. Times are those in the calls; no clock. Ask when the code under test is done, for a client
that is still waiting looks like one that has given up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from bedtape_replayer.history.invocations import Invocation, invocations
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import AWS_HEADER, THROTTLING, Finding, Mistake, by_client, failed
from bedtape_replayer.history.retries.waits import ignored_retry_after, no_backoff

__all__ = ["Finding", "Mistake", "verdict"]

# Errors that come with 400 or 403 and that some SDK does ask again for: after it has set its clock, or new credentials.
_RETRYABLE = frozenset(
    {
        *("RequestTimeout", "RequestTimeoutException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"),
        *("InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "ExpiredToken", "ExpiredTokenException"),
        *("IDPCommunicationError",),
    }
)


def verdict(calls: Iterable[Record]) -> tuple[Finding, ...]:
    """What the clients of these calls did wrong; nothing where they did well."""
    found = invocations(calls)
    return tuple(finding for rule in _RULES for finding in rule(found))


# -- retries of what cannot succeed ----------------------------------------------------------------------------

# Not 408 and 409, which Anthropic's client asks again for.
_FINAL = (400, 401, 403, 404, 413, 422, 424)


def _must_not(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """An attempt followed an error that the same request gets again."""
    for invocation in calls:
        for one, retry in invocation.retries:
            if failed(one) and one.status in _FINAL and not _may_be_retried(one):
                text = (
                    f"attempt {retry.attempt} sent the same request after {one.status} {one.error or 'without a name'};"
                    " it fails again until the request or the account changes"
                )
                yield Finding("retried_what_it_must_not", text, (one, retry), invocation.id)


def _may_be_retried(record: Record) -> bool:
    told = dict(record.answer_headers).get("x-should-retry") == "true"
    return told or record.error in THROTTLING or record.error in _RETRYABLE


# -- storms ----------------------------------------------------------------------------------------------------

# No SDK sends a request more than 5 times by default; 10 is what AWS's own pages suggest at most.
_MOST_ATTEMPTS = 10
# As many SDK calls for the same thing, one after another's failure, in so many seconds are a loop around the SDK.
_MOST_CALLS, _STORM_SECONDS = 10, 10.0


def _storm(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """The same request again and again: within an SDK call, or by new ones."""
    for invocation in calls:
        if invocation.taken > _MOST_ATTEMPTS:
            text = f"one SDK call sent its request {invocation.taken} times; {_MOST_ATTEMPTS} are more than enough"
            yield Finding("retry_storm", text, invocation.attempts, invocation.id)
    same: dict[object, list[Invocation]] = defaultdict(list)
    for invocation in calls:
        same[invocation.asked].append(invocation)
    for found in same.values():
        for run in _runs(found):
            if _is_storm(run):
                text = (
                    f"{len(run)} SDK calls sent the same request, each after the one before had failed with"
                    f" {run[0].last.error or run[0].last.status}; let the SDK retry, or wait longer between the calls"
                )
                yield Finding("retry_storm", text, tuple(record for i in run for record in i.attempts))


def _runs(calls: Iterable[Invocation]) -> Iterator[list[Invocation]]:
    """Calls for the same that failed alike, each begun after the one before was over. Misses are the test's mistake."""
    run: list[Invocation] = []
    for invocation in calls:
        before = run[-1].last if run else None
        fails = failed(invocation.last) and invocation.last.source in ("cassette", "rule", "fault")
        if before is not None and fails and invocation.first.began < before.ended:
            continue  # at the same time as another: no retry of it
        if before is None or not fails or _fault_of(before) != _fault_of(invocation.last):
            yield run
            run = []
        if fails:
            run.append(invocation)
    yield run


def _fault_of(record: Record) -> tuple[int | None, str | None]:
    return record.status, record.error


def _is_storm(run: Sequence[Invocation]) -> bool:
    begun = [invocation.first.began for invocation in run]
    return any(last - first < _STORM_SECONDS for first, last in zip(begun, begun[_MOST_CALLS - 1 :], strict=False))


# -- giving up -------------------------------------------------------------------------------------------------

# What every AWS SDK asks again for, in each of its modes and for every operation, with the status that makes it.
_RETRIED = {
    ("ThrottlingException", 429),
    ("ThrottlingException", 400),
    ("ServiceUnavailableException", 503),
    ("InternalServerException", 500),
}
# What was streamed up is gone: no SDK sends it again.
_UNREPEATABLE = "InvokeModelWithBidirectionalStream"
_MAX = re.compile(r"\bmax=([0-9]{1,4})\b")
# An SDK stops early by itself when its quota of 500 is used up, at up to 14 a retry: 35 failures.
_QUOTA = 35


def _gave_up(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """The last attempt failed with what a retry may fix, and the client itself had said it would try more often."""
    for found in by_client(calls).values():
        failures = 0
        for invocation in found:
            failures += sum(map(failed, invocation.attempts))
            last, most = invocation.last, _most(invocation.last)
            if most is None or failures >= _QUOTA or not failed(last) or last.operation == _UNREPEATABLE:
                continue
            if last.attempt < most and (last.error, last.status) in _RETRIED:
                text = (
                    f"{last.error} was the end of it after attempt {last.attempt}, where the client says max={most};"
                    " a deadline or a cancellation around the SDK is shorter than its retries"
                )
                yield Finding("gave_up_early", text, invocation.attempts, invocation.id)


def _most(record: Record) -> int | None:
    found = _MAX.search(record.call.head.get(AWS_HEADER) or "")
    return int(found[1]) if found else None


# -- truncated streams -----------------------------------------------------------------------------------------


def _accepted(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """A stream was cut, nobody asked again, and a later call quotes the part as the model's whole answer.

    That the client went on proves nothing, it may have told its user; the quotation does.
    """
    for at, invocation in enumerate(calls):
        last = invocation.last
        if not last.faults or not last.cut or last.error is not None or not last.text:
            continue
        later = [i for i in calls[at + 1 :] if i.client == invocation.client]
        if any(i.asked == invocation.asked for i in later):
            continue
        quoting = next((i.first for i in later if _quotes(i.first, last.text)), None)
        if quoting is not None:
            text = (
                f"its answer was cut after {last.events} events, and call {quoting.number} sends the part back as the"
                " model's message; a stream is whole only with its last event (messageStop, message_stop)"
            )
            yield Finding("accepted_truncated_stream", text, (last, quoting), invocation.id)


def _quotes(record: Record, text: str) -> bool:
    said = [turn.text for turn in record.messages if turn.role == "assistant"]
    return any(part and part != text and text.startswith(part) for part in said)


_RULES: tuple[Callable[[Sequence[Invocation]], Iterator[Finding]], ...] = (
    no_backoff,
    _must_not,
    ignored_retry_after,
    _storm,
    _gave_up,
    _accepted,
)
