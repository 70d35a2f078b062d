"""TwelveLabs Pegasus: answers questions about a video with text.

[inferred] the chunks of a stream, because the documentation shows whole answers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Content, Message, Prompt, Text, Turn
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.model import JsonValue

_LEAST, _MOST = 1, 12  # characters per delta; an estimate, because there are no recordings
# The family has two words. Every stop reason other than a limit becomes `stop`.
_STOPS = {"stop": "end_turn", "length": "max_tokens"}


def _prompt(body: JsonObject) -> Prompt:
    text = json_access.text(body, "inputPrompt")
    return Prompt(
        turns=(Turn("user", text),) if text else (),
        temperature=json_access.number(body, "temperature"),
        max_tokens=json_access.integer(body, "maxOutputTokens"),
    )


def _render_text(content: Content) -> str:
    """Return the text. Raises RenderError for a block other than text."""
    assert isinstance(content, Message)
    for block in content.blocks:
        if not isinstance(block, Text):
            raise make_render_error("twelvelabs_pegasus", block, "text alone")
    return content.text


def _reason(content: Content) -> str:
    stop = content.stop if isinstance(content, Message) else ""
    return "length" if stop in ("max_tokens", "model_context_window_exceeded") else "stop"


def _render(content: Content, request: ModelRequest) -> JsonObject:  # noqa: ARG001 - a family's signature
    return {"message": _render_text(content), "finishReason": _reason(content)}


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    for delta in synthesis.deltas(_render_text(content), request.chance, _LEAST, _MOST):
        yield {"message": delta, "finishReason": None}
    yield {"message": "", "finishReason": _reason(content)}


def _read(body: JsonObject) -> Content:
    return _gather([body])


def _gather(chunks: Sequence[JsonValue]) -> Content:
    parts = [json_access.member(chunk, "message") for chunk in chunks]
    if not any(isinstance(part, str) for part in parts):
        raise ValueError("expected a string `message`")
    text = "".join(part for part in parts if isinstance(part, str))
    reasons = [reason for chunk in chunks if (reason := json_access.text(chunk, "finishReason"))]
    return Message((Text(text),), stop=_STOPS.get(reasons[-1] if reasons else "stop", "end_turn"))


TWELVELABS_PEGASUS = Family(
    name="twelvelabs_pegasus",
    models=("twelvelabs.pegasus-*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(text=("message",), stop=("finishReason",)),
    stream=_stream,
    gather=_gather,
    required=("inputPrompt", "mediaSource"),
)
