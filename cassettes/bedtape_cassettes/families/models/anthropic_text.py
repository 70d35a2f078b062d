"""Claude 2 and Claude Instant: one text as a prompt, one text as an answer.

Requests with `messages` are answered in the newer form of Anthropic's messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.models.anthropic import ANTHROPIC
from bedtape_cassettes.families.shared import completion, json_access, synthesis
from bedtape_cassettes.families.shared.templates import prompt_in
from bedtape_cassettes.model import JsonValue

_NAME = "anthropic_text"
# Characters per delta, 5th to 90th percentile of 62 deltas.
_TEXT = (1, 9)
# The text that ends an answer without a stop sequence of the request.
_HUMAN = "\n\nHuman:"
_STOPS = {"end_turn": "stop_sequence", "stop_sequence": "stop_sequence", "max_tokens": "max_tokens"}


def _prompt(body: JsonObject) -> Prompt:
    if "messages" in body:
        return ANTHROPIC.prompt(body)
    return prompt_in(body, max_tokens="max_tokens_to_sample", stop="stop_sequences")


def _render(content: Content, request: ModelRequest) -> JsonObject:
    if "messages" in request.body:
        return ANTHROPIC.render(content, request)
    return {
        "type": "completion",
        "completion": completion.text_of(content, _NAME),
        **_render_stop(content, request),
    }


def _render_stop(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, _NAME)
    word = completion.word_of(_STOPS, message.stop, _NAME)
    if word != "stop_sequence":
        return {"stop_reason": word, "stop": None}
    ours = message.stop_sequence or next(iter(request.prompt.stop_sequences), _HUMAN)
    return {"stop_reason": word, "stop": _HUMAN if message.stop != "stop_sequence" else ours}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    if "messages" in request.body:
        assert ANTHROPIC.stream is not None
        yield from ANTHROPIC.stream(content, request)
        return
    stop = _render_stop(content, request)
    for part in synthesis.deltas(completion.text_of(content, _NAME), request.chance, *_TEXT):
        yield {"type": "completion", "completion": part, "stop_reason": None, "stop": None}
    yield {"type": "completion", "completion": "", **stop}


def _read(body: JsonObject) -> Content:
    if "completion" not in body:
        return ANTHROPIC.read(body)
    stop = completion.stop_of(_STOPS, body.get("stop_reason"))
    sequence = json_access.text(body, "stop") or None
    if stop == "end_turn" and sequence not in (None, _HUMAN):
        stop = "stop_sequence"
    text = completion.make_message(json_access.text(body, "completion"), stop)
    return Message(text.blocks, stop, sequence if stop == "stop_sequence" else None)


def _gather(chunks: Sequence[JsonValue]) -> Content:
    if not any("completion" in chunk for chunk in chunks if isinstance(chunk, dict)):
        assert ANTHROPIC.gather is not None
        return ANTHROPIC.gather(chunks)
    last = next(
        chunk for chunk in reversed(chunks) if isinstance(chunk, dict) and "completion" in chunk
    )
    return _read(
        {**last, "completion": "".join(json_access.text(chunk, "completion") for chunk in chunks)}
    )


ANTHROPIC_TEXT = Family(
    name=_NAME,
    models=("anthropic.claude-v*", "anthropic.claude-instant*"),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=ANTHROPIC.members | Members(text=("completion",), stop=("stop_reason",)),
    stream=_stream,
    gather=_gather,
    required=(("prompt", "messages"), ("max_tokens_to_sample", "max_tokens")),
)
