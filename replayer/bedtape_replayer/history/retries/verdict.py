"""Judges the retries of clients by their calls: missing waits, early ends and retry storms.

A false accusation is worse than a missed mistake. Each rule therefore reports behaviour that no SDK
shows with its defaults, and explains its threshold. The rules use the times of the calls and no
clock. Judge the calls after the code under test has ended, because a client that still waits looks
like a client that has given up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import exp, log

from bedtape_replayer.history.invocations import Invocation, group_invocations
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import (
    AWS_HEADER,
    THROTTLING,
    Finding,
    Mistake,
    group_by_client,
    is_failure,
)

__all__ = ["Finding", "Mistake", "judge_retries"]

# Errors with status 400 or 403 that some SDK retries, after it has corrected its clock or read new
# credentials.
_RETRYABLE = frozenset(
    {
        *(
            "RequestTimeout",
            "RequestTimeoutException",
            "RequestExpired",
            "RequestInTheFuture",
            "RequestTimeTooSkewed",
        ),
        *(
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
        ),
        *("IDPCommunicationError",),
    }
)


def judge_retries(calls: Iterable[Record]) -> tuple[Finding, ...]:
    """Return the mistakes of the clients of these calls."""
    invocations = group_invocations(calls)
    return tuple(finding for rule in _RULES for finding in rule(invocations))


def _has_read(one: Record, retry: Record) -> bool:
    """Whether the client read the answer before it sent the next attempt.

    Over another connection, the next attempt can follow an error of the first connection: a
    timeout, or an asynchronous client in a new event loop. The client then knows nothing of the
    answer.
    """
    return one.outcome.connection == retry.outcome.connection


# -- retries of what cannot succeed ----------------------------------------------------------------

# Without 408 and 409, which Anthropic's client retries.
_FINAL = (400, 401, 403, 404, 413, 422, 424)


def _find_futile_retries(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find retries after an error that the same request receives again."""
    for invocation in calls:
        for one, retry in invocation.retries:
            if (
                _has_read(one, retry)
                and is_failure(one)
                and one.status in _FINAL
                and not _is_retryable(one)
            ):
                text = (
                    f"attempt {retry.attempt} sent the same request after {one.status}"
                    f" {one.error or 'without a name'}; it fails again until the request or the"
                    " account changes"
                )
                yield Finding("retried_what_it_must_not", text, (one, retry), invocation.id)


def _is_retryable(record: Record) -> bool:
    requested = dict(record.answer_headers).get("x-should-retry") == "true"
    return requested or record.error in THROTTLING or record.error in _RETRYABLE


# -- storms ----------------------------------------------------------------------------------------

# No SDK sends a request more than 5 times by default. AWS's documentation suggests at most 10.
_MAX_ATTEMPTS = 10
# This many SDK calls with the same request, each after the failure of the previous call, within
# this many seconds are a loop around the SDK.
_STORM_CALLS, _STORM_SECONDS = 10, 10.0


