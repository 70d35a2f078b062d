"""Assertions on the calls of a session. A failure shows the nearest calls and their differences.

The assertions use the calls in the history. A failure reports the number of forgotten calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Unpack

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.match import IndexedRecording
from bedtape_replayer.history.calls import Calls, Condition, ConditionInvalid
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.keywords import FilterDict

__tracebackhide__ = True  # pytest then shows the line of the test instead of a line of this module
_WIDTH = 120
_NEAREST = 3
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """A condition that a call does not meet. Both values are JSON, shortened to one line."""

    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class NearCall:
    """A call with all conditions that it does not meet."""

    record: Record
    differences: tuple[Difference, ...]


class CallsMismatch(AssertionError):
    """The calls of the session do not match the expected calls.

    nearest: the calls with the smallest differences. forgotten: the number of older calls that
    the history has removed.
    """

    def __init__(
        self, lines: Iterable[str], nearest: Iterable[NearCall] = (), forgotten: int = 0
    ) -> None:
        self.nearest = tuple(nearest)
        self.forgotten = forgotten
        report = list(lines)
        for number, near in enumerate(self.nearest):
            report.append(f"{'Nearest' if number == 0 else 'Next'}: {_truncate(str(near.record))}")
            report += [f"  {difference}" for difference in near.differences]
        if forgotten:
            report.append(
                f"{forgotten} older calls were forgotten and not compared; a higher limit keeps"
                " more calls."
            )
        super().__init__("\n".join(report))


def assert_called(
    calls: Calls,
    *,
    times: int | None = None,
    at_least: int | None = None,
    at_most: int | None = None,
    **conditions: Unpack[FilterDict],
) -> Calls:
    """Assert how many calls meet the conditions; at least one by default.

    `Calls.filter` describes the conditions. Every attempt of an SDK is a call. With `attempts=`,
    each SDK call counts once. Returns the calls that meet the conditions. Raises `CallsMismatch`,
    or `ConditionInvalid` for an unknown condition or invalid numbers.
    """
    fewest, most = _range(times, at_least, at_most)
    matches = calls.filter(**conditions)
    if fewest <= len(matches) and (most is None or len(matches) <= most):
        return matches
    too_few = len(matches) <= fewest and conditions
    others = set(calls) - set(matches) if too_few else ()
    raise CallsMismatch(
        [_format_expected(fewest, most, conditions, matches, calls), *_list_first(matches)],
        _nearest(others, calls.parse_conditions(conditions)),
        calls.forgotten,
    )


def assert_not_called(calls: Calls, **conditions: Unpack[FilterDict]) -> None:
    """Assert that no call meets the conditions. Raises the same errors as `assert_called`."""
    matches = calls.filter(**conditions)
    if matches:
        lines = [_format_expected(0, 0, conditions, matches, calls), *_list_first(matches)]
        raise CallsMismatch(lines, forgotten=calls.forgotten)


def assert_sequence(
    calls: Calls, steps: Sequence[FilterDict], *, consecutive: bool = False
) -> Calls:
    """Assert that calls meet the conditions of the steps, in the order of the calls.

    consecutive: whether the calls must follow each other without other calls between them. Returns
    the calls that meet the steps. Raises the same errors as `assert_called`.
    """
    wanted = [calls.parse_conditions(step) for step in steps]
    starts = range(len(calls)) if consecutive else range(1)
    best = max(
        (_walk(calls, wanted, start, consecutive=consecutive) for start in starts),
        key=len,
        default=[],
    )
    if len(best) == len(steps):
        return Calls(tuple(calls[at] for at in best), calls.forgotten)
    missing = len(best)
    after = best[-1] + 1 if best else 0
    rest = calls[after : after + 1] if consecutive and best else calls[after:]
    lines = [
        f"Expected {len(steps)} calls in"
        f" order{', with no other calls between them' if consecutive else ''}, found {missing}."
    ]
    lines += [
        f"  {n}. {_truncate(str(calls[at]))}" for n, at in list(enumerate(best, 1))[-_LISTED:]
    ]
    lines.append(
        f"No {'next' if consecutive and best else 'later'} call is number"
        f" {missing + 1}:{_terms(steps[missing])}"
    )
    raise CallsMismatch(lines, _nearest(rest, wanted[missing]), calls.forgotten)


def assert_all_played(unplayed: Iterable[IndexedRecording]) -> None:
    """Assert that every recording was played. Raises `CallsMismatch`.

    unplayed: the result of `SessionState.unplayed`.
    """
    left = [
        f"{i.file}: {i.operation or i.request.method} of {i.model or i.request.path}"
        for i in (recording.interaction for recording in unplayed)
    ]
    if left:
        raise CallsMismatch(
            [
                f"Expected every recording to be played, found {len(left)} unplayed:",
                *_list_first(left),
            ]
        )


def assert_cached(
    calls: Calls, *, at_least_tokens: int = 1, **conditions: Unpack[FilterDict]
) -> None:
    """Assert that a call that meets the conditions read at least `at_least_tokens` tokens
    from a prompt cache.

    Raises the same errors as `assert_called`. The report contains the counts of each call.
    """
    if type(at_least_tokens) is not int or at_least_tokens < 1:
        raise ConditionInvalid(
            f"at_least_tokens: expected a number of tokens from 1, found {at_least_tokens!r}"
        )
    matches = calls.filter(**conditions)
    counts = [(each, each.usage) for each in matches]
    if any(usage is not None and usage.cache_read >= at_least_tokens for _, usage in counts):
        return
    read = max((usage.cache_read for _, usage in counts if usage is not None), default=0)
    lines = [
        f"Expected a call that read at least {format_count(at_least_tokens, 'token')} from a prompt"
        f" cache, found at most {read} in {format_count(len(matches), 'call')}."
    ]
    for each, usage in counts[-_LISTED:]:
        tokens = (
            "no token counts"
            if usage is None
            else f"read {usage.cache_read}, wrote {usage.cache_write}"
        )
        lines.append(f"  {_truncate(str(each))}: {tokens}")
    if not any(usage is not None and usage.cache_write for _, usage in counts):
        lines.append(
            "No call wrote to a cache. A prefix needs a mark (cachePoint, cache_control) and the"
            " model's fewest tokens; simulate(caching=True) counts the tokens of answers of rules."
        )
    raise CallsMismatch(lines, forgotten=calls.forgotten)


# -- numbers ---------------------------------------------------------------------------------------


def _range(times: int | None, at_least: int | None, at_most: int | None) -> tuple[int, int | None]:
    for name, number in (("times", times), ("at_least", at_least), ("at_most", at_most)):
        if number is not None and (type(number) is not int or number < 0):
            raise ConditionInvalid(f"{name}: expected a number of calls from 0, found {number!r}")
    if times is not None:
        if at_least is not None or at_most is not None:
            raise ConditionInvalid("expected times, or at_least and at_most, found both; give one")
        return times, times
    fewest = at_least if at_least is not None else 0 if at_most is not None else 1
    if at_most is not None and at_most < fewest:
        raise ConditionInvalid(
            f"expected at_most to be no less than at_least, found {at_most} and {fewest}"
        )
    return fewest, at_most


def _amount(fewest: int, most: int | None) -> str:
    if most == 0:
        return "no call"
    if fewest == most:
        return f"exactly {format_count(fewest, 'call')}"
    if most is None:
        return f"at least {format_count(fewest, 'call')}"
    return (
        f"{fewest} to {format_count(most, 'call')}"
        if fewest
        else f"at most {format_count(most, 'call')}"
    )


def _format_expected(
    fewest: int, most: int | None, conditions: Mapping[str, object], matches: Calls, calls: Calls
) -> str:
    described = f" with{_terms(conditions)}" if conditions else ""
    all_calls = format_count(len(calls), "call")
    if not calls:
        all_calls += (
            ": this session received no calls (does the client use the endpoint of this session?)"
        )
    return f"Expected {_amount(fewest, most)}{described}, found {len(matches)} of {all_calls}."


def assert_all_used(unused: Iterable[str]) -> None:
    """Assert that every layer applied to a call. unused: descriptions of the other layers.

    Raises `CallsMismatch`.
    """
    lines = list(unused)
    if lines:
        raise CallsMismatch(
            [
                f"Expected every rule and fault to act, found {len(lines)} that never acted.",
                *_list_first(lines),
            ]
        )


# -- words -----------------------------------------------------------------------------------------


def _terms(conditions: Mapping[str, object]) -> str:
    return " " + ", ".join(f"{name}={_format_value(value)}" for name, value in conditions.items())


def _list_first(items: Sequence[object]) -> list[str]:
    lines = [f"  {_truncate(str(item))}" for item in items[:_LISTED]]
    return [*lines, f"  … and {len(items) - _LISTED} more"] if len(items) > _LISTED else lines


def _format_value(value: object) -> str:
    # Secrets are removed first, because a part of a secret would not be recognised.
    return _truncate(scrub_text(compact(make_json_safe(value)).decode()))


def _truncate(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


# -- nearness --------------------------------------------------------------------------------------


def _walk(
    calls: Calls, wanted: list[list[Condition]], start: int, *, consecutive: bool
) -> list[int]:
    """Return the positions of the calls that meet the first steps, from `start`.

    The earliest position of a step is sufficient, because it leaves the most calls for later steps.
    """
    places: list[int] = []
    for at in range(start, len(calls)):
        if len(places) == len(wanted):
            break
        if all(condition.holds(calls[at]) for condition in wanted[len(places)]):
            places.append(at)
        elif consecutive:
            break
    return places


def _nearest(records: Iterable[Record], conditions: list[Condition]) -> list[NearCall]:
    """Return the nearest calls.

    The order is: fewest unmet conditions, most words shared with the unmet conditions, newest.
    """

    def nearness(record: Record) -> tuple[int, float, int]:
        missed = [condition for condition in conditions if not condition.holds(record)]
        alike = sum(_share(condition.expected, condition.read(record)) for condition in missed)
        return -len(missed), alike, record.number

    return [
        NearCall(record, _differences(record, conditions))
        for record in nlargest(_NEAREST, records, nearness)
    ]


def _differences(record: Record, conditions: list[Condition]) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            condition.name, _format_value(condition.expected), _format_value(condition.read(record))
        )
        for condition in conditions
        if not condition.holds(record)
    )


_WORD = re.compile(r"\w+")


def _share(one: object, other: object) -> float:
    """Return the share of the words of `one` that `other` contains, in the start of the text."""
    mine, others = set(_WORD.findall(str(one)[:2_000])), set(_WORD.findall(str(other)[:20_000]))
    return len(mine & others) / max(1, len(mine))
