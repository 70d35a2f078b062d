"""What a model family is: how its requests are read, and how answers become its bodies and chunks, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from bedtape_cassettes.families.content import Content, Prompt, Usage
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.model import JsonValue

__all__ = ["GUARDED", "METRICS", "Family", "JsonObject", "ModelRequest", "RenderError", "make_render_error"]

JsonObject = dict[str, JsonValue]

# What Bedrock itself adds to the bodies and chunks of InvokeModel, whatever the family.
METRICS = "amazon-bedrock-invocationMetrics"
GUARDED = "amazon-bedrock-guardrailAction"


class RenderError(ValueError):
    """The family has no form for such an answer. The message says what it was given and what it can say."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request that wants an answer: the model id as in the path, the body parsed, what it says, and chance.

    chance: seeded by the caller; ids, sizes of deltas and latencies come from it, so that equal calls get equal bytes.
    """

    model: str
    body: JsonObject
    prompt: Prompt
    chance: Random


def _counts_no_cache(request: ModelRequest, usage: Usage) -> bool:  # noqa: ARG001
    """No answer of the family counts cached tokens."""
    return False


def make_render_error(family: str, content: object, supported: str) -> RenderError:
    """The refusal of content for which the family has no form. says: what it can answer with."""
    return RenderError(f"models of the {family} family answer with {supported}, found {type(content).__name__}")


@dataclass(frozen=True, slots=True)
class Family:
    """One family, as functions over parsed JSON.

    name: in lower case, as a rule's `family` names it: `anthropic`, `llama`.
    models: globs of the bare model ids (no inference profile, no ARN) that speak it.
    answers: the kinds of content that it can say.
    prompt: reads a request. render: a whole answer. stream: the values of its chunks, in order, without the
        invocation metrics (None: the family does not stream). read, gather: the inverse of both; they never fail on
        an answer with unknown members, but raise ValueError where it is none of this family's. Neither reads token
        counts, because `usage.read_usage` does.
    members: where answers hold what is read and set: text, stop reason, token counts, tool calls.
    required: the members that a request must have (a tuple inside means: one of these).
    cached: whether the answer to this request counts cached tokens, in headers and in a stream's metrics.
    token_headers: whether answers carry headers that count tokens at all.
    metrics_alone: whether the metrics come as a chunk of their own, after the last.
    """

    name: str
    models: tuple[str, ...]
    answers: tuple[type[Content], ...]
    prompt: Callable[[JsonObject], Prompt]
    render: Callable[[Content, ModelRequest], JsonObject]
    read: Callable[[JsonObject], Content]
    members: Members = field(default_factory=Members)
    stream: Callable[[Content, ModelRequest], Iterable[JsonValue]] | None = None
    gather: Callable[[Sequence[JsonValue]], Content] | None = None
    required: tuple[str | tuple[str, ...], ...] = ()
    counts_cache: Callable[[ModelRequest, Usage], bool] = _counts_no_cache
    token_headers: bool = True
    metrics_alone: bool = False
