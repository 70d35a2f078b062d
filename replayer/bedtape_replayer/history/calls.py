"""Filters the calls of a session by the conditions of a rule's `when`, and by their answers.

A condition contains a test and a reader of the tested value, so that a failing assertion
can show the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from operator import attrgetter
from typing import Any, Unpack, overload

from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.format.json_values import find
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.text import format_count
from bedtape_replayer.history.invocations import group_invocations
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.keywords import FilterDict
from bedtape_replayer.overlay.schema import WHEN
from bedtape_replayer.overlay.when import When, parse_when

_SHOWN = 3
_RECORD_FIELDS = (
    *(
        "status",
        "error",
        "stop_reason",
        "source",
        "by",
        "fault",
        "simulated",
        "hung_up",
        "region",
        "http_version",
    ),
    *("user_agent_contains", "invocation_id"),
    *("system", "temperature", "top_p", "max_tokens", "stop_sequences", "tools"),
)
CONDITIONS = (*WHEN, *_RECORD_FIELDS, "attempts")
# The attribute of `Record` that a condition tests, if its name is not the name of the condition.
_ATTRIBUTES = {
    **dict.fromkeys(("prompt_contains", "prompt_regex", "prompt_equals"), "last_prompt"),
    **dict.fromkeys(("question_contains", "question_regex", "question_equals"), "prompt.question"),
    **dict.fromkeys(("any_of", "none_of"), "last_prompt"),
    **dict.fromkeys(("text_contains", "text_regex"), "prompt.text"),
    **dict.fromkeys(("document_contains", "document_regex"), "call.documents"),
    **dict.fromkeys(("system_contains", "system_regex"), "system"),
    "tool_offered": "tools",
    "json_path": "json",
    "turn": "prompt.turn",
    "call": "number",
    "access_key": "access_key_id",
    "fault": "faults",
    "user_agent_contains": "user_agent",
}


class ConditionInvalid(ValueError):
    """A condition with an unknown name or an invalid value."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one field of a call.

    holds: whether a call meets the condition. read: returns the call's value for a report.
    """

    name: str
    expected: object
    holds: Callable[[Record], bool]
    read: Callable[[Record], object]


@dataclass(frozen=True, repr=False)
class Calls(Sequence[Record]):
    """Calls in the order of sending. forgotten: the number of calls that were removed."""

    records: tuple[Record, ...] = ()
    forgotten: int = 0

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Calls: ...
    def __getitem__(self, at: int | slice) -> Record | Calls:
        return (
            Calls(self.records[at], self.forgotten) if isinstance(at, slice) else self.records[at]
        )

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        """Return the number of calls and the last ones: `<1 call: 1 Converse -> 200 by rule-1>`."""
        older = "… " if len(self.records) > _SHOWN else ""
        calls = "; ".join(
            f"{record.number} {record.operation or record.method} -> {record.status or 'no answer'}"
            f" by {record.by or record.source}"
            for record in self.records[-_SHOWN:]
        )
        return f"<{format_count(len(self.records), 'call')}{': ' if calls else ''}{older}{calls}>"

    def filter(self, **conditions: Unpack[FilterDict]) -> Calls:
        """Return the calls that meet all conditions. Raises `ConditionInvalid`.

        The conditions are those of a rule's `when`, and:

        - status, error, stop_reason, source, by, hung_up, region, http_version,
          user_agent_contains, invocation_id;
        - fault: the id of a fault that was applied to the call;
        - simulated: a part of what simulated features did, such as "caching";
        - system, temperature, top_p, max_tokens, stop_sequences, tools (all names, in any order):
          equal to the value in the request, `None` for a value that the request does not contain;
        - attempts: the last attempt of each SDK call with that number of attempts.
        """
        tests = self.parse_conditions(conditions)
        return Calls(
            tuple(r for r in self.records if all(c.holds(r) for c in tests)), self.forgotten
        )

    def snapshot(self) -> list[dict[str, JsonValue]]:
        """Return the snapshot of each call. See `Record.snapshot`."""
        return [record.snapshot() for record in self.records]

    def parse_conditions(self, values: Mapping[str, object]) -> list[Condition]:
        """Return conditions for values by name. Raises `ConditionInvalid` for the first mistake."""
        if not isinstance(values, Mapping):
            fix = (
                f'write {{"operation": {values!r}}}'
                if isinstance(values, str)
                else "write them as a dict"
            )
            raise ConditionInvalid(f"expected conditions by name, found {values!r}; {fix}")
        return [self._parse_condition(name, value) for name, value in values.items()]

    def _parse_condition(self, name: str, value: object) -> Condition:
        if name in WHEN:
            when = _parse_when(name, value)
            return Condition(
                name, value, lambda record: when.matches(record.call), _select_reader(name, value)
            )
        if name == "attempts":
            counts = self._attempt_counts
            return Condition(
                name,
                value,
                lambda r: counts.get(r) == value,
                lambda r: counts.get(r, "no last attempt"),
            )
        if name not in _RECORD_FIELDS:
            near = get_close_matches(name, CONDITIONS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known are {', '.join(CONDITIONS)}"
            raise ConditionInvalid(f"expected a condition on calls, found {name!r}; {fix}")
        return _build_condition(name, value)

    @cached_property
    def _attempt_counts(self) -> dict[Record, int]:
        """The number of attempts of each SDK call, by the last attempt."""
        return {group.last: group.attempt_count for group in group_invocations(self.records)}


# -- conditions of a rule's `when` -----------------------------------------------------------------

_SCHEMA: Schema = {"type": "object", "properties": WHEN}


def _parse_when(name: str, value: object) -> When:
    """Return a `When` with this condition, after the checks that also apply to rules."""
    if not isinstance(value, str | int | float | list | tuple | dict):
        raise ConditionInvalid(f"{name}: expected a JSON value, found {value!r}")
    given: Any = list(value) if isinstance(value, tuple) else value
    if wrong := problems({name: given}, _SCHEMA):
        raise ConditionInvalid("; ".join(map(str, wrong)))
    try:
        return parse_when({name: given})
    except ValueError as error:
        raise ConditionInvalid(f"{name}: {error}") from None


def _select_reader(name: str, value: object) -> Callable[[Record], object]:
    """Return a function that reads the tested value of a call.

    For json_path and header, the function reads the paths and headers of the condition.
    """
    if name == "json_path" and isinstance(value, Mapping):
        return lambda record: {path: _read_path(record.json, path) for path in value}
    if name == "header" and isinstance(value, Mapping):
        return lambda record: {
            h: next((v for n, v in record.headers if n.lower() == h.lower()), None) for h in value
        }
    if name == "tool_result":
        return lambda record: [result.name or result.id for result in record.tool_results]
    return attrgetter(_ATTRIBUTES.get(name, name))


def _read_path(body: JsonValue, path: str) -> JsonValue:
    values = find(body, path)
    return values[0] if len(values) == 1 else values or None


# -- conditions on the rest of a call --------------------------------------------------------------


def _parse_strings(name: str, value: object) -> tuple[str, ...]:
    items = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise ConditionInvalid(f"{name}: expected a string or a list of strings, found {value!r}")
    return items


def _build_condition(name: str, value: object) -> Condition:
    read = _select_reader(name, value)
    match name:
        case "tools":
            names = sorted(_parse_strings(name, value))
            return Condition(name, value, lambda record: sorted(record.tools) == names, read)
        case "stop_sequences":
            sequences = _parse_strings(name, value)
            return Condition(name, value, lambda record: record.stop_sequences == sequences, read)
        case "fault":
            return Condition(name, value, lambda record: value in record.faults, read)
        case "simulated":
            return Condition(
                name,
                value,
                lambda record: any(str(value) in each for each in record.simulated),
                read,
            )
        case "user_agent_contains":
            return Condition(
                name,
                value,
                lambda r: str(value) in (r.user_agent or ""),
                lambda r: r.user_agent or "",
            )
    return Condition(name, value, lambda record: read(record) == value, read)
