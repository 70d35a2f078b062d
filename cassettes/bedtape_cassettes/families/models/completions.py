"""Custom models (imported, or on a SageMaker endpoint) that answer in the form
of OpenAI's completions.

Whole answers are from a recorded endpoint. [inferred] the chunks. No model id matches this
family, so rules name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import chat, readers
from bedtape_cassettes.families.shared.completion import (
    FINISH,
    choose_creation_time,
    join_texts,
    pieces,
    split_message,
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


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message, text, stop = split_message(content, _NAME, FINISH)
    answer = _answer(choose_creation_time(request.chance), text, stop)
    return {**answer, "usage": chat.usage(usage_of(message, request.prompt))}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message, text, stop = split_message(content, _NAME, FINISH)
    when = choose_creation_time(request.chance)
    for piece, is_last in pieces(text, request.chance, _LEAST, _MOST, last=stop == "stop"):
        usage: JsonObject = (
            {"usage": chat.usage(usage_of(message, request.prompt))} if is_last else {}
        )
        yield {**_answer(when, piece, stop if is_last else None), **usage}


def _read(body: JsonObject) -> Message:
    return _gather([body])


def _gather(chunks: Sequence[JsonValue]) -> Message:
    choices = readers.text_choices(chunks)
    expected = "`choices` with a `text`, as completions have, found none"
    return join_texts(choices, "text", "finish_reason", FINISH, expected)


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
