"""Reads overlays from JSON or YAML, and reports every problem with its place.

Overlay files, control API requests and the arguments of `respond` and `fail` are
all read by this module.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from bedtape_cassettes.errors import Invalid, Problem
from bedtape_cassettes.families.content import Content
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format import yamlio
from bedtape_cassettes.format.bodies import MAX_LEVELS, compact
from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.format.json_values import Place, parse_path
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import DUPLEX
from bedtape_replayer.overlay.answers import find_answer_problems, read_answer
from bedtape_replayer.overlay.expressions import TemplatedAnswer, find_expression_problems
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.corruption import Corrupt
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.outputs.dialogue import load_audio
from bedtape_replayer.overlay.outputs.output import Output
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import AnswerContent, Rule
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.schema import ANSWER, FAULT, OVERLAY, RULE, SCHEDULE
from bedtape_replayer.overlay.script import expect_turns
from bedtape_replayer.overlay.simulation.features import Features, parse_features
from bedtape_replayer.overlay.simulation.schema import SIMULATE
from bedtape_replayer.overlay.when import parse_when

__tracebackhide__ = True  # pytest shows the test's own line, not ours

JsonObject = dict[str, Any]
# Returns the id of a layer that has no name, from its kind.
Namer = Callable[[str], str]


class OverlayInvalid(Invalid):
    """An overlay, a rule or a fault is invalid. Problems have a path, and a line in a file."""


def read(
    data: bytes, file: str, prefix: str = "file-", load: Callable[[str], bytes] | None = None
) -> Overlay:
    """Reads the overlay in a YAML or JSON file. load: returns the content of an audio file that a
    conversation names. Without it, a conversation must not name a file.

    Raises OverlayInvalid, or CassetteInvalid if the data is not YAML.
    """
    value = yamlio.load(data, file)
    try:
        return parse_overlay(value if load is None else load_audio(value, load), prefix)
    except Invalid as error:
        lines = yamlio.locate(data)
        located = (
            replace(problem, file=file, line=_find_line(lines, problem.path))
            for problem in error.problems
        )
        raise OverlayInvalid(sorted(located, key=lambda problem: problem.line)) from None


def _find_line(lines: Mapping[Place, int], path: Place) -> int:
    """Returns the line of the path, or of the nearest parent that has a line."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def make_json(value: Any, place: Place = ()) -> Any:
    """Returns the value as JSON: mappings as objects, sequences as lists, bytes as base64
    text, dates and times in ISO 8601. Other values stay as they are, and the schema refuses them.

    Raises OverlayInvalid for more than `MAX_LEVELS` levels, for example of a
    list that contains itself.
    """
    if len(place) > MAX_LEVELS:
        raise OverlayInvalid(
            [Problem.at(place[:2], f"at most {MAX_LEVELS} levels of objects and lists", "more")]
        )
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): make_json(member, (*place, str(key))) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [make_json(item, (*place, number)) for number, item in enumerate(value)]
    return value


def parse_overlay(value: JsonValue, prefix: str = "") -> Overlay:
    """Reads an overlay. Unnamed layers are called rule-1, fault-1. Raises OverlayInvalid."""
    _raise_problems(_find_problems(value))
    assert isinstance(value, dict)
    rules: Any = value.get("rules", [])
    faults: Any = value.get("faults", [])
    seed: Any = value.get("seed", 0)
    ids: Any = value.get("ids")
    return Overlay(
        tuple(
            _build_rule(rule, rule.get("name") or f"{prefix}rule-{number}")
            for number, rule in enumerate(rules, 1)
        ),
        tuple(
            _build_fault(fault, fault.get("name") or f"{prefix}fault-{number}")
            for number, fault in enumerate(faults, 1)
        ),
        seed,
        ids,
        parse_features(value.get("simulate", {})),  # type: ignore[arg-type]  # an object, by now
    )


