"""Finds retries without a wait, and retries before the time in a retry-after header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import exp, log

from bedtape_replayer.history.invocations import Invocation
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import AWS_HEADER, THROTTLING, Finding, group_by_client, is_failure

__all__ = ["find_ignored_retry_after", "find_no_backoff"]

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


def find_no_backoff(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find clients whose retries after throttling are immediate more often than jitter explains."""
    for group in group_by_client(calls).values():
        throttled = [(i, one, retry) for i in group for one, retry in i.retries if _needs_backoff(one)]
        short = [each for each in throttled if 0 <= _measure_wait(*each[1:]) < _SHORT]
        if len({id(i) for i, _, _ in short}) < 2 or 2 * len(short) <= len(throttled):
            continue
        if _estimate_chance(len(short), len(throttled), _CHANCE_OF_SHORT) < _UNLIKELY:
            text = (
                f"{len(short)} of {len(throttled)} retries after throttling began within {_SHORT * 1000:.0f} ms;"
                " wait longer with each attempt, with jitter, as the SDKs do by default"
            )
            yield Finding("no_backoff", text, tuple(retry for _, _, retry in short))


def _needs_backoff(record: Record) -> bool:
    return is_failure(record) and record.error in THROTTLING and not _has_retry_after(record)


def _has_retry_after(record: Record) -> bool:
    return any(name in (_AWS_RETRY_AFTER, "retry-after", "retry-after-ms") for name, _ in record.answer_headers)


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
# Both times are from the same clock, but timers are inexact, and JavaScript counts whole
# milliseconds.
_SLACK, _SLACK_SHARE = 0.020, 0.1


def find_ignored_retry_after(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Find retries that began before the time in the header that this kind of client honours."""
    for invocation in calls:
        for one, retry in invocation.retries:
            required = _read_retry_after(one) if is_failure(one) else None
            if required is None:
                continue
            header, seconds = required
            waited = _measure_wait(one, retry)
            if 0 <= waited < seconds * (1 - _SLACK_SHARE) - _SLACK:
                text = (
                    f"attempt {retry.attempt} began {waited:.3f} s after an answer whose {header} is {seconds:g} s;"
                    " boto3's legacy retry mode and older AWS SDKs do not read x-amz-retry-after, its standard mode does"
                )
                yield Finding("ignored_retry_after", text, (one, retry), invocation.id)


def _read_retry_after(record: Record) -> tuple[str, float] | None:
    """Return the header that this kind of SDK honours, and its wait in seconds.

    boto3 does not read retry-after, and Anthropic's client does not read x-amz-retry-after.
    """
    headers = dict(record.answer_headers)
    if record.call.head.get(AWS_HEADER) is not None:
        seconds = _parse_number(headers.get(_AWS_RETRY_AFTER))
        return None if seconds is None else (_AWS_RETRY_AFTER, min(seconds / 1000, _AWS_MAX_SECONDS))
    for header, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        if (seconds := _parse_number(headers.get(header))) is not None:
            return header, seconds / unit
    return None


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def _parse_number(text: str | None) -> float | None:
    return float(text) if text and _NUMBER.fullmatch(text) else None
