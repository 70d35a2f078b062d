"""Converts aimock's (llmock's) fixtures, `match` and `response` under `fixtures`, to rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    ImportFormat,
    Rule,
    SkippedEntry,
    Unusable,
    read_list,
    read_object,
    render_value,
)
from bedtape_cassettes.foreign.to_rule import When, as_glob, as_json, reject
from bedtape_cassettes.format.json_schema import LARGEST_COUNT
from bedtape_cassettes.model import JsonValue

_ENDPOINTS = (None, "chat", "embedding")
_CONTENT = ("content", "toolCalls", "blocks", "reasoning", "reasoningSignature", "redactedThinking")
_SUPPORTED = {
    *_CONTENT,
    "finishReason",
    "usage",
    "embedding",
    "error",
    "status",
    "retryAfter",
    "fallthrough",
}
_ENVELOPE = {
    "id",
    "created",
    "model",
    "systemFingerprint",
    "role",
    "provider",
    "nativeFinishReason",
}
_STOPS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}
_INPUT = ("input_tokens", "prompt_tokens", "promptTokenCount")
_OUTPUT = ("output_tokens", "completion_tokens", "candidatesTokenCount")
# Fixtures have errors of other providers. Clients of Bedrock expect Bedrock's
# error with the same status.
_ERRORS = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def _recognise(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("fixtures"), list)


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        for group in _groups(read_list(document, "fixtures")):
            yield from _rules(group)


# -- fixtures that belong together -----------------------------------------------------------------

_Numbered = tuple[int, Any]


def _groups(fixtures: list[Any]) -> list[list[_Numbered]]:
    """Groups fixtures whose conditions differ at most in `sequenceIndex` and `hasToolResult`."""
    groups: dict[str, list[_Numbered]] = {}
    for number, fixture in enumerate(fixtures, 1):
        match = fixture.get("match") if isinstance(fixture, dict) else None
        rest = (
            {k: v for k, v in match.items() if k not in _WITHIN}
            if isinstance(match, dict)
            else number
        )
        groups.setdefault(json.dumps(rest, sort_keys=True, default=str), []).append(
            (number, fixture)
        )
    return [sorted(group, key=_order) for group in groups.values()]


_WITHIN = ("sequenceIndex", "hasToolResult")


def _order(numbered: _Numbered) -> tuple[bool, bool, int]:
    """Sorts fixtures with a tool result first, which no rule can exclude; then sequences."""
    match = numbered[1].get("match") if isinstance(numbered[1], dict) else None
    known = match if isinstance(match, dict) else {}
    index = known.get("sequenceIndex")
    return (
        known.get("hasToolResult") is not True,
        index is None,
        index if isinstance(index, int) else numbered[0],
    )


def _rules(group: list[_Numbered]) -> Iterator[Entry]:
    """Yields a rule for each fixture, and one rule for a whole sequence."""
    turn: dict[bool, list[Rule]] = {}
    for number, fixture in group:
        try:
            rule = _rule(fixture)
            match = read_object(fixture, "match")
            index, key = match.get("sequenceIndex"), match.get("hasToolResult") is True
            if index is None:
                yield from _sequence(turn.pop(key, []))
                yield rule
            elif index == len(turn.setdefault(key, [])):
                turn[key].append(rule)
            else:
                raise reject(
                    f"a sequenceIndex of {render_value(index)} after {len(turn[key])} others"
                )
        except Unusable as error:
            yield SkippedEntry(number, str(error), damaged=not error.foreign)
    for rules in turn.values():
        yield from _sequence(rules)


def _sequence(rules: list[Rule]) -> Iterator[Rule]:
    if not rules:
        return
    answers: list[JsonValue] = [rule.layer["answer"] for rule in rules]
    notes = dict.fromkeys(note for rule in rules for note in rule.notes)
    rest = {key: value for rule in rules for key, value in rule.layer.items() if key != "answer"}
    yield Rule({**rest, "answers": answers, "times": len(answers)}, tuple(notes))


# -- one fixture -----------------------------------------------------------------------------------


def _rule(fixture: Any) -> Rule:
    notes: list[str] = []
    when = _when(read_object(fixture, "match"), notes)
    answer = _answer(read_object(fixture, "response"), notes)
    if left := sorted(set(fixture) - {"match", "response", "metadata"}):
        notes.append(f"left out: {', '.join(left)}; use a fault for the timing of a stream")
    layer: dict[str, JsonValue] = {"when": when} if when else {}
    # aimock does not read the tools that the request offers.
    allowed: dict[str, JsonValue] = {"allow_unoffered_tools": True} if _calls_tool(answer) else {}
    return Rule({**layer, "answer": answer, **allowed}, tuple(notes))


def _calls_tool(answer: dict[str, JsonValue]) -> bool:
    blocks = answer.get("blocks")
    return "tool" in answer or (
        isinstance(blocks, list) and any(isinstance(b, dict) and "tool" in b for b in blocks)
    )


def _when(match: dict[str, Any], notes: list[str]) -> When:
    when: When = {}
    for key, value in match.items():
        when |= _condition(key, value, notes)
    return when


def _condition(key: str, value: Any, notes: list[str]) -> When:
    match key, value:
        case (("userMessage" | "inputText"), str()):
            return {"prompt_contains": value}
        case "systemMessage", str():
            return {"system_contains": value}
        case "systemMessage", [*parts] if parts and all(isinstance(part, str) for part in parts):
            return {"system_regex": "(?s)" + "".join(f"(?=.*{re.escape(part)})" for part in parts)}
        case "toolName", str():
            return {"tool_offered": value}
        case "toolCallId", str():
            return {"tool_result": value}
        case "model", str():
            return {"model": as_glob(value)}
        case "turnIndex", int() if _is_count(value):
            notes.append("turnIndex counts answers before, `turn` the user's messages")
            return {"turn": value + 1}
        case "hasToolResult", True:
            return {"tool_result": "*"}
        case "hasToolResult", False:
            notes.append(
                "hasToolResult: false is left out; the rules before it take what has a tool's"
                " result"
            )
            return {}
        case "sequenceIndex", int() if _is_count(value):
            return {}
        case "endpoint", _ if value in _ENDPOINTS:
            return {}
    raise reject(f"the condition {key}: {render_value(value)}")


def _answer(response: dict[str, Any], notes: list[str]) -> dict[str, JsonValue]:
    if left := sorted(set(response) - _SUPPORTED - _ENVELOPE):
        raise reject(f"an answer of {', '.join(left)}")
    if left := sorted(set(response) & _ENVELOPE):
        notes.append(f"left out, because Bedrock sends its own: {', '.join(left)}")
    if "error" in response:
        return _error(response, notes)
    if "embedding" in response:
        return {"embedding": _vector(read_list(response, "embedding"))}
    answer = _message(response)
    stop = response.get("finishReason")
    if stop is not None:
        if stop not in _STOPS:
            raise reject(f"the finishReason {render_value(stop)}")
        answer["stop_reason"] = _STOPS[stop]
    return answer | _usage(response.get("usage"))


def _message(response: dict[str, Any]) -> dict[str, JsonValue]:
    answer: dict[str, JsonValue] = _read_reasoning(response)
    if response.get("blocks"):
        thought: list[JsonValue] = [answer] if answer else []
        return {"blocks": [*thought, *map(_block, read_list(response, "blocks"))]}
    content = response.get("content")
    if isinstance(content, dict | list):
        answer["json"] = as_json(content, "content")
    elif content:
        answer["text"] = str(content)
    if response.get("toolCalls"):
        answer["tool"] = [_tool(call) for call in read_list(response, "toolCalls")]
    if not answer:
        if content is None:
            raise Unusable("expected content, toolCalls or blocks, found none of them")
        answer["text"] = ""
    return answer


def _read_reasoning(response: dict[str, Any]) -> dict[str, JsonValue]:
    if response.get("redactedThinking"):
        raise reject("redactedThinking beside other content")
    thought = response.get("reasoning")
    if not thought:
        return {}
    signature = response.get("reasoningSignature")
    return {
        "reasoning": (
            {"text": str(thought), "signature": str(signature)} if signature else str(thought)
        )
    }


def _block(block: Any) -> JsonValue:
    match block:
        case {"type": "text", "text": str(text)}:
            return {"text": text}
        case {"type": "toolCall"}:
            return {"tool": _tool(block)}
    raise reject(f"the block {render_value(block)}")


def _tool(call: Any) -> JsonValue:
    match call:
        case {"name": str(name), "arguments": given} if name:
            tool: dict[str, JsonValue] = {
                "name": name,
                "input": as_json(given or {}, "a tool call's arguments"),
            }
            return {**tool, "id": call["id"]} if isinstance(call.get("id"), str) else tool
    raise Unusable(f"expected a tool call with name and arguments, found {render_value(call)}")


def _error(response: dict[str, Any], notes: list[str]) -> dict[str, JsonValue]:
    status = response.get("status", 500)
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise Unusable(f"expected an error's status, found {render_value(status)}")
    name = _ERRORS.get(status, "InternalServerException")
    notes.append(f"the error of status {status} is called {name}")
    answer: dict[str, JsonValue] = {"error": name, "status": status}
    message = read_object(response, "error").get("message")
    return {**answer, "message": message} if isinstance(message, str) else answer


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_COUNT


def _vector(given: list[Any]) -> list[JsonValue]:
    if not given or not all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in given
    ):
        raise Unusable("expected an embedding of numbers, found something else")
    return given


def _usage(usage: Any) -> dict[str, JsonValue]:
    if not isinstance(usage, dict):
        return {}
    sent = next((usage[key] for key in _INPUT if _is_count(usage.get(key))), None)
    received = next((usage[key] for key in _OUTPUT if _is_count(usage.get(key))), None)
    known = {"input": sent, "output": received}
    counts: dict[str, JsonValue] = {key: count for key, count in known.items() if count is not None}
    return {"usage": counts} if counts else {}


AIMOCK = ImportFormat("aimock", "`fixtures`", _recognise, _read_exchanges)
