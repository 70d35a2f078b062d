"""Cohere Command and Command Light, from recordings: a prompt, and one or more `generations`.

A stream is one chunk with the whole answer, unless the request has `"stream": true`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.shared.completion import (
    join_texts,
    make_message,
    split_message,
    stop_of,
    uuid,
)
from bedtape_cassettes.families.shared.synthesis import deltas
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "cohere_command"
_STOPS = {
    "end_turn": "COMPLETE",
    "max_tokens": "MAX_TOKENS",
    "stop_sequence": "COMPLETE",
    "content_filtered": "ERROR_TOXIC",
    "malformed_model_output": "ERROR",
}
# One token per delta. Characters in 50 recorded deltas: median 5, 90 % have 1 to 9, the longest 11.
_LEAST, _MOST = 1, 9
_MOST_GENERATIONS = 5  # Cohere's limit


def _prompt(body: JsonObject) -> Prompt:
    return prompt_in(body, top_p="p", stop="stop_sequences")


def _generations(request: ModelRequest) -> int:
    """The number of generations in the request. All generations have the same text."""
    return min(max(1, json_access.integer(request.body, "num_generations") or 1), _MOST_GENERATIONS)


def _render(content: Content, request: ModelRequest) -> JsonObject:
    _, text, stop = split_message(content, _NAME, _STOPS)
    generations: list[JsonValue] = [
        {"id": uuid(request.chance), "text": text, "finish_reason": stop}
        for _ in range(_generations(request))
    ]
    return {
        "id": uuid(request.chance),
        "generations": generations,
        "prompt": json_access.text(request.body, "prompt"),
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    if request.body.get("stream") is not True:
        yield _render(content, request)
        return
    _, text, stop = split_message(content, _NAME, _STOPS)
    several = _generations(request)
    for index in range(several):
        numbered: JsonObject = {"index": index} if several > 1 else {}
        for piece in deltas(text, request.chance, _LEAST, _MOST):
            yield {**numbered, "is_finished": False, "text": piece}
    yield {"finish_reason": stop, "is_finished": True}


def _read(body: JsonObject) -> Message:
    expected = f"`generations`, as Command answers, found {', '.join(body) or 'nothing'}"
    return join_texts(
        readers.objects(body, "generations")[:1], "text", "finish_reason", _STOPS, expected
    )


def _gather(chunks: Sequence[JsonValue]) -> Message:
    """Read the first generation, from deltas or from a chunk with the whole answer."""
    answer_chunks = [
        chunk
        for chunk in chunks
        if isinstance(chunk, dict) and ("is_finished" in chunk or "generations" in chunk)
    ]
    if not answer_chunks:
        raise ValueError(
            "expected chunks with `is_finished` or `generations`, as Command streams, found none"
        )
    if "generations" in answer_chunks[0]:
        return _read(answer_chunks[0])
    text = "".join(
        json_access.text(chunk, "text") for chunk in answer_chunks if not chunk.get("index")
    )
    return make_message(text, stop_of(_STOPS, answer_chunks[-1].get("finish_reason")))


COHERE_COMMAND = Family(
    name=_NAME,
    models=("cohere.command-text*", "cohere.command-light*"),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("generations.0.text", "text"),
        stop=("generations.*.finish_reason", "finish_reason"),
        generation=("index",),
    ),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
