"""The texts that a guardrail evaluates, and how a request names its guardrail.

Sources: docs.aws.amazon.com/bedrock/latest/userguide, "Include a guardrail with the Converse API"
(`guardContent`; tool results and arguments of tool calls are not evaluated), "Apply tags to user
input to filter content" (InvokeModel), "Use contextual grounding check" (qualifiers), and recorded
coverages: system prompts and texts with the qualifiers `grounding_source` and `query` are not
evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bedtape_cassettes.families.content import CitedText, Message, Refusal, Text
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.guardrail import (
    GuardrailRequest,
    read_guardrail,
    read_guardrail_headers,
)
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.table import INVOKE
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.simulation.guardrails.evaluation import GuardedContent

_CONVERSE = ("Converse", "ConverseStream")
_TAG = re.compile(
    r"<amazon-bedrock-guardrails-(?P<kind>guardContent|groundingSource|query)_(?P<suffix>\w{1,20})>"
    r"(?P<text>.*?)</amazon-bedrock-guardrails-(?P=kind)_(?P=suffix)>",
    re.DOTALL,
)
_CONFIG = "amazon-bedrock-guardrailConfig"
_JSON = "application/json"
# If a program names no type, boto3 sends none, and the SDK for JavaScript sends octet-stream.
_JSON_TYPES = (_JSON, "application/octet-stream", "")


def read_request(call: Call) -> GuardrailRequest | None:
    """Return the guardrail that a request names, or None."""
    body = call.json if isinstance(call.json, dict) else {}
    if call.operation == "ApplyGuardrail":
        parts = call.target.path.split("?")[0].split("/")
        full = body.get("outputScope") == "FULL"
        return GuardrailRequest("/".join(parts[2:-3]), parts[-2], True, full)
    if call.operation in _CONVERSE:
        return read_guardrail(body)
    return read_guardrail_headers(call.head.get)


def find_mistake(call: Call, request: GuardrailRequest | None) -> str | None:
    """Return what is wrong with how a request names its guardrail, or None.

    request: the guardrail that the call names.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html. The texts
    of the service are not known.
    """
    if request is not None and not request.version:
        return "guardrailVersion must be specified with guardrailIdentifier."
    if call.operation not in INVOKE:
        return None
    if request is None:
        named = isinstance(call.json, dict) and _CONFIG in call.json
        return f"{_CONFIG} must have a guardrailIdentifier." if named else None
    kind = (call.head.get("content-type") or "").partition(";")[0].strip().lower()
    return None if kind in _JSON_TYPES else f"With a guardrail, contentType must be {_JSON}."


def is_asynchronous(call: Call) -> bool:
    """Whether a stream is sent before its guardrail has evaluated it."""
    if not call.is_streamed:
        return False
    if call.operation in _CONVERSE:
        return json_access.text(call.json, "guardrailConfig", "streamProcessingMode") == "async"
    return json_access.text(call.json, _CONFIG, "streamProcessingMode") == "ASYNCHRONOUS"


@dataclass(slots=True)
class _Texts:
    """Texts of a request. guarded: of `guardContent`, in order."""

    guarded: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def add(self, block: JsonValue) -> None:
        """Add the text of a block that a guardrail is to evaluate."""
        text = json_access.text(block, "text")
        qualifiers = json_access.texts(block, "qualifiers")
        if "grounding_source" in qualifiers:
            self.sources.append(text)
        if "query" in qualifiers:
            self.queries.append(text)
        if not qualifiers or "guard_content" in qualifiers:
            self.guarded.append(text)


def read_prompt(call: Call) -> GuardedContent:
    """Return the texts of a request that a guardrail evaluates."""
    body: Any = call.json
    if call.operation == "ApplyGuardrail":
        texts = _Texts()
        for block in json_access.items(body, "content"):
            texts.add(json_access.member(block, "text"))
        total = sum(map(len, (*texts.guarded, *texts.sources, *texts.queries)))
        return GuardedContent(
            tuple(texts.guarded), total, "\n".join(texts.sources), "\n".join(texts.queries)
        )
    if call.operation in _CONVERSE:
        return _read_converse(body)
    return _read_tagged(call, body if isinstance(body, dict) else {})


def _read_converse(body: JsonValue) -> GuardedContent:
    """Without `guardContent` in the messages, all their texts are evaluated."""
    system, messages = _Texts(), _Texts()
    total, marked = 0, False
    for block in json_access.items(body, "system"):
        if (guard := json_access.member(block, "guardContent", "text")) is not None:
            system.add(guard)
            total += len(json_access.text(guard, "text"))
    for message in json_access.items(body, "messages"):
        for block in json_access.items(message, "content"):
            if (guard := json_access.member(block, "guardContent", "text")) is not None:
                messages.add(guard)
                total, marked = total + len(json_access.text(guard, "text")), True
            elif text := json_access.text(block, "text"):
                messages.plain.append(text)
                total += len(text)
    texts = messages.guarded if marked else messages.plain
    return GuardedContent(
        (*system.guarded, *texts),
        total,
        "\n".join(system.sources + messages.sources),
        "\n".join(system.queries + messages.queries),
    )


def _read_tagged(call: Call, body: JsonObject) -> GuardedContent:
    """The texts between the tags of the request's suffix, or all texts if it has no tags."""
    suffix = json_access.text(body, _CONFIG, "tagSuffix")
    prompt = json_access.text(body, "prompt") or json_access.text(body, "inputText")
    texts = [prompt] if prompt else [turn.text for turn in call.prompt.turns if turn.text]
    total = sum(map(len, texts))
    if not suffix:
        return GuardedContent(tuple(texts), total)
    tagged: dict[str, list[str]] = {"guardContent": [], "groundingSource": [], "query": []}
    for text in (call.prompt.system, *texts):
        for match in _TAG.finditer(text):
            if match["suffix"] == suffix:
                tagged[match["kind"]].append(match["text"])
    guarded, sources, queries = tagged.values()
    return GuardedContent(tuple(guarded), total, "\n".join(sources), "\n".join(queries))


def read_answer(message: Message, prompt: GuardedContent) -> GuardedContent:
    """Return the texts of an answer. Reasoning and tool calls are not evaluated."""
    texts = tuple(
        block.text for block in message.blocks if isinstance(block, Text | CitedText | Refusal)
    )
    return GuardedContent(texts, sum(map(len, texts)), prompt.sources, prompt.query)
