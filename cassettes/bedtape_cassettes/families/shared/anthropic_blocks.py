"""Renders and reads the blocks of Anthropic's messages: text, citations, thinking and tool use.

Blocks of Anthropic's server tools (server_tool_use, web_search_tool_result) are
skipped when an answer is read.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Block, Citation, CitedText, Reasoning, Text, ToolUse
from bedtape_cassettes.families.family import JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.model import JsonValue

_SUPPORTED = "text, cited text, reasoning or tool use (Message)"
# A citation's location in Converse (kind, index) and in Anthropic's API (type, index, start, end).
_LOCATIONS = (
    (
        "documentChar",
        "documentIndex",
        "char_location",
        "document_index",
        "start_char_index",
        "end_char_index",
    ),
    (
        "documentPage",
        "documentIndex",
        "page_location",
        "document_index",
        "start_page_number",
        "end_page_number",
    ),
    (
        "documentChunk",
        "documentIndex",
        "content_block_location",
        "document_index",
        "start_block_index",
        "end_block_index",
    ),
    (
        "searchResultLocation",
        "searchResultIndex",
        "search_result_location",
        "search_result_index",
        "start_block_index",
        "end_block_index",
    ),
)


def render_block(block: Block, request: ModelRequest) -> JsonObject:
    """Render a block of a whole answer. Raises RenderError for an image."""
    match block:
        case Text(text=text):
            return {"type": "text", "text": text}
        case CitedText(text=text, citations=citations):
            return {
                "type": "text",
                "text": text,
                "citations": [render_citation(each) for each in citations],
            }
        case Reasoning(redacted=bytes(data)):
            return {"type": "redacted_thinking", "data": _opaque(data)}
        case Reasoning(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature or ""}
        case ToolUse():
            # Ids on Bedrock have Anthropic's `01` after the prefix.
            tool_id = block.id or f"toolu_bdrk_01{synthesis.identifier(request.chance, 22)}"
            return {"type": "tool_use", "id": tool_id, "name": block.name, "input": block.input}
    raise make_render_error("anthropic", block, _SUPPORTED)


def _opaque(data: bytes) -> str:
    """Redacted thinking as text. Converse encodes the same text as base64 once more."""
    return data.decode("ascii") if data.isascii() else synthesis.base64_text(data)


def read_block(block: JsonObject) -> Block | None:
    """The inverse of `render_block`. Returns None for a block of Anthropic's server tools."""
    match block:
        case {"type": "text", "citations": [_, *_] as citations}:
            sources = tuple(read_citation(each) for each in citations if isinstance(each, dict))
            return CitedText(json_access.text(block, "text"), sources)
        case {"type": "text"}:
            return Text(json_access.text(block, "text"))
        case {"type": "thinking"}:
            return Reasoning(
                json_access.text(block, "thinking"), json_access.text(block, "signature") or None
            )
        case {"type": "redacted_thinking"}:
            return Reasoning(redacted=json_access.text(block, "data").encode())
        case {"type": "tool_use"}:
            return ToolUse(
                json_access.text(block, "name"),
                block.get("input"),
                json_access.text(block, "id") or None,
            )
    return None


def render_citation(citation: Citation) -> JsonObject:
    """Render a citation. Without a known location, it cites all of the first document."""
    for theirs, their_index, kind, index, start, end in _LOCATIONS:
        place = json_access.member(citation.location, theirs)
        if place is not None:
            cited: JsonObject = {"type": kind, "cited_text": citation.source}
            number = json_access.integer(place, their_index) or 0
            ends: JsonObject = {
                start: json_access.integer(place, "start"),
                end: json_access.integer(place, "end"),
            }
            if kind == "search_result_location":
                return (
                    cited
                    | {"source": citation.origin, "title": citation.title, index: number}
                    | ends
                )
            return cited | {index: number, "document_title": citation.title} | ends
    return {
        "type": "char_location",
        "cited_text": citation.source,
        "document_index": 0,
        "document_title": citation.title,
        "start_char_index": 0,
        "end_char_index": len(citation.source),
    }


def read_citation(citation: JsonObject) -> Citation:
    """The inverse of `render_citation`. The URL of a web location becomes the origin."""
    title = (
        json_access.text(citation, "document_title") or json_access.text(citation, "title") or None
    )
    origin = json_access.text(citation, "source") or json_access.text(citation, "url") or None
    return Citation(json_access.text(citation, "cited_text"), title, _location(citation), origin)


def _location(citation: JsonObject) -> JsonValue:
    for theirs, their_index, kind, index, start, end in _LOCATIONS:
        if citation.get("type") == kind:
            place: JsonObject = {
                their_index: json_access.integer(citation, index) or 0,
                "end": json_access.integer(citation, end) or 0,
                "start": json_access.integer(citation, start) or 0,
            }
            return {theirs: place}
    return None
