"""Renders and reads items of the Responses API's answers: messages, function calls, reasoning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.family import JsonObject, ModelRequest, make_render_error
from bedtape_cassettes.families.shared import chat, json_access, readers, synthesis
from bedtape_cassettes.families.shared.server_sent import is_hosted
from bedtape_cassettes.model import JsonValue

SUPPORTED = "reasoning, text, cited text, a refusal and tool use (Message)"


@dataclass(slots=True)
class Item:
    """An item of the answer. item: complete. parts: content blocks of a message or reasoning."""

    item: JsonObject
    parts: list[Block] = field(default_factory=list)


def build_items(message: Message, request: ModelRequest) -> list[Item]:
    """Return the items of an answer. Texts that follow each other are parts of one message."""
    items: list[Item] = []
    for block in message.blocks:
        match block:
            case Text() | CitedText() | Refusal():
                if not items or items[-1].item["type"] != "message":
                    items.append(Item(_new_item("message", "msg", request)))
                items[-1].parts.append(block)
            case ToolUse(name=name):
                call = _new_item("function_call", "fc", request)
                call_id = block.id or f"call_{synthesis.identifier(request.chance, 24)}"
                items.append(
                    Item(
                        {
                            "arguments": chat.arguments(block),
                            "call_id": call_id,
                            **call,
                            "name": name,
                        }
                    )
                )
            case Reasoning():
                items.append(Item(_new_item("reasoning", "rs", request), [block]))
            case _:
                raise make_render_error("responses", block, SUPPORTED)
    if not items:
        items.append(Item(_new_item("message", "msg", request), [Text("")]))
    for item in items:
        item.item |= _content(item, request.model)
    return [Item(dict(sorted(item.item.items())), item.parts) for item in items]


def _new_item(kind: str, prefix: str, request: ModelRequest) -> JsonObject:
    """gpt-oss numbers reasoning as messages, with shorter ids."""
    if not is_hosted(request.model) and kind != "function_call":
        return {
            "id": f"msg_{synthesis.identifier(request.chance, 16, synthesis.HEX)}",
            "type": kind,
        }
    return {
        "id": f"{prefix}_{synthesis.identifier(request.chance, 32, synthesis.HEX)}",
        "type": kind,
    }


def _content(item: Item, model: str) -> JsonObject:
    match item.item["type"]:
        case "message":
            phase: JsonObject = {"phase": "final_answer"} if is_hosted(model) else {}
            parts: list[JsonValue] = [render_part(block, model) for block in item.parts]
            return {"content": parts, "role": "assistant", "status": "completed", **phase}
        case "reasoning":
            return _reasoning(item.parts[0], model)
    return {"status": "completed"}


def _reasoning(block: Block, model: str) -> JsonObject:
    """GPT-5.x encrypts its reasoning, and summarises it on request. gpt-oss sends its text."""
    assert isinstance(block, Reasoning)
    if block.redacted is not None:
        return {"encrypted_content": block.redacted.decode(errors="replace"), "summary": []}
    if is_hosted(model):
        signed: JsonObject = {"encrypted_content": block.signature} if block.signature else {}
        return {
            **signed,
            "summary": [{"text": block.text, "type": "summary_text"}] if block.text else [],
        }
    return {
        "content": [{"text": block.text, "type": "reasoning_text"}],
        "status": "completed",
        "summary": [],
    }


def render_part(block: Block, model: str) -> JsonObject:
    """Render a text or a refusal as a part of a message."""
    match block:
        case Refusal(text=text):
            return {"refusal": text, "type": "refusal"}
        case CitedText(text=text):
            annotations: list[JsonValue] = list(_annotations(block))
        case _:
            text, annotations = getattr(block, "text", ""), []
    logprobs: JsonObject = {"logprobs": []} if is_hosted(model) else {}
    return {"annotations": annotations, **logprobs, "text": text, "type": "output_text"}


def _annotations(block: CitedText) -> Iterator[JsonObject]:
    for citation in block.citations:
        yield {**chat.render_url_citation(citation, 0, len(block.text)), "type": "url_citation"}


def read_item(item: JsonObject) -> Iterator[Block]:
    """Yield the blocks of an item, the inverse of `build_items`. Items of other types have none."""
    match item:
        case {"type": "message"}:
            for part in readers.objects(item, "content"):
                text = json_access.text(part, "text")
                if part.get("type") == "refusal":
                    yield Refusal(json_access.text(part, "refusal"))
                elif annotations := readers.objects(part, "annotations"):
                    yield CitedText(text, tuple(map(chat.read_url_citation, annotations)))
                elif text:
                    yield Text(text)
        case {"type": "function_call"}:
            arguments = readers.arguments(json_access.text(item, "arguments"))
            yield ToolUse(
                json_access.text(item, "name"), arguments, json_access.text(item, "call_id") or None
            )
        case {"type": "reasoning"}:
            text = readers.read_text(item, "content") or readers.read_text(item, "summary")
            sealed = json_access.text(item, "encrypted_content")
            if text:
                yield Reasoning(text, sealed or None)
            elif sealed:
                yield Reasoning(redacted=sealed.encode())
