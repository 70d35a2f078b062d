"""The types of the keyword arguments of `respond`, `fail`, `fault` and the assertions. Types only.

Each name is a key of an overlay document, and each `TypedDict` is an object in one. A value that
the overlay schema limits to a list is a `Literal`, so that an editor completes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypeAlias, TypedDict

from bedtape_cassettes.families.content import StopReason
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.answering.operation_names import OperationName
from bedtape_replayer.overlay.faults.corruption import Damage
from bedtape_replayer.overlay.faults.semantic import Meaning
from bedtape_replayer.overlay.overlay import Direction
from bedtape_replayer.overlay.simulation.keywords import SimulateDict

__all__ = [
    "AlternativeDict",
    "AnswerDict",
    "CalledDict",
    "ConditionDict",
    "ErrorDict",
    "ErrorName",
    "FaultDict",
    "FilterDict",
    "OperationName",
    "RuleDict",
    "SimulateDict",
    "StopReason",
    "TurnDict",
    "WhenDict",
]

# The names of Bedrock's errors. A fault may also name another error if it gives a status.
ErrorName: TypeAlias = Literal[
    "AccessDeniedException",
    "BadGatewayException",
    "ConflictException",
    "DependencyFailedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalServerException",
    "InvalidSignatureException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
]
# Base64 text, or the bytes that bedtape encodes as base64.
Base64: TypeAlias = str | bytes


class AlternativeDict(TypedDict, total=False):
    """Conditions on a call, all of which the call must meet. See `When`."""

    operation: OperationName | Sequence[OperationName]
    model: str
    prompt_contains: str
    prompt_regex: str
    prompt_equals: str
    question_contains: str
    question_regex: str
    question_equals: str
    text_contains: str
    text_regex: str
    document_contains: str
    document_regex: str
    system_contains: str
    system_regex: str
    tool_offered: str
    tool_result: str
    json_path: Mapping[str, Any]
    turn: int
    attempt: int
    call: int
    header: Mapping[str, str]
    session: str
    access_key: str


class WhenDict(AlternativeDict, total=False):
    """The calls that a layer applies to. A call must meet every condition. See `When`."""

    any_of: Sequence[AlternativeDict]
    none_of: Sequence[AlternativeDict]


class ConditionDict(WhenDict, total=False):
    """The conditions and the schedule of a layer (see `Schedule`), and its name."""

    when: WhenDict
    times: int
    after: int
    every: int
    probability: float
    name: str


# -- answers -----------------------------------------------------------------------------------


class ToolDict(TypedDict, total=False):
    """A tool that the model calls."""

    name: Required[str]
    input: Any
    id: str


class CitationDict(TypedDict, total=False):
    """A source of the text."""

    source: Required[str]
    title: str
    location: Mapping[str, Any]


class ReasoningDict(TypedDict, total=False):
    """The reasoning of the model."""

    text: str
    signature: str
    redacted: Base64


class BlockDict(TypedDict, total=False):
    """A block of content."""

    text: str
    citations: Sequence[CitationDict]
    reasoning: str | ReasoningDict
    tool: ToolDict
    image: Base64
    format: Literal["png", "jpeg", "gif", "webp"]


class ScoreDict(TypedDict):
    """The relevance of a document, from 0 to 1. `index` is the position of the document."""

    index: int
    score: float


class PassageDict(TypedDict, total=False):
    """A passage of a knowledge base. `score` is its relevance, from 0 to 1."""

    text: Required[str]
    source: str
    score: float
    metadata: Mapping[str, Any]


class RawDict(TypedDict, total=False):
    """A body as it is sent."""

    json: Any
    text: str
    base64: Base64
    chunks: Sequence[Any]
    events: Sequence[Mapping[str, Any]]
    status: int
    headers: Mapping[str, str]


class UsageDict(TypedDict, total=False):
    """Token counts."""

    input: int
    output: int
    cache_read: int
    cache_write: int


class CueDict(TypedDict, total=False):
    """The event of the client that a turn of a conversation follows. See `Cue`."""

    event: str
    type: Literal["TEXT", "AUDIO", "TOOL"]
    role: Literal["USER", "SYSTEM", "ASSISTANT", "TOOL"]
    text_contains: str
    nth: int


class SpeechDict(TypedDict, total=False):
    """A turn of the model in a conversation. See `Speech`."""

    when: CueDict
    hears: str
    text: str
    pieces: Sequence[str]
    audio: Base64
    silence_ms: int
    tool: ToolDict | Sequence[ToolDict]
    interrupted: bool


class AnswerDict(TypedDict, total=False):
    """The answer of a rule."""

    text: str
    pieces: Sequence[str]
    json: Any
    schema: Literal["auto"]
    refusal: str
    tool: ToolDict | Sequence[ToolDict]
    reasoning: str | ReasoningDict
    citations: Sequence[CitationDict]
    blocks: Sequence[BlockDict]
    guardrail: str
    embedding: Literal["auto"] | Sequence[float | Sequence[float]]
    dimension: int
    image: Base64 | Sequence[Base64]
    ranking: Literal["auto"] | Sequence[ScoreDict]
    passages: Literal["auto"] | Sequence[PassageDict]
    trace: Sequence[Mapping[str, Any]]
    nodes: Mapping[str, Any]
    server_sent: Sequence[Any]
    output: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    state: str
    error: ErrorName | str
    message: str
    status: int
    members: Mapping[str, Any]
    retry_after_ms: int
    raw: RawDict
    conversation: Sequence[SpeechDict]
    stop_reason: StopReason
    stop_sequence: str
    usage: UsageDict


class RuleDict(ConditionDict, AnswerDict, total=False):
    """The keywords of a rule."""

    family: str
    answers: Sequence[AnswerDict | str]
    then: Literal["repeat", "miss"]
    template: bool
    allow_unoffered_tools: bool
    simulate: SimulateDict


class TurnDict(TypedDict, total=False):
    """A turn of a script: what the call must meet, and its answer."""

    expect: WhenDict
    answer: Required[AnswerDict | str]


# -- faults ------------------------------------------------------------------------------------


class ErrorDict(ConditionDict, total=False):
    """The keywords of a fault that answers with an error."""

    message: str
    status: int
    members: Mapping[str, Any]
    retry_after_ms: int
    after_events: int
    direction: Direction


class HttpDict(TypedDict, total=False):
    """A status and a body."""

    status: Required[int]
    text: str
    json: Any
    headers: Mapping[str, str]


class LatencyDict(TypedDict, total=False):
    """Delays in milliseconds."""

    first_byte_ms: int
    between_ms: int
    jitter_ms: int


class StallDict(TypedDict, total=False):
    """The event after which nothing more is sent."""

    after_events: int


class ErrorFrameDict(TypedDict, total=False):
    """A frame of type `error` in an event stream."""

    code: Required[str]
    message: str
    after_events: int


class TruncateDict(TypedDict, total=False):
    """The place at which the answer ends."""

    after_events: int
    bytes_more: int
    in_order: bool


class CorruptDict(TypedDict, total=False):
    """The kind of damage, and the event that is damaged, from 1."""

    what: Required[Damage]
    event: int


class DropDict(TypedDict, total=False):
    """The events to leave out, by number from 1 or by type."""

    numbers: Sequence[int]
    types: Sequence[str]


class RepeatDict(DropDict, total=False):
    """The events to send again, and how many times."""

    times: int


class SwapDict(TypedDict):
    """The numbers of two events that change places, from 1."""

    first: int
    second: int


class InsertDict(TypedDict, total=False):
    """An additional event."""

    type: Required[str]
    payload: Mapping[str, Any]
    after_events: int


class ResetDict(TypedDict, total=False):
    """The place at which the connection breaks."""

    after_events: int
    bytes_more: int
    code: int


class QuotaDict(TypedDict, total=False):
    """The limits for one minute of the virtual clock."""

    requests_per_minute: int
    tokens_per_minute: int


class MisanswerDict(TypedDict, total=False):
    """What goes wrong in the answer of the model."""

    what: Required[Meaning]
    text: str
    family: str


class FaultDict(ErrorDict, total=False):
    """The keywords of a fault: one kind, its conditions and its schedule."""

    error: ErrorName | str
    http: HttpDict
    latency: LatencyDict
    stall: StallDict
    error_frame: ErrorFrameDict
    truncate: TruncateDict
    corrupt: CorruptDict
    drop: DropDict
    repeat: RepeatDict
    swap: SwapDict
    insert: InsertDict
    reset: ResetDict
    quota: QuotaDict
    misanswer: Meaning | MisanswerDict


# -- calls -------------------------------------------------------------------------------------


class FilterDict(WhenDict, total=False):
    """The conditions that select calls. See `Calls.filter`."""

    status: int | None
    error: ErrorName | str | None
    stop_reason: StopReason | str | None
    source: Source
    by: str | None
    fault: str
    simulated: str
    hung_up: bool
    region: str | None
    http_version: Literal["HTTP/1.1", "HTTP/2"]
    user_agent_contains: str
    invocation_id: str | None
    system: str
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    stop_sequences: Sequence[str]
    tools: Sequence[str]
    attempts: int


class CalledDict(FilterDict, total=False):
    """The conditions that select calls, and how many calls must meet them."""

    times: int
    at_least: int
    at_most: int
