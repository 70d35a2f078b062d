"""Reads text blocks, tool arguments and base64. Nothing raises, because clients send any JSON."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import JsonValue


def objects(value: JsonValue, *path: str) -> list[JsonObject]:
    """The objects in the list at the path."""
    return [item for item in json_access.items(value, *path) if isinstance(item, dict)]


def text_choices(chunks: Sequence[JsonValue]) -> list[JsonObject]:
    """The first choice of each chunk, if it has a text: of a whole answer, or of a stream."""
    firsts = (choice for chunk in chunks for choice in objects(chunk, "choices")[:1])
    return [choice for choice in firsts if "text" in choice]


def read_text(value: JsonValue, *path: str) -> str:
    """The string at the path, or the joined texts of strings and `{"text": …}`, one per line."""
    leaf = json_access.member(value, *path)
    return json_access.text(leaf) if isinstance(leaf, str) else "\n".join(_texts(leaf))


def _texts(blocks: JsonValue) -> Iterator[str]:
    for block in json_access.items(blocks):
        text = (
            json_access.text(block) if isinstance(block, str) else json_access.text(block, "text")
        )
        if text:
            yield text


def arguments(text: str) -> JsonValue:
    """Parse a tool call's arguments. Returns the text if it is not JSON, as in a cut answer."""
    if not text:
        return {}
    try:
        return bodies.parse(text.encode(errors="replace"))
    except ValueError:
        return text


def read_forced_tool(choice: JsonValue) -> str | None:
    """The tool that `tool_choice` forces; empty for any tool, None if the model may choose."""
    match choice:
        case "required" | "any" | {"type": "any"} | {"any": {}}:
            return ""
        case (
            {"tool": {"name": str(name)}}
            | {"function": {"name": str(name)}}
            | {"type": "tool" | "function", "name": str(name)}
        ):
            return name
    return None


def to_text(value: JsonValue) -> str:
    """JSON as text. A string is returned without quotes."""
    return json_access.text(value) if isinstance(value, str) else json.dumps(value)


def binary(value: JsonValue) -> bytes:
    """Decode a base64 string. Returns empty bytes if the value is not base64."""
    try:
        return b64decode(json_access.text(value), validate=True)
    except ValueError:
        return b""
