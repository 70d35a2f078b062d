"""OpenAI's Responses API: an answer is a list of items (reasoning, messages, function calls).

From 10 recorded exchanges with gpt-oss and GPT-5.x, which answer with other members and other kinds
of reasoning. [inferred] refusals, citations and incomplete answers have the form of OpenAI's own
API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import (
    Block,
    Content,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    ToolUse,
    tokens,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest, RenderError
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.requests.service_tier import resolve_tier
from bedtape_cassettes.families.shared import chat, completion, json_access, readers, synthesis
from bedtape_cassettes.families.shared.response_items import (
    SUPPORTED,
    Item,
    build_items,
    read_item,
    render_part,
)
from bedtape_cassettes.families.shared.server_sent import is_hosted
from bedtape_cassettes.model import JsonValue

_NAME = "responses"
# Characters per delta: a token of GPT-5.x, 12 to 65 characters of gpt-oss.
_HOSTED, _OSS = (1, 8), (12, 65)
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
# An answer that stops for another reason is complete.
_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "content_filtered": "content_filter",
}
_COMPLETE = ("end_turn", "tool_use", "stop_sequence")


# -- requests --------------------------------------------------------------------------------------


def _prompt(body: JsonObject) -> Prompt:
    """Convert the request to a Chat Completions request, and read that."""
    inputs = body.get("input")
    items: list[JsonValue] = (
        inputs if isinstance(inputs, list) else [{"role": "user", "content": inputs}]
    )
    system: list[JsonValue] = [{"role": "system", "content": body.get("instructions")}]
    tools: list[JsonValue] = [{"function": tool} for tool in json_access.items(body, "tools")]
    return chat.prompt(
        {
            **body,
            "messages": [*system, *map(_message, items)],
            "tools": tools,
            "max_tokens": body.get("max_output_tokens"),
        }
    )


def _message(item: JsonValue) -> JsonValue:
    match item:
        case {"type": "function_call"}:
            call: JsonObject = {"id": json_access.text(item, "call_id"), "function": item}
            return {"role": "assistant", "tool_calls": [call]}
        case {"type": "function_call_output", "output": output}:
            return {
                "role": "tool",
                "tool_call_id": json_access.text(item, "call_id"),
                "content": output,
            }
    return item


# -- the response object ---------------------------------------------------------------------------


def _response(request: ModelRequest) -> JsonObject:
    """The response without output and usage, as a stream begins, with the request's settings."""
    body, hosted = request.body, is_hosted(request.model)
    made: JsonValue = completion.choose_creation_time(request.chance)
    response: JsonObject = {
        "background": body.get("background") is True,
        "created_at": made if hosted else float(json_access.number(made) or 0),
        "error": None,
        "id": f"resp_{synthesis.identifier(request.chance, 52, _BASE32)}",
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or ({} if hosted else None),
        "model": request.model,
        "object": "response",
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "service_tier": body.get("service_tier") or "auto",
        "status": "in_progress",
        "temperature": body.get("temperature", 1.0),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": json_access.items(body, "tools"),
        "top_p": body.get("top_p", 0.98 if hosted else 1.0),
        "truncation": body.get("truncation") or "disabled",
    }
    if "previous_response_id" in body:
        response["previous_response_id"] = body["previous_response_id"]
    if not hosted:
        return response
    named = {name: body.get(name) for name in _REPEATED}
    more: JsonObject = {
        **named,
        "completed_at": None,
        "frequency_penalty": 0.0,
        "moderation": None,
        "presence_penalty": 0.0,
        "prompt_cache_retention": "in_memory",
        "reasoning": {"effort": "medium", "summary": None, **_object(body, "reasoning")},
        "store": body.get("store", True),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **_object(body, "text")},
        "top_logprobs": 0,
        "usage": None,
    }
    return dict(sorted({**response, **more}.items()))


_REPEATED = (
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
)


def _object(value: JsonObject, name: str) -> JsonObject:
    member = value.get(name)
    return member if isinstance(member, dict) else {}


def _finish(
    response: JsonObject, items: Sequence[Item], message: Message, request: ModelRequest
) -> JsonObject:
    """The same response when it has ended."""
    usage = synthesis.usage_of(message, request.prompt)
    # Recorded answers of gpt-oss have no `cache_write_tokens`; the types of
    # OpenAI's client want it.
    cached: JsonObject = {
        "cache_write_tokens": usage.cache_write,
        "cached_tokens": usage.cache_read,
    }
    thoughts = sum(tokens(block.text) for block in message.blocks if isinstance(block, Reasoning))
    counts: JsonObject = {
        "input_tokens": usage.total_input,
        "input_tokens_details": cached,
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": min(thoughts, usage.output)},
        "total_tokens": usage.total,
    }
    ended: JsonObject = {
        "output": [item.item for item in items],
        "usage": counts,
        **_stop(message.stop),
    }
    if is_hosted(request.model):
        made = response["created_at"]
        ended |= {"completed_at": made, "service_tier": resolve_tier(request.body)}
    return response | ended


