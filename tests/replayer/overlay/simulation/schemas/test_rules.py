"""The texts with which Bedrock refuses schemas."""

from typing import Any

import pytest

from bedtape_cassettes.families.requests.output_schema import OutputSchema
from bedtape_replayer.overlay.simulation.schemas.rules import find_malformed, find_refusal


def _close(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _refuse(*schemas: Any, tool: str | None = None) -> str | None:
    return find_refusal([OutputSchema("place", schema, tool) for schema in schemas])


@pytest.mark.parametrize(
    "schema",
    [
        _close(
            a={"type": "string", "format": "date", "pattern": "^[0-9-]+$", "description": "x"},
            b={"type": "array", "items": {"enum": [1, None]}, "minItems": 1},
            c={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/c"}], "default": None},
            d={"const": 1},
            e={"allOf": [{"type": "boolean"}]},
        )
        | {"$defs": {"c": _close(minimum={"type": "integer"})}},
        {
            "type": "array",
            "items": {"$ref": "#/definitions/x"},
            "definitions": {"x": {"type": "null"}},
        },
        True,
    ],
)
def test_supported_schemas_are_not_refused(schema: Any) -> None:
    assert _refuse(schema) is None


REFUSED: list[tuple[Any, str]] = [
    (
        {"type": "object"},
        "For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    (
        {"type": "object", "additionalProperties": True},
        "For 'object' type, 'additionalProperties: true' is not supported. Please set"
        " 'additionalProperties' to false",
    ),
    (
        {"type": "object", "additionalProperties": {"type": "string"}},
        "For 'object' type, 'additionalProperties: object' is not supported. Please set"
        " 'additionalProperties' to false",
    ),
    (
        {"type": ["object", "null"]},
        "For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    ({"type": "number", "minimum": 0}, "For 'number' type, property 'minimum' is not supported"),
    (
        {"type": "integer", "minimum": 1, "maximum": 5},
        "For 'integer' type, properties maximum, minimum are not supported",
    ),
    (
        {"type": "string", "minLength": 1, "maxLength": 5},
        "For 'string' type, properties maxLength, minLength are not supported",
    ),
    ({"type": "array", "maxItems": 3}, "For 'array' type, property 'maxItems' is not supported"),
    (
        {"type": "array", "minItems": 2},
        "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
    ),
    (
        {"type": "array", "uniqueItems": True},
        "For 'array' type, property 'uniqueItems' is not supported",
    ),
    (
        _close() | {"propertyNames": {"type": "string"}},
        "For 'object' type, property 'propertyNames' is not supported",
    ),
    ({"oneOf": [{"type": "string"}]}, "Schema type 'oneOf' is not supported"),
    (
        {"type": ["string", "null"], "enum": ["face", None]},
        "Invalid schema: Enum value 'face' does not match declared type '[\"string\",\"null\"]'",
    ),
    (
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
        "Circular reference detected in schema definitions: a -> a. Self-referencing or"
        " mutually-referencing definitions are not supported.",
    ),
    (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "Circular reference detected in schema definitions: b -> a -> b. Self-referencing or"
        " mutually-referencing definitions are not supported.",
    ),
    (
        {"enum": [{"a": 1}]},
        "Invalid schema: Enum values must be strings, numbers, booleans or null",
    ),
    (
        {"$ref": "https://example.com/x"},
        "Invalid schema: $ref 'https://example.com/x' names no definition of this schema",
    ),
    (
        "no schema",
        'Invalid schema: the document: expected a boolean or an object, found "no schema"',
    ),
]


@pytest.mark.parametrize(("schema", "text"), REFUSED)
def test_the_text_of_a_refusal(schema: Any, text: str) -> None:
    assert _refuse(schema) == f"place: {text}"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: _close(a=inner),
        lambda inner: {"type": "array", "items": inner},
        lambda inner: {"anyOf": [{"type": "null"}, inner]},
        lambda inner: {"allOf": [inner]},
        lambda inner: {"$defs": {"a": inner}},
    ],
)
def test_schemas_inside_a_schema_are_checked(wrap: Any) -> None:
    text = "For 'number' type, property 'minimum' is not supported"
    assert _refuse(wrap({"type": "number", "minimum": 0})) == f"place: {text}"


def test_limits_of_a_request() -> None:
    nullable = {"type": ["string", "null"]}
    assert _refuse(_close(**{f"p{n}": nullable for n in range(16)})) is None
    assert _refuse(_close(**{f"p{n}": nullable for n in range(17)})) == (
        "Schemas contains too many parameters with union types (17 parameters with type arrays or"
        " anyOf). This causes exponential compilation cost. Reduce the number of nullable or"
        " union-typed parameters (limit: 16 parameters with unions)."
    )
    optional = {**_close(**{f"p{n}": {"type": "string"} for n in range(12)}), "required": []}
    assert _refuse(optional, _close(a=optional)) is None
    assert _refuse(optional, _close(a=optional), {**_close(b={}), "required": []}) == (
        "Schemas contains too many optional parameters (25), which would make grammar compilation"
        " inefficient. Reduce the number of optional parameters in your tool schemas (limit: 24)."
    )
    assert _refuse(*[_close()] * 20, tool="a") is None
    assert _refuse(*[_close()] * 21, tool="a") == (
        "Too many strict tools (21). The maximum number of strict tools supported is 20. Try"
        " reducing the number of tools marked as strict."
    )


@pytest.mark.parametrize("schema", [{}, True, {"type": "string"}, {"items": {"x-own": 1}}])
def test_schemas_have_a_form(schema: Any) -> None:
    assert find_malformed(schema) is None


@pytest.mark.parametrize(
    "schema", [[], 1, {"type": []}, {"properties": [1]}, {"anyOf": []}, {"pattern": "("}]
)
def test_other_values_are_no_schemas(schema: Any) -> None:
    assert (find_malformed(schema) or "").startswith("Invalid schema: ")
