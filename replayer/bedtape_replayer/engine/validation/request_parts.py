"""Finds a part of a request by a path, or by a function where a path cannot describe the part.

A finder returns the indexes of the lists on the way to the part, which errors contain, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import orjson

from bedtape_cassettes.model import JsonValue

JsonObject = dict[str, JsonValue]
Indexes: TypeAlias = tuple[object, ...]
Finder: TypeAlias = Callable[[JsonObject], Indexes | None]
# A path with `*` for every member of a list, `?` for every member of an object, and `=value` for a
# literal; several paths that must all exist; or a function.
Part: TypeAlias = str | tuple[str, ...] | Finder
_MOST_BYTES = 9_000_000


def find_part(find: Part, body: JsonObject) -> Indexes | None:
    """Return the indexes of the first such part of the body, or None."""
    if callable(find):
        return find(body)
    position: Indexes | None = None
    for path in (find,) if isinstance(find, str) else find:
        indexes = next(
            _walk(body, path.partition("=")[0].split("."), path.partition("=")[2], ()), None
        )
        if indexes is None:
            return None
        position = position or indexes
    return position


def _walk(value: JsonValue, parts: list[str], literal: str, indexes: Indexes) -> Iterator[Indexes]:
    """Yield the indexes of lists on the way to each value at the path. null counts as missing."""
    if not parts:
        if value is not None and (not literal or str(value) == literal):
            yield indexes
    elif parts[0] == "*":
        for index, member in enumerate(value if isinstance(value, list) else ()):
            yield from _walk(member, parts[1:], literal, (*indexes, index))
    elif isinstance(value, dict):
        members = value.values() if parts[0] == "?" else (value.get(parts[0]),)
        for member in members:
            yield from _walk(member, parts[1:], literal, indexes)


def any_of(*finds: str) -> Finder:
    """Find any of these paths."""
    return lambda body: next(
        (position for find in finds if (position := find_part(find, body)) is not None), None
    )


def all_of(*finds: str | Finder) -> Finder:
    """Find all of these parts."""

    def find(body: JsonObject) -> Indexes | None:
        positions = [find_part(each, body) for each in finds]
        return None if None in positions else positions[0]

    return find


def _list_contents(body: JsonObject) -> Iterator[tuple[int, JsonValue, list[JsonObject]]]:
    """Yield the index, the role and the blocks of each message."""
    messages = body.get("messages")
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(message, dict) and isinstance(content, list):
            yield at, message.get("role"), [block for block in content if isinstance(block, dict)]


def find_reasoning_of_user(body: JsonObject) -> Indexes | None:
    """Find reasoning in a message of the user."""
    blocks = (
        block for _, role, content in _list_contents(body) if role == "user" for block in content
    )
    return () if any("reasoningContent" in block for block in blocks) else None


def find_lone_cache_point(body: JsonObject) -> Indexes | None:
    """Find a message that consists of cache points."""
    contents = (content for _, _, content in _list_contents(body) if content)
    return (
        () if any(all("cachePoint" in block for block in content) for content in contents) else None
    )


def find_document_without_text(body: JsonObject) -> Indexes | None:
    """Find a message of the user with a document and without a text."""
    for _, role, content in _list_contents(body):
        documents = role == "user" and any("document" in block for block in content)
        if documents and not any("text" in block for block in content):
            return ()
    return None


def find_duplicate_tool_ids(body: JsonObject) -> Indexes | None:
    """Find a message with two tool uses of one id. The error counts messages from 1."""
    for at, _, content in _list_contents(body):
        uses = [block["toolUse"] for block in content if "toolUse" in block]
        ids = [use.get("toolUseId") for use in uses if isinstance(use, dict)]
        if twice := next((each for each in ids if ids.count(each) > 1), None):
            return at + 1, twice
    return None


def find_empty_text(body: JsonObject) -> Indexes | None:
    """Find an empty text block in the messages of InvokeModel."""
    return (
        ()
        if any(
            block.get("text") == "" for _, _, content in _list_contents(body) for block in content
        )
        else None
    )


def find_too_many_bytes(body: JsonObject) -> Indexes | None:
    """Find messages of InvokeModel with texts above nine million bytes. Return the number."""
    messages = body.get("messages")
    contents = (
        [m.get("content") for m in messages if isinstance(m, dict)]
        if isinstance(messages, list)
        else []
    )
    texts = [content for content in contents if isinstance(content, str)]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    texts += [
        text
        for block in blocks
        if isinstance(block, dict) and isinstance(text := block.get("text"), str)
    ]
    if 4 * sum(map(len, texts)) <= _MOST_BYTES:  # no character has more bytes
        return None
    total = sum(len(text.encode(errors="replace")) for text in texts)
    return (total,) if total > _MOST_BYTES else None


def above_tokens(limit: int) -> Finder:
    """Find a `maxTokens` above the limit."""

    def find(body: JsonObject) -> Indexes | None:
        config = body.get("inferenceConfig")
        tokens = config.get("maxTokens") if isinstance(config, dict) else None
        return () if isinstance(tokens, int | float) and tokens > limit else None

    return find


def find_open_strict_tool(body: JsonObject) -> Indexes | None:
    """Find a strict tool whose schema contains an object that accepts other members."""
    config = body.get("toolConfig")
    tools = config.get("tools") if isinstance(config, dict) else None
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        spec = tool.get("toolSpec") if isinstance(tool, dict) else None
        if isinstance(spec, dict) and spec.get("strict") is True:
            schema = spec.get("inputSchema")
            if isinstance(schema, dict) and _contains(schema.get("json"), _is_open):
                return (at,)
    return None


def _contains(schema: JsonValue, test: Callable[[JsonObject], bool]) -> bool:
    """Whether the schema, or a schema inside it, passes the test."""
    if isinstance(schema, list):
        return any(_contains(each, test) for each in schema)
    if not isinstance(schema, dict):
        return False
    return test(schema) or any(_contains(each, test) for each in schema.values())


def _is_open(schema: JsonObject) -> bool:
    """Whether the schema is of an object that accepts other members."""
    return schema.get("type") == "object" and schema.get("additionalProperties") is not False


def _has_max_items(schema: JsonObject) -> bool:
    return schema.get("type") == "array" and "maxItems" in schema


def find_max_items(body: JsonObject) -> Indexes | None:
    """Find an array with maxItems in the output's schema, which Converse keeps as text."""
    for path in (
        "additionalModelRequestFields.output_config.format.schema",
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ):
        value: JsonValue = body
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
        if _contains(value, _has_max_items):
            return ()
    return None
