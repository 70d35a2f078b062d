"""Meta Llama, from recordings of Llama 2, 3, 3.1 and 3.3: a prompt that contains the chat, one `generation`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.shared.completion import (
    FINISH,
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

_NAME = "llama"
# One token per delta. Characters in 592 recorded deltas: median 3, 90 % have 1 to 8, the longest 14.
_LEAST, _MOST = 1, 8


def _prompt(body: JsonObject) -> Prompt:
    return prompt_in(body, max_tokens="max_gen_len")


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = message_of(content, _NAME)
    usage = usage_of(message, request.prompt)
    return {
        "generation": text_of(content, _NAME),
        "prompt_token_count": usage.input,
        "generation_token_count": usage.output,
        "stop_reason": word_of(FINISH, message.stop, _NAME),
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """One chunk per token, with the count so far. The chunk with `stop` has no text; the chunk with `length` has text."""
    whole = _render(content, request)
    stop, output = whole["stop_reason"], json_access.integer(whole, "generation_token_count") or 0
    deltas = list(pieces(json_access.text(whole, "generation"), request.chance, _LEAST, _MOST, last=stop == "stop"))
    for index, piece in enumerate(deltas):
        last = index == len(deltas) - 1
        yield {
            "generation": piece,
            "prompt_token_count": None if index else whole["prompt_token_count"],
            "generation_token_count": output if last else min(index + 1, output),
            "stop_reason": stop if last else None,
        }


def _read(body: JsonObject) -> Message:
    if "generation" not in body:
        raise ValueError(f"expected a `generation`, as Llama answers, found {', '.join(body) or 'nothing'}")
    return make_message(json_access.text(body, "generation"), stop_of(FINISH, body.get("stop_reason")))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    answer_chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and "generation" in chunk]
    if not answer_chunks:
        raise ValueError("expected chunks with a `generation`, as Llama streams, found none")
    stop = stop_of(FINISH, answer_chunks[-1].get("stop_reason"))
    return make_message("".join(json_access.text(chunk, "generation") for chunk in answer_chunks), stop)


LLAMA = Family(
    name=_NAME,
    models=("meta.llama*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("generation",), stop=("stop_reason",), input=("prompt_token_count",), output=("generation_token_count",)
    ),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
