"""Calls as they are looked through: filtered by the words in which rules say `when`, and by what came of them.

A condition is data: it says whether a call meets it, and what it found there, so that a failing assertion can say
what differs. Pure: no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Unpack, overload

from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.format.json_values import find, parse_path
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.history.invocations import invocations
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.keywords import FilterDict
from bedtape_replayer.overlay.schema import WHEN
from bedtape_replayer.overlay.when import When

__all__ = ["CONDITIONS", "Calls", "Condition", "ConditionInvalid"]


class ConditionInvalid(ValueError):
    """A condition that no call can be held against: an unknown word, or a value of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is expected of one field, whether a call holds it, and what the call has there."""

    name: str
    expected: object
    holds: Callable[[Record], bool]
    found: Callable[[Record], object]


@dataclass(frozen=True, repr=False)
class Calls(Sequence[Record]):
    """Calls in the order in which they were sent. forgotten: how many older ones the history has let go."""

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
        """Those that meet all conditions. Raises ConditionInvalid.

        Conditions are those of a rule's `when`, and: status, error, stop_reason, source, by, fault (the id of one
        that happened to it), hung_up, region, http_version, user_agent_contains, invocation_id; system, temperature,
        top_p, max_tokens, stop_sequences, tools (all names, in any order), equal to what the request says, None for
        what it does not say; attempts: the last attempt of each SDK call that took so many.
        """
        wanted = self.conditions(conditions)
        return Calls(tuple(r for r in self.records if all(c.holds(r) for c in wanted)), self.forgotten)

    def conditions(self, named: Mapping[str, object]) -> list[Condition]:
        """The conditions made of their names and values. Raises ConditionInvalid for the first that is none."""
        return [self._condition(name, value) for name, value in named.items()]

    def _condition(self, name: str, value: object) -> Condition:
        if name in _ASKED:
            when = _when(name, value)
            return Condition(name, value, lambda record: when.matches(record.call), _asked(name, value))
        if name == "attempts":
            taken = self._taken
            return Condition(name, value, lambda r: taken.get(r) == value, lambda r: taken.get(r, "no last attempt"))
        if name not in _HAD:
            near = get_close_matches(name, CONDITIONS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known are {', '.join(CONDITIONS)}"
            raise ConditionInvalid(f"expected a condition on calls, found {name!r}; {fix}")
        return _had(name, value)

    @cached_property
    def _taken(self) -> dict[Record, int]:
        """The last attempt of each SDK call, and how many it took."""
        return {invocation.last: invocation.taken for invocation in invocations(self.records)}


# -- what a rule's `when` can say ------------------------------------------------------------------------------

# The words of `When`, and what a call has there.
_ASKED: dict[str, Callable[[Record], object]] = {
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


def _when(name: str, value: object) -> When:
    """The condition as a `When` that has no other, checked as those of rules are."""
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
            parse_path(path)
    except ValueError as error:
        raise ConditionInvalid(f"json_path: {error}") from None


def _asked(name: str, value: object) -> Callable[[Record], object]:
    """What a call has where the condition looks; of mappings, only what was asked for."""
    found = _ASKED[name]
    if name == "json_path" and isinstance(value, Mapping):
        return lambda record: {path: _at(record.json, path) for path in value}
    if name == "header" and isinstance(value, Mapping):
        return lambda record: {h: next((v for n, v in record.headers if n.lower() == h.lower()), None) for h in value}
    return found


def _at(body: JsonValue, path: str) -> JsonValue:
    found = find(body, path)
    return found[0] if len(found) == 1 else found or None


# -- what else a call has --------------------------------------------------------------------------------------

_HAD: dict[str, Callable[[Record], object]] = {
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


def _strings(name: str, value: object) -> tuple[str, ...]:
    items = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise ConditionInvalid(f"{name}: expected texts, found {value!r}")
    return items


def _had(name: str, value: object) -> Condition:
    found = _HAD[name]
    match name:
        case "tools":
            names = sorted(_strings(name, value))
            return Condition(name, value, lambda record: sorted(record.tools) == names, found)
        case "stop_sequences":
            sequences = _strings(name, value)
            return Condition(name, value, lambda record: record.stop_sequences == sequences, found)
        case "fault":
            return Condition(name, value, lambda record: value in record.faults, found)
        case "user_agent_contains":
            text = str(value)
            return Condition(name, value, lambda record: text in (record.user_agent or ""), found)
    return Condition(name, value, lambda record: found(record) == value, found)


CONDITIONS = (*_ASKED, *_HAD, "attempts")
