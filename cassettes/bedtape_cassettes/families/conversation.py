"""The requests of Converse, and of Nova's own API, which has the same messages, tools and system prompts."""

from __future__ import annotations

from collections.abc import Sequence

from bedtape_cassettes.content import ToolResult, ToolUse, Turn
from bedtape_cassettes.families import members, telling
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.model import JsonValue

__all__ = ["call", "conversation", "system", "tool_names"]


def system(body: JsonObject) -> str:
    """The system prompt: blocks, of which some clients send the text alone."""
    return members.text(body, "system") or _said(members.items(body, "system"))


def tool_names(body: JsonObject) -> tuple[str, ...]:
    """The tools offered in `toolConfig`, which Nova's own requests share."""
    specs = [members.text(tool, "toolSpec", "name") for tool in members.items(body, "toolConfig", "tools")]
    return tuple(name for name in specs if name)


def conversation(body: JsonObject) -> tuple[Turn, ...]:
    """The messages of a request of Converse, or of Nova's own."""
    return tuple(_turn(message) for message in telling.objects(body, "messages"))


def _turn(message: JsonObject) -> Turn:
    content = members.member(message, "content")
    blocks = telling.objects(content)
    return Turn(
        members.text(message, "role"),
        members.text(content) or _said(blocks),
        tuple(_result(block["toolResult"]) for block in blocks if "toolResult" in block),
        tuple(call(block["toolUse"]) for block in blocks if "toolUse" in block),
    )


def _said(blocks: Sequence[JsonValue]) -> str:
    """The text blocks, a line each, those under a guardrail among them."""
    texts = (members.text(block, "text") or members.text(block, "guardContent", "text", "text") for block in blocks)
    return "\n".join(text for text in texts if text)


def _result(value: JsonValue) -> ToolResult:
    parts = telling.objects(value, "content")
    texts = (telling.written(part["json"]) if "json" in part else members.text(part, "text") for part in parts)
    return ToolResult(members.text(value, "toolUseId"), "\n".join(text for text in texts if text))


def call(value: JsonValue) -> ToolUse:
    """A `toolUse` block, of a request or of an answer."""
    return ToolUse(
        members.text(value, "name"), members.member(value, "input"), members.text(value, "toolUseId") or None
    )
