"""Reads answers from JSON: content, an error or a raw body.

`overlay.schema` checks each key first. This module checks which keys may be combined.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.families.content import (
    Block,
    Citation,
    CitedText,
    Embeddings,
    Image,
    Images,
    Json,
    Message,
    NodeOutputs,
    Passage,
    Passages,
    Ranking,
    Reasoning,
    Refusal,
    ServerSentEvents,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_values import Place
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.outputs.dialogue import read_dialogue
from bedtape_replayer.overlay.outputs.output import Output
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.rule import AnswerContent
from bedtape_replayer.overlay.simulation.schemas.answer import SchemaAnswer

JsonObject = dict[str, Any]

# Keys to kinds of answers. An answer has one kind.
_MESSAGE_KEYS = ("text", "pieces", "json", "schema", "refusal", "tool", "reasoning", "citations")
_KINDS = {
    **dict.fromkeys(_MESSAGE_KEYS, "a message"),
    "blocks": "blocks",
    "guardrail": "a guardrail's intervention",
    "embedding": "embeddings",
    "image": "images",
    "ranking": "a ranking",
    "passages": "passages",
    "nodes": "outputs of nodes",
    "server_sent": "server-sent events",
    **dict.fromkeys(("output", "events", "state"), "an output"),
    "error": "an error",
    "raw": "a raw body",
    "conversation": "a conversation",
}
_ALLOWED_WITH = {
    "stop_reason": ("a message", "blocks"),
    "stop_sequence": ("a message", "blocks"),
    "usage": ("a message", "blocks", "embeddings", "a guardrail's intervention"),
    "dimension": ("embeddings",),
    "trace": ("a message", "blocks"),
    "message": ("an error",),
    "status": ("an error",),
    "members": ("an error",),
    "retry_after_ms": ("an error",),
}


@cache
def _import_outputs() -> ModuleType:
    """Import botocore with the first rule that needs service models, because it is slow."""
    return import_module("bedtape_replayer.overlay.outputs.building")


def find_answer_problems(
    answer: JsonObject, path: Place, operations: tuple[str, ...]
) -> Iterator[Problem]:
    """Finds keys of a valid answer that must not be combined. operations: those of the rule."""
    kinds = list(dict.fromkeys(_KINDS[key] for key in answer if key in _KINDS))
    if len(kinds) != 1 and not (not kinds and set(answer) <= {"usage"}):
        keys = ", ".join(key for key in answer if key in _KINDS) or "none of them"
        yield Problem.at(path, f"one kind of answer ({', '.join(dict.fromkeys(_KINDS))})", keys)
        return
    for key in answer:
        if key in _ALLOWED_WITH and kinds and kinds[0] not in _ALLOWED_WITH[key]:
            yield Problem.at(
                (*path, key),
                f"{key} only with {' or '.join(_ALLOWED_WITH[key])}",
                f"it with {kinds[0]}",
            )
    texts = [key for key in ("text", "pieces", "json", "schema", "refusal") if key in answer]
    if len(texts) > 1:
        yield Problem.at(path, "one of text, pieces, json, schema and refusal", " and ".join(texts))
    if "trace" in answer:
        yield from _import_outputs().find_trace_problems(answer["trace"], (*path, "trace"))
    if kinds == ["an output"]:
        yield from _import_outputs().make_output(answer, operations, path)[1]
    for kind in ("error", "raw", "conversation"):
        if kind in answer:
            try:
                read_answer(answer, operations)
            except ValueError as error:
                yield Problem.at((*path, kind), f"{_KINDS[kind]} that is valid", str(error))
    for number, block in enumerate(answer.get("blocks", [])):
        yield from _find_block_problems(block, (*path, "blocks", number))


def _find_block_problems(block: JsonObject, path: Place) -> Iterator[Problem]:
    kinds = [key for key in ("text", "reasoning", "tool", "image") if key in block]
    if len(kinds) != 1:
        yield Problem.at(
            path, "exactly one of text, reasoning, tool, image", ", ".join(kinds) or "none of them"
        )
    if "citations" in block and "text" not in block:
        yield Problem.at((*path, "citations"), "citations of a text", "no text")
    if "format" in block and "image" not in block:
        yield Problem.at((*path, "format"), "the format of an image", "no image")


# -- reading ---------------------------------------------------------------------------------------


def read_answer(answer: JsonObject, operations: tuple[str, ...]) -> AnswerContent:
    """Reads an answer. operations: those of the rule.

    Raises ValueError for an error, output, raw body or conversation that is not valid.
    """
    match answer:
        case {"output": _} | {"events": _} | {"state": _}:
            output: Output = _import_outputs().make_output(answer, operations)[0]
            return output
        case {"error": error}:
            members = {
                key: answer[key]
                for key in ("message", "status", "members", "retry_after_ms")
                if key in answer
            }
            return Failure(error, **members)
        case {"raw": raw}:
            return _read_raw(raw)
        case {"conversation": turns}:
            return read_dialogue(turns)
        case {"embedding": given}:
            return Embeddings(_read_vectors(given), answer.get("dimension"), _read_usage(answer))
        case {"image": given}:
            return Images(
                None
                if given == "auto"
                else tuple(map(b64decode, [given] if isinstance(given, str) else given))
            )
        case {"ranking": given}:
            return Ranking(
                None
                if given == "auto"
                else tuple((one["index"], float(one["score"])) for one in given)
            )
        case {"passages": given}:
            return Passages(None if given == "auto" else tuple(Passage(**each) for each in given))
        case {"nodes": nodes}:
            return NodeOutputs(tuple(nodes.items()))
        case {"server_sent": values}:
            return ServerSentEvents(tuple(values))
        case {"guardrail": text}:
            return Message((Text(text),), "guardrail_intervened", usage=_read_usage(answer))
    blocks = (
        tuple(map(_read_block, answer["blocks"]))
        if "blocks" in answer
        else tuple(_read_message_blocks(answer))
    )
    calls = any(isinstance(block, ToolUse) for block in blocks)
    stop = answer.get("stop_reason") or (
        "tool_use" if calls else "stop_sequence" if "stop_sequence" in answer else "end_turn"
    )
    trace = tuple(answer.get("trace", ()))
    pieces = tuple(answer.get("pieces", ()))
    usage = _read_usage(answer)
    message = Message(blocks, stop, answer.get("stop_sequence"), usage, trace, pieces)
    return SchemaAnswer(message) if "schema" in answer else message


def _read_message_blocks(answer: JsonObject) -> Iterator[Block]:
    if "reasoning" in answer:
        yield _read_reasoning(answer["reasoning"])
    if "json" in answer or "schema" in answer:
        yield Json(answer.get("json"))
    if "refusal" in answer:
        yield Refusal(answer["refusal"])
    if "text" in answer:
        yield _read_text(answer)
    if "pieces" in answer:
        yield _read_text({**answer, "text": "".join(answer["pieces"])})
    tools = answer.get("tool", [])
    for tool in [tools] if isinstance(tools, dict) else tools:
        yield _read_tool(tool)


def _read_block(block: JsonObject) -> Block:
    if "reasoning" in block:
        return _read_reasoning(block["reasoning"])
    if "tool" in block:
        return _read_tool(block["tool"])
    if "image" in block:
        return Image(b64decode(block["image"]), block.get("format", "png"))
    return _read_text(block)


def _read_text(answer: JsonObject) -> Block:
    citations = answer.get("citations")
    if not citations:
        return Text(answer["text"])
    return CitedText(
        answer["text"],
        tuple(Citation(c["source"], c.get("title"), c.get("location")) for c in citations),
    )


def _read_tool(tool: JsonObject) -> ToolUse:
    return ToolUse(tool["name"], tool.get("input", {}), tool.get("id"))


def _read_reasoning(given: str | JsonObject) -> Reasoning:
    if isinstance(given, str):
        return Reasoning(given)
    redacted = given.get("redacted")
    return Reasoning(
        given.get("text", ""),
        given.get("signature"),
        None if redacted is None else b64decode(redacted),
    )


def _read_usage(answer: JsonObject) -> Usage | None:
    usage = answer.get("usage")
    return None if usage is None else Usage(**{"input": 0, "output": 0, **usage})


def _read_vectors(given: str | list[Any]) -> tuple[tuple[float, ...], ...] | None:
    if isinstance(given, str):
        return None
    rows = given if isinstance(given[0], list) else [given]
    return tuple(tuple(map(float, row)) for row in rows)


def _read_raw(raw: JsonObject) -> Raw:
    headers = tuple(raw.get("headers", {}).items())
    status = raw.get("status", 200)
    match raw:
        case {"chunks": chunks}:
            return Raw(chunks=tuple(chunks), status=status, headers=headers)
        case {"events": events}:
            if odd := [event for event in events if len(event) != 1]:
                raise ValueError(
                    f"expected each event as {{type: payload}}, found {len(odd[0])} types in one"
                )
            named = tuple(next(iter(event.items())) for event in events)
            return Raw(events=named, status=status, headers=headers)
        case {"text": text}:
            return Raw(text.encode(), status=status, headers=headers)
        case {"base64": data}:
            return Raw(b64decode(data), status=status, headers=headers)
    return Raw(compact(raw["json"]), status=status, headers=headers)
