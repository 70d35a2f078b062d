"""Mistral's chat JSON: Large 2402's and Small 2402's short form, and Large 2407's and Pixtral's, which is OpenAI's.

[inferred] from AWS's documentation: the 2402 models are recorded with a `prompt` only, which `mistral_text` answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt, ToolUse
from bedtape_cassettes.families.family import Asking, Family, JsonObject
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from bedtape_cassettes.families.shared import chat, completion, readers, synthesis
from bedtape_cassettes.matching.key import PROFILE
from bedtape_cassettes.model import JsonValue

__all__ = ["MISTRAL_CHAT"]

_NAME = "mistral_chat"
_LEAST, _MOST = 1, 7  # a token each, as `mistral_text`, which is recorded


def _completes(body: JsonObject) -> bool:
    """Whether the request is one for the completion JSON, which the 2402 models speak too."""
    return "prompt" in body and "messages" not in body


def _prompt(body: JsonObject) -> Prompt:
    return MISTRAL_TEXT.prompt(body) if _completes(body) else chat.prompt(body)


def _is_short(asking: Asking) -> bool:
    """The 2402 models say a message and why it ended, and nothing else."""
    return "2402" in asking.model


def _calls(uses: list[ToolUse], asking: Asking) -> list[JsonValue]:
    """The short form's ids have 22 characters and no type; the others' have 9."""
    if _is_short(asking):
        called = [chat.call(use, synthesis.identifier(asking.chance, 22)) for use in uses]
        return [{"id": call["id"], "function": call["function"]} for call in called]
    return [chat.call(use, synthesis.identifier(asking.chance, 9)) for use in uses]


def _envelope(kind: str, asking: Asking) -> JsonObject:
    if _is_short(asking):
        return {}
    return {
        "id": completion.uuid(asking.chance),
        "object": kind,
        "created": completion.created(asking.chance),
        "model": PROFILE.sub("", asking.model.rpartition("/")[2]).removeprefix("mistral."),
    }


def _choice(member: str, said: JsonObject, stop: str | None, asking: Asking) -> JsonObject:
    if _is_short(asking):
        return {"index": 0, "message": said, "stop_reason": stop}
    return {"index": 0, member: said, "finish_reason": stop}


def _usage(message: Message, asking: Asking) -> JsonObject:
    if _is_short(asking):
        return {}
    told = chat.usage(synthesis.usage_of(message, asking.prompt))
    return {"usage": {name: told[name] for name in ("prompt_tokens", "total_tokens", "completion_tokens")}}


def _render(content: Content, asking: Asking) -> JsonObject:
    if _completes(asking.body):
        return MISTRAL_TEXT.render(content, asking)
    message = completion.message_of(content, _NAME)
    _, text, uses = chat.parts(content, _NAME)
    said: JsonObject = {"role": "assistant", "content": text}
    if uses or not _is_short(asking):
        said["tool_calls"] = _calls(uses, asking) or None
    choice = _choice("message", said, completion.word_of(chat.STOPS, message.stop, _NAME), asking)
    return {**_envelope("chat.completion", asking), "choices": [choice], **_usage(message, asking)}


def _stream(content: Content, asking: Asking) -> Iterator[JsonValue]:
    if _completes(asking.body) and MISTRAL_TEXT.stream is not None:
        yield from MISTRAL_TEXT.stream(content, asking)
        return
    message = completion.message_of(content, _NAME)
    _, text, uses = chat.parts(content, _NAME)
    around, called = _envelope("chat.completion.chunk", asking), _calls(uses, asking)
    for piece in synthesis.deltas(text, asking.chance, _LEAST, _MOST):
        said: JsonObject = {"role": "assistant", "content": piece}
        yield {**around, "choices": [_choice("delta", said, None, asking)]}
    last: JsonObject = {"role": "assistant", "content": ""}
    if called:
        last["tool_calls"] = called
    stop = completion.word_of(chat.STOPS, message.stop, _NAME)
    yield {**around, "choices": [_choice("delta", last, stop, asking)], **_usage(message, asking)}


def _read(body: JsonObject) -> Content:
    return MISTRAL_TEXT.read(body) if "outputs" in body else chat.read(body)


def _gather(chunks: Sequence[JsonValue]) -> Content:
    completed = any(readers.objects(chunk, "outputs") for chunk in chunks)
    return MISTRAL_TEXT.gather(chunks) if completed and MISTRAL_TEXT.gather is not None else chat.gather(chunks)


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
