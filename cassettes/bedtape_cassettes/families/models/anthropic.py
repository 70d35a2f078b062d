"""Anthropic's Messages API in InvokeModel, for Claude 3 and later.

From 750 recorded answers, in the form since October 2025 (`model` is the first member).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import orjson

from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    Content,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import completion, json_access, readers, synthesis
from bedtape_cassettes.families.shared.anthropic_blocks import (
    read_block,
    render_block,
    render_citation,
)
from bedtape_cassettes.model import JsonValue

# Characters per delta, 5th to 75th percentile: 2..17 in 2,640 deltas of text, 2..11 in 157 deltas
# of thinking, 0..8 in 510 deltas of tool arguments, whose first delta is empty.
_TEXT, _THINKING, _ARGUMENTS = (2, 17), (2, 11), (2, 8)
_STOPS = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
# Read, and not rendered: the model pauses for a server tool, and continues in the next request.
_PAUSED = "pause_turn"
# Models without prompt caching, and models without caches of two lifetimes.
_NO_CACHE = (
    "*claude-v*",
    "*claude-instant*",
    "*claude-3-haiku*",
    "*claude-3-sonnet*",
    "*claude-3-opus*",
    "*-3-5-sonnet-20240620*",
)
_ONE_CACHE = (
    *_NO_CACHE,
    "*claude-3-*",
    "*claude-sonnet-4-2*",
    "*claude-opus-4-2*",
    "*claude-opus-4-1-*",
)
_VERSION = re.compile(r"-v\d+(?::\d+)?(?::\d+k)?$")


# -- requests --------------------------------------------------------------------------------------


def _prompt(body: JsonObject) -> Prompt:
    names = [json_access.text(tool, "name") for tool in json_access.items(body, "tools")]
    return Prompt(
        system=readers.read_text(body, "system") if "system" in body else "",
        turns=tuple([_turn(message) for message in readers.objects(body, "messages")]),
        tools=tuple([name for name in names if name]),
        temperature=json_access.number(body, "temperature"),
        top_p=json_access.number(body, "top_p"),
        max_tokens=json_access.integer(body, "max_tokens"),
        stop_sequences=json_access.texts(body, "stop_sequences"),
        forced_tool=readers.read_forced_tool(body.get("tool_choice")),
    )


def _turn(message: JsonObject) -> Turn:
    if text := json_access.text(message, "content"):  # most messages
        return Turn(json_access.text(message, "role"), text)
    blocks = readers.objects(message, "content")
    results = (block for block in blocks if block.get("type") == "tool_result")
    calls = (read_block(block) for block in blocks if block.get("type") == "tool_use")
    texts: list[JsonValue] = [block for block in blocks if block.get("type", "text") == "text"]
    return Turn(
        json_access.text(message, "role"),
        readers.read_text(texts),
        tuple(
            ToolResult(json_access.text(each, "tool_use_id"), readers.read_text(each, "content"))
            for each in results
        ),
        tuple(call for call in calls if isinstance(call, ToolUse)),
    )


# -- whole answers ---------------------------------------------------------------------------------


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, "anthropic")
    usage = synthesis.usage_of(message, request.prompt)
    blocks: list[JsonValue] = [render_block(block, request) for block in message.blocks]
    return _envelope(request, blocks) | {
        "stop_reason": completion.word_of(_STOPS, message.stop, "anthropic"),
        "stop_sequence": message.stop_sequence,
        "usage": _usage(usage, usage.output, request),
    }


def _envelope(request: ModelRequest, blocks: list[JsonValue]) -> JsonObject:
    """The members before the stop reason and the usage."""
    return {
        "model": _own_name(request.model),
        "id": f"msg_bdrk_01{synthesis.identifier(request.chance, 22)}",
        "type": "message",
        "role": "assistant",
        "content": blocks,
    }


def _own_name(model: str) -> str:
    """Anthropic's name of the model: `claude-haiku-4-5-20251001` for
    `us.anthropic.claude-haiku-4-5-20251001-v1:0`.
    """
    return _VERSION.sub("", model.rpartition("anthropic.")[2])


def _usage(usage: Usage, output: int, request: ModelRequest) -> JsonObject:
    counts: JsonObject = {"input_tokens": usage.input}
    if usage.cache_read or usage.cache_write or not _is_any(request.model, _NO_CACHE):
        counts |= {
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
        }
    if not _is_any(request.model, _ONE_CACHE):
        lifetimes: JsonObject = {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": 0,
        }
        counts["cache_creation"] = lifetimes
    return counts | {"output_tokens": output}


def _is_any(model: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, glob) for glob in globs)


def _read(body: JsonObject) -> Message:
    if not isinstance(body.get("content"), list):
        raise ValueError("expected a list `content`, found none: not a message of Anthropic")
    blocks = (read_block(block) for block in readers.objects(body, "content"))
    return Message(
        tuple(block for block in blocks if block is not None),
        _stop(body),
        json_access.text(body, "stop_sequence") or None,
    )


def _stop(value: JsonValue) -> str:
    word = json_access.text(value, "stop_reason")
    return "end_turn" if word == _PAUSED else completion.stop_of(_STOPS, word)


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = completion.message_of(content, "anthropic")
    usage = synthesis.usage_of(message, request.prompt)
    first_tokens = min(usage.output, request.chance.randint(1, 8))
    open_end: JsonObject = {
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(usage, first_tokens, request),
    }
    yield {"type": "message_start", "message": _envelope(request, []) | open_end}
    for index, block in enumerate(message.blocks):
        yield {
            "type": "content_block_start",
            "index": index,
            "content_block": _start(block, request),
        }
        for delta in _deltas(block, request):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = completion.word_of(_STOPS, message.stop, "anthropic")
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": message.stop_sequence},
        "usage": {"output_tokens": usage.output},
    }
    yield {"type": "message_stop"}


def _start(block: Block, request: ModelRequest) -> JsonObject:
    """The block with empty members, as it starts."""
    whole = render_block(block, request)
    empty: JsonObject = {"text": "", "thinking": "", "signature": "", "citations": [], "input": {}}
    return {key: empty.get(key, value) for key, value in whole.items()}


def _deltas(block: Block, request: ModelRequest) -> Iterator[JsonValue]:
    chance = request.chance
    match block:
        case Text(text=text):
            for part in synthesis.deltas(text, chance, *_TEXT):
                yield {"type": "text_delta", "text": part}
        case CitedText(text=text, citations=citations):
            for citation in citations:
                yield {"type": "citations_delta", "citation": render_citation(citation)}
            for part in synthesis.deltas(text, chance, *_TEXT):
                yield {"type": "text_delta", "text": part}
        case Reasoning(redacted=None, text=text, signature=signature):
            for part in synthesis.deltas(text, chance, *_THINKING):
                yield {"type": "thinking_delta", "thinking": part}
            yield {"type": "signature_delta", "signature": signature or ""}
        case ToolUse(input=value):
            # A call without arguments has the empty delta only.
            arguments = synthesis.json_text(value) if value != {} else ""
            for part in ["", *synthesis.deltas(arguments, chance, *_ARGUMENTS)]:
                yield {"type": "input_json_delta", "partial_json": part}


def _gather(chunks: Sequence[JsonValue]) -> Message:
    events = [chunk for chunk in chunks if isinstance(chunk, dict)]
    start = next(
        (
            json_access.member(event, "message")
            for event in events
            if event.get("type") == "message_start"
        ),
        None,
    )
    if not isinstance(start, dict):
        raise ValueError(
            "expected a `message_start`, found none: not a stream of Anthropic's messages"
        )
    whole = dict(start)
    blocks: dict[int, JsonObject] = {}
    arguments: dict[int, str] = {}
    for event in events:
        index = json_access.integer(event, "index") or 0
        match event:
            case {"type": "content_block_start", "content_block": dict(block)}:
                blocks[index] = dict(block)
            case {"type": "content_block_delta", "delta": dict(delta)} if index in blocks:
                _grow(blocks[index], delta)
                arguments[index] = arguments.get(index, "") + json_access.text(
                    delta, "partial_json"
                )
            case {"type": "message_delta", "delta": dict(delta)}:
                whole |= delta
    for index, text in arguments.items():
        if blocks[index].get("type") == "tool_use":
            blocks[index]["input"] = readers.arguments(text)
    return _read({**whole, "content": [block for _, block in sorted(blocks.items())]})


def _grow(block: JsonObject, delta: JsonObject) -> None:
    for key in ("text", "thinking", "signature"):
        if key in delta:
            block[key] = json_access.text(block, key) + json_access.text(delta, key)
    if "citation" in delta:
        block["citations"] = [*json_access.items(block, "citations"), delta["citation"]]


def _counts_cache(request: ModelRequest, usage: Usage) -> bool:
    """Whether cached tokens are counted: not in 758 recorded answers without a cache point."""
    return bool(usage.cache_read or usage.cache_write) or request.derive(_has_cache_point)


def _has_cache_point(body: JsonObject) -> bool:
    try:
        text = orjson.dumps(body)
    except orjson.JSONEncodeError:  # half of a surrogate pair
        text = json.dumps(body, separators=(",", ":")).encode()
    return b'"cache_control":' in text


ANTHROPIC = Family(
    name="anthropic",
    models=("anthropic.*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("content.*.text", "delta.text"),
        stop=("stop_reason", "delta.stop_reason"),
        input=("message.usage.input_tokens", "usage.input_tokens"),
        output=("message.usage.output_tokens", "usage.output_tokens"),
        cache_read=("message.usage.cache_read_input_tokens", "usage.cache_read_input_tokens"),
        cache_write=(
            "message.usage.cache_creation_input_tokens",
            "usage.cache_creation_input_tokens",
        ),
        tool_inputs=("content.*.input", "delta.partial_json"),
        block=("index",),
    ),
    stream=_stream,
    gather=_gather,
    required=("anthropic_version", "max_tokens", "messages"),
    counts_cache=_counts_cache,
)
