"""OpenAI's chat JSON (messages in the request, choices in the answer), which several families use.

`prompt`, `read` and `gather` read the requests, answers and streams of all of these families. Each
family renders its own answers, because the answers differ. Reading a request does not raise.
"""

from __future__ import annotations

from collections.abc import Sequence

from bedtape_cassettes.families.content import (
    Block,
    Citation,
    Content,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import JsonObject, make_render_error
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import completion, json_access, readers
from bedtape_cassettes.families.shared.synthesis import json_text
from bedtape_cassettes.model import JsonValue

# Two stop reasons have the word `stop`. It is read as the first, `end_turn`.
STOPS = {**completion.FINISH, "tool_use": "tool_calls", "content_filtered": "content_filter"}
_SYSTEM = ("system", "developer")
MEMBERS: Members = Members(
    text=("choices.0.message.content", "choices.0.delta.content"),
    stop=("choices.*.finish_reason", "choices.*.stop_reason"),
    input=("usage.prompt_tokens",),
    output=("usage.completion_tokens",),
    total=("usage.total_tokens",),
    tool_inputs=(
        "choices.*.message.tool_calls.*.function.arguments",
        "choices.*.delta.tool_calls.*.function.arguments",
    ),
    generation=("choices.0.index",),
)


# -- requests --------------------------------------------------------------------------------------


def prompt(body: JsonObject) -> Prompt:
    """Read a request. Members of the wrong type are ignored."""
    messages = readers.objects(body, "messages")
    system = [message for message in messages if json_access.text(message, "role") in _SYSTEM]
    turns = (
        [message for message in messages if json_access.text(message, "role") not in _SYSTEM]
        if system
        else messages
    )
    return Prompt(
        system="\n".join(filter(None, map(_content, system))),
        turns=tuple(map(_turn, turns)),
        tools=tuple(
            filter(
                None,
                [
                    json_access.text(tool, "function", "name")
                    or json_access.text(tool, "custom", "name")
                    for tool in readers.objects(body, "tools")
                ],
            )
        ),
        temperature=json_access.number(body, "temperature"),
        top_p=json_access.number(body, "top_p"),
        max_tokens=json_access.integer(body, "max_tokens")
        or json_access.integer(body, "max_completion_tokens"),
        stop_sequences=completion.strings(body, "stop"),
        forced_tool=readers.read_forced_tool(body.get("tool_choice")),
    )


def _turn(message: JsonObject) -> Turn:
    role, text = json_access.text(message, "role"), _content(message)
    if role == "tool":
        name = json_access.text(message, "name") or None
        return Turn(role, "", (ToolResult(json_access.text(message, "tool_call_id"), text, name),))
    if "tool_calls" not in message:
        return Turn(role, text)
    calls = [_tool_use(call) for call in readers.objects(message, "tool_calls")]
    return Turn(role, text, calls=tuple(calls))


def _content(message: JsonObject) -> str:
    """The text of a message: a string, a list of parts, or (Writer) a single part."""
    return readers.read_text(message, "content") or json_access.text(message, "content", "text")


def _tool_use(call: JsonValue) -> ToolUse:
    arguments_value = json_access.member(call, "function", "arguments")
    value = (
        readers.arguments(arguments_value) if isinstance(arguments_value, str) else arguments_value
    )
    return ToolUse(
        json_access.text(call, "function", "name"), value, json_access.text(call, "id") or None
    )


# -- writing ---------------------------------------------------------------------------------------


def parts(
    content: Content, family: str, *, reasons: bool = False
) -> tuple[str, str, list[ToolUse]]:
    """Split a message into reasoning, text and tool calls.

    reasons: whether the family supports reasoning. Raises RenderError for content that the
    family does not support.
    """
    supported = f"{'reasoning, ' if reasons else ''}text and tool use (Message)"
    thoughts: list[str] = []
    texts: list[str] = []
    calls: list[ToolUse] = []
    for block in completion.message_of(content, family, supported).blocks:
        match block:
            case Reasoning(text=text, redacted=None) if reasons:
                thoughts.append(text)
            case Text(text=text):
                texts.append(text)
            case ToolUse():
                calls.append(block)
            case _:
                raise make_render_error(family, block, supported)
    return "".join(thoughts), "".join(texts), calls


def arguments(use: ToolUse) -> str:
    """A tool call's arguments as JSON text. Text that is not JSON stays unchanged."""
    if isinstance(use.input, str) and readers.arguments(use.input) == use.input:
        return use.input
    return json_text(use.input)


def call(use: ToolUse, new_id: str) -> JsonObject:
    """A tool call in the common form. new_id: the id of a call that has no id."""
    return {
        "id": use.id or new_id,
        "type": "function",
        "function": {"name": use.name, "arguments": arguments(use)},
    }


def usage(counts: Usage) -> JsonObject:
    """Token counts in the common form. Cached tokens count as prompt tokens."""
    return {
        "prompt_tokens": counts.total_input,
        "completion_tokens": counts.output,
        "total_tokens": counts.total,
    }


def render_url_citation(citation: Citation, start: int, end: int) -> JsonObject:
    """A citation of the characters `start` to `end`, with the URL or the cited text."""
    url = citation.origin or json_access.text(citation.location, "web", "url") or citation.source
    return {"end_index": end, "start_index": start, "title": citation.title or "", "url": url}


def read_url_citation(annotation: JsonValue) -> Citation:
    """The inverse of `render_url_citation`."""
    url = json_access.text(annotation, "url")
    return Citation("", json_access.text(annotation, "title") or None, {"web": {"url": url}}, url)


# -- reading ---------------------------------------------------------------------------------------


def read(body: JsonObject) -> Message:
    """Read a whole answer. Raises ValueError if the answer has no `choices` with a `message`."""
    return _gather_choices([body], "message", "an answer of choices with a `message`")


def gather(chunks: Sequence[JsonValue]) -> Message:
    """Read a stream.

    Blocks keep the order in which they began. Raises ValueError if no chunk has a delta or message.
    """
    try:
        return _gather_choices(chunks, "delta", "chunks of choices with a `delta`")
    except ValueError:
        return _gather_choices(
            chunks, "message", "chunks of choices with a `delta` or `message`"
        )  # as Mistral Large 2402 streams


def _gather_choices(chunks: Sequence[JsonValue], member: str, expected: str) -> Message:
    choices = [choice for chunk in chunks for choice in readers.objects(chunk, "choices")]
    first = [
        choice
        for choice in choices
        if not choice.get("index") and isinstance(choice.get(member), dict)
    ]
    if not first:
        raise ValueError(f"expected {expected}, found none")
    words = [
        json_access.text(choice, "finish_reason") or json_access.text(choice, "stop_reason")
        for choice in first
    ]
    word = next(filter(None, reversed(words)), "")
    blocks = _blocks([choice[member] for choice in first])
    return Message(blocks, stop=completion.stop_of(STOPS, word))


# The members that hold text, to kinds of blocks. bedrock-mantle's name of reasoning
# is not vLLM's older one.
_KINDS = {
    "reasoning": "thought",
    "reasoning_content": "thought",
    "content": "text",
    "refusal": "refusal",
}


def _blocks(deltas: Sequence[JsonValue]) -> tuple[Block, ...]:
    """Join the deltas of reasoning, text and each tool call, in the order of their beginnings."""
    runs: list[tuple[str, list[JsonValue]]] = []
    calls: dict[int, list[JsonValue]] = {}
    for delta in deltas:
        for name, kind in _KINDS.items():
            if text := readers.read_text(delta, name):
                if not runs or runs[-1][0] != kind:
                    runs.append((kind, []))
                runs[-1][1].append(text)
        for piece in readers.objects(delta, "tool_calls"):
            # A tool call without an index is complete in one delta.
            index = json_access.integer(piece, "index")
            index = len(calls) if index is None else index
            if index not in calls:
                calls[index] = []
                runs.append(("call", calls[index]))
            calls[index].append(piece)
    return tuple(_block(kind, piece) for kind, piece in runs)


def _block(kind: str, deltas: list[JsonValue]) -> Block:
    if kind == "call":
        whole = _tool_use(deltas[0])
        if len(deltas) == 1:
            return whole
        text = "".join(json_access.text(piece, "function", "arguments") for piece in deltas)
        return ToolUse(whole.name, readers.arguments(text), whole.id)
    text = "".join(piece for piece in deltas if isinstance(piece, str))
    return (
        Reasoning(text) if kind == "thought" else Refusal(text) if kind == "refusal" else Text(text)
    )
