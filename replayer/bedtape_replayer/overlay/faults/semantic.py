"""Well-formed answers with unwanted content: truncated, blocked, empty, or
with a malformed tool call.

Reads the content of the response, changes it, and renders it again for the same model. Errors do
not change. Raises LayerError for content that cannot be read or rendered, because the test would
otherwise pass for the wrong reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.families.content import Block, CitedText, Message, Prompt, Text, ToolUse
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.shared.synthesis import json_text, usage_of
from bedtape_cassettes.model import Response
from bedtape_cassettes.operations import SERVER_SENT
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.candidates import LayerError
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind

Meaning: TypeAlias = Literal[
    "max_tokens",
    "model_context_window_exceeded",
    "stop_sequence",
    "content_filtered",
    "guardrail_intervened",
    "malformed_tool_use",
    "empty",
]
_MODELS = (
    "Converse",
    "ConverseStream",
    "InvokeModel",
    "InvokeModelWithResponseStream",
    *SERVER_SENT,
)
# The default texts that replace blocked content.
_FILTERED = "The generated text has been blocked by our content filters."
_GUARDED = "Sorry, the model cannot answer this question."


@dataclass(frozen=True, slots=True)
class Misanswer(FaultKind):
    """what: the stop reason, or empty for an answer that ends normally without content.

    A truncated text keeps its first half, and later blocks are left out. text: the sequence to stop
    at for stop_sequence, by default a stop sequence of the request; the replacement text for a
    blocked answer. family: the model family, if the model id does not identify it.
    """

    what: Meaning
    text: str | None = None
    family: str | None = None

    def __post_init__(self) -> None:
        if self.what not in get_args(Meaning):
            raise ValueError(f"expected {', '.join(get_args(Meaning))}, found {self.what!r}")
        if self.text is not None and self.what not in ("stop_sequence", *_BLOCKED):
            raise ValueError(f"expected no text with {self.what}, found {self.text!r}")
        if self.text == "" and self.what == "stop_sequence":
            raise ValueError("expected a sequence to stop at, found an empty one")

    def applies_to(self, call: Call) -> bool:
        return call.operation in _MODELS

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        if not operations or set(operations) & set(_MODELS):
            return None
        return f"expected one of {', '.join(_MODELS)}, found {', '.join(operations)}"

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:
        if response.status != 200:
            return response
        content = content_of(call.operation, call.model, response, family=self.family)
        if not isinstance(content, Message):
            raise LayerError(
                f"{self.what} cannot happen to what answers {call.operation} of {call.model}:"
                " expected a model's message in a form that is known, found"
                f" {'none' if content is None else type(content).__name__}"
            )
        try:
            rendered = render(
                self._change(content, call),
                operation=call.operation or "",
                model=call.model,
                body=call.body,
                chance=context.chance,
                family=self.family,
                service=call.service,
                header=call.head.get,
            )
        except RenderError as error:
            raise LayerError(
                f"{self.what} cannot happen to {call.operation} of {call.model}: {error}"
            ) from None
        return replace(rendered, after_ms=response.after_ms)

    def _change(self, message: Message, call: Call) -> Message:
        match self.what:
            case "max_tokens" | "model_context_window_exceeded":
                return _stop_at(message, len(message.text) // 2, self.what)
            case "stop_sequence":
                return self._stop_at_sequence(message, call)
            case "content_filtered" | "guardrail_intervened":
                text = _BLOCKED[self.what] if self.text is None else self.text
                # A content filter blocks an answer that the model generated, so its tokens count. A
                # guardrail blocks the request before the model, so there are no token counts.
                usage = message.usage if self.what == "content_filtered" else None
                return Message((Text(text),), self.what, usage=usage)
            case "malformed_tool_use":
                return _break_tools(message, call)
            case "empty":
                return _count_output(
                    replace(message, blocks=(), stop="end_turn", stop_sequence=None)
                )

    def _stop_at_sequence(self, message: Message, call: Call) -> Message:
        sequence = self.text or next(iter(call.prompt.stop_sequences), "\n\n")
        at = message.text.find(sequence)
        at = at if at >= 0 else len(message.text) // 2
        return replace(_stop_at(message, at, "stop_sequence"), stop_sequence=sequence)


_BLOCKED = {"content_filtered": _FILTERED, "guardrail_intervened": _GUARDED}


def _stop_at(message: Message, length: int, stop: str) -> Message:
    blocks = tuple(_take_blocks(message.blocks, length))
    return _count_output(replace(message, blocks=blocks, stop=stop, stop_sequence=None))


def _take_blocks(blocks: tuple[Block, ...], length: int) -> Iterator[Block]:
    """Yields the blocks up to this number of characters, without the tool calls after them."""
    for block in blocks:
        match block:
            case Text(text) | CitedText(text, _) if len(text) > length:
                if length:
                    yield replace(block, text=text[:length])
                return
            case Text(text) | CitedText(text, _):
                length -= len(text)
                yield block
            case ToolUse():
                return
            case _:
                yield block


def _break_tools(message: Message, call: Call) -> Message:
    """Replaces the input of each tool call by the first half of its JSON as text."""
    if not any(isinstance(block, ToolUse) for block in message.blocks):
        raise LayerError(
            f"malformed_tool_use cannot happen to an answer of {call.model} that calls no tool"
        )
    return replace(
        message, blocks=tuple(map(_break_input, message.blocks)), stop="malformed_tool_use"
    )


def _break_input(block: Block) -> Block:
    if not isinstance(block, ToolUse):
        return block
    arguments = json_text(block.input)
    return replace(block, input=arguments[: max(1, len(arguments) // 2)])


def _count_output(message: Message) -> Message:
    """Corrects the output tokens for the remaining content, if the message has token counts."""
    if message.usage is None:
        return message
    estimate = usage_of(replace(message, usage=None), Prompt())
    return replace(
        message, usage=replace(message.usage, output=min(message.usage.output, estimate.output))
    )
