"""The JSON Schema of overlay files, of control API requests, and of the keyword arguments in Python.

A key of a file has the same name as the argument of `respond` or `fail`. Data only.
"""

from __future__ import annotations

from bedtape_cassettes.failures import FAILURES
from bedtape_cassettes.families.content import STOP_REASONS
from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.operations import OPERATIONS
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS

__all__ = ["ANSWER", "FAULT", "OVERLAY", "RULE", "SCHEDULE", "WHEN"]


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def _count(description: str, least: int = 1) -> Schema:
    return {"type": "integer", "minimum": least, "description": description}


def _object(properties: dict[str, Schema], **more: object) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


_OPERATION: Schema = {"type": "string", "enum": sorted({operation.name for operation in OPERATIONS})}

WHEN: dict[str, Schema] = {
    "operation": {
        "description": "The operation's name, or several, one of which it is.",
        "anyOf": [_OPERATION, {"type": "array", "items": _OPERATION, "minItems": 1}],
    },
    "model": _text("A glob over the model id, as sent or without inference profile: *claude*."),
    "prompt_contains": _text("A case-sensitive part of the last user message."),
    "prompt_regex": _text("A Python regular expression found in the last user message.", format="regex"),
    "prompt_equals": _text("The whole last user message."),
    "text_contains": _text("A case-sensitive part of the system prompt or any message."),
    "text_regex": _text("A regular expression found in the system prompt or any message.", format="regex"),
    "system_contains": _text("A case-sensitive part of the system prompt."),
    "system_regex": _text("A regular expression found in the system prompt.", format="regex"),
    "tool_offered": _text("The name of a tool that the request offers."),
    "tool_result": _text("The name or id of a tool whose result is in the conversation; * for any."),
    "json_path": {
        "type": "object",
        "description": "JSON paths into the body, and the values found there: {inferenceConfig.temperature: 0}.",
        "additionalProperties": True,
        "minProperties": 1,
    },
    "turn": _count("The number of user messages."),
    "attempt": _count("Which attempt of one invocation it is, from 1."),
    "call": _count("Which call of its session it is, from 1."),
    "header": {
        "type": "object",
        "description": "Globs by header name.",
        "additionalProperties": {"type": "string"},
        "minProperties": 1,
    },
    "session": _text("A glob over the session's name."),
    "access_key": _text("A glob over the access key id that signed the request."),
}

SCHEDULE: dict[str, Schema] = {
    "times": _count("At most so many calls (attempts on the wire)."),
    "after": _count("Not the first so many that match.", 0),
    "every": _count("Of the rest the first, then every Nth."),
    "probability": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Of each that is left; seeded by session, layer and call number.",
    },
}

_TOOL = _object(
    {
        "name": _text("The tool's name.", minLength=1),
        "input": {"description": "Its arguments, any JSON; an empty object where there are none."},
        "id": _text("The id of the call; made up as the family does where there is none."),
    },
    required=["name"],
)
_CITATION = _object(
    {
        "source": _text("The text that is cited."),
        "title": _text("The document's title."),
        "location": {"type": "object", "description": "Converse's CitationLocation.", "additionalProperties": True},
    },
    required=["source"],
)
_REASONING: Schema = {
    "description": "What the model thought before: its text, or text and signature, or redacted base64.",
    "anyOf": [
        {"type": "string"},
        _object(
            {
                "text": _text("What it thought."),
                "signature": _text("The provider's signature."),
                "redacted": _text("Base64 that the provider does not open.", format="base64"),
            },
            minProperties=1,
        ),
    ],
}
_BLOCK = _object(
    {
        "text": _text("Text."),
        "citations": {"type": "array", "items": _CITATION, "description": "Sources of the text."},
        "reasoning": _REASONING,
        "tool": _TOOL,
        "image": _text("A generated image, base64.", format="base64"),
        "format": {"type": "string", "enum": ["png", "jpeg", "gif", "webp"], "description": "The image's."},
    },
    minProperties=1,
)
_VECTOR: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 1}
_RAW = _object(
    {
        "json": {"description": "The body as JSON."},
        "text": _text("The body as text."),
        "base64": _text("The body as base64.", format="base64"),
        "chunks": {"type": "array", "description": "The JSON inside each InvokeModel chunk."},
        "events": {
            "type": "array",
            "description": "Each event as {type: payload}.",
            "items": {"type": "object", "minProperties": 1, "additionalProperties": True},
        },
        "status": {"type": "integer", "minimum": 200, "maximum": 599, "description": "200 where there is none."},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "More headers."},
    },
    oneOf=[{"required": [name]} for name in ("json", "text", "base64", "chunks", "events")],
    description="What goes over the wire, for whatever has no neutral form.",
)

