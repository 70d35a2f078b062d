"""Each vocabulary that is written in several places is the same in all of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from bedtape_cassettes.failures import FAILURES
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.answering.service_operations import OPERATION_NAMES
from bedtape_replayer.api import call_schemas as schemas
from bedtape_replayer.history import calls
from bedtape_replayer.overlay import keywords
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.schema import ANSWER, DIRECTION, FAULT, RULE, SCHEDULE, WHEN
from bedtape_replayer.overlay.when import When

INSPECTOR = Path(schemas.__file__).parent / "inspector" / "static"
TEXT = {"type": "string"}
# A rule's text may stand alone in Python; conditions may be keywords beside `when`.
ANSWERS = {"type": "array", "items": {"anyOf": [TEXT, RULE["properties"]["answers"]["items"]]}}
LAYER = {"name": TEXT, "when": RULE["properties"]["when"], **WHEN, **SCHEDULE}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _names(script: str, constant: str, pattern: str) -> set[str]:
    """The names that a pattern finds in the object that a script of the
    inspector assigns to a constant.
    """
    (body,) = re.findall(
        rf"const {constant} = \{{\n(.*?)\n\}};", (INSPECTOR / script).read_text(), re.DOTALL
    )
    return set(re.findall(pattern, body, re.MULTILINE))


def _shape(members: Iterator[str]) -> set[str]:
    """Every path with what may be there; a list of values that any text extends is text."""
    shape = set(members)
    return {
        line
        for line in shape
        if f"{line.partition(' = ')[0]}: str" not in shape or " = " not in line
    }


def _of_schema(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    if "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _of_schema(each, path)
    elif "enum" in schema:
        yield from (f"{path} = {value}" for value in schema["enum"])
    elif not schema.keys() & {"type", "properties"}:
        yield f"{path}: Any"
    else:
        types = schema["type"]
        for kind in types if isinstance(types, list) else [types]:
            yield from _of_schema_type(kind, schema, path)


def _of_schema_type(kind: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    match kind:
        case "string":
            yield f"{path}: str"
            if schema.get("format") == "base64":
                yield f"{path}: bytes"
        case "array":
            yield from _of_schema(schema.get("items", {}), f"{path}[]")
        case "object" if "properties" in schema:
            for name, member in schema["properties"].items():
                yield from _of_schema(member, f"{path}.{name}")
            yield from (f"{path}.{name} is required" for name in schema.get("required", ()))
        case "object":
            more = schema.get("additionalProperties", True)
            yield from _of_schema({} if more is True else more, f"{path}.*")
        case _:
            yield (
                f"{path}:"
                f" { {'integer': 'int', 'number': 'float', 'boolean': 'bool', 'null': 'None'}[kind] }"
            )


def _of_type(hint: Any, path: str = "") -> Iterator[str]:
    arguments = get_args(hint)
    if is_typeddict(hint):
        for name, member in get_type_hints(hint, include_extras=True).items():
            required = get_origin(member) is Required
            yield from _of_type(get_args(member)[0] if required else member, f"{path}.{name}")
            if required or name in hint.__required_keys__:
                yield f"{path}.{name} is required"
    elif get_origin(hint) is Literal:
        yield from (f"{path} = {value}" for value in arguments)
    elif get_origin(hint) is Sequence:
        yield from _of_type(arguments[0], f"{path}[]")
    elif get_origin(hint) is Mapping:
        yield from _of_type(arguments[1], f"{path}.*")
    elif arguments:
        assert get_origin(hint) in (Union, type(int | str))
        for each in arguments:
            yield from _of_type(each, path)
    else:
        yield (
            f"{path}:"
            f" {'None' if hint is NoneType else hint.__name__ if isinstance(hint, type) else 'Any'}"
        )


def _same(hint: Any, schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    return _shape(_of_type(hint)), _shape(_of_schema(schema))


VOCABULARIES: dict[str, tuple[set[str], set[str]]] = {
    "when, as keywords": _same(keywords.WhenDict, _object(WHEN)),
    "when, as values": ({field.name for field in fields(When) if field.init}, set(WHEN)),
    "schedules, as values": ({field.name for field in fields(Schedule)}, set(SCHEDULE)),
    "answers, as keywords": _same(keywords.AnswerDict, _object(ANSWER)),
    "respond()": _same(
        keywords.RuleDict,
        _object(
            {
                **LAYER,
                **ANSWER,
                "answers": ANSWERS,
                "family": TEXT,
                **{
                    name: RULE["properties"][name]
                    for name in ("then", "template", "allow_unoffered_tools", "simulate")
                },
            }
        ),
    ),
    "rules": (
        set(RULE["properties"]),
        {
            "name",
            "when",
            "answer",
            "answers",
            "then",
            "script",
            "family",
            "template",
            "allow_unoffered_tools",
            "simulate",
            *SCHEDULE,
        },
    ),
    "fail()": _same(keywords.ErrorDict, _object({**LAYER, **BESIDE_ERROR, **DIRECTION})),
    "fault()": _same(keywords.FaultDict, _object({**FAULT["properties"], **LAYER})),
    "filter()": _same(keywords.FilterDict, _object(schemas.CONDITIONS)),
    "assert_called()": _same(keywords.CalledDict, schemas.ASSERTION["properties"]["called"]),
    "filters": (set(calls.CONDITIONS), set(schemas.CONDITIONS)),
    "kinds of faults": (
        set(FAULT["properties"]),
        {"name", "when", *SCHEDULE, *BESIDE_ERROR, *DIRECTION, *KINDS},
    ),
    "names of errors": (set(get_args(keywords.ErrorName)), set(FAILURES)),
    "operations": (set(get_args(keywords.OperationName)), set(OPERATION_NAMES)),
    "faults in the inspector": (_names("layers.js", "FAULTS", r"=> \(\{ (\w+):"), set(KINDS)),
    "sources in the inspector": (_names("words.js", "WHY", r"^  (\w+):"), set(get_args(Source))),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_is_the_same_wherever_it_is_written(name: str) -> None:
    one, other = VOCABULARIES[name]
    assert one == other
