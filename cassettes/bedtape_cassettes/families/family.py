"""The `Family` type: how to read a family's requests, and how to render and read its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.families.content import (
    Block,
    Content,
    Json,
    Message,
    Prompt,
    Refusal,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.families.dependencies import derive
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import JsonValue

JsonObject = dict[str, JsonValue]
T = TypeVar("T")

# Members that Bedrock adds to InvokeModel bodies and chunks of every family.
METRICS = "amazon-bedrock-invocationMetrics"
GUARDED = "amazon-bedrock-guardrailAction"
TRACE = "amazon-bedrock-trace"


class RenderError(ValueError):
    """Content cannot be rendered for a request. The message names it and the supported kinds."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to render an answer for.

    model: the model id in the path or body. body: the parsed body. prompt: the content of the body.
    chance: seeded by the caller, because equal requests must get equal bytes. Ids, sizes of deltas
    and latencies come from it. service: bedrock-runtime or bedrock-mantle, which answer Chat
    Completions in different forms.
    """

    model: str
    body: JsonObject
    prompt: Prompt
    chance: Random
    service: str = RUNTIME

    def derive(self, find: Callable[[JsonObject], T]) -> T:
        """Return what a function finds in the body.

        The answer then depends on that, not on all that the function reads.

        What the function finds must not depend on the texts of the user, which siblings differ in.
        """
        return derive(self.body, find)


def _counts_no_cache(request: ModelRequest, usage: Usage) -> bool:  # noqa: ARG001
    """The default of `Family.counts_cache`."""
    return False


def make_render_error(family: str, content: object, supported: str) -> RenderError:
    """Build the error for content that the family does not support. supported: other content."""
    return RenderError(
        f"models of the {family} family answer with {supported}, found {type(content).__name__}"
    )


@dataclass(frozen=True, slots=True)
class Family:
    """One model family, as functions over parsed JSON.

    name: in lower case, as in the `family` member of a rule: anthropic, llama. models: globs of the
    family's model ids, without inference profile and ARN. answers: the kinds of content that the
    family answers with. prompt: reads a request. render: returns a whole answer. stream: returns
    the values of the chunks, in order, without the invocation metrics. None: the family does not
        stream.
    read, gather: the inverses of render and stream. Unknown members are ignored.
    ValueError is raised if the answer
        has another form. Neither function reads token counts, because `usage.read_usage` does.
    members: the paths of the text, stop reason, token counts and tool calls in answers. required:
    the members that a request must have. A nested tuple means one of several members. counts_cache:
    whether the answer to a request counts cached tokens, in headers and in a stream's metrics.
    token_headers: whether answers have headers that count tokens. metrics_alone: whether the
    metrics are a separate chunk at the end of a stream. has_refusals: whether answers have a form
    for refusals. set_stop: returns an answer, or the value of an event, with another stop reason.
    Declared if more than the members
        `stop` depends on the stop reason. Raises RenderError if the answer cannot end so.
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
    has_refusals: bool = False
    set_stop: Callable[[JsonValue, str], JsonValue] | None = None


def resolve(message: Message, prompt: Prompt, family: Family) -> Message:
    """Turn JSON into a tool call or text, and a refusal into text if the family needs it."""
    blocks, stop = [], message.stop
    for block in message.blocks:
        resolved: Block = block
        if isinstance(block, Json) and (tool := prompt.must_call):
            resolved, stop = ToolUse(tool, block.value), "tool_use" if stop == "end_turn" else stop
        elif isinstance(block, Json):
            resolved = Text(bodies.compact(block.value).decode())
        elif isinstance(block, Refusal) and not family.has_refusals:
            resolved, stop = Text(block.text), "content_filtered" if stop == "end_turn" else stop
        blocks.append(resolved)
    return replace(message, blocks=tuple(blocks), stop=stop)