def _find_storms(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find requests that were sent too often, within one SDK call or by new SDK calls."""
    for invocation in calls:
        if invocation.attempt_count > _MAX_ATTEMPTS:
            text = (
                f"one SDK call sent its request {invocation.attempt_count} times; no SDK needs more"
                f" than {_MAX_ATTEMPTS} attempts"
            )
            yield Finding("retry_storm", text, invocation.attempts, invocation.id)
    same: dict[object, list[Invocation]] = defaultdict(list)
    for invocation in calls:
        same[invocation.request_key].append(invocation)
    for group in same.values():
        for run in _split_runs(group):
            if _is_storm(run):
                text = (
                    f"{len(run)} SDK calls sent the same request, each after the one before had"
                    f" failed with {run[0].last.error or run[0].last.status}; let the SDK retry, or"
                    " wait longer between the calls"
                )
                yield Finding(
                    "retry_storm", text, tuple(record for i in run for record in i.attempts)
                )


def _split_runs(calls: Iterable[Invocation]) -> Iterator[list[Invocation]]:
    """Yield runs of calls with the same error, in which each call began after the previous ended.

    Misses are no failures, because the test lacks a recording and the client made no mistake.
    """
    run: list[Invocation] = []
    for invocation in calls:
        before = run[-1].last if run else None
        fails = is_failure(invocation.last) and invocation.last.source in (
            "cassette",
            "rule",
            "fault",
        )
        if before is not None and fails and invocation.first.began < before.ended:
            continue  # a concurrent call is no retry
        if before is None or not fails or _read_error(before) != _read_error(invocation.last):
            yield run
            run = []
        if fails:
            run.append(invocation)
    yield run


def _read_error(record: Record) -> tuple[int | None, str | None]:
    return record.status, record.error


def _is_storm(run: Sequence[Invocation]) -> bool:
    begun = [invocation.first.began for invocation in run]
    return any(
        last - first < _STORM_SECONDS
        for first, last in zip(begun, begun[_STORM_CALLS - 1 :], strict=False)
    )


# -- giving up -------------------------------------------------------------------------------------

# The errors and statuses that every AWS SDK retries, in each retry mode and for every operation.
_RETRIED = {
    ("ThrottlingException", 429),
    ("ThrottlingException", 400),
    ("ServiceUnavailableException", 503),
    ("InternalServerException", 500),
}
# No SDK retries this operation, because its request is a stream that cannot be repeated.
_UNREPEATABLE = "InvokeModelWithBidirectionalStream"
_MAX = re.compile(r"\bmax=([0-9]{1,4})\b")
# An SDK stops early when its retry quota of 500 is used up. A retry costs up to 14, so 35 failures
# suffice.
_QUOTA = 35


def _find_early_ends(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find SDK calls that ended with a retryable error before the declared number of attempts."""
    for client_calls in group_by_client(calls).values():
        failures = 0
        for invocation in client_calls:
            failures += sum(map(is_failure, invocation.attempts))
            last, most = invocation.last, _read_max_attempts(invocation.last)
            if (
                most is None
                or failures >= _QUOTA
                or not is_failure(last)
                or last.operation == _UNREPEATABLE
            ):
                continue
            if last.attempt < most and (last.error, last.status) in _RETRIED:
                text = (
                    f"the client stopped with {last.error} after attempt {last.attempt}, although"
                    f" it declares max={most}; a deadline or a cancellation around the SDK is"
                    " shorter than its retries"
                )
                yield Finding("gave_up_early", text, invocation.attempts, invocation.id)


def _read_max_attempts(record: Record) -> int | None:
    match = _MAX.search(record.call.head.get(AWS_HEADER) or "")
    return int(match[1]) if match else None


# -- partial streams -------------------------------------------------------------------------------


def _find_accepted_parts(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find streams that were cut or ended with an error, were not retried, and that a later
    call quotes as complete.

    A later call alone proves nothing, because the client may have reported the error to its user.
    The quotation proves that the client accepted the partial answer.
    """
    for at, invocation in enumerate(calls):
        last = invocation.last
        if is_failure(last) or not _is_partial(last):
            continue
        later = [i for i in calls[at + 1 :] if i.client == invocation.client]
        if any(i.request_key == invocation.request_key for i in later):
            continue
        quoting = next((i.first for i in later if _quotes(i.first, last)), None)
        if quoting is None:
            continue
        quotation = f"call {quoting.number} sends the partial text back as the model's message"
        if last.error is not None:
            text = (
                f"the stream ended with {last.error}, and {quotation}; an error in a stream ends"
                " the answer as any other"
            )
            yield Finding("ignored_stream_error", text, (last, quoting), invocation.id)
        else:
            text = (
                f"the answer was cut after {last.events} events, and {quotation};"
                " a stream is complete only with its last event (messageStop, message_stop)"
            )
            yield Finding("accepted_truncated_stream", text, (last, quoting), invocation.id)


def _is_partial(record: Record) -> bool:
    """Whether the client received a part of a stream, and could see that it is a part."""
    broken = record.error is not None or (record.faults and record.cut)
    return not record.hung_up and bool(broken and record.sent_text)


def _quotes(record: Record, partial: Record) -> bool:
    """Whether a request contains the text of a partial answer before its last message.

    A last message of the model is a request to continue the text.
    """
    quotes = [turn.text for turn in record.messages[:-1] if turn.role == "assistant"]
    return any(
        part and part != partial.whole_text and partial.sent_text.startswith(part)
        for part in quotes
    )


def _find_repeated_text(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find SDK calls that sent their request again after a part of the text had arrived."""
    for invocation in calls:
        for one, retry in invocation.retries:
            if one.sent_text:
                text = (
                    f"attempt {retry.attempt} sent the request again after {len(one.sent_text)}"
                    " characters of the answer had arrived, so the program gets them twice; turn"
                    " off the retry of streams, or discard the first part"
                )
                yield Finding("delivered_text_twice", text, (one, retry), invocation.id)


# -- waits -----------------------------------------------------------------------------------------

_AWS_RETRY_AFTER = "x-amz-retry-after"


def _measure_wait(one: Record, retry: Record) -> float:
    return retry.began - one.ended


# -- no backoff ------------------------------------------------------------------------------------

# SDKs draw their waits between 0 and at least 0.5 s (older JavaScript SDKs; 1 s in newer SDKs and
# botocore), so a short wait can be chance. A retry without a wait takes less than 20 ms. At most 1
# of 25 drawn waits is shorter than 20 ms.
_SHORT = 0.020
_CHANCE_OF_SHORT = _SHORT / 0.5
# The largest accepted probability that a client which waits like the SDKs is reported.
_UNLIKELY = 1e-6


def _find_no_backoff(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find clients whose retries after throttling are immediate more often than jitter explains."""
    for group in group_by_client(calls).values():
        throttled = [
            (i, one, retry) for i in group for one, retry in i.retries if _needs_backoff(one)
        ]
        short = [each for each in throttled if 0 <= _measure_wait(*each[1:]) < _SHORT]
        if len({id(i) for i, _, _ in short}) < 2 or 2 * len(short) <= len(throttled):
            continue
        if _estimate_chance(len(short), len(throttled), _CHANCE_OF_SHORT) < _UNLIKELY:
            text = (
                f"{len(short)} of {len(throttled)} retries after throttling began within"
                f" {_SHORT * 1000:.0f} ms; wait longer with each attempt, with jitter, as the SDKs"
                " do by default"
            )
            yield Finding("no_backoff", text, tuple(retry for _, _, retry in short))


def _needs_backoff(record: Record) -> bool:
    return is_failure(record) and record.error in THROTTLING and not _has_retry_after(record)


def _has_retry_after(record: Record) -> bool:
    return any(
        name in (_AWS_RETRY_AFTER, "retry-after", "retry-after-ms")
        for name, _ in record.answer_headers
    )


def _estimate_chance(hits: int, draws: int, chance: float) -> float:
    """Return an upper bound of the probability of at least `hits` hits (Chernoff's bound).

    `hits / draws` must be larger than `chance`.
    """
    share = hits / draws
    rest = (1 - share) * log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return exp(-draws * (share * log(share / chance) + rest))


# -- retry-after -----------------------------------------------------------------------------------

# AWS's SDKs limit the wait of the header to this many seconds above their own backoff.
_AWS_MAX_SECONDS = 5.0
# Older clients of Anthropic and OpenAI ignore a header above this many seconds.
_MAX_SECONDS = 60.0
# In the User-Agent of botocore.
_LEGACY = "cfg/retry-mode#legacy"
# Both times are from the same clock, but timers are inexact, and JavaScript counts whole
# milliseconds.
_SLACK, _SLACK_SHARE = 0.020, 0.1


def _find_ignored_retry_after(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find retries that began before the time in the header that this kind of client honours."""
    for invocation in calls:
        for one, retry in invocation.retries:
            required = _read_retry_after(one) if is_failure(one) and _has_read(one, retry) else None
            if required is None:
                continue
            header, seconds = required
            waited = _measure_wait(one, retry)
            if 0 <= waited < seconds * (1 - _SLACK_SHARE) - _SLACK:
                text = (
                    f"attempt {retry.attempt} began {waited:.3f} s after an answer whose {header}"
                    f" is {seconds:g} s; older AWS SDKs do not read x-amz-retry-after"
                )
                yield Finding("ignored_retry_after", text, (one, retry), invocation.id)


def _read_retry_after(record: Record) -> tuple[str, float] | None:
    """Return the header that this kind of SDK honours, and its wait in seconds.

    boto3 does not read retry-after, and Anthropic's client does not read x-amz-retry-after. The
    default of older boto3 versions, the retry mode legacy, reads neither.
    """
    headers = dict(record.answer_headers)
    if record.call.head.get(AWS_HEADER) is not None:
        if _LEGACY in (record.user_agent or ""):
            return None
        seconds = _parse_number(headers.get(_AWS_RETRY_AFTER))
        return (
            None if seconds is None else (_AWS_RETRY_AFTER, min(seconds / 1000, _AWS_MAX_SECONDS))
        )
    for header, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        if (seconds := _parse_number(headers.get(header))) is not None:
            return (header, seconds / unit) if seconds / unit <= _MAX_SECONDS else None
    return None


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def _parse_number(text: str | None) -> float | None:
    return float(text) if text and _NUMBER.fullmatch(text) else None


_RULES: tuple[Callable[[Sequence[Invocation]], Iterator[Finding]], ...] = (
    _find_no_backoff,
    _find_futile_retries,
    _find_ignored_retry_after,
    _find_storms,
    _find_early_ends,
    _find_accepted_parts,
    _find_repeated_text,
)
