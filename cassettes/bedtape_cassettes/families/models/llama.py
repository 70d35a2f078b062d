"""Meta Llama, recorded of Llama 2, 3, 3.1 and 3.3: a prompt with the chat, one `generation`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.shared.completion import FINISH, join_texts, pieces, split_message
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "llama"
# One token per delta. Characters in 592 recorded deltas: median 3, 90 %
# have 1 to 8, the longest 14.
_LEAST, _MOST = 1, 8


def _prompt(body: JsonObject) -> Prompt:
    return prompt_in(body, max_tokens="max_gen_len")


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message, text, stop = split_message(content, _NAME, FINISH)
    usage = usage_of(message, request.prompt)
    return {
        "generation": text,
        "prompt_token_count": usage.input,
        "generation_token_count": usage.output,
        "stop_reason": stop,
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    """One chunk per token, with the count so far.

    The chunk with `stop` has no text; the chunk with `length` has text.
    """
    whole = _render(content, request)
    stop, output = whole["stop_reason"], json_access.integer(whole, "generation_token_count") or 0
    deltas = pieces(
        json_access.text(whole, "generation"), request.chance, _LEAST, _MOST, last=stop == "stop"
    )
    for index, (piece, is_last) in enumerate(deltas):
        yield {
            "generation": piece,
            "prompt_token_count": None if index else whole["prompt_token_count"],
            "generation_token_count": output if is_last else min(index + 1, output),
            "stop_reason": stop if is_last else None,
        }


def _read(body: JsonObject) -> Message:
    expected = f"a `generation`, as Llama answers, found {', '.join(body) or 'nothing'}"
    return join_texts(
        [body] if "generation" in body else [], "generation", "stop_reason", FINISH, expected
    )


def _gather(chunks: Sequence[JsonValue]) -> Message:
    answer_chunks = [chunk for chunk in chunks if isinstance(chunk, dict) and "generation" in chunk]
    expected = "chunks with a `generation`, as Llama streams, found none"
    return join_texts(answer_chunks, "generation", "stop_reason", FINISH, expected)


LLAMA = Family(
    name=_NAME,
    models=("meta.llama*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("generation",),
        stop=("stop_reason",),
        input=("prompt_token_count",),
        output=("generation_token_count",),
    ),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
