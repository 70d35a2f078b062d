"""The schemas that a request gives for its answer: of the text, and of the inputs of tools.

From the members of Converse, of Anthropic's Messages, and of OpenAI's Chat Completions and
Responses. Nothing raises, because clients can send any JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.model import JsonValue


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """A schema. place: where the service's errors say that it is.

    tool: the name of the tool whose input it describes; None for the text of the answer.
    any_object: whether the request wants any object, and gives no schema.
    """

    place: str
    schema: JsonValue
    tool: str | None = None
    any_object: bool = False


# The places of the formats of Anthropic's and OpenAI's APIs, of Converse's additional fields, and
# the members between a format and its schema.
_FORMATS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("output_config.format", ("output_config", "format"), ()),
    ("output_format", ("output_format",), ()),
    ("response_format.json_schema", ("response_format",), ("json_schema",)),
    ("text.format", ("text", "format"), ()),
    ("output_config.format", ("additionalModelRequestFields", "output_config", "format"), ()),
)


def read_output_schema(body: JsonObject) -> OutputSchema | None:
    """Return the schema of the text, or None if the request wants any text.

    A format with `strict: false` is None, because the model may ignore it.
    """
    own = json_access.member(body, "outputConfig", "textFormat", "structure", "jsonSchema")
    if isinstance(own, dict) and "schema" in own:
        return OutputSchema("output_config.format.schema", _parse(own["schema"]))
    for place, path, between in _FORMATS:
        chosen = json_access.member(body, *path)
        kind = json_access.text(chosen, "type")
        if kind == "json_object":
            return OutputSchema(place, {"type": "object"}, any_object=True)
        given = json_access.member(chosen, *between)
        if kind == "json_schema" and isinstance(given, dict) and given.get("strict") is not False:
            return OutputSchema(f"{place}.schema", given.get("schema"))
    return None


def _parse(text: JsonValue) -> JsonValue:
    """The schema in Converse's text, or the text if it is not JSON."""
    try:
        value: JsonValue = orjson.loads(text if isinstance(text, str) else "")
    except orjson.JSONDecodeError:
        return text
    return value


def list_tool_schemas(body: JsonObject, *, strict: bool) -> Iterator[OutputSchema]:
    """Yield the schemas of the inputs of tools. strict: of strict tools alone."""
    for number, tool in enumerate(json_access.items(body, "toolConfig", "tools")):
        spec = json_access.member(tool, "toolSpec")
        schema = json_access.member(spec, "inputSchema", "json")
        yield from _make_tool(spec, f"tools.{number}.custom", schema, strict)
    for number, tool in enumerate(json_access.items(body, "tools")):
        function = json_access.member(tool, "function")
        if isinstance(function, dict):
            place, schema = f"tools.{number}.function.parameters", function.get("parameters")
            yield from _make_tool(function, place, schema, strict)
        elif isinstance(tool, dict) and "input_schema" in tool:
            yield from _make_tool(tool, f"tools.{number}.custom", tool["input_schema"], strict)
        elif isinstance(tool, dict):
            place, schema = f"tools.{number}.parameters", tool.get("parameters")
            yield from _make_tool(tool, place, schema, strict)


def _make_tool(
    tool: JsonValue, place: str, schema: JsonValue, strict: bool
) -> Iterator[OutputSchema]:
    name = json_access.text(tool, "name")
    is_strict = json_access.member(tool, "strict") is True
    if name and schema is not None and (is_strict or not strict):
        yield OutputSchema(place, schema, name)
