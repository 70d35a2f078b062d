"""What families share when they read: blocks of text, tools' arguments.

Made for whatever clients and models send: nothing here raises.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import JsonValue

__all__ = ["arguments", "binary", "objects", "read_text", "to_text"]


def objects(value: JsonValue, *path: str) -> list[JsonObject]:
    """The objects in the list at the path."""
    return [item for item in json_access.items(value, *path) if isinstance(item, dict)]


def read_text(value: JsonValue, *path: str) -> str:
    """A string, or the texts of a list of strings and `{"text": …}` blocks, a line each."""
    found = json_access.member(value, *path)
    return json_access.text(found) if isinstance(found, str) else "\n".join(_texts(found))


def _texts(blocks: JsonValue) -> Iterator[str]:
    for block in json_access.items(blocks):
        text = json_access.text(block) if isinstance(block, str) else json_access.text(block, "text")
        if text:
            yield text


def arguments(text: str) -> JsonValue:
    """A tool's arguments as a model wrote them: their JSON, or the text where they are none (a cut answer)."""
    if not text:
        return {}
    try:
        return bodies.parse(text.encode(errors="replace"))
    except ValueError:
        return text


def to_text(value: JsonValue) -> str:
    """Any JSON as a reader sees it: a string is itself."""
    return json_access.text(value) if isinstance(value, str) else json.dumps(value)


def binary(value: JsonValue) -> bytes:
    """The bytes of a base64 string; none where it is none."""
    try:
        return b64decode(json_access.text(value), validate=True)
    except ValueError:
        return b""
