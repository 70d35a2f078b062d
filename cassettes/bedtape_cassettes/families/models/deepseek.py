"""DeepSeek-R1: a prompt in its template, `choices` with a text whose
reasoning ends with `</think>`.

[inferred] from AWS's documentation and clients, because there is no recording. DeepSeek V3
is in the `openai` family.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import Block, Content, Message, Reasoning, Text
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.shared.completion import (
    FINISH,
    join_texts,
    message_of,
    pieces,
    text_of,
    word_of,
)
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "deepseek"
_OPEN, _CLOSE = "<think>\n", "\n</think>\n\n"
_LEAST, _MOST = 1, 8  # one token per delta, as in similar families; there are no recordings


def _render_text(content: Content, request: ModelRequest) -> str:
    """The reasoning, then the answer. The opening tag is left out if the prompt ends with it."""
    message = message_of(content, _NAME)
    thought = "".join(block.text for block in message.blocks if isinstance(block, Reasoning))
    answer = Message(tuple(block for block in message.blocks if not isinstance(block, Reasoning)))
    text = text_of(answer, _NAME, "reasoning and text")
    if not thought:
        return text
    is_open = json_access.text(request.body, "prompt").rstrip().endswith(_OPEN.rstrip())
    return ("" if is_open else _OPEN) + thought + _CLOSE + text


def _render(content: Content, request: ModelRequest) -> JsonObject:
    stop = word_of(FINISH, message_of(content, _NAME).stop, _NAME)
    return {"choices": [{"text": _render_text(content, request), "stop_reason": stop}]}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    stop = word_of(FINISH, message_of(content, _NAME).stop, _NAME)
    text = _render_text(content, request)
    for piece, is_last in pieces(text, request.chance, _LEAST, _MOST, last=stop == "stop"):
        yield {"choices": [{"text": piece, "index": 0, "stop_reason": stop if is_last else None}]}


def _read(body: JsonObject) -> Message:
    return _gather([body])


def _gather(chunks: Sequence[JsonValue]) -> Message:
    choices = readers.text_choices(chunks)
    expected = "`choices` with a `text`, as DeepSeek-R1 answers, found none"
    message = join_texts(choices, "text", "stop_reason", FINISH, expected)
    return replace(message, blocks=tuple(_blocks(message.text)))


def _blocks(text: str) -> Iterator[Block]:
    """Split the text at the closing tag, or at the opening tag if it is not closed."""
    thought, closed, answer = text.partition(_CLOSE.strip())
    if not closed and not text.startswith(_OPEN.strip()):
        thought, answer = "", text
    thought = thought.removeprefix(_OPEN.strip()).strip("\n")
    if thought:
        yield Reasoning(thought)
    answer = answer.removeprefix("\n\n") if closed else answer
    if answer:
        yield Text(answer)


DEEPSEEK = Family(
    name=_NAME,
    models=("deepseek.r1*",),
    answers=(Message,),
    prompt=prompt_in,
    render=_render,
    read=_read,
    members=Members(
        text=("choices.0.text",), stop=("choices.*.stop_reason",), generation=("choices.0.index",)
    ),
    stream=_stream,
    gather=_gather,
    required=("prompt",),
)
