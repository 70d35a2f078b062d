"""Amazon Nova for text: Converse's members in another order, and streams that
end a block after each delta.

From 60 recorded answers of Nova Micro, Lite and Pro. [inferred] reasoning (Nova 2)
has the form of Converse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import (
    Block,
    Content,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import completion, json_access, readers, synthesis
from bedtape_cassettes.families.shared.conversation import call, conversation, system, tool_names
from bedtape_cassettes.model import JsonValue

# Characters per delta, 25th to 90th percentile of 433 deltas of text. Tool
# arguments come in one delta.
_TEXT = (3, 15)
_SUPPORTED = "text, reasoning or tool use (Message)"
_STOPS = {
    word: word
    for word in ("end_turn", "tool_use", "max_tokens", "stop_sequence", "content_filtered")
}


def _prompt(body: JsonObject) -> Prompt:
    config = body.get("inferenceConfig")
    longest = json_access.integer(config, "maxTokens")
    return Prompt(
        system=system(body),
        turns=conversation(body),
        tools=tool_names(body),
        temperature=json_access.number(config, "temperature"),
        top_p=json_access.number(config, "topP"),
        max_tokens=json_access.integer(config, "max_new_tokens") if longest is None else longest,
        stop_sequences=json_access.texts(config, "stopSequences"),
        forced_tool=readers.read_forced_tool(json_access.member(body, "toolConfig", "toolChoice")),
    )


# -- whole answers ---------------------------------------------------------------------------------


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, "nova")
    blocks: list[JsonValue] = [_block(block, request) for block in message.blocks]
    usage = synthesis.usage_of(message, request.prompt)
    counts: JsonObject = {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.total,
    }
    return {
        "output": {"message": {"content": blocks, "role": "assistant"}},
        "stopReason": completion.word_of(_STOPS, message.stop, "nova"),
        "usage": counts | _cache(usage),
    }


def _cache(usage: Usage) -> JsonObject:
    return {
        "cacheReadInputTokenCount": usage.cache_read,
        "cacheWriteInputTokenCount": usage.cache_write,
    }


def _block(block: Block, request: ModelRequest) -> JsonObject:
    match block:
        case Text(text=text):
            return {"text": text}
        case ToolUse():
            return {
                "toolUse": {
                    "name": block.name,
                    "toolUseId": _id(block, request),
                    "input": block.input,
                }
            }
        case Reasoning(redacted=None, text=text):
            return {"reasoningContent": {"reasoningText": {"text": text}}}
    raise make_render_error("nova", block, _SUPPORTED)


def _id(block: ToolUse, request: ModelRequest) -> str:
    return block.id or completion.uuid(request.chance)


def _read(body: JsonObject) -> Message:
    message = json_access.member(body, "output", "message")
    if not isinstance(message, dict):
        raise ValueError("expected `output.message`, found none: not an answer of Nova")
    blocks = (_read_block(block) for block in readers.objects(message, "content"))
    return Message(
        tuple(block for block in blocks if block is not None),
        completion.stop_of(_STOPS, body.get("stopReason"), body),
    )


def _read_block(block: JsonObject) -> Block | None:
    match block:
        case {"text": str()}:
            return Text(json_access.text(block, "text"))
        case {"toolUse": dict(use)}:
            return call(use)
        case {"reasoningContent": reasoning}:
            return Reasoning(json_access.text(reasoning, "reasoningText", "text"))
    return None


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = completion.message_of(content, "nova")
    usage = synthesis.usage_of(message, request.prompt)
    yield {"messageStart": {"role": "assistant"}}
    pieces = (piece for block in message.blocks for piece in _pieces(block, request))
    for index, (start, delta) in enumerate(pieces):
        if start:
            yield {"contentBlockStart": {"start": start, "contentBlockIndex": index}}
        yield {"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": completion.word_of(_STOPS, message.stop, "nova")}}
    counts: JsonObject = {"inputTokens": usage.input, "outputTokens": usage.output}
    yield {"metadata": {"usage": counts | _cache(usage), "metrics": {}, "trace": {}}}


def _pieces(block: Block, request: ModelRequest) -> Iterator[tuple[JsonObject, JsonObject]]:
    """The start (or an empty object) and the delta of each block. Each text delta is a block."""
    match block:
        case Text(text=text):
            for part in [*synthesis.deltas(text, request.chance, *_TEXT)] or [""]:
                yield {}, {"text": part}
        case ToolUse(input=value):
            start: JsonObject = {"toolUseId": _id(block, request), "name": block.name}
            yield {"toolUse": start}, {"toolUse": {"input": synthesis.json_text(value)}}
        case Reasoning(redacted=None, text=text):
            for part in synthesis.deltas(text, request.chance, *_TEXT):
                yield {}, {"reasoningContent": {"reasoningText": {"text": part}}}
        case _:
            raise make_render_error("nova", block, _SUPPORTED)


def _gather(chunks: Sequence[JsonValue]) -> Message:
    if not any(json_access.member(chunk, "messageStart") is not None for chunk in chunks):
        raise ValueError("expected a `messageStart`, found none: not a stream of Nova")
    blocks: list[Block] = []
    stop: JsonValue = None
    for chunk in chunks:
        match chunk:
            case {"contentBlockStart": start}:
                blocks.append(call(json_access.member(start, "start", "toolUse")))
            case {"contentBlockDelta": {"delta": delta}}:
                _grow(blocks, delta)
            case {"messageStop": end}:
                stop = json_access.member(end, "stopReason")
    return Message(tuple(blocks), completion.stop_of(_STOPS, stop, *chunks))


def _grow(blocks: list[Block], delta: JsonValue) -> None:
    """Add the delta to the last block if both have the same kind. Otherwise append a block."""
    last = blocks.pop() if blocks else None
    match last, delta:
        case ToolUse(), {"toolUse": use}:
            blocks.append(replace(last, input=readers.arguments(json_access.text(use, "input"))))
        case Text(text=before), {"text": str()}:
            blocks.append(Text(before + json_access.text(delta, "text")))
        case Reasoning(text=before), {"reasoningContent": reasoning}:
            blocks.append(Reasoning(before + json_access.text(reasoning, "reasoningText", "text")))
        case _:
            new = _read_block(delta) if isinstance(delta, dict) and "toolUse" not in delta else None
            blocks += [block for block in (last, new) if block is not None]


def _counts_cache(request: ModelRequest, usage: Usage) -> bool:  # noqa: ARG001 - Nova always counts them
    return True


NOVA = Family(
    name="nova",
    models=(
        "amazon.nova-micro-*",
        "amazon.nova-lite-*",
        "amazon.nova-pro-*",
        "amazon.nova-premier-*",
        "amazon.nova-2-*",
    ),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("output.message.content.*.text", "contentBlockDelta.delta.text"),
        stop=("stopReason", "messageStop.stopReason"),
        input=("usage.inputTokens", "metadata.usage.inputTokens"),
        output=("usage.outputTokens", "metadata.usage.outputTokens"),
        cache_read=("usage.cacheReadInputTokenCount", "metadata.usage.cacheReadInputTokenCount"),
        cache_write=("usage.cacheWriteInputTokenCount", "metadata.usage.cacheWriteInputTokenCount"),
        total=("usage.totalTokens",),
        tool_inputs=(
            "output.message.content.*.toolUse.input",
            "contentBlockDelta.delta.toolUse.input",
        ),
        block=tuple(f"contentBlock{part}.contentBlockIndex" for part in ("Start", "Delta", "Stop")),
        block_end=("contentBlockStop.contentBlockIndex",),
    ),
    stream=_stream,
    gather=_gather,
    required=("messages",),
    counts_cache=_counts_cache,
)
