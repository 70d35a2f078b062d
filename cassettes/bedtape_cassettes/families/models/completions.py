"""Custom models (imported, or on a SageMaker endpoint) that answer in the form of OpenAI's completions.

Whole answers are from a recorded endpoint. [inferred] the chunks. No model id matches this family, so rules name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Usage
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import chat, json_access, readers
from bedtape_cassettes.families.shared.completion import (
    FINISH,
    choose_creation_time,
    make_message,
    message_of,
    pieces,
    stop_of,
    text_of,
    word_of,
)
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "completions"
_LEAST, _MOST = 1, 8  # one token per delta, as in similar families; there are no recordings


def _answer(when: int, piece: str, stop: str | None) -> JsonObject:
    return {
        "object": "text_completion",
        "id": "",
        "created": when,
        "model": "/opt/ml/model",
        "system_fingerprint": "3.0.1-native",
        "choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": stop}],
    }


def _usage(usage: Usage) -> JsonObject:
    prompt_tokens = usage.total - usage.output
    return {"prompt_tokens": prompt_tokens, "completion_tokens": usage.output, "total_tokens": usage.total}


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = message_of(content, _NAME)
    stop = word_of(FINISH, message.stop, _NAME)
    answer = _answer(choose_creation_time(request.chance), text_of(content, _NAME), stop)
    return {**answer, "usage": _usage(usage_of(message, request.prompt))}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = message_of(content, _NAME)
    stop, when = word_of(FINISH, message.stop, _NAME), choose_creation_time(request.chance)
    deltas = list(pieces(text_of(content, _NAME), request.chance, _LEAST, _MOST, last=stop == "stop"))
    for piece in deltas[:-1]:
        yield _answer(when, piece, None)
    yield {**_answer(when, deltas[-1], stop), "usage": _usage(usage_of(message, request.prompt))}


def _read(body: JsonObject) -> Message:
    return _gather([body])


def _gather(chunks: Sequence[JsonValue]) -> Message:
    choices = [choice for chunk in chunks for choice in readers.objects(chunk, "choices")[:1] if "text" in choice]
    if not choices:
        raise ValueError("expected `choices` with a `text`, as completions have, found none")
    stop = stop_of(FINISH, choices[-1].get("finish_reason"))
    return make_message("".join(json_access.text(choice, "text") for choice in choices), stop)


COMPLETIONS = Family(
    name=_NAME,
    models=(),
    answers=(Message,),
    prompt=prompt_in,
    render=_render,
    read=_read,
    members=chat.MEMBERS | Members(text=("choices.0.text",)),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
