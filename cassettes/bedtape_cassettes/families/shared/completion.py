"""Shared code of families whose answers are one text: the text, stop
reasons, deltas, ids and times.

Rendering raises RenderError for content that a family does not support.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from uuid import UUID

from bedtape_cassettes.families.content import STOP_REASONS, Content, Message, Text
from bedtape_cassettes.families.family import GUARDED, JsonObject, RenderError, make_render_error
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.model import JsonValue

# The words of Llama, Mistral and OpenAI. A word is read back as the first stop reason that has it.
FINISH: dict[str, str] = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}

# Meanings of words that are in no family's table. The first part that occurs in the word decides.
_MEANINGS = (
    ("context", "model_context_window_exceeded"),
    ("tool", "tool_use"),
    ("function", "tool_use"),
    ("length", "max_tokens"),
    ("max", "max_tokens"),
    ("limit", "max_tokens"),
    ("filter", "content_filtered"),
    ("toxic", "content_filtered"),
    ("refus", "content_filtered"),
    ("safety", "content_filtered"),
    ("sequence", "stop_sequence"),
    ("criteria", "stop_sequence"),
    ("stop", "end_turn"),
    ("end", "end_turn"),
    ("eos", "end_turn"),
    ("complete", "end_turn"),
    ("finish", "end_turn"),
)
# 2025-11-01, and the seconds of a year: recorded creation times lie in this year.
# Rendering has no clock.
_SINCE, _YEAR = 1_761_955_200, 31_536_000


def message_of(content: Content, family: str, supported: str = "text (Message)") -> Message:
    """Return the content if it is a message. Raises RenderError for other content."""
    if not isinstance(content, Message):
        raise make_render_error(family, content, supported)
    return content


def text_of(content: Content, family: str, supported: str = "text alone") -> str:
    """Return the text of a message. Raises RenderError for a block other than text."""
    message = message_of(content, family)
    for block in message.blocks:
        if not isinstance(block, Text):
            raise make_render_error(family, block, supported)
    return message.text


def make_message(text: str, stop: str) -> Message:
    """The inverse of `text_of`: a message with one text block, or without blocks if it is empty."""
    return Message((Text(text),) if text else (), stop=stop)


def split_message(
    content: Content, family: str, words: Mapping[str, str]
) -> tuple[Message, str, str]:
    """Return the message, its text and the family's word for its stop reason.

    Raises RenderError, as the parts do.
    """
    message = message_of(content, family)
    return message, text_of(content, family), word_of(words, message.stop, family)


def join_texts(
    parts: Sequence[JsonObject], text: str, stop: str, words: Mapping[str, str], expected: str
) -> Message:
    """Read the parts of one answer: the member `text` of each part, and the member
    `stop` of the last part.

    Raises ValueError with `expected`, the form of the family, if there are no parts.
    """
    if not parts:
        raise ValueError(f"expected {expected}")
    joined = "".join(json_access.text(part, text) for part in parts)
    return make_message(joined, stop_of(words, parts[-1].get(stop)))


# -- stop reasons ----------------------------------------------------------------------------------


def word_of(words: Mapping[str, str], stop: str, family: str) -> str:
    """Return the family's word for a stop reason.

    A full context counts as max_tokens if the family has no word for it. Raises RenderError for
    other stop reasons without a word.
    """
    if stop == "model_context_window_exceeded" and stop not in words:
        stop = "max_tokens"
    if stop not in words:
        raise RenderError(
            f"answers of the {family} family end with one of {', '.join(words)}; found the stop"
            f" reason {stop!r}"
        )
    return words[stop]


def stop_of(words: Mapping[str, str], word: JsonValue, *bodies: JsonValue) -> str:
    """Return the stop reason for a family's word.

    A guardrail action in `bodies` (the answer, or its chunks) takes precedence. An unknown word is
    read by its parts. An answer without a word ended normally.
    """
    if any(json_access.text(body, GUARDED) == "INTERVENED" for body in bodies):
        return "guardrail_intervened"
    if not isinstance(word, str) or not word:
        return "end_turn"
    for stop, own in words.items():
        if own == word:
            return stop
    lower = word.lower()
    if lower in STOP_REASONS:
        return lower
    return next((stop for part, stop in _MEANINGS if part in lower), "malformed_model_output")


# -- streams ---------------------------------------------------------------------------------------


def pieces(
    text: str, chance: Random, least: int, most: int, *, last: bool
) -> Iterator[tuple[str, bool]]:
    """Split the text into deltas, each with whether it is the last.

    last: end with an empty delta, because `stop` comes in a chunk without text.
    """
    parts = list(synthesis.deltas(text, chance, least, most))
    if last or not parts:
        parts.append("")
    for count, part in enumerate(parts, 1):
        yield part, count == len(parts)


def strings(value: JsonValue, *path: str) -> tuple[str, ...]:
    """The strings at the path: a list of strings, or a single string."""
    alone = json_access.text(value, *path)
    return (alone,) if alone else json_access.texts(value, *path)


# -- ids and times ---------------------------------------------------------------------------------


def uuid(chance: Random) -> str:
    """A random UUID."""
    return (
        chance.reserve(16)
        if isinstance(chance, synthesis.IdSlots)
        else str(UUID(int=chance.getrandbits(128), version=4))
    )


def choose_creation_time(chance: Random) -> int:
    """A random creation time, in seconds since 1970."""
    return _SINCE + chance.randrange(_YEAR)
