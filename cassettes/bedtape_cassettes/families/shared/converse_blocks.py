"""Renders and reads the parts of Converse's answers: blocks, citations and usage.

Members are in alphabetical order, as in all 500 recorded answers.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from bedtape_cassettes.families.content import (
    Block,
    Citation,
    CitedText,
    Image,
    Reasoning,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.families.family import JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.shared import json_access, readers, synthesis
from bedtape_cassettes.families.shared.conversation import call
from bedtape_cassettes.model import JsonValue

SUPPORTED = "text, reasoning, tool use, cited text or an image (Message)"
# Claude models without cache counts and typed tool use. Whole answers of later models have both.
_OLDER = (
    "*claude-v*",
    "*claude-instant*",
    "*claude-3-haiku*",
    "*claude-3-sonnet*",
    "*claude-3-opus*",
    "*claude-3-5-*",
)


def is_newer(request: ModelRequest) -> bool:
    return "claude" in request.model and not any(
        fnmatchcase(request.model, glob) for glob in _OLDER
    )


def performance(request: ModelRequest) -> JsonObject:
    """The latency setting of the request, which the answer repeats."""
    latency = json_access.text(request.body, "performanceConfig", "latency")
    return {"performanceConfig": {"latency": latency}} if latency else {}


def tier(request: ModelRequest) -> JsonObject:
    tier = json_access.text(request.body, "serviceTier", "type")
    return {"serviceTier": {"type": tier}} if tier else {}


def find_cache_lifetime(body: JsonObject) -> str | None:
    """The lifetime of the request's first cache point, by default 5m, or None without one."""
    places = [message.get("content") for message in readers.objects(body, "messages")]
    if "system" in body or "toolConfig" in body:
        places += (body.get("system"), json_access.member(body, "toolConfig", "tools"))
    for place in places:
        for block in place if isinstance(place, list) else ():
            if isinstance(block, dict) and block.get("cachePoint") is not None:
                return json_access.text(block["cachePoint"], "ttl") or "5m"
    return None


def render_usage(usage: Usage, request: ModelRequest, *, counts_cache: bool) -> JsonObject:
    """Token counts, with cached tokens if the request has a cache point. counts_cache: always."""
    cache: JsonObject = {}
    lifetime = request.derive(find_cache_lifetime)
    if usage.cache_write:
        cache["cacheDetails"] = [{"inputTokens": usage.cache_write, "ttl": lifetime or "5m"}]
    if counts_cache or lifetime or usage.cache_read or usage.cache_write:
        cache |= {
            "cacheReadInputTokenCount": usage.cache_read,
            "cacheReadInputTokens": usage.cache_read,
            "cacheWriteInputTokenCount": usage.cache_write,
            "cacheWriteInputTokens": usage.cache_write,
        }
    return {
        **cache,
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "serverToolUsage": {},
        "totalTokens": usage.total,
    }


def render_block(block: Block, request: ModelRequest) -> JsonObject:
    match block:
        case Text(text=text):
            return {"text": text}
        case ToolUse():
            kind: JsonObject = {"type": "tool_use"} if is_newer(request) else {}
            return {
                "toolUse": {
                    "input": block.input,
                    "name": block.name,
                    "toolUseId": tool_id(block, request),
                    **kind,
                }
            }
        case Reasoning(redacted=bytes(data)):
            return {"reasoningContent": {"redactedContent": synthesis.base64_text(data)}}
        case Reasoning(text=text, signature=signature):
            signed: JsonObject = {} if signature is None else {"signature": signature}
            return {"reasoningContent": {"reasoningText": {**signed, "text": text}}}
        case CitedText(text=text, citations=citations):
            sources: list[JsonValue] = [render_citation(citation) for citation in citations]
            return {"citationsContent": {"citations": sources, "content": [{"text": text}]}}
        case Image(data=data, format=kind_of):
            return {"image": {"format": kind_of, "source": {"bytes": synthesis.base64_text(data)}}}
    raise make_render_error("converse", block, SUPPORTED)


def tool_id(block: ToolUse, request: ModelRequest) -> str:
    return block.id or f"tooluse_{synthesis.identifier(request.chance, 22)}"


def render_citation(citation: Citation) -> JsonObject:
    everything: JsonValue = {
        "documentChar": {"documentIndex": 0, "end": len(citation.source), "start": 0}
    }
    origin: JsonObject = {} if citation.origin is None else {"source": citation.origin}
    title: JsonObject = {} if citation.title is None else {"title": citation.title}
    return {
        "location": everything if citation.location is None else citation.location,
        **origin,
        "sourceContent": [{"text": citation.source}],
        **title,
    }


def read_block(block: JsonObject) -> Block | None:
    match block:
        case {"text": str()}:
            return Text(json_access.text(block, "text"))
        case {"toolUse": dict(use)} if use.get("type") != "server_tool_use":
            return call(use)
        case {"reasoningContent": {"redactedContent": data}}:
            return Reasoning(redacted=readers.binary(data))
        case {"reasoningContent": {"reasoningText": dict(reasoning)}}:
            return Reasoning(
                json_access.text(reasoning, "text"),
                json_access.text(reasoning, "signature") or None,
            )
        case {"citationsContent": dict(cited)}:
            texts = "".join(
                json_access.text(part, "text") for part in json_access.items(cited, "content")
            )
            return CitedText(
                texts, tuple(read_citation(each) for each in readers.objects(cited, "citations"))
            )
        case {"image": dict(image)}:
            data = readers.binary(json_access.member(image, "source", "bytes"))
            return Image(data, json_access.text(image, "format") or "png")
    return None


def read_citation(citation: JsonObject) -> Citation:
    return Citation(
        readers.read_text(citation, "sourceContent"),
        json_access.text(citation, "title") or None,
        citation.get("location"),
        json_access.text(citation, "source") or None,
    )
