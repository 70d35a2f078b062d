"""Ends of answers at max_tokens and at stop sequences, and errors for requests that are too long.

Sources: docs.aws.amazon.com/bedrock/latest/APIReference (InferenceConfiguration: maxTokens and
stopSequences), platform.claude.com/docs, "Handling stop reasons" and "Context windows". The texts
of errors are recorded, except the text for a prompt and max_tokens that together exceed the
context, which users report.

A token has four characters, as in all estimates of bedtape. If an answer has token counts, a token
has as many characters as these counts say, so that a recorded answer is not longer than the limit
that it was recorded with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bedtape_cassettes.families.content import (
    CHARACTERS_A_TOKEN,
    Block,
    CitedText,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.shared.synthesis import json_text, usage_of
from bedtape_cassettes.model import Response
from bedtape_replayer.overlay.simulation.context import Context, Feature
from bedtape_replayer.overlay.simulation.models import find_limits

CutTools: TypeAlias = Literal["keep", "drop"]
_LONG = "Input is too long for requested model."
_PREFIX = "The model returned the following errors: "
_NOVA = (
    f"{_PREFIX}Input Tokens Exceeded: Number of input tokens exceeds maximum length. "
    "Please update the input to try again."
)


@dataclass(frozen=True, slots=True)
class Limits(Feature):
    """context_tokens, max_output_tokens, long_prompt: None for the values of the model.

    cut_tools: whether an answer keeps the tool call that max_tokens cuts. A stream then has the
    beginning of its arguments. A complete answer, whose arguments are an object, has an empty
    object.
    """

    context_tokens: int | None = None
    max_output_tokens: int | None = None
    long_prompt: str | None = None
    cut_tools: CutTools = "keep"

    def refuse(self, context: Context) -> Response | None:
        """Return the error for a request that exceeds the limits of the model."""
        known, most = find_limits(context.model), context.prompt.max_tokens
        output = self.max_output_tokens or known.output
        if most is not None and output is not None and most > output:
            return context.refuse(
                f"The maximum tokens you requested exceeds the model limit of {output}. "
                f"Try again with a maximum tokens value that is lower than {output}.",
                f"limits: max_tokens {most} exceeds the model's {output}",
            )
        window = self.context_tokens or known.context
        if window is None:
            return None
        size = context.input_tokens
        if size > window:
            return context.refuse(
                self.long_prompt or _describe_length(context, size, window),
                f"limits: {size} tokens of the prompt exceed the context window of {window}",
            )
        together = "claude" in context.model and not known.grows
        if together and most is not None and size + most > window:
            return context.refuse(
                f"input length and `max_tokens` exceed context limit: {size} + {most} > {window}, "
                "decrease input length or `max_tokens` and try again",
                f"limits: {size} tokens of the prompt and max_tokens {most} exceed the context"
                f" window of {window}",
            )
        return None

    def change(self, message: Message, context: Context) -> Message:
        """Return the message up to the first stop sequence and to max_tokens.

        An answer that fits is not changed.
        """
        stopped = _stop_at_sequence(message, context)
        most, stop = context.prompt.max_tokens, "max_tokens"
        window = self.context_tokens or find_limits(context.model).context
        if window is not None and (most is None or most > window - context.input_tokens):
            most, stop = max(1, window - context.input_tokens), "model_context_window_exceeded"
        if most is None or message.stop in ("guardrail_intervened", "content_filtered"):
            return stopped
        return self._cut(stopped, most, stop, context)

    def _cut(self, message: Message, most: int, stop: str, context: Context) -> Message:
        count = count_output(message)
        # Titan counts the token that ends an answer: an answer of 50 tokens at most counts 51.
        if count <= most or message.stop == stop:
            return message
        total = _count_characters(*message.blocks)
        estimated = count == count_output(replace(message, usage=None))
        length = most * CHARACTERS_A_TOKEN if estimated else total * most // count
        blocks = tuple(self._take(message.blocks, length, context))
        context.notes.append(f"limits: {stop} cut {count} tokens to {most}")
        return _end(message, context, blocks, most, stop)

    def _take(self, blocks: tuple[Block, ...], length: int, context: Context) -> list[Block]:
        taken: list[Block] = []
        for block in blocks:
            size = _count_characters(block)
            if size <= length:
                length -= size
                taken.append(block)
                continue
            if isinstance(block, Text | CitedText | Reasoning) and length:
                taken.append(replace(block, text=block.text[:length]))
            elif (
                isinstance(block, ToolUse) and self.cut_tools == "keep" and length > len(block.name)
            ):
                begun = json_text(block.input)[: length - len(block.name)]
                taken.append(replace(block, input=begun if context.call.is_streamed else {}))
            break
        return taken


def count_output(message: Message) -> int:
    """Return the output tokens of a message: its own count, or the estimate."""
    return usage_of(message, Prompt()).output


def _describe_length(context: Context, size: int, window: int) -> str:
    """Return the message for a prompt that is longer than the context window."""
    if context.call.dialect == "anthropic":
        return f"prompt is too long: {size} tokens > {window} maximum"
    if "nova" in context.model:
        return _NOVA
    converse = (context.call.operation or "").startswith("Converse")
    return f"{_PREFIX}{_LONG}" if converse and "claude" in context.model else _LONG


def _count_characters(*blocks: Block) -> int:
    return sum(
        len(block.name) + len(json_text(block.input))
        if isinstance(block, ToolUse)
        else len(getattr(block, "text", ""))
        for block in blocks
    )


def _end(
    message: Message,
    context: Context,
    blocks: tuple[Block, ...],
    output: int,
    stop: str,
    sequence: str | None = None,
) -> Message:
    """Return the message with these blocks, output tokens and stop reason."""
    usage = replace(usage_of(message, context.prompt), output=output)
    ended = replace(message, blocks=blocks, stop=stop, stop_sequence=sequence, usage=usage)
    return replace(ended, pieces=_cut_pieces(message.pieces, ended.text))


def _stop_at_sequence(message: Message, context: Context) -> Message:
    """Return the message up to the first stop sequence of the request.

    The sequence is not part of the answer.
    """
    sequences = [each for each in context.prompt.stop_sequences if each]
    if not sequences or message.stop == "stop_sequence":
        return message
    for number, block in enumerate(message.blocks):
        if not isinstance(block, Text | CitedText):
            continue
        places = [
            (at, -len(each), each) for each in sequences if (at := block.text.find(each)) >= 0
        ]
        if not places:
            continue
        at, _, sequence = min(places)
        kept = message.blocks[:number] + ((replace(block, text=block.text[:at]),) if at else ())
        context.notes.append(f"limits: stopped at the stop sequence {sequence!r}")
        before, after = max(1, _count_characters(*message.blocks)), _count_characters(*kept)
        output = max(1, -(-count_output(message) * after // before))
        return _end(message, context, kept, output, "stop_sequence", sequence)
    return message


def _cut_pieces(texts: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the beginnings of the deltas that make the text, or nothing for another text."""
    if not "".join(texts).startswith(text):
        return ()
    pieces = []
    for each in texts:
        piece, text = text[: len(each)], text[len(each) :]
        if piece:
            pieces.append(piece)
    return tuple(pieces)
