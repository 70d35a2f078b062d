"""OpenAI's gpt-oss, from recordings, and models with the same JSON on Bedrock.

Reasoning is in `<reasoning>` tags.

[inferred] Qwen, Kimi, MiniMax, GLM, Gemma, Nemotron, Mistral's newer models and
DeepSeek V3 have the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import Block, Content, Message, Reasoning, Text, ToolUse
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import chat, completion, json_access, synthesis
from bedtape_cassettes.matching.key import PROFILE
from bedtape_cassettes.model import JsonValue

_NAME = "openai"
_REASONING = re.compile(r"<reasoning>(.*?)</reasoning>", re.DOTALL)
# Deltas are sentences: 11 recorded deltas have 10 to 226 characters, without the
# tags around reasoning.
_LEAST, _MOST = 10, 226


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = _check_message(content)
    calls: list[JsonValue] = [_call(block, n, request) for n, block in enumerate(_calls(message))]
    text = "".join(map(render_inline, message.blocks))
    answer: JsonObject = {
        "content": text or (None if calls else ""),
        "refusal": None,
        "role": "assistant",
    }
    if calls:
        answer["tool_calls"] = calls
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    choice: JsonObject = {"finish_reason": stop, "index": 0, "logprobs": None, "message": answer}
    return {**_envelope([choice], "chat.completion", request), "usage": _usage(message, request)}


def _check_message(content: Content) -> Message:
    """Return the message, whose blocks keep their order. Raises RenderError for other blocks."""
    chat.parts(content, _NAME, reasons=True)
    return completion.message_of(content, _NAME)


def _envelope(choices: list[JsonValue], kind: str, request: ModelRequest) -> JsonObject:
    return {
        "choices": choices,
        "created": completion.choose_creation_time(request.chance),
        "id": f"chatcmpl-{completion.uuid(request.chance)}",
        "model": PROFILE.sub("", request.model.rpartition("/")[2]),
        "object": kind,
        "service_tier": "auto",
    }


def _usage(message: Message, request: ModelRequest) -> JsonObject:
    return dict(sorted(chat.usage(synthesis.usage_of(message, request.prompt)).items()))


def _calls(message: Message) -> list[ToolUse]:
    return [block for block in message.blocks if isinstance(block, ToolUse)]


def _call(use: ToolUse, number: int, request: ModelRequest) -> JsonObject:
    """A tool call. Kimi makes ids such as functions.get_weather:0, for others the server does."""
    new_id = f"chatcmpl-tool-{synthesis.identifier(request.chance, 32, synthesis.HEX)}"
    if "moonshot" in request.model:
        new_id = f"functions.{use.name}:{number}"
    function: JsonObject = {"arguments": chat.arguments(use), "name": use.name}
    return {"function": function, "id": use.id or new_id, "type": "function"}


def render_inline(block: Block) -> str:
    """The text of a block, with reasoning in tags."""
    match block:
        case Reasoning(text=text) if text:
            return f"<reasoning>{text}</reasoning>"
        case Text(text=text):
            return text
    return ""


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """A chunk with the role, deltas, a stop reason, and a usage chunk if the request wants it."""
    message = _check_message(content)
    around = _envelope([], "chat.completion.chunk", request)
    yield {**around, "choices": [_choice({"content": "", "role": "assistant"})]}
    for delta in _deltas(message, request):
        yield {**around, "choices": [_choice(delta)]}
    yield {**around, "choices": [_choice({}, completion.word_of(chat.STOPS, message.stop, _NAME))]}
    if json_access.member(request.body, "stream_options", "include_usage") is True:
        yield {**around, "usage": _usage(message, request)}


def _choice(delta: JsonObject, stop: str | None = None) -> JsonObject:
    return {"delta": delta, "finish_reason": stop, "index": 0}


def _deltas(message: Message, request: ModelRequest) -> Iterator[JsonObject]:
    """Each delta of reasoning has its own tags.

    A tool call is one delta. Text after a call starts with an empty delta.
    """
    call_count = 0
    for block in message.blocks:
        match block:
            case Reasoning(text=text) | Text(text=text):
                if call_count and text:
                    yield {"content": ""}
                for piece in synthesis.deltas(text, request.chance, _LEAST, _MOST):
                    yield {"content": render_inline(replace(block, text=piece))}
            case ToolUse():
                call = _call(block, call_count, request)
                yield {
                    "tool_calls": [
                        {
                            **{k: call[k] for k in ("function", "id")},
                            "index": call_count,
                            "type": "function",
                        }
                    ]
                }
                call_count += 1


# -- reading ---------------------------------------------------------------------------------------


def _read(body: JsonObject) -> Message:
    return split_reasoning(chat.read(body))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    return split_reasoning(chat.gather(chunks))


def split_reasoning(message: Message) -> Message:
    """Move reasoning from the text into blocks of its own."""
    blocks: list[Block] = []
    for block in message.blocks:
        blocks.extend(_split(block.text) if isinstance(block, Text) else (block,))
    return replace(message, blocks=tuple(blocks))


def _split(text: str) -> Iterator[Block]:
    joined = text.replace("</reasoning><reasoning>", "")
    for at, piece in enumerate(_REASONING.split(joined)):
        if piece:
            yield Reasoning(piece) if at % 2 else Text(piece)


OPENAI = Family(
    name=_NAME,
    models=(
        "openai.*",
        "qwen.*",
        "moonshot.*",
        "moonshotai.*",
        "minimax.*",
        "zai.*",
        "google.gemma*",
        "nvidia.*",
        "deepseek.v3*",
        "mistral.ministral*",
        "mistral.magistral*",
        "mistral.voxtral*",
        "mistral.devstral*",
        "mistral.mistral-large-3*",
    ),
    answers=(Message,),
    prompt=chat.prompt,
    render=_render,
    read=_read,
    members=chat.MEMBERS | Members(reasoning=("<reasoning>",)),
    stream=_stream,
    gather=_gather,
    required=("messages",),
)
