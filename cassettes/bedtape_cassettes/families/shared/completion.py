"""What families share whose answers are little more than a text: the text, why it ended, ids, tokens of streams.

Pure; chance is an argument. Refuses (Cannot) what such families have no form for, and never leaves it out silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from uuid import UUID

from bedtape_cassettes.families.content import STOP_REASONS, Content, Message, Text
from bedtape_cassettes.families.family import GUARDED, RenderError, make_render_error
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.model import JsonValue

__all__ = [
    "FINISH",
    "choose_creation_time",
    "make_message",
    "message_of",
    "pieces",
    "stop_of",
    "strings",
    "text_of",
    "uuid",
    "word_of",
]

# The words of most: Llama's, Mistral's, OpenAI's. The first word of a stop reason's is read back as that reason.
FINISH = {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"}

# What words mean that no table has; the first that occurs in the word decides.
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
# 2025-11-01, and a year: where `created` stands there is no clock to ask, and recorded ones lie there.
_SINCE, _YEAR = 1_761_955_200, 31_536_000


def message_of(content: Content, family: str, supported: str = "text (Message)") -> Message:
    """The content, if it is a message."""
    if not isinstance(content, Message):
        raise make_render_error(family, content, supported)
    return content


def text_of(content: Content, family: str, supported: str = "text alone") -> str:
    """All that a message says, if that is text alone."""
    message = message_of(content, family)
    for block in message.blocks:
        if not isinstance(block, Text):
            raise make_render_error(family, block, supported)
    return message.text


def make_message(text: str, stop: str) -> Message:
    """The inverse: a message of one text, or of none if it is empty."""
    return Message((Text(text),) if text else (), stop=stop)


# -- why it ended ----------------------------------------------------------------------------------------------


def word_of(words: Mapping[str, str], stop: str, family: str) -> str:
    """The family's word for a stop reason: a full context is a limit, where there is no word of its own."""
    if stop == "model_context_window_exceeded" and stop not in words:
        stop = "max_tokens"
    if stop not in words:
        raise RenderError(
            f"answers of the {family} family end with one of {', '.join(words)}; found the stop reason {stop!r}"
        )
    return words[stop]


def stop_of(words: Mapping[str, str], word: JsonValue, *bodies: JsonValue) -> str:
    """The stop reason that a family's word means, unless `bodies` (the answer, or its chunks) tell of a guardrail.

    A word that no table has is read as what it resembles; an answer that says nothing has just ended.
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


# -- streams ---------------------------------------------------------------------------------------------------


def pieces(text: str, chance: Random, least: int, most: int, *, last: bool) -> Iterator[str]:
    """The text in deltas; `last`: with an empty one at the end, for a model that ended by itself tells so alone."""
    found = list(synthesis.deltas(text, chance, least, most))
    yield from found
    if last or not found:
        yield ""


def strings(value: JsonValue, *path: str) -> tuple[str, ...]:
    """Texts, of which one may stand alone."""
    alone = json_access.text(value, *path)
    return (alone,) if alone else json_access.texts(value, *path)


# -- ids and times ---------------------------------------------------------------------------------------------


def uuid(chance: Random) -> str:
    """A random UUID."""
    return str(UUID(int=chance.getrandbits(128), version=4))


def choose_creation_time(chance: Random) -> int:
    """A time of creation, in seconds."""
    return _SINCE + chance.randrange(_YEAR)