def _find_problems(value: JsonValue) -> list[Problem]:
    """Finds the problems against the schema, and further ones of each layer that matches it."""
    wrong = problems(value, OVERLAY)
    invalid = {problem.path[:2] for problem in wrong}
    for kind, more in (("rules", _find_rule_problems), ("faults", _find_fault_problems)):
        layers = value.get(kind) if isinstance(value, dict) else None
        for number, layer in enumerate(layers if isinstance(layers, list) else ()):
            if (kind, number) not in invalid and isinstance(layer, dict):
                wrong += more(layer, (kind, number))
    return wrong or list(_find_duplicate_names(value))


def parse_simulation(value: JsonValue) -> Features:
    """Reads the simulated features of a session. Raises OverlayInvalid."""
    _raise_problems(problems(value, SIMULATE))
    return parse_features(value)  # type: ignore[arg-type]  # an object, by now


def parse_rule(value: JsonValue, namer: Namer) -> Rule:
    """Reads one rule. Raises OverlayInvalid."""
    _raise_problems(problems(value, RULE) or list(_find_rule_problems(value, ())))  # type: ignore[arg-type]  # an object, by now
    assert isinstance(value, dict)
    return _build_rule(
        value, str(value.get("name") or namer("script" if "script" in value else "rule"))
    )


def read_returned(value: object, operation: str | None) -> AnswerContent | None:
    """Reads what a user's function returns: text, an answer as in a rule, another
    object, content or `None`.

    An object is an answer if all its keys are keys of an answer; every other object is sent as JSON
    text. Raises RenderError.
    """
    if value is None or isinstance(value, Content | Failure | Raw | Output):
        return value
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        raise RenderError(
            "expected its function to return text, an answer such as {'tool': {'name':"
            f" 'NAME'}}}}, an object that is sent as JSON, content or None, found {value!r}"
        )
    answer: JsonObject = value if value and value.keys() <= ANSWER.keys() else {"json": value}
    return _read_at_call(answer, operation, "its function returned an answer that is not valid")


def _read_filled(answer: JsonObject, operation: str | None) -> AnswerContent:
    """Reads an answer whose expressions were replaced. Raises RenderError."""
    return _read_at_call(
        answer, operation, "the values of its expressions make an answer that is not valid"
    )


def _read_at_call(answer: JsonObject, operation: str | None, message: str) -> AnswerContent:
    operations = (operation,) if operation else ()
    schema: Schema = {"type": "object", "properties": ANSWER}
    wrong = problems(answer, schema) or list(find_answer_problems(answer, (), operations))
    if wrong:
        raise RenderError(f"{message}: {'; '.join(map(str, wrong))}")
    return read_answer(answer, operations)


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
                    (kind, number, "name"),
                    "a name of its own",
                    repr(name),
                    "two layers have it: rename one",
                )
            if name is not None:
                seen.add(name)


# -- rules beyond the schema -----------------------------------------------------------------------


def _find_rule_problems(rule: JsonObject, path: Place) -> Iterator[Problem]:
    yield from _find_when_problems(rule, path)
    operations = _read_operations(rule.get("when", {}))
    for place, answer in _list_answers(rule, path):
        yield from find_answer_problems(answer, place, operations)
        if rule.get("template"):
            yield from find_expression_problems(answer, place)
    for number, turn in enumerate(rule.get("script", [])):
        yield from _find_path_problems(turn.get("expect", {}), (*path, "script", number, "expect"))
    if "family" in rule:
        try:
            family_of("InvokeModel", "", rule["family"])
        except RenderError as error:
            yield Problem.at(
                (*path, "family"), "a family that is known", repr(rule["family"]), str(error)
            )


def _list_answers(rule: JsonObject, path: Place) -> Iterator[tuple[Place, JsonObject]]:
    """Yields the answers of a rule with their places."""
    if "answer" in rule:
        yield (*path, "answer"), rule["answer"]
    yield from (
        ((*path, "answers", number), answer)
        for number, answer in enumerate(rule.get("answers", []))
    )
    turns = enumerate(rule.get("script", []))
    yield from (((*path, "script", number, "answer"), turn["answer"]) for number, turn in turns)


def _find_when_problems(layer: JsonObject, path: Place) -> Iterator[Problem]:
    yield from _find_path_problems(layer.get("when", {}), (*path, "when"))


