"""Mistral's chat: the short form of Large 2402 and Small 2402, and OpenAI's
form of Large 2407 and Pixtral.

[inferred] from AWS's documentation. Recordings of the 2402 models have a `prompt`,
which `mistral_text` answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt, ToolUse
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from bedtape_cassettes.families.shared import chat, completion, readers, synthesis
from bedtape_cassettes.matching.key import PROFILE
from bedtape_cassettes.model import JsonValue

_NAME = "mistral_chat"
_LEAST, _MOST = 1, 7  # one token per delta, as in the recordings of mistral_text


def _completes(body: JsonObject) -> bool:
    """Whether the request has the completion form, which the 2402 models support too."""
    return "prompt" in body and "messages" not in body


def _prompt(body: JsonObject) -> Prompt:
    return MISTRAL_TEXT.prompt(body) if _completes(body) else chat.prompt(body)


def _is_short(request: ModelRequest) -> bool:
    """Whether the answer has the short form of the 2402 models: the message and the stop reason."""
    return "2402" in request.model


def _calls(uses: list[ToolUse], request: ModelRequest) -> list[JsonValue]:
    """Tool calls. The short form has ids of 22 characters and no type, the other ids of 9."""
    if _is_short(request):
        calls = [chat.call(use, synthesis.identifier(request.chance, 22)) for use in uses]
        return [{"id": call["id"], "function": call["function"]} for call in calls]
    return [chat.call(use, synthesis.identifier(request.chance, 9)) for use in uses]


def _envelope(kind: str, request: ModelRequest) -> JsonObject:
    if _is_short(request):
        return {}
    return {
        "id": completion.uuid(request.chance),
        "object": kind,
        "created": completion.choose_creation_time(request.chance),
        "model": PROFILE.sub("", request.model.rpartition("/")[2]).removeprefix("mistral."),
    }


def _choice(member: str, answer: JsonObject, stop: str | None, request: ModelRequest) -> JsonObject:
    if _is_short(request):
        return {"index": 0, "message": answer, "stop_reason": stop}
    return {"index": 0, member: answer, "finish_reason": stop}


def _usage(message: Message, request: ModelRequest) -> JsonObject:
    if _is_short(request):
        return {}
    counts = chat.usage(synthesis.usage_of(message, request.prompt))
    return {
        "usage": {
            name: counts[name] for name in ("prompt_tokens", "total_tokens", "completion_tokens")
        }
    }


def _render(content: Content, request: ModelRequest) -> JsonObject:
    if _completes(request.body):
        return MISTRAL_TEXT.render(content, request)
    message = completion.message_of(content, _NAME)
    _, text, uses = chat.parts(content, _NAME)
    answer: JsonObject = {"role": "assistant", "content": text}
    if uses or not _is_short(request):
        answer["tool_calls"] = _calls(uses, request) or None
    choice = _choice(
        "message", answer, completion.word_of(chat.STOPS, message.stop, _NAME), request
    )
    return {
        **_envelope("chat.completion", request),
        "choices": [choice],
        **_usage(message, request),
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    if _completes(request.body) and MISTRAL_TEXT.stream is not None:
        yield from MISTRAL_TEXT.stream(content, request)
        return
    message = completion.message_of(content, _NAME)
    _, text, uses = chat.parts(content, _NAME)
    around, calls = _envelope("chat.completion.chunk", request), _calls(uses, request)
    for piece in synthesis.deltas(text, request.chance, _LEAST, _MOST):
        answer: JsonObject = {"role": "assistant", "content": piece}
        yield {**around, "choices": [_choice("delta", answer, None, request)]}
    last: JsonObject = {"role": "assistant", "content": ""}
    if calls:
        last["tool_calls"] = calls
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    yield {**around, "choices": [_choice("delta", last, stop, request)], **_usage(message, request)}


def _read(body: JsonObject) -> Content:
    return MISTRAL_TEXT.read(body) if "outputs" in body else chat.read(body)


def _gather(chunks: Sequence[JsonValue]) -> Content:
    completed = any(readers.objects(chunk, "outputs") for chunk in chunks)
    return (
        MISTRAL_TEXT.gather(chunks)
        if completed and MISTRAL_TEXT.gather is not None
        else chat.gather(chunks)
    )


MISTRAL_CHAT = Family(
    name=_NAME,
    models=("mistral.mistral-large*", "mistral.mistral-small*", "mistral.pixtral*"),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=chat.MEMBERS | MISTRAL_TEXT.members,
    stream=_stream,
    gather=_gather,
    required=(("messages", "prompt"),),
)
