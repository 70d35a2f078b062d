"""Reads overlays from JSON or YAML, and reports every problem with its place.

Overlay files, control API requests and the arguments of `respond` and `fail` are all read by this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bedtape_cassettes.errors import Invalid, Problem
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format import yamlio
from bedtape_cassettes.format.json_schema import problems
from bedtape_cassettes.format.json_values import Place, parse_path
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.overlay.answers import find_answer_problems, read_answer
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.schema import FAULT, OVERLAY, RULE, SCHEDULE
from bedtape_replayer.overlay.when import When

__tracebackhide__ = True  # pytest shows the test's own line, not ours

JsonObject = dict[str, Any]
# Returns the id of a layer that has no name, from its kind.
Namer = Callable[[str], str]


class OverlayInvalid(Invalid):
    """An overlay, a rule or a fault is invalid. Every problem has a path; a problem in a file also has a line."""


def read(data: bytes, file: str, prefix: str = "file-") -> Overlay:
    """Reads the overlay in a YAML or JSON file. Raises OverlayInvalid, or CassetteInvalid if the data is not YAML."""
    value = yamlio.load(data, file)
    try:
        return parse_overlay(value, prefix)
    except OverlayInvalid as error:
        lines = yamlio.locate(data)
        located = (replace(problem, file=file, line=_find_line(lines, problem.path)) for problem in error.problems)
        raise OverlayInvalid(sorted(located, key=lambda problem: problem.line)) from None


def _find_line(lines: Mapping[Place, int], path: Place) -> int:
    """Returns the line of the path, or of the nearest parent that has a line."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def parse_overlay(value: JsonValue, prefix: str = "") -> Overlay:
    """Reads an overlay. Layers without a name get the prefix and rule-1, fault-1. Raises OverlayInvalid."""
    _raise_problems(_find_problems(value))
    assert isinstance(value, dict)
    rules: Any = value.get("rules", [])
    faults: Any = value.get("faults", [])
    seed: Any = value.get("seed", 0)
    ids: Any = value.get("ids")
    return Overlay(
        tuple(_build_rule(rule, rule.get("name") or f"{prefix}rule-{number}") for number, rule in enumerate(rules, 1)),
        tuple(
            _build_fault(fault, fault.get("name") or f"{prefix}fault-{number}")
            for number, fault in enumerate(faults, 1)
        ),
        seed,
        ids,
    )


def _find_problems(value: JsonValue) -> list[Problem]:
    """Finds the problems against the schema, and further problems of each layer that matches the schema."""
    wrong = problems(value, OVERLAY)
    invalid = {problem.path[:2] for problem in wrong}
    for kind, more in (("rules", _find_rule_problems), ("faults", _find_fault_problems)):
        layers = value.get(kind) if isinstance(value, dict) else None
        for number, layer in enumerate(layers if isinstance(layers, list) else ()):
            if (kind, number) not in invalid and isinstance(layer, dict):
                wrong += more(layer, (kind, number))
    return wrong or list(_find_duplicate_names(value))


def parse_rule(value: JsonValue, namer: Namer) -> Rule:
    """Reads one rule. Raises OverlayInvalid."""
    _raise_problems(problems(value, RULE) or list(_find_rule_problems(value, ())))  # type: ignore[arg-type]  # an object, by now
    return _build_rule(value, value.get("name") or namer("rule"))  # type: ignore[arg-type, union-attr]


def parse_fault(value: JsonValue, namer: Namer) -> Fault:
    """Reads one fault. Raises OverlayInvalid."""
    _raise_problems(problems(value, FAULT) or list(_find_fault_problems(value, ())))  # type: ignore[arg-type]
    return _build_fault(value, value.get("name") or namer("fault"))  # type: ignore[arg-type, union-attr]


def _raise_problems(wrong: list[Problem]) -> None:
    if wrong:
        raise OverlayInvalid(wrong)


def _find_duplicate_names(overlay: Any) -> Iterator[Problem]:
    seen: set[str] = set()
    for kind in ("rules", "faults"):
        for number, layer in enumerate(overlay.get(kind, [])):
            name = layer.get("name")
            if name in seen:
                yield Problem.at(
                    (kind, number, "name"), "a name of its own", repr(name), "two layers have it: rename one"
                )
            if name is not None:
                seen.add(name)


# -- rules beyond the schema ------------------------------------------------------------------------------------


def _find_rule_problems(rule: JsonObject, path: Place) -> Iterator[Problem]:
    yield from _find_when_problems(rule, path)
    if "answer" in rule:
        yield from find_answer_problems(rule["answer"], (*path, "answer"))
    for number, answer in enumerate(rule.get("answers", [])):
        yield from find_answer_problems(answer, (*path, "answers", number))
    if "family" in rule:
        try:
            family_of("InvokeModel", "", rule["family"])
        except RenderError as error:
            yield Problem.at((*path, "family"), "a family that is known", repr(rule["family"]), str(error))


def _find_when_problems(layer: JsonObject, path: Place) -> Iterator[Problem]:
    for json_path in layer.get("when", {}).get("json_path", {}):
        try:
            parse_path(json_path)
        except ValueError as error:
            yield Problem.at((*path, "when", "json_path", json_path), "a JSON path", str(error))


def _find_fault_problems(fault: JsonObject, path: Place) -> Iterator[Problem]:
    yield from _find_when_problems(fault, path)
    kind = next(name for name in KINDS if name in fault)
    try:
        made = KINDS[kind].make(fault)
    except ValueError as error:
        yield Problem.at((*path, kind), "a fault that can be", str(error))
        return
    if problem := made.find_problem(_read_operations(fault.get("when", {}))):
        yield Problem.at((*path, kind), "a fault that can happen to these calls", problem)
    for key in BESIDE_ERROR:
        if key in fault and kind != "error":
            yield Problem.at((*path, key), f"{key} beside error only", f"it beside {kind}")


# -- layers ----------------------------------------------------------------------------------------------------


def _build_rule(value: JsonObject, name: str) -> Rule:
    answers = tuple(map(read_answer, value.get("answers") or [value["answer"]]))
    return Rule(name, answers, _read_when(value), _read_schedule(value), value.get("family"), value)


def _build_fault(value: JsonObject, name: str) -> Fault:
    kind = next(kind for kind in KINDS if kind in value)
    return Fault(name, KINDS[kind].make(value), _read_when(value), _read_schedule(value), value)


def _read_schedule(value: JsonObject) -> Schedule:
    return Schedule(**{key: value[key] for key in SCHEDULE if key in value})


def _read_operations(when: JsonObject) -> tuple[str, ...]:
    named = when.get("operation", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _read_when(value: JsonObject) -> When:
    when = value.get("when", {})
    header = {name.lower(): glob for name, glob in when.get("header", {}).items()}
    return When(**{**when, "operation": _read_operations(when), "header": header})
