"""Whether clients wait between attempts: not at all, or less than the answer told them. Pure: no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import exp, log

from bedtape_replayer.history.invocations import Invocation
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import AWS_HEADER, THROTTLING, Finding, by_client, failed

__all__ = ["ignored_retry_after", "no_backoff"]

_AWS_RETRY_AFTER = "x-amz-retry-after"


def _waited(one: Record, retry: Record) -> float:
    return retry.began - one.ended


# -- no backoff ------------------------------------------------------------------------------------------------

# SDKs draw their waits from 0 to at least 0.5 s (older JavaScript; newer ones and botocore 1 s), so a short one may be
# chance. 20 ms is more than a retry without a wait needs, and less than one drawn wait in 25.
_SHORT = 0.020
_CHANCE_OF_SHORT = _SHORT / 0.5
# What is blamed must be chance in fewer than one of a million clients that wait as the SDKs do.
_UNLIKELY = 1e-6


def no_backoff(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """Most retries after throttling came at once, in several SDK calls, more often than jitter explains."""
    for found in by_client(calls).values():
        throttled = [(i, one, retry) for i in found for one, retry in i.retries if _asks_for_backoff(one)]
        short = [each for each in throttled if 0 <= _waited(*each[1:]) < _SHORT]
        if len({id(i) for i, _, _ in short}) < 2 or 2 * len(short) <= len(throttled):
            continue
        if _by_chance(len(short), len(throttled), _CHANCE_OF_SHORT) < _UNLIKELY:
            text = (
                f"{len(short)} of {len(throttled)} retries after throttling began within {_SHORT * 1000:.0f} ms;"
                " wait longer with each attempt, with jitter, as the SDKs do by themselves"
            )
            yield Finding("no_backoff", text, tuple(retry for _, _, retry in short))


def _asks_for_backoff(record: Record) -> bool:
    return failed(record) and record.error in THROTTLING and not _names_a_time(record)


def _names_a_time(record: Record) -> bool:
    return any(name in (_AWS_RETRY_AFTER, "retry-after", "retry-after-ms") for name, _ in record.answer_headers)


def _by_chance(hits: int, draws: int, chance: float) -> float:
    """How likely so many hits, or more, are at most (Chernoff's bound; `hits / draws` is more than `chance`)."""
    share = hits / draws
    rest = (1 - share) * log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return exp(-draws * (share * log(share / chance) + rest))


# -- retry-after -----------------------------------------------------------------------------------------------

# AWS's SDKs wait at most this much longer than their own backoff for what the header says.
_AWS_MOST = 5.0
# The two clocks are one, but timers are not exact, and JavaScript counts whole milliseconds.
_SLACK, _SLACK_SHARE = 0.020, 0.1


def ignored_retry_after(calls: Sequence[Invocation]) -> Iterator[Finding]:
    """A retry began before the time that the answer named, in a header that is meant for this kind of client."""
    for invocation in calls:
        for one, retry in invocation.retries:
            asked = _retry_after(one) if failed(one) else None
            if asked is None:
                continue
            header, seconds = asked
            waited = _waited(one, retry)
            if 0 <= waited < seconds * (1 - _SLACK_SHARE) - _SLACK:
                text = (
                    f"attempt {retry.attempt} began {waited:.3f} s after an answer whose {header} asked for {seconds:g} s;"
                    " boto3's legacy retry mode and older AWS SDKs do not read x-amz-retry-after, its standard mode does"
                )
                yield Finding("ignored_retry_after", text, (one, retry), invocation.id)


def _retry_after(record: Record) -> tuple[str, float] | None:
    """The header that SDKs of this kind honour, and the seconds that it makes them wait.

    boto3 does not read `retry-after`, nor Anthropic's client AWS's own.
    """
    headers = dict(record.answer_headers)
    if record.call.head.get(AWS_HEADER) is not None:
        seconds = _number(headers.get(_AWS_RETRY_AFTER))
        return None if seconds is None else (_AWS_RETRY_AFTER, min(seconds / 1000, _AWS_MOST))
    for header, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        if (seconds := _number(headers.get(header))) is not None:
            return header, seconds / unit
    return None


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def _number(text: str | None) -> float | None:
    return float(text) if text and _NUMBER.fullmatch(text) else None
