"""Explains why a layer did not answer a call: its first condition that the call does not meet, or its schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from bedtape_cassettes.format.json_values import find
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Counter
from bedtape_replayer.overlay.when import ANY, When

_LONGEST = 80
_ACTUAL: dict[str, Callable[[Call], object]] = {
    "operation": lambda call: call.operation,
    "model": lambda call: call.model,
    **dict.fromkeys(("prompt_contains", "prompt_regex", "prompt_equals"), lambda call: call.prompt.last),
    **dict.fromkeys(("text_contains", "text_regex"), lambda call: call.prompt.text),
    **dict.fromkeys(("system_contains", "system_regex"), lambda call: call.prompt.system),
    "tool_offered": lambda call: call.prompt.tools,
    "tool_result": lambda call: tuple(result.name or result.id for result in call.prompt.results),
    "turn": lambda call: call.prompt.turn,
    "attempt": lambda call: call.attempt,
    "call": lambda call: call.number,
    "session": lambda call: call.session,
    "access_key": lambda call: call.scope[0],
}


def explain(layer: Rule | Fault, call: Call, counter: Counter) -> str:
    """Return one line: the layer's id and why it did not answer, such as `rule-2: used up, times=1`."""
    return f"{layer.id}: {_find_mismatch(layer.when, call) or _explain_schedule(layer, counter)}"


def _find_mismatch(when: When, call: Call) -> str | None:
    """Describe the first condition that the call does not meet; None if it meets all of them."""
    for condition in (field for field in fields(When) if field.init):
        value: Any = getattr(when, condition.name)
        if value == getattr(ANY, condition.name) or When(**{condition.name: value}).matches(call):
            continue
        return (
            f"{condition.name} expected {_shorten(value)}, found {_shorten(_find_actual(condition.name, value, call))}"
        )
    return None


def _find_actual(name: str, value: object, call: Call) -> object:
    """Return the value of the call that a condition concerns."""
    if name == "header" and isinstance(value, dict):
        return {key: call.head.get(key) for key in value}
    if name == "json_path" and isinstance(value, dict):
        found: dict[str, JsonValue] = {path: next(iter(find(call.json, path)), None) for path in value}
        return found
    return _ACTUAL[name](call)


def _explain_schedule(layer: Rule | Fault, counter: Counter) -> str:
    schedule = layer.schedule
    if schedule.times is not None and counter.fired >= schedule.times:
        return f"used up, times={schedule.times}"
    if counter.matched <= schedule.after:
        return f"skipped the first matching calls, after={schedule.after}"
    if schedule.every > 1:
        return f"skipped this matching call, every={schedule.every}"
    if schedule.probability < 1:
        return f"not drawn, probability={schedule.probability:g}"
    return "its function returned None" if isinstance(layer, Rule) else "does not apply to this answer"


def _shorten(value: object) -> str:
    if isinstance(value, tuple):
        value = ", ".join(map(str, value)) or None
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]}…{text[-1]}"
