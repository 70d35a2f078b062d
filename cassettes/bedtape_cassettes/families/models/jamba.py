"""AI21 Jamba, from recordings of 1.5 Mini: OpenAI's chat, usage in every chunk,
metrics in a separate chunk.

[inferred] tool calls have the form of vLLM, because Jamba runs on vLLM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_cassettes.families.content import Content, Message, ToolUse
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import chat, completion, synthesis
from bedtape_cassettes.model import JsonValue

_NAME = "jamba"
_MODEL = re.compile(r"jamba-[a-z0-9-]*?(?=-v\d|$)")
# One token per delta: 7 recorded deltas have 1 to 8 characters.
_LEAST, _MOST = 1, 8
# The token that ends a text. `stop_reason` holds it if the answer ended normally.
_END_OF_TEXT = 518


def _id(request: ModelRequest) -> str:
    return f"chatcmpl-{completion.uuid(request.chance)}"


def _call(use: ToolUse, request: ModelRequest) -> JsonObject:
    return chat.call(
        use, f"chatcmpl-tool-{synthesis.identifier(request.chance, 32, synthesis.HEX)}"
    )


def _meta(request: ModelRequest, output: int) -> JsonObject:
    return {"requestDurationMillis": synthesis.latency(request.chance, output)}


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, _NAME)
    _, text, calls = chat.parts(content, _NAME)
    usage = synthesis.usage_of(message, request.prompt)
    tool_calls: list[JsonValue] = [_call(use, request) for use in calls]
    answer: JsonObject = {
        "role": "assistant",
        "content": text or (None if calls else ""),
        "tool_calls": tool_calls or None,
    }
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    name = _MODEL.search(request.model)
    return {
        "id": _id(request),
        "choices": [{"index": 0, "message": answer, "finish_reason": stop}],
        "usage": chat.usage(usage),
        "meta": _meta(request, usage.output),
        "model": name[0].replace("1-5", "1.5") if name else "jamba",
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = completion.message_of(content, _NAME)
    counts, stop = (
        synthesis.usage_of(message, request.prompt),
        completion.word_of(chat.STOPS, message.stop, _NAME),
    )
    prompt_tokens, answer_id = counts.total - counts.output, _id(request)
    first: JsonObject = {"role": "assistant", "content": ""}
    for count, delta in enumerate([first, *_deltas(content, request)]):
        choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": None}
        yield {
            "id": answer_id,
            "choices": [choice],
            "usage": _usage(prompt_tokens, min(count, counts.output)),
        }
    end_token = _END_OF_TEXT if message.stop == "end_turn" else None
    last: JsonObject = {
        "index": 0,
        "delta": {"content": ""},
        "finish_reason": stop,
        "stop_reason": end_token,
    }
    usage, meta = _usage(prompt_tokens, counts.output), _meta(request, counts.output)
    yield {"id": answer_id, "choices": [last], "usage": usage, "meta": meta}


def _usage(prompt_tokens: int, output_tokens: int) -> JsonObject:
    """The usage of a stream, whose members have another order than in a whole answer."""
    return {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + output_tokens,
        "completion_tokens": output_tokens,
    }


def _deltas(content: Content, request: ModelRequest) -> Iterator[JsonObject]:
    _, text, calls = chat.parts(content, _NAME)
    for piece in synthesis.deltas(text, request.chance, _LEAST, _MOST):
        yield {"content": piece}
    for index, use in enumerate(calls):
        yield {"tool_calls": [{"index": index, **_call(use, request)}]}


JAMBA = Family(
    name=_NAME,
    models=("ai21.jamba*",),
    answers=(Message,),
    prompt=chat.prompt,
    render=_render,
    read=chat.read,
    members=chat.MEMBERS,
    stream=_stream,
    gather=chat.gather,
    required=("messages",),
    metrics_alone=True,
)