def _find_path_problems(when: JsonObject, path: Place) -> Iterator[Problem]:
    places = [(path, when)]
    for key in ("any_of", "none_of"):
        places += [((*path, key, number), each) for number, each in enumerate(when.get(key, []))]
    for place, conditions in places:
        for json_path in conditions.get("json_path", {}):
            try:
                parse_path(json_path)
            except ValueError as error:
                yield Problem.at((*place, "json_path", json_path), "a JSON path", str(error))


def _find_fault_problems(fault: JsonObject, path: Place) -> Iterator[Problem]:
    yield from _find_when_problems(fault, path)
    kind = next(name for name in KINDS if name in fault)
    try:
        made = KINDS[kind].make(fault)
    except ValueError as error:
        yield Problem.at((*path, kind), "a valid fault", str(error))
        return
    if problem := made.find_problem(_read_operations(fault.get("when", {}))):
        yield Problem.at((*path, kind), "a fault that can happen to these calls", problem)
    for key in BESIDE_ERROR:
        if key in fault and kind != "error":
            yield Problem.at((*path, key), f"{key} beside error only", f"it beside {kind}")
    if fault.get("direction") == "input":
        yield from _find_input_problems(fault, kind, made, path)


# The faults that change what a client sends.
_HEARING = (
    "error with after_events, error_frame, latency, stall, truncate, corrupt, drop, repeat, swap,"
    " insert or reset"
)


def _find_input_problems(
    fault: JsonObject, name: str, kind: FaultKind, path: Place
) -> Iterator[Problem]:
    """Yields why a fault cannot change what a client sends."""
    place = (*path, "direction")
    if not kind.hears:
        yield Problem.at(place, f"input beside {_HEARING}", f"input beside {name}")
    elif isinstance(fault[name], dict) and fault[name].get("bytes_more"):
        fix = "the events of a client are passed on as a whole"
        yield Problem.at((*path, name, "bytes_more"), "no bytes_more beside input", "it", fix)
    elif isinstance(kind, Corrupt) and kind.what != "json":
        fix = "no client or recording shows how Bedrock answers a wrong checksum"
        yield Problem.at((*path, name, "what"), "json beside input", kind.what, fix)
    operations = _read_operations(fault.get("when", {}))
    if operations and not DUPLEX.intersection(operations):
        named = ", ".join(operations)
        yield Problem.at(place, f"input for {' or '.join(sorted(DUPLEX))}", f"input for {named}")


# -- layers ----------------------------------------------------------------------------------------


def _build_rule(value: JsonObject, name: str) -> Rule:
    operations = _read_operations(value.get("when", {}))
    script = value.get("script", [])
    given = [answer for _, answer in _list_answers(value, ())]
    contents: tuple[AnswerContent | TemplatedAnswer, ...] = (
        tuple(TemplatedAnswer(answer, _read_filled) for answer in given)
        if value.get("template")
        else tuple(read_answer(answer, operations) for answer in given)
    )
    expected = [parse_when(turn.get("expect", {})) for turn in script]
    answers = expect_turns(list(zip(expected, contents, strict=True))) if script else contents
    schedule = _read_schedule(value)
    if value.get("then") == "miss" or script:
        schedule = replace(schedule, times=min(schedule.times or len(answers), len(answers)))
    return Rule(
        name,
        answers,
        parse_when(value.get("when", {})),
        schedule,
        value.get("family"),
        value,
        len(compact(value)),
        max(1, len(script)),
        value.get("allow_unoffered_tools", False),
        parse_features(value.get("simulate", {})),
    )


def _build_fault(value: JsonObject, name: str) -> Fault:
    kind = next(kind for kind in KINDS if kind in value)
    return Fault(
        name,
        KINDS[kind].make(value),
        parse_when(value.get("when", {})),
        _read_schedule(value),
        value,
        len(compact(value)),
        value.get("direction", "output"),
    )


def _read_schedule(value: JsonObject) -> Schedule:
    members = {key: value[key] for key in SCHEDULE if key in value}
    return Schedule(**members) if members else ALWAYS


def _read_operations(when: JsonObject) -> tuple[str, ...]:
    named = when.get("operation", ())
    return (named,) if isinstance(named, str) else tuple(named)