# The keys of an answer. `answers` checks which keys may be combined.
ANSWER: dict[str, Schema] = {
    "text": _text("What the model says."),
    "json": {"description": "Any JSON, said as text."},
    "tool": {
        "description": "A tool that the model calls, or several.",
        "anyOf": [_TOOL, {"type": "array", "items": _TOOL, "minItems": 1}],
    },
    "reasoning": _REASONING,
    "citations": {"type": "array", "items": _CITATION, "minItems": 1, "description": "Sources of the text."},
    "blocks": {
        "type": "array",
        "items": _BLOCK,
        "minItems": 1,
        "description": "Content in order, in place of all that.",
    },
    "guardrail": _text("A guardrail intervenes, and this is what it lets through."),
    "embedding": {
        "description": "A vector, or one an input; auto derives it from the text.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            _VECTOR,
            {"type": "array", "items": _VECTOR, "minItems": 1},
        ],
    },
    "dimension": _count("The dimension of vectors that are derived."),
    "image": {
        "description": "Generated images as base64; auto makes tiny ones.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            {"type": "string", "format": "base64", "minLength": 8},
            {"type": "array", "items": {"type": "string", "format": "base64"}, "minItems": 1},
        ],
    },
    "ranking": {
        "description": "Documents by relevance; auto scores them by shared words.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {"index": _count("The document.", 0), "score": {"type": "number", "minimum": 0, "maximum": 1}},
                    required=["index", "score"],
                ),
            },
        ],
    },
    "error": _text(
        f"The name of an error, one of Bedrock's ({', '.join(FAILURES)}), or any with a status.", minLength=1
    ),
    **{key: schema for key, schema in BESIDE_ERROR.items() if key != "after_events"},
    "raw": _RAW,
    "stop_reason": {"type": "string", "enum": list(STOP_REASONS), "description": "Why the model stopped."},
    "stop_sequence": _text("The sequence at which it stopped."),
    "usage": _object(
        {
            "input": _count("Tokens in.", 0),
            "output": _count("Tokens out.", 0),
            "cache_read": _count("Tokens read from a cache.", 0),
            "cache_write": _count("Tokens written to a cache.", 0),
        },
        minProperties=1,
        description="Token counts; plausible ones where there are none.",
    ),
}

_NAME = _text("What reports call it; rule-1, fault-1 where it has none.", pattern=r"^[\w.:-]{1,80}$")
_WHEN = _object(WHEN, description="Which calls it is about: all that is named must hold.", minProperties=1)
_ANSWER = _object(ANSWER, minProperties=1)

RULE: Schema = _object(
    {
        "name": _NAME,
        "when": _WHEN,
        "answer": {**_ANSWER, "description": "What it answers, rendered for whichever operation and family asks."},
        "answers": {
            "type": "array",
            "items": _ANSWER,
            "minItems": 1,
            "description": "Answers in turn, the last one again and again.",
        },
        "family": _text("The model family to render for, where a model's id does not tell."),
        **SCHEDULE,
    },
    oneOf=[{"required": ["answer"]}, {"required": ["answers"]}],
)

FAULT: Schema = _object(
    {"name": _NAME, "when": _WHEN, **SCHEDULE, **BESIDE_ERROR, **{name: kind.schema for name, kind in KINDS.items()}},
    oneOf=[{"required": [name]} for name in KINDS],
)

OVERLAY: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "bedtape overlay",
    **_object(
        {
            "bedtape-overlay": {"enum": [1], "description": "The version of this format."},
            "seed": {"type": "integer", "description": "What all chance begins with."},
            "rules": {"type": "array", "items": RULE, "description": "The first that matches answers."},
            "faults": {"type": "array", "items": FAULT, "description": "All that match happen, in order."},
        },
        required=["bedtape-overlay"],
    ),
}
