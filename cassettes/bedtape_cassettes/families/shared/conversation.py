"""Reads requests of Converse and Nova, which have equal messages, tools and system prompts."""

from __future__ import annotations

from collections.abc import Sequence

from bedtape_cassettes.families.content import ToolResult, ToolUse, Turn
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.model import JsonValue


def system(body: JsonObject) -> str:
    """The system prompt: a list of blocks, or a string, which some clients send."""
    given = body.get("system")
    if given is None:
        return ""
    return json_access.text(given) or _join_texts(json_access.items(given))


def tool_names(body: JsonObject) -> tuple[str, ...]:
    """The names of the tools in `toolConfig`: tools of the client, and tools that Bedrock runs."""
    tools = json_access.items(body, "toolConfig", "tools")
    names = [
        json_access.text(tool, kind, "name")
        for tool in tools
        for kind in ("toolSpec", "systemTool")
    ]
    return tuple(name for name in names if name)


def conversation(body: JsonObject) -> tuple[Turn, ...]:
    """The messages of a request as turns."""
    return tuple([_turn(message) for message in readers.objects(body, "messages")])


def _turn(message: JsonObject) -> Turn:
    content = message.get("content")
    role = json_access.text(message, "role")
    match content:
        case [{"text": str(text), **others}] if not others and text.isascii():  # most messages
            return Turn(role, text)
    blocks = readers.objects(content)
    return Turn(
        role,
        json_access.text(content) or _join_texts(blocks),
        tuple(_result(block["toolResult"]) for block in blocks if "toolResult" in block),
        tuple(call(block["toolUse"]) for block in blocks if "toolUse" in block),
    )


def _join_texts(blocks: Sequence[JsonValue]) -> str:
    """Join the text blocks with newlines. Text in `guardContent` is included."""
    texts = (
        json_access.text(block, "text") or json_access.text(block, "guardContent", "text", "text")
        for block in blocks
    )
    return "\n".join(text for text in texts if text)


def _result(value: JsonValue) -> ToolResult:
    parts = readers.objects(value, "content")
    texts = (
        readers.to_text(part["json"]) if "json" in part else json_access.text(part, "text")
        for part in parts
    )
    return ToolResult(
        json_access.text(value, "toolUseId"), "\n".join(text for text in texts if text)
    )


def call(value: JsonValue) -> ToolUse:
    """Read a `toolUse` block of a request or an answer."""
    return ToolUse(
        json_access.text(value, "name"),
        json_access.member(value, "input"),
        json_access.text(value, "toolUseId") or None,
    )
