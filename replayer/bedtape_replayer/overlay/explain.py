"""Explains why a layer did not answer a call: its first unmet condition, or its schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from bedtape_cassettes.families.service_apis import SERVICE_APIS
from bedtape_cassettes.format.json_values import find
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Counter
from bedtape_replayer.overlay.when import ANY, When

_LONGEST = 80
_NOT_DESCRIBED = ("name", "answer", "answers", "then", "template", "allow_unoffered_tools")
_ACTUAL: dict[str, Callable[[Call], object]] = {
    "operation": lambda call: call.operation,
    "model": lambda call: call.model,
    **dict.fromkeys(
        ("prompt_contains", "prompt_regex", "prompt_equals"), lambda call: call.prompt.last
    ),
    **dict.fromkeys(
        ("question_contains", "question_regex", "question_equals"),
        lambda call: call.prompt.question,
    ),
    **dict.fromkeys(("text_contains", "text_regex"), lambda call: call.prompt.text),
    **dict.fromkeys(("document_contains", "document_regex"), lambda call: call.documents),
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
    """Return one line with the layer's id and why: `rule-2: used up, times=1`."""
    mismatch = find_mismatch(layer.when, call) or (
        _explain_words(layer, call) if isinstance(layer, Rule) else None
    )
    return f"{layer.id}: {mismatch or _explain_schedule(layer, counter)}"


def describe(layer: Rule | Fault, fired: int = 0) -> str:
    """Return the layer's id and its conditions, or its kind: `rule-2 (prompt_contains="refund")`.

    fired: how many calls the layer applied to.
    """
    document = layer.document
    if isinstance(layer, Rule) and layer.needed > 1:
        turns: Any = document.get("script", ())
        terms = _join_terms(turns[fired].get("expect", {})) if fired < len(turns) else ""
        following = f"; the next expects {terms}" if terms else ""
        return f"{layer.id} ({fired} of {layer.needed} turns came{following})"
    conditions: Any = document.get("when") or {
        key: document[key] for key in document if key not in _NOT_DESCRIBED
    }
    terms = _join_terms(conditions)
    return f"{layer.id} ({terms})" if terms else layer.id


def _join_terms(conditions: Any) -> str:
    return ", ".join(f"{key}={_shorten(value)}" for key, value in conditions.items())


def compare_conditions(when: When, call: Call) -> Iterator[tuple[str, str, str, bool]]:
    """Yield a layer's conditions: name, expected and actual value, whether the call meets it."""
    for name, value, met in _check_conditions(when, call):
        if name in ("any_of", "none_of"):
            yield name, format_count(len(value), "alternative"), "", met
        else:
            yield name, _shorten(value), _describe_actual(name, value, call), met


def _check_conditions(when: When, call: Call) -> Iterator[tuple[str, Any, bool]]:
    """Yield the name and the value of each condition, and whether the call meets it."""
    for condition in (field for field in fields(When) if field.init):
        value: Any = getattr(when, condition.name)
        if value != getattr(ANY, condition.name):
            yield condition.name, value, When(**{condition.name: value}).matches(call)


def find_mismatch(when: When, call: Call) -> str | None:
    """Describe the first condition that the call does not meet; None if it meets all of them."""
    mismatch = next(
        ((name, value) for name, value, met in _check_conditions(when, call) if not met), None
    )
    if mismatch is None:
        return None
    name, value = mismatch
    if name == "any_of":
        return f"any_of: {'; '.join(filter(None, (find_mismatch(each, call) for each in value)))}"
    if name == "none_of":
        number = next(number for number, each in enumerate(value) if each.matches(call))
        return f"none_of[{number}]: the call meets all of its conditions"
    return f"{name} expected {_shorten(value)}, found {_describe_actual(name, value, call)}"


def _describe_actual(name: str, value: object, call: Call) -> str:
    actual = _find_actual(name, value, call)
    if not actual and name.startswith("prompt_") and call.prompt.results:
        question = name.replace("prompt_", "question_")
        return (
            f"no text, because the last message has the results of tools ({question} reads the last"
            " text)"
        )
    return "none" if actual in (None, ()) else _shorten(actual)


def _find_actual(name: str, value: object, call: Call) -> object:
    """Return the value of the call that a condition concerns."""
    if name == "header" and isinstance(value, dict):
        return {key: call.head.get(key) for key in value}
    if name == "json_path" and isinstance(value, dict):
        values: dict[str, JsonValue] = {
            path: next(iter(find(call.json, path)), None) for path in value
        }
        return values
    return _ACTUAL[name](call)


def _explain_words(rule: Rule, call: Call) -> str | None:
    """Describe a kind of answer that the operation does not have."""
    if not rule.lacks_words(call):
        return None
    api = SERVICE_APIS.get(call.operation or "")
    words = " or ".join(f"`{word}`" for word in (*(api.words if api else ()), "output", "raw"))
    return (
        f"{call.operation} has no answers of this kind; give {words}, and name the operation in"
        " `when`"
    )


def _explain_schedule(layer: Rule | Fault, counter: Counter) -> str:
    schedule = layer.schedule
    if schedule.times is not None and counter.fired >= schedule.times:
        answers = (
            len(layer.answers)
            if isinstance(layer, Rule) and layer.document.get("then") == "miss"
            else None
        )
        if answers is not None and answers == schedule.times:
            return f"used up, {format_count(answers, 'answer')}, then=miss"
        return f"used up, times={schedule.times}"
    if counter.matched <= schedule.after:
        return f"skipped the first matching calls, after={schedule.after}"
    if schedule.every > 1:
        return f"skipped this matching call, every={schedule.every}"
    if schedule.probability < 1:
        return f"not drawn, probability={schedule.probability:g}"
    return (
        "its function returned None" if isinstance(layer, Rule) else "does not apply to this answer"
    )


def _shorten(value: object) -> str:
    """Render a value on one short line. Secrets are removed before the text is cut."""
    if isinstance(value, tuple):
        value = ", ".join(map(str, value)) or None
    text = scrub_text(f'"{value}"' if isinstance(value, str) else str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]}…{text[-1]}"
