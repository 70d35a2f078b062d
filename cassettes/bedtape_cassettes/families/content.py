"""Requests and answers in a form that does not depend on the model family.

A `Prompt` is the content of a request. A `Message`, `Embeddings`, `Images` or `Ranking` is the
content of an answer. Families convert both to and from the JSON on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.model import JsonValue

# Converse's stop reasons, from botocore's service model. Families translate their own words
# to and from this list.
StopReason: TypeAlias = Literal[
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
]
STOP_REASONS: tuple[str, ...] = get_args(StopReason)


# -- answers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The reasoning of a model. Encrypted reasoning is in `redacted`, and `text` is empty."""

    text: str = ""
    signature: str | None = None
    redacted: bytes | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call. `input` holds the JSON arguments. Rendering generates an id if `id` is None."""

    name: str
    input: JsonValue
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """The source of a statement.

    source: the cited text. location: Converse's CitationLocation; None means all of the first
    document. origin: the URL of a search result.
    """

    source: str
    title: str | None = None
    location: JsonValue = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class CitedText:
    """Text with the sources that it cites."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A generated image. `format` is png, jpeg, gif or webp."""

    data: bytes
    format: str = "png"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The text of a refusal. A family that has no form for it sends filtered text."""

    text: str


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value: the input of the tool that the request forces, or otherwise text."""

    value: JsonValue


Block: TypeAlias = Text | Reasoning | ToolUse | CitedText | Image | Refusal | Json


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. `input` excludes tokens that were read from a cache or written to a cache."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total_input(self) -> int:
        """All input tokens, cached tokens included."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.total_input + self.output


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a guardrail says about a prompt or an answer.

    policies: the members of an assessment, such as topicPolicy, with what they contain. guarded,
    total: the characters that were evaluated, and all characters. units: text units by the names of
    the service; units that are missing are 0.
    """

    policies: Mapping[str, JsonValue]
    guarded: int
    total: int
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GuardrailOutcome:
    """What a guardrail did with a prompt and an answer.

    identifier: the id, without the rest of the ARN. input, output: None if not evaluated. stop: the
    stop reason of the model. model_output: the answer before the guardrail changed it, else None.
    """

    identifier: str
    version: str
    reason: str
    blocked: bool = False
    input: Assessment | None = None
    output: Assessment | None = None
    stop: str = "end_turn"
    model_output: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A model's or an agent's message.

    stop: one of STOP_REASONS. usage: if None, rendering estimates the token counts. trace: the
    traces of an agent. pieces: the deltas of the text in a stream; empty if the model family
    chooses them. guardrail: what an evaluated guardrail did; None if no policy was evaluated.
    """

    blocks: tuple[Block, ...]
    stop: str = "end_turn"
    stop_sequence: str | None = None
    usage: Usage | None = None
    trace: tuple[JsonValue, ...] = ()
    pieces: tuple[str, ...] = ()
    guardrail: GuardrailOutcome | None = field(default=None, hash=False)

    @property
    def text(self) -> str:
        """The text of all blocks, without reasoning."""
        return "".join(
            block.text for block in self.blocks if isinstance(block, Text | CitedText | Refusal)
        )


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector per input. If `vectors` is None, rendering derives each vector from its input.

    dimension: overrides the dimension of the request and of the model. usage: input tokens, if the
    family counts input tokens.
    """

    vectors: tuple[tuple[float, ...], ...] | None = None
    dimension: int | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """Generated image files. If `images` is None, rendering makes as many as the request wants."""

    images: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Index and relevance of documents. If `scores` is None, rendering counts shared words."""

    scores: tuple[tuple[int, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a knowledge base.

    If `score` is None, rendering counts words shared with the query.

    source: an address (`s3://…`, `https://…`) or any id.
    """

    text: str
    source: str | None = None
    score: float | None = None
    metadata: JsonValue = None


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages that Retrieve finds. If `passages` is None, rendering makes some."""

    passages: tuple[Passage, ...] | None = None


@dataclass(frozen=True, slots=True)
class NodeOutputs:
    """The outputs of a flow: the name of each output node, and any JSON."""

    outputs: tuple[tuple[str, JsonValue], ...]


@dataclass(frozen=True, slots=True)
class ServerSentEvents:
    """The data of each server-sent event of an agent, as JSON."""

    values: tuple[JsonValue, ...]


Content: TypeAlias = (
    Message | Embeddings | Images | Ranking | Passages | NodeOutputs | ServerSentEvents
)


# -- requests --------------------------------------------------------------------------------------

# English prose has about four characters per token in the tokenizers of Bedrock's models.
CHARACTERS_A_TOKEN = 4


def tokens(text: str) -> int:
    """Estimate the number of tokens. An empty text has 0 tokens."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool: the id of the call, the text, and the tool's name if known."""

    id: str
    text: str
    name: str | None = None


# Nothing assigns the fields of a turn and a prompt. The classes are not `frozen`, because each
# request makes them, and a frozen instance takes several times as long to create.
@dataclass(slots=True, unsafe_hash=True)
class Turn:
    """A message of a conversation: role (user, assistant, …), text, tool results, tool calls."""

    role: str
    text: str
    results: tuple[ToolResult, ...] = ()
    calls: tuple[ToolUse, ...] = ()


@dataclass(unsafe_hash=True)
class Prompt:
    """The content of a request. A parameter is None if the request does not set it.

    turns: the conversation, without the system prompt. For embeddings and images, one user turn per
    input text. forced_tool: the tool that the model must call. An empty string: the model must call
    a tool of its choice. `must_call` is the tool in both cases.
    """

    system: str = ""
    turns: tuple[Turn, ...] = ()
    tools: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    forced_tool: str | None = None

    @property
    def messages(self) -> tuple[Turn, ...]:
        """The conversation, as a call's `messages`."""
        return self.turns

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """The results of tools, as a call's `tool_results`."""
        return self.results

    @property
    def must_call(self) -> str | None:
        """The tool that the model must call, or None if the model may choose."""
        if self.forced_tool == "" and len(self.tools) == 1:
            return self.tools[0]
        return self.forced_tool or None

    @lazy_property
    def last(self) -> str:
        """The text of the last user message; empty if tool results come after that message."""
        # Some families give tool results a role of their own, others put them into user messages.
        inputs = (turn for turn in reversed(self.turns) if turn.role in ("user", "tool"))
        return next((turn.text if turn.role == "user" else "" for turn in inputs), "")

    @lazy_property
    def question(self) -> str:
        """The last text of the user, also if tool results or the assistant's messages follow."""
        return next(
            (turn.text for turn in reversed(self.turns) if turn.role == "user" and turn.text), ""
        )

    @lazy_property
    def text(self) -> str:
        """The system prompt and the text of all messages."""
        return "\n".join(filter(None, (self.system, *(turn.text for turn in self.turns))))

    @property
    def tokens(self) -> int:
        """An estimate of the number of tokens."""
        return tokens(self.text)

    @lazy_property
    def turn(self) -> int:
        """The number of the current turn, from 1.

        A user message and a run of tool results count as one turn each.
        """
        roles = [turn.role for turn in self.turns]
        return sum(
            role == "user" or (role == "tool" and before != "tool")
            for role, before in zip(roles, [None, *roles], strict=False)
        )

    @lazy_property
    def results(self) -> tuple[ToolResult, ...]:
        """All tool results. A result without a tool name gets the name from its call."""
        names = {use.id: use.name for turn in self.turns for use in turn.calls}
        results = (result for turn in self.turns for result in turn.results)
        return tuple(r if r.name else replace(r, name=names.get(r.id)) for r in results)
