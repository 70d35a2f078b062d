"""Which schemas of requests Bedrock refuses, and with which texts.

Sources: docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html and
platform.claude.com/docs/en/build-with-claude/structured-outputs (the supported subset of JSON
Schema). The texts are those that users of Claude report. Models of other providers are checked in
the same way, because AWS documents one subset; their texts are not known. Three texts begin with
`Invalid schema: ` and are not known either: of nested enum values, of a reference without a target,
and of a value that is no JSON Schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.requests.output_schema import OutputSchema
from bedtape_cassettes.format.json_schema import find_target, problems
from bedtape_cassettes.model import JsonValue

# The most strict tools, optional parameters and parameters with several types of a request.
_TOOLS, _OPTIONAL, _UNIONS = 20, 24, 16
# The keywords that no model supports, by the type that they belong to.
_UNSUPPORTED = {
    "array": (
        "contains",
        "maxContains",
        "maxItems",
        "minContains",
        "prefixItems",
        "unevaluatedItems",
        "uniqueItems",
    ),
    "integer": ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
    "object": (
        "dependentRequired",
        "dependentSchemas",
        "maxProperties",
        "minProperties",
        "patternProperties",
        "propertyNames",
        "unevaluatedProperties",
    ),
    "string": ("maxLength", "minLength"),
}
_UNSUPPORTED["number"] = _UNSUPPORTED["integer"]
_COMBINATIONS = ("oneOf", "not", "if", "then", "else")
_CLOSED = "'additionalProperties' must be explicitly set to false"
_OPEN = "is not supported. Please set 'additionalProperties' to false"
# The form of a schema, so that the other functions can rely on it.
_FORM: JsonObject = {
    "$defs": {
        "schema": {
            "anyOf": [
                {"type": "boolean"},
                {
                    "type": "object",
                    "properties": {
                        "type": {
                            "anyOf": [
                                {"$ref": "#/$defs/type"},
                                {"type": "array", "items": {"$ref": "#/$defs/type"}, "minItems": 1},
                            ]
                        },
                        "$ref": {"type": "string"},
                        "enum": {"type": "array", "minItems": 1},
                        "required": {"type": "array", "items": {"type": "string"}},
                        "format": {"type": "string"},
                        "pattern": {"type": "string", "format": "regex"},
                        "uniqueItems": {"type": "boolean"},
                        "multipleOf": {"type": "number", "exclusiveMinimum": 0},
                        **{
                            name: {"$ref": "#/$defs/schema"}
                            for name in ("items", "additionalProperties", "not")
                        },
                        **{
                            name: {
                                "type": "object",
                                "additionalProperties": {"$ref": "#/$defs/schema"},
                            }
                            for name in ("properties", "$defs", "definitions")
                        },
                        **{
                            name: {
                                "type": "array",
                                "items": {"$ref": "#/$defs/schema"},
                                "minItems": 1,
                            }
                            for name in ("anyOf", "allOf", "oneOf")
                        },
                        **{
                            name: {"type": "number"}
                            for name in (
                                "minimum",
                                "maximum",
                                "exclusiveMinimum",
                                "exclusiveMaximum",
                            )
                        },
                        **{
                            name: {"type": "integer", "minimum": 0}
                            for name in (
                                *("minLength", "maxLength", "minItems", "maxItems"),
                                *("minProperties", "maxProperties"),
                            )
                        },
                    },
                },
            ]
        },
        "type": {"enum": ["string", "integer", "number", "boolean", "object", "array", "null"]},
    },
    "$ref": "#/$defs/schema",
}


def find_malformed(schema: JsonValue) -> str | None:
    """Return why a value is no JSON Schema, or None."""
    wrong = problems(schema, _FORM)
    return f"Invalid schema: {wrong[0]}" if wrong else None


def find_refusal(schemas: Sequence[OutputSchema]) -> str | None:
    """Return the error for the first schema that the service refuses, or None."""
    tools = sum(each.tool is not None for each in schemas)
    if tools > _TOOLS:
        return (
            f"Too many strict tools ({tools}). The maximum number of strict tools supported is"
            f" {_TOOLS}. Try reducing the number of tools marked as strict."
        )
    optional = unions = 0
    for each in schemas:
        problem = find_malformed(each.schema) or next(_find_problems(each.schema), None)
        if problem:
            return f"{each.place}: {problem}"
        for own in _list_schemas(each.schema):
            properties = own.get("properties")
            members = properties if isinstance(properties, dict) else {}
            required = own.get("required")
            optional += len(members.keys() - set(required if isinstance(required, list) else ()))
            unions += sum(
                isinstance(member, dict)
                and (isinstance(member.get("type"), list) or "anyOf" in member)
                for member in members.values()
            )
    if unions > _UNIONS:
        return (
            f"Schemas contains too many parameters with union types ({unions} parameters with type"
            " arrays or anyOf). This causes exponential compilation cost. Reduce the number of"
            f" nullable or union-typed parameters (limit: {_UNIONS} parameters with unions)."
        )
    if optional > _OPTIONAL:
        return (
            f"Schemas contains too many optional parameters ({optional}), which would make grammar"
            " compilation inefficient. Reduce the number of optional parameters in your tool"
            f" schemas (limit: {_OPTIONAL})."
        )
    return None


def _list_children(schema: JsonObject) -> Iterator[JsonValue]:
    for name in ("properties", "$defs", "definitions"):
        members = schema.get(name)
        yield from members.values() if isinstance(members, dict) else ()
    for name in ("anyOf", "allOf"):
        branches = schema.get(name)
        yield from branches if isinstance(branches, list) else ()
    yield schema.get("items")


def _list_schemas(schema: JsonValue) -> Iterator[JsonObject]:
    """Yield a schema and all schemas inside it."""
    if isinstance(schema, dict):
        yield schema
        for child in _list_children(schema):
            yield from _list_schemas(child)


def _find_problems(schema: JsonValue) -> Iterator[str]:
    yield from _find_wrong_references(schema)
    for own in _list_schemas(schema):
        if combined := next((name for name in _COMBINATIONS if name in own), None):
            yield f"Schema type '{combined}' is not supported"
        yield from _find_wrong_enum(own)
        kinds = own.get("type")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            yield from _find_wrong_keywords(own, str(kind))


def _find_wrong_keywords(schema: JsonObject, kind: str) -> Iterator[str]:
    words = f"For '{kind}' type, "
    if kind == "object":
        extra = schema.get("additionalProperties")
        if extra is None:
            yield words + _CLOSED
        elif extra is not False:
            shown = "true" if extra is True else "object"
            yield f"{words}'additionalProperties: {shown}' {_OPEN}"
    unsupported = [name for name in _UNSUPPORTED.get(kind, ()) if name in schema]
    if len(unsupported) == 1:
        yield f"{words}property '{unsupported[0]}' is not supported"
    elif unsupported:
        yield f"{words}properties {', '.join(unsupported)} are not supported"
    if kind == "array" and schema.get("minItems") not in (None, 0, 1):
        yield f"{words}'minItems' values other than 0 or 1 are not supported"


def _find_wrong_enum(schema: JsonObject) -> Iterator[str]:
    values, kinds = schema.get("enum"), schema.get("type")
    if not isinstance(values, list):
        return
    if any(isinstance(value, dict | list) for value in values):
        yield "Invalid schema: Enum values must be strings, numbers, booleans or null"
    elif isinstance(kinds, list):  # Claude refuses it, also if the value has one of the types
        declared = json.dumps(kinds, separators=(",", ":"))
        yield f"Invalid schema: Enum value '{values[0]}' does not match declared type '{declared}'"


def _find_wrong_references(schema: JsonValue) -> Iterator[str]:
    for own in _list_schemas(schema):
        reference = own.get("$ref")
        if isinstance(reference, str) and find_target(reference, schema) is None:
            yield f"Invalid schema: $ref {reference!r} names no definition of this schema"
    if cycle := _find_cycle(schema, schema, (), set()):
        yield (
            f"Circular reference detected in schema definitions: {' -> '.join(cycle)}."
            " Self-referencing or mutually-referencing definitions are not supported."
        )


def _find_cycle(
    schema: JsonValue, root: JsonValue, trail: tuple[str, ...], ended: set[str]
) -> tuple[str, ...] | None:
    """Return the names of definitions that lead to themselves, or None.

    trail: the definitions that lead here. ended: those that lead to no cycle.
    """
    for own in _list_schemas(schema):
        reference = own.get("$ref")
        if not isinstance(reference, str) or reference in ended:
            continue
        name = reference.rpartition("/")[2]
        if name in trail:
            return (*trail[trail.index(name) :], name)
        if cycle := _find_cycle(find_target(reference, root), root, (*trail, name), ended):
            return cycle
        ended.add(reference)
    return None
