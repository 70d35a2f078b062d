"""Generated values, compared with the jsonschema library."""

import re
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.format.json_schema import problems
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.overlay.simulation.schemas.pattern_texts import make_text
from bedtape_replayer.overlay.simulation.schemas.rules import find_malformed
from bedtape_replayer.overlay.simulation.schemas.values import NoValue, generate_value

NAMES = st.sampled_from(["a", "b", "c", "d"])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "yes"])
FORMATS = ["date-time", "date", "time", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]


def _options(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


STRINGS = _options(
    minLength=st.integers(0, 50), maxLength=st.integers(50, 60), format=st.sampled_from(FORMATS)
) | st.fixed_dictionaries({"pattern": st.sampled_from(["^[a-c]{2,4}$", "x+", r"^\d{3}-\w+$"])})
NUMBERS = _options(
    minimum=st.integers(-20, 0),
    maximum=st.integers(1, 20),
    exclusiveMinimum=st.integers(-30, 0),
    exclusiveMaximum=st.integers(5, 30),
    multipleOf=st.integers(1, 3),
)
LEAVES = st.one_of(
    STRINGS.map(lambda each: {"type": "string", **each}),
    NUMBERS.map(lambda each: {"type": "integer", **each}),
    NUMBERS.map(lambda each: {"type": "number", **each}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}, True]),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda each: {"enum": each}),
    SCALARS.map(lambda each: {"const": each}),
    st.just({"$ref": "#/$defs/name"}),
    st.just({"$ref": "#/$defs/tree"}),
)


def _extend(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"properties": st.dictionaries(NAMES, schemas, max_size=3)},
        optional={
            "required": st.lists(NAMES, unique=True, max_size=2),
            "additionalProperties": st.booleans() | schemas,
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(4, 5),
        },
    )
    arrays = st.fixed_dictionaries(
        {"items": schemas},
        optional={
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(2, 4),
            "uniqueItems": st.booleans(),
        },
    )
    branches = st.lists(schemas, min_size=1, max_size=3)
    return st.one_of(
        objects.map(lambda each: {"type": "object", **each}),
        arrays.map(lambda each: {"type": ["array", "null"], **each}),
        branches.map(lambda each: {"anyOf": each}),
        branches.map(lambda each: {"oneOf": each}),
        st.lists(schemas, min_size=1, max_size=2).map(lambda each: {"allOf": each}),
    )


SCHEMAS = st.recursive(LEAVES, _extend, max_leaves=8).map(
    lambda schema: {
        "$defs": {
            "name": {"type": "string", "minLength": 2},
            "tree": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/tree"}]}},
                "required": ["next"],
            },
        },
        **(schema if isinstance(schema, dict) else {}),
    }
)


@given(SCHEMAS, st.binary(max_size=4))
def test_each_generated_value_matches_its_schema(schema: Any, seed: bytes) -> None:
    try:
        value = generate_value(schema, seed)
    except NoValue:
        return
    jsonschema.validate(value, schema)
    assert generate_value(schema, seed) == value


@given(SCHEMAS, st.binary(max_size=4))
def test_a_value_is_judged_as_by_the_jsonschema_library(schema: Any, seed: bytes) -> None:
    try:
        value: JsonValue = generate_value(schema, seed)
    except NoValue:
        value = None
    validator = jsonschema.Draft202012Validator(schema)
    for each in (value, [value, value], {"a": value, "b": 1}, 7, "x", -30):
        if not any(wrong.expected in FORMATS for wrong in problems(each, schema)):
            assert (not problems(each, schema)) == validator.is_valid(each)
    assert find_malformed(schema) is None


# Schemas as Pydantic and Zod write them.
USUAL: list[Any] = [
    {
        "$defs": {
            "Item": {
                "properties": {
                    "name": {"title": "Name", "type": "string", "minLength": 1, "maxLength": 20},
                    "price": {"exclusiveMinimum": 0, "title": "Price", "type": "number"},
                    "kind": {"const": "item", "title": "Kind"},
                },
                "required": ["name", "price"],
                "title": "Item",
                "type": "object",
            }
        },
        "properties": {
            "items": {
                "items": {"$ref": "#/$defs/Item"},
                "minItems": 2,
                "maxItems": 3,
                "type": "array",
            },
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "counts": {"additionalProperties": {"type": "integer"}, "type": "object"},
            "code": {"pattern": "^[A-Z]{2}\\d+$", "type": "string"},
        },
        "required": ["items", "note", "code"],
        "type": "object",
    },
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "shape": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}},
                        "required": ["kind", "radius"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
                        "required": ["kind", "side"],
                        "additionalProperties": False,
                    },
                ]
            },
            "at": {"type": "string", "format": "date-time"},
        },
        "required": ["shape", "at"],
        "additionalProperties": False,
    },
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer", "minimum": 3}}, "required": ["b"]},
        ]
    },
    {"type": "integer", "minimum": 10**12},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "string", "format": "email", "minLength": 3},
]


@pytest.mark.parametrize("schema", USUAL)
@pytest.mark.parametrize("seed", [b"1", b"2", b"3"])
def test_usual_schemas_have_a_value(schema: Any, seed: bytes) -> None:
    jsonschema.validate(generate_value(schema, seed), schema)


@pytest.mark.parametrize("form", FORMATS)
def test_formats_have_values(form: str) -> None:
    schema = {"type": "string", "format": form}
    checker = jsonschema.FormatChecker(["date", "ipv4", "ipv6", "uuid", "email"])
    jsonschema.validate(generate_value(schema, b"1"), schema, format_checker=checker)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": [1], "type": "string"},
        {"allOf": [{"const": 1}, {"const": 2}]},
        {"type": "array", "items": True, "minItems": 10**8},
        {"type": "string", "minLength": 10**9},
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"type": "string", "patternProperties": {}},
        {"type": "object", "required": ["a"], "additionalProperties": False},
    ],
)
def test_a_schema_without_a_value_is_an_error(schema: Any) -> None:
    with pytest.raises(NoValue):
        generate_value(schema, b"")


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z]+@[a-z]+\\.com$",
        "^(red|green|blue)$",
        "\\d{4}-\\d{2}",
        "^[^a-z]*$",
        "^(?:ab)+?c.$",
        "^\\S+\\s\\W\\D$",
        "[^x]",
        "^$",
    ],
)
@given(st.integers(0, 10**6))
def test_a_text_of_a_pattern_matches_it(pattern: str, seed: int) -> None:
    assert re.search(pattern, make_text(pattern, Random(seed)))
