"""Mistral's completions, from recordings of 7B Instruct and Small 2402:
`[INST]` prompts and `outputs`.

Bodies have no token counts. Bedrock's headers and metrics have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import readers
from bedtape_cassettes.families.shared.completion import FINISH, join_texts, pieces, split_message
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "mistral_text"
# One token per delta. Characters in 113 recorded deltas: median 4, 90 %
# have 1 to 7, the longest 12.
_LEAST, _MOST = 1, 7


def _output(piece: str, stop: str | None) -> JsonObject:
    return {"outputs": [{"text": piece, "stop_reason": stop}]}


def _render(content: Content, request: ModelRequest) -> JsonObject:  # noqa: ARG001 - a family's signature
    _, text, stop = split_message(content, _NAME, FINISH)
    return _output(text, stop)


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """One chunk per token. The chunk with `stop` has no text; the chunk with `length` has text."""
    _, text, stop = split_message(content, _NAME, FINISH)
    for piece, is_last in pieces(text, request.chance, _LEAST, _MOST, last=stop == "stop"):
        yield _output(piece, stop if is_last else None)


def _read(body: JsonObject) -> Message:
    expected = f"`outputs`, as Mistral answers, found {', '.join(body) or 'nothing'}"
    return join_texts(readers.objects(body, "outputs")[:1], "text", "stop_reason", FINISH, expected)


def _gather(chunks: Sequence[JsonValue]) -> Message:
    outputs = [output for chunk in chunks for output in readers.objects(chunk, "outputs")[:1]]
    expected = "chunks with `outputs`, as Mistral streams, found none"
    return join_texts(outputs, "text", "stop_reason", FINISH, expected)


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
