"""The parts of a request in the order in which a model reads them: tools, system, messages.

A part is a tool, a block of the system prompt or a block of a message. The parts of all APIs have
one form, so that token counts and prompt caches do not depend on the API. From the requests of
Converse, of Nova, of Anthropic's Messages, and of OpenAI's Chat Completions and Responses. Nothing
raises: parts of another form are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.families.content import CHARACTERS_A_TOKEN, Prompt
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue

Group: TypeAlias = Literal["tools", "system", "messages"]
# The members that mark the end of a prefix to cache: of Converse and Nova, of
# Anthropic, of OpenAI (GPT-5.6).
_POINT, _MARKS = "cachePoint", ("cache_control", "prompt_cache_breakpoint")
_LIFETIME = "5m"
# The characters that an image or another file counts as. Models count them by their
# size in pixels or pages.
_FILE = 4_000
_CALLS = ("toolUse", "tool_use", "tool_calls", "function_call")
_FILES = (
    "image",
    "document",
    "video",
    "audio",
    "image_url",
    "input_image",
    "input_file",
    "input_audio",
    "file",
)


@dataclass(slots=True)
class Part:
    """A part of a request. text: its JSON without cache marks; equal parts have equal texts.

    characters: of its texts. lifetime: of the cache that a mark after this part
    requests; None without a mark.
    """

    group: Group
    text: bytes
    characters: int
    lifetime: str | None = None


def list_parts(body: JsonObject, prompt: Prompt) -> list[Part]:
    """Return the parts of a request. prompt: its content, the one part of an unknown body."""
    parts: list[Part] = []
    tools = json_access.member(body, "toolConfig", "tools") or body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        _add(parts, "tools", "", tool)
    for block in _list_blocks(body.get("system") or body.get("instructions")):
        _add(parts, "system", "", block)
    messages = body.get("messages") or body.get("input")
    for message in _list_blocks(messages):
        role = json_access.text(message, "role")
        content = message.get("content") if isinstance(message, dict) else None
        group: Group = "system" if role in ("system", "developer") else "messages"
        for block in _list_blocks(content if content is not None else message):
            _add(parts, group, role, block)
        if content is not None and isinstance(message, dict) and "tool_calls" in message:
            _add(parts, group, role, {"tool_calls": message["tool_calls"]})
    if parts and (mark := body.get(_MARKS[0])) is not None:  # Anthropic's automatic caching
        parts[-1].lifetime = parts[-1].lifetime or json_access.text(mark, "ttl") or _LIFETIME
    if not parts and prompt.text:
        parts.append(Part("messages", prompt.text.encode(errors="replace"), len(prompt.text)))
    return parts


def _list_blocks(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _add(parts: list[Part], group: Group, role: str, block: JsonValue) -> None:
    lifetime = None
    if isinstance(block, dict):
        if _POINT in block:
            if parts:
                parts[-1].lifetime = json_access.text(block, _POINT, "ttl") or _LIFETIME
            return
        for name in _MARKS:
            if isinstance(mark := block.get(name), dict):
                lifetime = json_access.text(mark, "ttl") or _LIFETIME
        block = {key: value for key, value in block.items() if key not in _MARKS}
        if set(block) == {"text", "type"} or set(block) == {
            "text"
        }:  # a block with a mark equals the text of a message without blocks
            block = block["text"]
    characters = (
        _count_block(block)
        if group == "messages" or isinstance(block, str)
        else len(_render(block))
    )
    parts.append(Part(group, _render([group, role, block]), characters, lifetime))


def _render(value: JsonValue) -> bytes:
    try:
        return compact(value)
    except UnicodeEncodeError:  # half of a surrogate pair, from a text that was cut
        return json.dumps(value).encode()


def _count_block(block: JsonValue) -> int:
    """The characters of a block: of its texts, or of its JSON if it is a tool call or has none."""
    if isinstance(block, str):
        return len(block)
    if isinstance(block, dict):
        kinds = {*block, json_access.text(block, "type")}
        if kinds.intersection(_FILES):
            return _FILE
        texts = [] if kinds.intersection(_CALLS) else list(_list_texts(block))
        return sum(map(len, texts)) if texts else len(_render(block))
    return len(_render(block))


def _list_texts(value: JsonValue) -> Iterator[str]:
    """The texts of a block, also inside of a tool's result."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "text" and isinstance(member, str):
                yield member
            elif isinstance(member, dict | list):
                yield from _list_texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _list_texts(item)


def count_tokens(parts: list[Part]) -> int:
    """Estimate the input tokens of the parts, at least 1: a token has four characters."""
    return max(1, -(-sum(part.characters for part in parts) // CHARACTERS_A_TOKEN))
