"""Converse and ConverseStream: one form for every model, with members in alphabetical order.

From botocore's service model and 500 recorded answers. Blocks of Bedrock's server tools
(toolResult, server_tool_use) are skipped when an answer is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    Content,
    Image,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.guardrail import read_guardrail
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import completion, json_access, readers, synthesis
from bedtape_cassettes.families.shared.conversation import call, conversation, system, tool_names
from bedtape_cassettes.families.shared.converse_blocks import (
    SUPPORTED,
    is_newer,
    performance,
    read_block,
    read_citation,
    render_block,
    render_citation,
    render_usage,
    tier,
    tool_id,
)
from bedtape_cassettes.model import JsonValue

# Characters per delta, 5th to 75th percentile: 2..14 in 596 deltas of Claude, 0..10
# in 628 deltas of Nova.
_TEXT = (2, 14)
# 0..11 in 84 deltas of Claude's tool arguments.
_ARGUMENTS = (2, 11)


# -- requests --------------------------------------------------------------------------------------


def _prompt(body: JsonObject) -> Prompt:
    prompt = Prompt(system(body), conversation(body))
    if "toolConfig" in body:
        prompt.tools = tool_names(body)
        prompt.forced_tool = readers.read_forced_tool(
            json_access.member(body, "toolConfig", "toolChoice")
        )
    # Anthropic's own tools
    if tools := json_access.items(body.get("additionalModelRequestFields"), "tools"):
        prompt.tools += tuple(name for tool in tools if (name := json_access.text(tool, "name")))
    if config := body.get("inferenceConfig"):
        prompt.temperature = json_access.number(config, "temperature")
        prompt.top_p = json_access.number(config, "topP")
        prompt.max_tokens = json_access.integer(config, "maxTokens")
        prompt.stop_sequences = json_access.texts(config, "stopSequences")
    return prompt


# -- whole answers ---------------------------------------------------------------------------------


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = _message(content)
    blocks: list[JsonValue] = [render_block(block, request) for block in message.blocks]
    usage = synthesis.usage_of(message, request.prompt)
    return {
        "metrics": {"latencyMs": synthesis.latency(request.chance, usage.output)},
        "output": {"message": {"content": blocks, "role": "assistant"}},
        **performance(request),
        **tier(request),
        "stopReason": message.stop,
        **_trace(message, request),
        "usage": render_usage(usage, request, counts_cache=is_newer(request)),
    }


def _trace(message: Message, request: ModelRequest) -> JsonObject:
    guardrail = read_guardrail(request.body)
    if guardrail is None or not guardrail.traced:
        return {}
    return {"trace": guardrail.render_trace(message, request.prompt, request.chance)}


def _message(content: Content) -> Message:
    if not isinstance(content, Message):
        raise make_render_error("converse", content, SUPPORTED)
    return content


def _read(body: JsonObject) -> Message:
    message = json_access.member(body, "output", "message")
    if not isinstance(message, dict):
        raise ValueError("expected `output.message`, found none: not an answer of Converse")
    blocks = [
        content
        for block in readers.objects(message, "content")
        if (content := read_block(block)) is not None
    ]
    return Message(tuple(blocks), completion.stop_of({}, body.get("stopReason")))


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = _message(content)
    usage = synthesis.usage_of(message, request.prompt)
    yield {"messageStart": {"role": "assistant"}}
    for index, block in enumerate(message.blocks):
        if start := _start(block, request):
            yield {"contentBlockStart": {"contentBlockIndex": index, "start": start}}
        for delta in _deltas(block, request):
            yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": message.stop}}
    yield {
        "metadata": {
            "metrics": {"latencyMs": synthesis.latency(request.chance, usage.output)},
            **performance(request),
            **tier(request),
            **_trace(message, request),
            # Streams of all models count cached tokens only if the request has a cache point.
            "usage": render_usage(usage, request, counts_cache=False),
        }
    }


def _start(block: Block, request: ModelRequest) -> JsonObject:
    """The start of a block. Tools and images have a start event, text and reasoning do not."""
    match block:
        case ToolUse(name=name):
            return {"toolUse": {"name": name, "toolUseId": tool_id(block, request)}}
        case Image(format=kind):
            return {"image": {"format": kind}}
    return {}


def _deltas(block: Block, request: ModelRequest) -> Iterator[JsonValue]:
    match block:
        case Text(text=text):
            for part in _parts(text, request) or [""]:
                yield {"text": part}
        case ToolUse(input=value):
            for part in _split_arguments(synthesis.json_text(value), request):
                yield {"toolUse": {"input": part}}
        case Reasoning(redacted=bytes(data)):
            yield {"reasoningContent": {"redactedContent": synthesis.base64_text(data)}}
        case Reasoning(text=text, signature=signature):
            for part in _parts(text, request):
                yield {"reasoningContent": {"text": part}}
            if signature is not None:
                yield {"reasoningContent": {"signature": signature}}
        case CitedText(text=text, citations=citations):
            for citation in citations:
                yield {"citation": render_citation(citation)}
            for part in _parts(text, request):
                yield {"text": part}
        case Image(data=data):
            yield {"image": {"source": {"bytes": synthesis.base64_text(data)}}}


def _split_arguments(text: str, request: ModelRequest) -> list[str]:
    """Recorded first deltas: Nova one (22 of 22), Claude an empty one (8 of 8), Cohere several."""
    if "nova" in request.model:
        return [text]
    parts = list(synthesis.deltas(text, request.chance, *_ARGUMENTS))
    return parts if "cohere" in request.model else ["", *parts]


def _parts(text: str, request: ModelRequest) -> list[str]:
    return list(synthesis.deltas(text, request.chance, *_TEXT))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    events = [
        (name, value)
        for chunk in chunks
        if isinstance(chunk, dict)
        for name, value in chunk.items()
    ]
    named = dict(events)
    if "messageStart" not in named:
        raise ValueError("expected a `messageStart`, found none: not a stream of Converse")
    starts: dict[int, JsonValue] = {}
    deltas: dict[int, list[JsonValue]] = {}
    for name, value in events:
        index = json_access.integer(value, "contentBlockIndex") or 0
        if name == "contentBlockStart":
            starts[index] = json_access.member(value, "start")
        if name in ("contentBlockStart", "contentBlockDelta"):
            deltas.setdefault(index, []).append(json_access.member(value, "delta"))
    blocks = [_gather_block(starts.get(index), parts) for index, parts in sorted(deltas.items())]
    return Message(
        tuple(block for block in blocks if block is not None),
        completion.stop_of({}, json_access.member(named.get("messageStop"), "stopReason")),
    )


def _gather_block(start: JsonValue, deltas: Sequence[JsonValue]) -> Block | None:
    """Join the deltas of a block. Returns None for a block of Bedrock's server tools."""
    text = "".join(json_access.text(delta, "text") for delta in deltas)
    citations = [
        delta["citation"] for delta in deltas if isinstance(delta, dict) and "citation" in delta
    ]
    match start:
        case {"toolUse": dict(use)} if use.get("type") != "server_tool_use":
            arguments = "".join(json_access.text(delta, "toolUse", "input") for delta in deltas)
            return replace(call(use), input=readers.arguments(arguments))
        case {"image": image}:
            data = b"".join(
                readers.binary(json_access.member(delta, "image", "source", "bytes"))
                for delta in deltas
            )
            return Image(data, json_access.text(image, "format") or "png")
        case {}:
            return None
    if any(json_access.member(delta, "reasoningContent") is not None for delta in deltas):
        return _gather_reasoning(
            [json_access.member(delta, "reasoningContent") for delta in deltas]
        )
    if citations:
        return CitedText(
            text, tuple(read_citation(each) for each in citations if isinstance(each, dict))
        )
    return Text(text)


def _gather_reasoning(parts: Sequence[JsonValue]) -> Reasoning:
    redacted = b"".join(
        readers.binary(json_access.member(part, "redactedContent")) for part in parts
    )
    if redacted:
        return Reasoning(redacted=redacted)
    signature = "".join(json_access.text(part, "signature") for part in parts)
    return Reasoning("".join(json_access.text(part, "text") for part in parts), signature or None)


CONVERSE = Family(
    name="converse",
    models=(),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    # Event types are in the headers, so paths start inside the payload.
    members=Members(
        text=(
            "output.message.content.*.text",
            "output.message.content.*.citationsContent.content.*.text",
            "delta.text",
        ),
        stop=("stopReason",),
        input=("usage.inputTokens",),
        output=("usage.outputTokens",),
        cache_read=("usage.cacheReadInputTokenCount", "usage.cacheReadInputTokens"),
        cache_write=("usage.cacheWriteInputTokenCount", "usage.cacheWriteInputTokens"),
        total=("usage.totalTokens",),
        tool_inputs=("output.message.content.*.toolUse.input", "delta.toolUse.input"),
        block=("contentBlockIndex",),
    ),
    stream=_stream,
    gather=_gather,
    token_headers=False,
)
