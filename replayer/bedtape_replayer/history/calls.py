"""Calls, filtered by the conditions of a rule's `when` and by the outcome of each call.

A condition is data: it has a predicate, and it reads the value that the call has, so that a
failing assertion can show the difference. This module uses no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Unpack, overload

from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.format.jsonpath import find, parts
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.history.invocations import invocations
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.keywords import FilterDict
from bedtape_replayer.overlay.schema import WHEN
from bedtape_replayer.overlay.when import When

__all__ = ["CONDITIONS", "Calls", "Condition", "ConditionInvalid"]


class ConditionInvalid(ValueError):
    """A condition has an unknown name, or a value of the wrong type."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The expected value of a field, a predicate on calls, and a reader of the value in a call."""

    name: str
    expected: object
    holds: Callable[[Record], bool]
    found: Callable[[Record], object]


@dataclass(frozen=True, repr=False)
class Calls(Sequence[Record]):
    """Calls in the order in which they were sent. forgotten: how many older calls the history has dropped."""

    records: tuple[Record, ...] = ()
    forgotten: int = 0

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Calls: ...
    def __getitem__(self, at: int | slice) -> Record | Calls:
        return Calls(self.records[at], self.forgotten) if isinstance(at, slice) else self.records[at]

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"<{len(self.records)} calls>"

    def filter(self, **conditions: Unpack[FilterDict]) -> Calls:
        """Returns the calls that meet all conditions. Raises ConditionInvalid.

        Conditions are the conditions of a rule's `when`, and: status, error, stop_reason, source,
        by, fault (the id of a fault that was applied), hung_up, region, http_version,
        user_agent_contains, invocation_id. The conditions system, temperature, top_p, max_tokens,
        stop_sequences and tools (all names, in any order) must equal the value in the request;
        None means that the request has no value. attempts: the last attempt of each SDK call that
        took this many attempts.
        """
        wanted = self.conditions(conditions)
        return Calls(tuple(r for r in self.records if all(c.holds(r) for c in wanted)), self.forgotten)

    def conditions(self, named: Mapping[str, object]) -> list[Condition]:
        """Returns a condition for each name and value. Raises ConditionInvalid at the first invalid condition."""
        return [self._condition(name, value) for name, value in named.items()]

    def _condition(self, name: str, value: object) -> Condition:
        if name in _REQUEST_FIELDS:
            when = _parse_when(name, value)
            return Condition(name, value, lambda record: when.matches(record.call), _request_field(name, value))
        if name == "attempts":
            attempts = self._attempts
            return Condition(
                name, value, lambda r: attempts.get(r) == value, lambda r: attempts.get(r, "no last attempt")
            )
        if name not in _RECORD_FIELDS:
            near = get_close_matches(name, CONDITIONS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known are {', '.join(CONDITIONS)}"
            raise ConditionInvalid(f"expected a condition on calls, found {name!r}; {fix}")
        return _compare_record(name, value)

    @cached_property
    def _attempts(self) -> dict[Record, int]:
        """The last attempt of each SDK call, and its number of attempts."""
        return {invocation.last: invocation.taken for invocation in invocations(self.records)}


# -- the conditions of a rule's `when` ------------------------------------------------------------------------------

# The conditions of `When`, and the value that each condition tests.
_REQUEST_FIELDS: dict[str, Callable[[Record], object]] = {
    "operation": lambda record: record.operation,
    "model": lambda record: record.model,
    "prompt_contains": lambda record: record.last_prompt,
    "prompt_regex": lambda record: record.last_prompt,
    "prompt_equals": lambda record: record.last_prompt,
    "text_contains": lambda record: record.prompt.text,
    "text_regex": lambda record: record.prompt.text,
    "system_contains": lambda record: record.system,
    "system_regex": lambda record: record.system,
    "tool_offered": lambda record: record.tools,
    "tool_result": lambda record: [result.name or result.id for result in record.tool_results],
    "json_path": lambda record: record.json,
    "turn": lambda record: record.prompt.turn,
    "attempt": lambda record: record.attempt,
    "call": lambda record: record.number,
    "header": lambda record: dict(record.headers),
    "session": lambda record: record.session,
    "access_key": lambda record: record.access_key_id,
}
_SCHEMA: Schema = {"type": "object", "properties": WHEN}


def _parse_when(name: str, value: object) -> When:
    """Returns a `When` with this condition alone, validated like the `when` of a rule."""
    if not isinstance(value, str | int | float | list | tuple | dict):
        raise ConditionInvalid(f"{name}: expected what JSON has too, found {value!r}")
    told: Any = list(value) if isinstance(value, tuple) else value
    if wrong := problems({name: told}, _SCHEMA):
        raise ConditionInvalid("; ".join(map(str, wrong)))
    match name:
        case "operation":
            return When(operation=(told,) if isinstance(told, str) else tuple(told))
        case "header":
            return When(header={header.lower(): glob for header, glob in told.items()})
        case "json_path":
            _check_paths(told)
    named: dict[str, Any] = {name: told}
    return When(**named)


def _check_paths(paths: Iterable[str]) -> None:
    try:
        for path in paths:
            parts(path)
    except ValueError as error:
        raise ConditionInvalid(f"json_path: {error}") from None


def _request_field(name: str, value: object) -> Callable[[Record], object]:
    """Returns a reader of the value that the condition tests; for a mapping, of the named members alone."""
    found = _REQUEST_FIELDS[name]
    if name == "json_path" and isinstance(value, Mapping):
        return lambda record: {path: _find_value(record.json, path) for path in value}
    if name == "header" and isinstance(value, Mapping):
        return lambda record: {h: next((v for n, v in record.headers if n.lower() == h.lower()), None) for h in value}
    return found


def _find_value(body: JsonValue, path: str) -> JsonValue:
    found = find(body, path)
    return found[0] if len(found) == 1 else found or None


# -- the conditions on the request's parameters and on the outcome --------------------------------------------------------------------------------------

_RECORD_FIELDS: dict[str, Callable[[Record], object]] = {
    "status": lambda record: record.status,
    "error": lambda record: record.error,
    "stop_reason": lambda record: record.stop_reason,
    "source": lambda record: record.source,
    "by": lambda record: record.by,
    "fault": lambda record: record.faults,
    "hung_up": lambda record: record.hung_up,
    "region": lambda record: record.region,
    "http_version": lambda record: record.http_version,
    "user_agent_contains": lambda record: record.user_agent or "",
    "invocation_id": lambda record: record.invocation_id,
    "system": lambda record: record.system,
    "temperature": lambda record: record.temperature,
    "top_p": lambda record: record.top_p,
    "max_tokens": lambda record: record.max_tokens,
    "stop_sequences": lambda record: record.stop_sequences,
    "tools": lambda record: record.tools,
}


def _parse_strings(name: str, value: object) -> tuple[str, ...]:
    items = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise ConditionInvalid(f"{name}: expected texts, found {value!r}")
    return items


def _compare_record(name: str, value: object) -> Condition:
    found = _RECORD_FIELDS[name]
    match name:
        case "tools":
            names = sorted(_parse_strings(name, value))
            return Condition(name, value, lambda record: sorted(record.tools) == names, found)
        case "stop_sequences":
            sequences = _parse_strings(name, value)
            return Condition(name, value, lambda record: record.stop_sequences == sequences, found)
        case "fault":
            return Condition(name, value, lambda record: value in record.faults, found)
        case "user_agent_contains":
            text = str(value)
            return Condition(name, value, lambda record: text in (record.user_agent or ""), found)
    return Condition(name, value, lambda record: found(record) == value, found)


CONDITIONS = (*_REQUEST_FIELDS, *_RECORD_FIELDS, "attempts")