def _stop(stop: str) -> JsonObject:
    """The members of a response that depend on the stop reason."""
    reason = _INCOMPLETE.get(stop)
    if reason is None and stop not in _COMPLETE:
        raise RenderError(
            f"answers of the {_NAME} family end with one of"
            f" {', '.join((*_COMPLETE, *_INCOMPLETE))}; found the stop reason {stop!r}"
        )
    return {
        "incomplete_details": {"reason": reason} if reason else None,
        "status": "incomplete" if reason else "completed",
    }


def _set_stop(value: JsonValue, stop: str) -> JsonValue:
    """Change a response that has ended, or the event with it, whose type repeats the status."""
    if not isinstance(value, dict):
        return value
    if isinstance(response := value.get("response"), dict):
        ended = _set_stop(response, stop)
        status = json_access.text(ended, "status")
        return (
            {**value, "response": ended, "type": f"response.{status}"}
            if ended != response
            else value
        )
    if value.get("status") not in ("completed", "incomplete"):
        return value
    natural = _read({**value, "incomplete_details": None}).stop
    if stop in _COMPLETE and stop != natural:
        raise RenderError(
            f"this answer of the {_NAME} family ends with {natural} if it is complete, found"
            f" {stop!r}"
        )
    return {**value, **_stop(stop)}


def _check(content: Content) -> Message:
    return completion.message_of(content, _NAME, SUPPORTED)


def _render(content: Content, request: ModelRequest) -> JsonObject:
    message = _check(content)
    items = build_items(message, request)
    billing: JsonObject = {"billing": {"payer": "developer"}} if is_hosted(request.model) else {}
    return dict(sorted({**_finish(_response(request), items, message, request), **billing}.items()))


# -- streams ---------------------------------------------------------------------------------------


def _stream(content: Content, request: ModelRequest) -> Iterator[JsonValue]:
    message = _check(content)
    items, response = build_items(message, request), _response(request)
    ended = _finish(response, items, message, request)
    events: list[JsonObject] = [
        {"response": response, "type": f"response.{state}"} for state in ("created", "in_progress")
    ]
    for index, item in enumerate(items):
        events += ({**event, "output_index": index} for event in _item_events(item, request))
    events.append({"response": ended, "type": f"response.{ended['status']}"})
    for number, event in enumerate(events):
        yield dict(sorted({**event, "sequence_number": number}.items()))


_EMPTY: dict[str, JsonObject] = {"message": {"content": []}, "function_call": {"arguments": ""}}


def _item_events(item: Item, request: ModelRequest) -> Iterator[JsonObject]:
    whole, kind = item.item, item.item["type"]
    empty = _EMPTY.get(str(kind), {})
    started = {
        key: value for key, value in whole.items() if kind != "reasoning" or key != "content"
    }
    begun: JsonObject = {"status": "in_progress"} if "status" in whole else {}
    summary: JsonObject = {"summary": []} if kind == "reasoning" else {}
    yield {"item": {**started, **begun, **empty, **summary}, "type": "response.output_item.added"}
    for event in _inner_events(item, request):
        yield {**event, "item_id": whole["id"]}
    yield {"item": whole, "type": "response.output_item.done"}


def _inner_events(item: Item, request: ModelRequest) -> Iterator[JsonObject]:
    hosted = is_hosted(request.model)
    if item.item["type"] == "function_call":
        arguments = json_access.text(item.item, "arguments")
        more: JsonObject = {"obfuscation": ""} if hosted else {}
        for piece in synthesis.deltas(arguments, request.chance, *_HOSTED):
            yield {"delta": piece, **more, "type": "response.function_call_arguments.delta"}
        yield {"arguments": arguments, "type": "response.function_call_arguments.done"}
        return
    for number, block in enumerate(item.parts):
        # gpt-oss counts on from item to item (recorded), and OpenAI's client then raises
        # IndexError; GPT-5.x does not.
        at: JsonObject = {"content_index": number}
        if isinstance(block, Reasoning):
            yield from _reasoning_events(block, at, request)
        else:
            part = render_part(block, request.model)
            yield from ({**event, **at} for event in _part_events(block, part, request))


