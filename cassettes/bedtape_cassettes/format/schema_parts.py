"""The parts of which JSON Schemas are made."""

from __future__ import annotations

from bedtape_cassettes.format.json_schema import LARGEST_COUNT, Schema

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
ANYTHING: Schema = {}


def list_of(item: Schema, description: str | None = None) -> Schema:
    """A list of such items."""
    schema: Schema = {"type": "array", "items": item}
    return schema if description is None else {**schema, "description": description}


def or_null(schema: Schema, description: str | None = None) -> Schema:
    member = {} if description is None else {"description": description}
    return {**schema, "type": [schema["type"], "null"], **member}


def describe(description: str, schema: Schema) -> Schema:
    return {**schema, "description": description}


def make_count(description: str, least: int = 1, most: int = LARGEST_COUNT) -> Schema:
    """A whole number with both limits."""
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def make_object(properties: dict[str, Schema], **more: object) -> Schema:
    """An object that has all of these and no more."""
    required = sorted(properties)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }


def make_optional(properties: dict[str, Schema], **more: object) -> Schema:
    """An object that has any of these and no more."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


PAIR: Schema = {"type": "array", "prefixItems": [TEXT, TEXT], "minItems": 2, "maxItems": 2}
