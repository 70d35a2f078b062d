"""Mistral's completions, from recordings of 7B Instruct and Small 2402: `[INST]` prompts and `outputs`.

Bodies have no token counts. Bedrock's headers and metrics have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.shared.completion import (
    FINISH,
    make_message,
    message_of,
    pieces,
    stop_of,
    text_of,
    word_of,
)
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "mistral_text"
# One token per delta. Characters in 113 recorded deltas: median 4, 90 % have 1 to 7, the longest 12.
_LEAST, _MOST = 1, 7


def _output(piece: str, stop: str | None) -> JsonObject:
    return {"outputs": [{"text": piece, "stop_reason": stop}]}


def _render(content: Content, request: ModelRequest) -> JsonObject:  # noqa: ARG001 - a family's signature
    message = message_of(content, _NAME)
    return _output(text_of(content, _NAME), word_of(FINISH, message.stop, _NAME))


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """One chunk per token. The chunk with `stop` has no text; the chunk with `length` has text."""
    stop = word_of(FINISH, message_of(content, _NAME).stop, _NAME)
    deltas = list(pieces(text_of(content, _NAME), request.chance, _LEAST, _MOST, last=stop == "stop"))
    for index, piece in enumerate(deltas):
        yield _output(piece, stop if index == len(deltas) - 1 else None)


def _read(body: JsonObject) -> Message:
    outputs = readers.objects(body, "outputs")
    if not outputs:
        raise ValueError(f"expected `outputs`, as Mistral answers, found {', '.join(body) or 'nothing'}")
    return make_message(json_access.text(outputs[0], "text"), stop_of(FINISH, outputs[0].get("stop_reason")))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    answer_chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and readers.objects(chunk, "outputs")]
    if not answer_chunks:
        raise ValueError("expected chunks with `outputs`, as Mistral streams, found none")
    outputs = [readers.objects(chunk, "outputs")[0] for chunk in answer_chunks]
    stop = stop_of(FINISH, outputs[-1].get("stop_reason"))
    return make_message("".join(json_access.text(output, "text") for output in outputs), stop)


MISTRAL_TEXT = Family(
    name=_NAME,
    models=("mistral.mistral-7b*", "mistral.mixtral*"),
    answers=(Message,),
    prompt=prompt_in,
    render=_render,
    read=_read,
    members=Members(text=("outputs.0.text",), stop=("outputs.*.stop_reason",)),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