def _reasoning_events(
    block: Reasoning, at: JsonObject, request: ModelRequest
) -> Iterator[JsonObject]:
    if not block.text:
        return
    hosted = is_hosted(request.model)
    name, part_name = (
        ("reasoning_summary", "reasoning_summary_part")
        if hosted
        else ("reasoning", "reasoning_part")
    )
    kind = "summary_text" if hosted else "reasoning_text"
    place: JsonObject = {"summary_index": 0} if hosted else at
    yield {**place, "part": {"text": "", "type": kind}, "type": f"response.{part_name}.added"}
    for piece in _pieces(block.text, request):
        yield {**place, "delta": piece, "type": f"response.{name}_text.delta"}
    yield {**place, "text": block.text, "type": f"response.{name}_text.done"}
    yield {
        **place,
        "part": {"text": block.text, "type": kind},
        "type": f"response.{part_name}.done",
    }


def _part_events(block: Block, part: JsonObject, request: ModelRequest) -> Iterator[JsonObject]:
    text = getattr(block, "text", "")
    if isinstance(block, Refusal):
        yield {"part": {**part, "refusal": ""}, "type": "response.content_part.added"}
        for piece in _pieces(text, request):
            yield {"delta": piece, "type": "response.refusal.delta"}
        yield {"refusal": text, "type": "response.refusal.done"}
    else:
        obfuscation: JsonObject = {"obfuscation": ""} if is_hosted(request.model) else {}
        yield {
            "part": {"annotations": [], "logprobs": [], "text": "", "type": "output_text"},
            "type": "response.content_part.added",
        }
        for piece in _pieces(text, request):
            yield {
                "delta": piece,
                "logprobs": [],
                **obfuscation,
                "type": "response.output_text.delta",
            }
        for number, annotation in enumerate(json_access.items(part, "annotations")):
            yield {
                "annotation": annotation,
                "annotation_index": number,
                "type": "response.output_text.annotation.added",
            }
        yield {"logprobs": [], "text": text, "type": "response.output_text.done"}
    yield {"part": part, "type": "response.content_part.done"}


def _pieces(text: str, request: ModelRequest) -> Iterator[str]:
    return synthesis.deltas(text, request.chance, *(_HOSTED if is_hosted(request.model) else _OSS))


# -- reading ---------------------------------------------------------------------------------------


def _read(body: JsonObject) -> Message:
    if not isinstance(body.get("output"), list):
        raise ValueError("expected a list `output`, found none: not an answer of the Responses API")
    blocks = tuple(block for item in readers.objects(body, "output") for block in read_item(item))
    reason = json_access.text(body, "incomplete_details", "reason")
    stops = {word: stop for stop, word in reversed(_INCOMPLETE.items())}
    calls = any(isinstance(block, ToolUse) for block in blocks)
    return Message(blocks, stops.get(reason, "tool_use" if calls else "end_turn"))


def _gather(chunks: Sequence[JsonValue]) -> Message:
    """Read the last response object, which holds the whole answer."""
    ended = [
        chunk["response"]
        for chunk in chunks
        if isinstance(chunk, dict) and isinstance(chunk.get("response"), dict)
    ]
    if not ended:
        raise ValueError(
            "expected an event with a `response`, found none: not a stream of the Responses API"
        )
    last = ended[-1]
    assert isinstance(last, dict)
    return _read(last)


RESPONSES = Family(
    name=_NAME,
    models=(),
    answers=(Message,),
    prompt=_prompt,
    render=_render,
    read=_read,
    # The last event of a stream holds the whole response with its counts.
    members=Members(
        text=("output.*.content.*.text", "delta"),
        text_types=("output_text", "response.output_text.delta"),
        copies=("text", "part.text", "item.content.*.text", "response.output.*.content.*.text"),
        sequence=("sequence_number",),
        stop=("incomplete_details.reason", "response.incomplete_details.reason"),
        input=("usage.input_tokens", "response.usage.input_tokens"),
        output=("usage.output_tokens", "response.usage.output_tokens"),
        cache_read=(
            "usage.input_tokens_details.cached_tokens",
            "response.usage.input_tokens_details.cached_tokens",
        ),
        cache_write=(
            "usage.input_tokens_details.cache_write_tokens",
            "response.usage.input_tokens_details.cache_write_tokens",
        ),
        total=("usage.total_tokens", "response.usage.total_tokens"),
        tool_inputs=(
            "output.*.arguments",
            "response.output.*.arguments",
            "item.arguments",
            "arguments",
        ),
        input_has_cached=True,
    ),
    stream=_stream,
    gather=_gather,
    has_refusals=True,
    set_stop=_set_stop,
)
