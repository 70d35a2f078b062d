"""Writer Palmyra X4 and X5: OpenAI's chat as vLLM writes it.

A stream ends with the JSON string `"[DONE]"`.

[inferred] from AWS's documentation and clients, because there is no recording.
"""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.families.content import Content, Message, ToolUse
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import chat, completion, synthesis
from bedtape_cassettes.matching.key import PROFILE
from bedtape_cassettes.model import JsonValue

_NAME = "writer"
_LEAST, _MOST = 1, 8  # one token per delta, as in similar families; there are no recordings


def _envelope(kind: str, request: ModelRequest) -> JsonObject:
    return {
        "id": f"chatcmpl-{synthesis.identifier(request.chance, 32, synthesis.HEX)}",
        "object": kind,
        "created": completion.choose_creation_time(request.chance),
        "model": PROFILE.sub("", request.model.rpartition("/")[2]),
    }


def _call(use: ToolUse, request: ModelRequest) -> JsonObject:
    return chat.call(
        use, f"chatcmpl-tool-{synthesis.identifier(request.chance, 32, synthesis.HEX)}"
    )


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, _NAME)
    thought, text, calls = chat.parts(content, _NAME, reasons=True)
    tool_calls: list[JsonValue] = [_call(use, request) for use in calls]
    answer: JsonObject = {
        "role": "assistant",
        "reasoning_content": thought or None,
        "content": text or (None if calls else ""),
        "tool_calls": tool_calls,
    }
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    return {
        **_envelope("chat.completion", request),
        "choices": [
            {
                "index": 0,
                "message": answer,
                "logprobs": None,
                "finish_reason": stop,
                "stop_reason": None,
            }
        ],
        "usage": _usage(message, request),
        "prompt_logprobs": None,
    }


def _usage(message: Message, request: ModelRequest) -> JsonObject:
    counts = chat.usage(synthesis.usage_of(message, request.prompt))
    return {name: counts[name] for name in ("prompt_tokens", "total_tokens", "completion_tokens")}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = completion.message_of(content, _NAME)
    around = _envelope("chat.completion.chunk", request)
    first: JsonObject = {"role": "assistant", "content": ""}
    for delta in (first, *_deltas(content, request)):
        yield {
            **around,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
        }
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    last: JsonObject = {
        "index": 0,
        "delta": {"content": ""},
        "logprobs": None,
        "finish_reason": stop,
        "stop_reason": None,
    }
    yield {**around, "choices": [last]}
    yield {**around, "choices": [], "usage": _usage(message, request)}
    yield "[DONE]"


def _deltas(content: Content, request: ModelRequest) -> Iterator[JsonObject]:
    thought, text, calls = chat.parts(content, _NAME, reasons=True)
    for name, text_part in (("reasoning_content", thought), ("content", text)):
        for piece in synthesis.deltas(text_part, request.chance, _LEAST, _MOST):
            yield {name: piece}
    for index, use in enumerate(calls):
        yield {"tool_calls": [{"index": index, **_call(use, request)}]}


WRITER = Family(
    name=_NAME,
    models=("writer.*",),
    answers=(Message,),
    prompt=chat.prompt,
    render=_render,
    read=chat.read,
    members=chat.MEMBERS,
    stream=_stream,
    gather=chat.gather,
    required=("messages",),
)
