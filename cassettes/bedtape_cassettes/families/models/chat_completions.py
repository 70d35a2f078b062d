"""OpenAI's Chat Completions on bedrock-runtime and bedrock-mantle, which answer in two forms.

From 64 recorded exchanges with gpt-oss and Voxtral. bedrock-runtime writes the reasoning of gpt-oss
into the text, between tags, and has an empty delta after the role; bedrock-mantle has a member
`reasoning`. [inferred] refusals and citations have the form of OpenAI's own API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bedtape_cassettes.addresses import MANTLE
from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    Content,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.models.openai import render_inline, split_reasoning
from bedtape_cassettes.families.requests.service_tier import resolve_tier
from bedtape_cassettes.families.shared import chat, completion, json_access, readers, synthesis
from bedtape_cassettes.families.shared.server_sent import is_hosted
from bedtape_cassettes.model import JsonValue

_NAME = "chat_completions"
_SUPPORTED = "reasoning, text, cited text, a refusal and tool use (Message)"
# Characters per delta: 10 to 226 in 11 recorded deltas of text. Arguments come token by token.
_TEXT, _ARGUMENTS = (10, 226), (1, 8)
# The most pieces of arguments in one chunk, and the length of the random
# `obfuscation` of each choice.
_PIECES, _OBFUSCATION = 6, (32, 128)


def _is_inline(request: ModelRequest) -> bool:
    """Whether reasoning stands in the text, between tags."""
    return request.service != MANTLE and not is_hosted(request.model)


def _check(content: Content) -> Message:
    message = completion.message_of(content, _NAME, _SUPPORTED)
    for block in message.blocks:
        match block:
            case Text() | CitedText() | Refusal() | ToolUse() | Reasoning(redacted=None):
                continue
        raise make_render_error(_NAME, block, _SUPPORTED)
    return message


def _envelope(choices: list[JsonValue], kind: str, request: ModelRequest) -> JsonObject:
    return {
        "choices": choices,
        "created": completion.choose_creation_time(request.chance),
        "id": f"chatcmpl-{completion.uuid(request.chance)}",
        "model": request.model,
        "object": kind,
        "service_tier": resolve_tier(request.body),
    }


def _usage(message: Message, request: ModelRequest) -> JsonObject:
    counts = synthesis.usage_of(message, request.prompt)
    cached: JsonObject = {"cached_tokens": counts.cache_read}
    if counts.cache_write:
        cached["cache_write_tokens"] = counts.cache_write
    details: JsonObject = (
        {"prompt_tokens_details": cached} if counts.cache_read or counts.cache_write else {}
    )
    return dict(sorted({**chat.usage(counts), **details}.items()))


def _call(use: ToolUse, request: ModelRequest) -> JsonObject:
    new_id = f"chatcmpl-tool-{synthesis.identifier(request.chance, 16, synthesis.HEX)}"
    return dict(sorted(chat.call(use, new_id).items()))


def _render_annotations(block: CitedText, start: int) -> list[JsonValue]:
    end = start + len(block.text)
    return [
        {"type": "url_citation", "url_citation": chat.render_url_citation(citation, start, end)}
        for citation in block.citations
    ]


# -- whole answers ---------------------------------------------------------------------------------


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message, inline = _check(content), _is_inline(request)
    text, refusal, thoughts = "", "", ""
    annotations: list[JsonValue] = []
    calls: list[JsonValue] = []
    for block in message.blocks:
        match block:
            case Reasoning(text=thought) if not inline:
                thoughts += thought
            case Refusal(text=refused):
                refusal += refused
            case ToolUse():
                calls.append(_call(block, request))
            case _:
                if isinstance(block, CitedText):
                    annotations += _render_annotations(block, len(text))
                text += _inline(block)
    answer: JsonObject = {
        **({"annotations": annotations} if annotations else {}),
        "content": text or (None if calls or refusal else ""),
        **({"reasoning": thoughts} if thoughts else {}),
        "refusal": refusal or None,
        "role": "assistant",
        **({"tool_calls": calls} if calls else {}),
    }
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    choice: JsonObject = {"finish_reason": stop, "index": 0, "logprobs": None, "message": answer}
    return {**_envelope([choice], "chat.completion", request), "usage": _usage(message, request)}


def _inline(block: Block) -> str:
    return block.text if isinstance(block, CitedText) else render_inline(block)


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """A chunk with the role, deltas, the stop reason, and a usage chunk if the request wants it."""
    message, inline = _check(content), _is_inline(request)
    around = _envelope([], "chat.completion.chunk", request)
    deltas: list[JsonObject] = [
        {"content": "", "role": "assistant"},
        *([{}] if request.service != MANTLE else []),
    ]
    deltas += _deltas(message, request, inline=inline)
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    # bedrock-runtime has `stop` on the last delta of the text in 24 of 29 streams, and other
    # reasons in an own chunk.
    if request.service == MANTLE or stop != "stop" or not deltas[-1].get("content"):
        deltas.append({})
    for number, delta in enumerate(deltas, 1):
        choice: JsonObject = {
            "delta": delta,
            "finish_reason": stop if number == len(deltas) else None,
            "index": 0,
            "obfuscation": synthesis.letters(request.chance, request.chance.randint(*_OBFUSCATION)),
        }
        yield {**around, "choices": [choice]}
    if json_access.member(request.body, "stream_options", "include_usage") is True:
        yield {**around, "usage": _usage(message, request)}


def _deltas(message: Message, request: ModelRequest, *, inline: bool) -> Iterator[JsonObject]:
    chance, calls, length = request.chance, 0, 0
    for block in message.blocks:
        match block:
            case Reasoning(text=text) if not inline:
                for piece in synthesis.deltas(text, chance, *_TEXT):
                    yield {"reasoning": piece}
            case Refusal(text=text):
                for piece in synthesis.deltas(text, chance, *_TEXT):
                    yield {"refusal": piece}
            case ToolUse():
                yield from _call_deltas(block, calls, request)
                calls += 1
            case Reasoning(text=text) | Text(text=text):
                for piece in synthesis.deltas(text, chance, *_TEXT):
                    yield {"content": render_inline(replace(block, text=piece))}
                length += len(text)
            case CitedText(text=text):
                for piece in synthesis.deltas(text, chance, *_TEXT):
                    yield {"content": piece}
                yield {"annotations": _render_annotations(block, length)}
                length += len(text)


def _call_deltas(use: ToolUse, index: int, request: ModelRequest) -> Iterator[JsonObject]:
    """The call with the first piece of its arguments, then several pieces a chunk."""
    call = _call(use, request)
    first, *rest = list(synthesis.deltas(chat.arguments(use), request.chance, *_ARGUMENTS)) or [""]
    yield {
        "tool_calls": [{**call, "function": {"arguments": first, "name": use.name}, "index": index}]
    }
    for at in range(0, len(rest), _PIECES):
        yield {
            "tool_calls": [
                {"function": {"arguments": piece}, "index": index, "type": "function"}
                for piece in rest[at : at + _PIECES]
            ]
        }


# -- reading ---------------------------------------------------------------------------------------


def _read(body: JsonObject) -> Message:
    return _with_citations(split_reasoning(chat.read(body)), [body], "message")


def _gather(chunks: Sequence[JsonValue]) -> Message:
    return _with_citations(split_reasoning(chat.gather(chunks)), chunks, "delta")


def _with_citations(message: Message, bodies: Sequence[JsonValue], member: str) -> Message:
    """Give the annotations to the last text, because they do not say which block they belong to."""
    choices = [choice for body in bodies for choice in readers.objects(body, "choices")]
    annotations = [
        each for choice in choices for each in readers.objects(choice, member, "annotations")
    ]
    citations = tuple(chat.read_url_citation(each.get("url_citation")) for each in annotations)
    last = max(
        (at for at, block in enumerate(message.blocks) if isinstance(block, Text)), default=None
    )
    if not citations or last is None:
        return message
    cited = CitedText(message.blocks[last].text, citations)  # type: ignore[union-attr]
    return replace(message, blocks=(*message.blocks[:last], cited, *message.blocks[last + 1 :]))


CHAT_COMPLETIONS = Family(
    name=_NAME,
    models=(),
    answers=(Message,),
    prompt=chat.prompt,
    render=_render,
    read=_read,
    members=chat.MEMBERS
    | Members(
        cache_read=("usage.prompt_tokens_details.cached_tokens",),
        cache_write=("usage.prompt_tokens_details.cache_write_tokens",),
        reasoning=("<reasoning>",),
        input_has_cached=True,
    ),
    stream=_stream,
    gather=_gather,
    has_refusals=True,
)
