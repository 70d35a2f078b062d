"""What models are asked and what they answer, in words that no model family owns.

A `Prompt` is a request as a reader sees it; a `Message`, `Embeddings`, `Images` or `Ranking` is an answer. Families
(see `families`) turn them into what goes over the wire and back. Values only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from bedtape_cassettes.model import JsonValue

__all__ = [
    "STOP_REASONS",
    "Block",
    "Citation",
    "CitedText",
    "Content",
    "Embeddings",
    "Image",
    "Images",
    "Message",
    "Prompt",
    "Ranking",
    "Reasoning",
    "Text",
    "ToolResult",
    "ToolUse",
    "Turn",
    "Usage",
]

# Converse's, from botocore's model; every family's own words are translated to and from these.
STOP_REASONS = (
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
)


# -- answers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought before it answered; `redacted` (bytes) where the provider does not show it."""

    text: str = ""
    signature: str | None = None
    redacted: bytes | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool. `input` is its JSON arguments; without an `id`, rendering makes one as the family does."""

    name: str
    input: JsonValue
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement comes from.

    source: the text that is cited. location: Converse's CitationLocation; None is all of the first document.
    origin: where a search result is from (a URL).
    """

    source: str
    title: str | None = None
    location: JsonValue = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class CitedText:
    """Text with its sources."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A generated image. `format` is png, jpeg, gif or webp."""

    data: bytes
    format: str = "png"


Block: TypeAlias = Text | Reasoning | ToolUse | CitedText | Image


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. `input` counts what was neither read from a cache nor written to one."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total_input(self) -> int:
        """All input tokens, with those of the cache."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.total_input + self.output


@dataclass(frozen=True, slots=True)
class Message:
    """A model's message. stop: one of STOP_REASONS. usage: None lets rendering make a plausible one up."""

    blocks: tuple[Block, ...]
    stop: str = "end_turn"
    stop_sequence: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """All text that it says, reasoning left out."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text | CitedText))


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors, one an input; None lets rendering derive each from its input, at the dimension that was asked for.

    dimension: overrides the request's and the model's own. usage: input tokens, where the family tells them.
    """

    vectors: tuple[tuple[float, ...], ...] | None = None
    dimension: int | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """Generated images, each an encoded file; None lets rendering make tiny ones, as many as were asked for."""

    images: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Relevance of the documents, by index; None lets rendering score them by the words they share with the query."""

    scores: tuple[tuple[int, float], ...] | None = None


Content: TypeAlias = Message | Embeddings | Images | Ranking


# -- questions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back: the id of its call, its name where the family says it, its text."""

    id: str
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation: its role (user, assistant, tool, …), its text, its tool results and calls."""

    role: str
    text: str
    results: tuple[ToolResult, ...] = ()
    calls: tuple[ToolUse, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """A request as a reader sees it, whatever its family calls things. None where the request does not say.

    turns: the conversation, without the system prompt. For embeddings and images, one user turn an input text.
    """

    system: str = ""
    turns: tuple[Turn, ...] = ()
    tools: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()

    @cached_property
    def last(self) -> str:
        """The text of the last user message; none where tools have answered since, which is a turn of its own."""
        return next((_asked(turn) for turn in reversed(self.turns) if turn.role in _INPUT_ROLES), "")

    @cached_property
    def text(self) -> str:
        """System prompt and all messages."""
        return "\n".join(filter(None, (self.system, *(turn.text for turn in self.turns))))

    @cached_property
    def turn(self) -> int:
        """The number of times that the model was asked, from 1: by a user, or by results of tools, however many."""
        roles = [turn.role for turn in self.turns]
        return sum(
            role == "user" or (role == "tool" and before != "tool")
            for role, before in zip(roles, [None, *roles], strict=False)
        )

    @cached_property
    def results(self) -> tuple[ToolResult, ...]:
        """All tool results in the conversation; where the family tells ids alone, named by the calls that have them."""
        names = {use.id: use.name for turn in self.turns for use in turn.calls}
        given = (result for turn in self.turns for result in turn.results)
        return tuple(r if r.name else replace(r, name=names.get(r.id)) for r in given)


# Who asks the model: some families give a tool's results a role of their own, others leave them to the user.
_INPUT_ROLES = ("user", "tool")


def _asked(turn: Turn) -> str:
    return turn.text if turn.role == "user" else ""
