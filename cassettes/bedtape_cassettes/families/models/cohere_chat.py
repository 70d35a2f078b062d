"""Cohere Command R and R+: one `message`, a separate history, and a stream of named events.

Text is from recordings of Command R. [inferred] from Cohere's documentation:
tools. Tool calls have no ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import (
    Block,
    Content,
    Message,
    Prompt,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.shared import chat, completion, json_access, readers, synthesis
from bedtape_cassettes.model import JsonValue

_NAME = "cohere_chat"
# An answer with tool calls ends with COMPLETE too.
_STOPS = {
    "end_turn": "COMPLETE",
    "tool_use": "COMPLETE",
    "max_tokens": "MAX_TOKENS",
    "stop_sequence": "STOP_SEQUENCE",
    "content_filtered": "ERROR_TOXIC",
    "model_context_window_exceeded": "ERROR_LIMIT",
    "malformed_model_output": "ERROR",
}
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
# One token per delta. Characters in 17 recorded deltas: median 3, 90 % have 1 to 8, the longest 10.
_LEAST, _MOST = 1, 8
_TEMPLATE = 66  # tokens that Cohere adds to every prompt, which are not billed
_ANSWERS = "379ed018"  # the start of every recorded answer id


# -- requests --------------------------------------------------------------------------------------


def _prompt(body: JsonObject) -> Prompt:
    past = [_turn(entry) for entry in readers.objects(body, "chat_history")]
    results = _results(body)
    text = json_access.text(body, "message")
    if text or not results:
        past.append(Turn("user", text))
    if results:
        past.append(Turn("tool", "", results))
    systems = (
        json_access.text(body, "preamble"),
        *(turn.text for turn in past if turn.role == "system"),
    )
    return Prompt(
        system="\n".join(filter(None, systems)),
        turns=tuple(
            turn
            for turn in past
            if turn.role != "system" and (turn != Turn("user", "") or "message" in body)
        ),
        tools=tuple(
            filter(
                None, (json_access.text(tool, "name") for tool in readers.objects(body, "tools"))
            )
        ),
        temperature=json_access.number(body, "temperature"),
        top_p=json_access.number(body, "p"),
        max_tokens=json_access.integer(body, "max_tokens"),
        stop_sequences=completion.strings(body, "stop_sequences"),
    )


def _turn(entry: JsonObject) -> Turn:
    role = json_access.text(entry, "role")
    calls = tuple(_use(call) for call in readers.objects(entry, "tool_calls"))
    return Turn(
        _ROLES.get(role, role.lower()), json_access.text(entry, "message"), _results(entry), calls
    )


def _use(call: JsonValue) -> ToolUse:
    return ToolUse(json_access.text(call, "name"), json_access.member(call, "parameters"))


def _results(value: JsonValue) -> tuple[ToolResult, ...]:
    return tuple(_result(result) for result in readers.objects(value, "tool_results"))


def _result(result: JsonValue) -> ToolResult:
    outputs = [
        json_access.text(output, "text") or readers.to_text(output)
        for output in readers.objects(result, "outputs")
    ]
    return ToolResult("", "\n".join(outputs), json_access.text(result, "call", "name") or None)


# -- answers ---------------------------------------------------------------------------------------


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = completion.message_of(content, _NAME)
    _, text, uses = chat.parts(content, _NAME)
    calls: list[JsonValue] = [{"name": use.name, "parameters": use.input} for use in uses]
    tool_calls: JsonObject = {"tool_calls": calls} if calls else {}
    past: list[JsonValue] = [*readers.objects(request.body, "chat_history")]
    return {
        "response_id": f"{_ANSWERS}/{completion.uuid(request.chance)}",
        "text": text,
        "generation_id": completion.uuid(request.chance),
        "chat_history": [
            *past,
            {"role": "USER", "message": json_access.text(request.body, "message")},
            {"role": "CHATBOT", "message": text, **tool_calls},
        ],
        "finish_reason": completion.word_of(_STOPS, message.stop, _NAME),
        **tool_calls,
    }


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = completion.message_of(content, _NAME)
    whole, usage = _render(content, request), synthesis.usage_of(message, request.prompt)
    for piece in synthesis.deltas(json_access.text(whole, "text"), request.chance, _LEAST, _MOST):
        yield {"is_finished": False, "event_type": "text-generation", "text": piece}
    if calls := whole.get("tool_calls"):
        yield {"is_finished": False, "event_type": "tool-calls-generation", "tool_calls": calls}
    prompt_tokens, output_tokens = usage.total - usage.output, usage.output
    # The token that ends a text is not billed.
    generated_tokens = output_tokens + (whole["finish_reason"] == "COMPLETE")
    meta: JsonObject = {
        "api_version": {"version": "1"},
        "billed_units": {"input_tokens": prompt_tokens, "output_tokens": output_tokens},
        "tokens": {"input_tokens": prompt_tokens + _TEMPLATE, "output_tokens": generated_tokens},
    }
    reason = whole["finish_reason"]
    yield {
        "is_finished": True,
        "event_type": "stream-end",
        "response": {**whole, "meta": meta},
        "finish_reason": reason,
    }


def _read(body: JsonObject) -> Message:
    if "text" not in body or not ("response_id" in body or "generation_id" in body):
        raise ValueError(
            "expected a `text` with a `generation_id`, as Command R answers, found"
            f" {', '.join(body)}"
        )
    calls = [_use(call) for call in readers.objects(body, "tool_calls")]
    stop = completion.stop_of(_STOPS, body.get("finish_reason"))
    text: list[Block] = (
        [Text(answer_text)] if (answer_text := json_access.text(body, "text")) else []
    )
    return Message((*text, *calls), stop="tool_use" if calls and stop == "end_turn" else stop)


def _gather(chunks: Sequence[JsonValue]) -> Message:
    """Read the last event, which repeats the answer, or else the deltas of the stream."""
    events = [chunk for chunk in chunks if isinstance(chunk, dict) and "event_type" in chunk]
    if not events:
        raise ValueError("expected chunks with an `event_type`, as Command R streams, found none")
    whole = json_access.member(events[-1], "response")
    if isinstance(whole, dict) and "text" in whole:
        return _read({"generation_id": "", **whole})
    text = "".join(json_access.text(event, "text") for event in events)
    calls: list[JsonValue] = [
        call for event in events for call in readers.objects(event, "tool_calls")
    ]
    return _read({"generation_id": "", "text": text, "tool_calls": calls})


_COUNT_PLACES = (
    "meta.tokens",
    "response.meta.tokens",
    "meta.billed_units",
    "response.meta.billed_units",
)

COHERE_CHAT = Family(
    name=_NAME,
    models=("cohere.command-r*",),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    members=Members(
        text=("text",),
        copies=("chat_history.*.message", "response.chat_history.*.message", "response.text"),
        stop=("finish_reason", "response.finish_reason"),
        # The billed counts come last, because they equal Bedrock's counts.
        input=tuple(f"{place}.input_tokens" for place in _COUNT_PLACES),
        output=tuple(f"{place}.output_tokens" for place in _COUNT_PLACES),
        tool_inputs=("tool_calls.*.parameters", "response.tool_calls.*.parameters"),
    ),
    stream=_stream,
    gather=_gather,
    required=("message",),
)
