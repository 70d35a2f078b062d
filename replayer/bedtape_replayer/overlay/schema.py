"""The JSON Schema of overlay files, of control API requests, and of the
keyword arguments in Python.

A key of a file has the same name as the argument of `respond` or `fail`. Data only.
"""

from __future__ import annotations

from typing import get_args

from bedtape_cassettes.failures import FAILURES
from bedtape_cassettes.families.content import STOP_REASONS
from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_replayer.answering.service_operations import OPERATION_NAMES
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.outputs.dialogue import build_schema
from bedtape_replayer.overlay.overlay import Direction, Ids
from bedtape_replayer.overlay.simulation.schema import SIMULATE


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(properties: dict[str, Schema], **more: object) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


_OPERATION: Schema = {"type": "string", "enum": list(OPERATION_NAMES)}

_CONDITIONS: dict[str, Schema] = {
    "operation": {
        "description": "The name of the operation, or a list of names.",
        "anyOf": [_OPERATION, {"type": "array", "items": _OPERATION, "minItems": 1}],
    },
    "model": _text("A glob over the model id, as sent or without the inference profile: *claude*."),
    "prompt_contains": _text("A case-sensitive part of the last user message."),
    "prompt_regex": _text(
        "A Python regular expression found in the last user message.", format="regex"
    ),
    "prompt_equals": _text("The whole last user message."),
    "question_contains": _text(
        "A case-sensitive part of the last text of the user, also if tool results follow it."
    ),
    "question_regex": _text(
        "A Python regular expression found in the last text of the user.", format="regex"
    ),
    "question_equals": _text("The whole last text of the user."),
    "text_contains": _text("A case-sensitive part of the system prompt or any message."),
    "text_regex": _text(
        "A regular expression found in the system prompt or any message.", format="regex"
    ),
    "document_contains": _text(
        "A case-sensitive part of the name or text of a document in the request."
    ),
    "document_regex": _text(
        "A regular expression found in the names and texts of documents.", format="regex"
    ),
    "system_contains": _text("A case-sensitive part of the system prompt."),
    "system_regex": _text("A regular expression found in the system prompt.", format="regex"),
    "tool_offered": _text("The name of a tool that the request offers."),
    "tool_result": _text(
        "The name or id of a tool whose result is in the conversation; * for any."
    ),
    "json_path": {
        "type": "object",
        "description": "JSON paths into the body with their values: {inferenceConfig.temperature: 0}.",
        "additionalProperties": True,
        "minProperties": 1,
    },
    "turn": make_count("The number of user messages."),
    "attempt": make_count("The number of the attempt in its invocation, from 1."),
    "call": make_count("The number of the call in its session, from 1."),
    "header": {
        "type": "object",
        "description": "Globs by header name.",
        "additionalProperties": {"type": "string"},
        "minProperties": 1,
    },
    "session": _text("A glob over the session's name."),
    "access_key": _text("A glob over the access key id that signed the request."),
}

_ALTERNATIVES: Schema = {
    "type": "array",
    "items": _object(_CONDITIONS, minProperties=1),
    "minItems": 1,
}
WHEN: dict[str, Schema] = {
    **_CONDITIONS,
    "any_of": {
        **_ALTERNATIVES,
        "description": "Lists of conditions. A call must meet all conditions of one list.",
    },
    "none_of": {
        **_ALTERNATIVES,
        "description": "Lists of conditions. A call must not meet all conditions of any list.",
    },
}

SCHEDULE: dict[str, Schema] = {
    "times": make_count(
        "The greatest number of calls (attempts on the wire) that the layer answers."
    ),
    "after": make_count("The number of matching calls to skip first.", 0),
    "every": make_count("After the skipped calls, the first call and then every Nth."),
    "probability": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "The probability for each remaining call, seeded by layer, match key and the number of calls with that key.",
    },
}

_TOOL = _object(
    {
        "name": _text("The tool's name.", minLength=1),
        "input": {"description": "The arguments, any JSON. Default: an empty object."},
        "id": _text("The id of the call. Default: an id in the family's form."),
    },
    required=["name"],
)
_CITATION = _object(
    {
        "source": _text("The text that is cited."),
        "title": _text("The document's title."),
        "location": {
            "type": "object",
            "description": "Converse's CitationLocation.",
            "additionalProperties": True,
        },
    },
    required=["source"],
)
_REASONING: Schema = {
    "description": "The reasoning of the model: its text, or text and signature, or redacted base64.",
    "anyOf": [
        {"type": "string"},
        _object(
            {
                "text": _text("The text of the reasoning."),
                "signature": _text("The provider's signature."),
                "redacted": _text(
                    "Reasoning that the provider has encrypted, as base64.", format="base64"
                ),
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
        "format": {
            "type": "string",
            "enum": ["png", "jpeg", "gif", "webp"],
            "description": "The format of the image.",
        },
    },
    minProperties=1,
)
_PASSAGE = _object(
    {
        "text": _text("The text of the passage."),
        "source": _text("Its address (s3://…, https://…) or any id."),
        "score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Its relevance. Default: the share of the query's words in it.",
        },
        "metadata": {
            "type": "object",
            "additionalProperties": True,
            "description": "Its metadata.",
        },
    },
    required=["text"],
)
# The range of the numbers that a model returns, which have 32 bits.
_COMPONENT: Schema = {"type": "number", "minimum": -3.4e38, "maximum": 3.4e38}
_VECTOR: Schema = {"type": "array", "items": _COMPONENT, "minItems": 1}
_RAW = _object(
    {
        "json": {"description": "The body as JSON."},
        "text": _text("The body as text."),
        "base64": _text("The body as base64.", format="base64"),
        "chunks": {"type": "array", "description": "The JSON inside each InvokeModel chunk."},
        "events": {
            "type": "array",
            "description": "The events, each as {type: payload}.",
            "items": {"type": "object", "minProperties": 1, "additionalProperties": True},
        },
        "status": make_count("The HTTP status. Default: 200.", 200, 599),
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Additional headers.",
        },
    },
    oneOf=[{"required": [name]} for name in ("json", "text", "base64", "chunks", "events")],
    description="The body as it is sent, for answers without a neutral form.",
)

# The keys of an answer. `answers` checks which keys may be combined.
ANSWER: dict[str, Schema] = {
    "text": _text("The text of the answer."),
    "json": {
        "description": "Any JSON value: the input of the tool that the request forces the model to call, otherwise text."
    },
    "schema": {
        "type": "string",
        "enum": ["auto"],
        "description": "A value of the request's schema, in place of json.",
    },
    "pieces": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "description": "The text of the answer, as the deltas of a stream.",
    },
    "refusal": _text("The text with which the model refuses to answer."),
    "tool": {
        "description": "A tool call, or a list of tool calls.",
        "anyOf": [_TOOL, {"type": "array", "items": _TOOL, "minItems": 1}],
    },
    "reasoning": _REASONING,
    "citations": {
        "type": "array",
        "items": _CITATION,
        "minItems": 1,
        "description": "Sources of the text.",
    },
    "blocks": {
        "type": "array",
        "items": _BLOCK,
        "minItems": 1,
        "description": "The content blocks in order, instead of the keys above.",
    },
    "guardrail": _text("The text of a guardrail that intervenes."),
    "embedding": {
        "description": "A vector, or one vector per input; auto derives vectors from the text.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            _VECTOR,
            {"type": "array", "items": _VECTOR, "minItems": 1},
        ],
    },
    "dimension": make_count("The dimension of derived vectors.", most=65536),
    "image": {
        "description": "Generated images as base64; auto generates tiny images.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            {"type": "string", "format": "base64", "minLength": 8},
            {"type": "array", "items": {"type": "string", "format": "base64"}, "minItems": 1},
        ],
    },
    "ranking": {
        "description": "Documents with relevance scores; auto scores them by shared words.",
        "anyOf": [
            {"type": "string", "enum": ["auto"]},
            {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "index": make_count("The position of the document.", 0),
                        "score": {"type": "number", "minimum": 0, "maximum": 1},
                    },
                    required=["index", "score"],
                ),
            },
        ],
    },
    "passages": {
        "description": "The passages that Retrieve finds, best first; auto makes passages of the query's words.",
        "anyOf": [{"type": "string", "enum": ["auto"]}, {"type": "array", "items": _PASSAGE}],
    },
    "trace": {
        "type": "array",
        "items": {"type": "object", "additionalProperties": True},
        "minItems": 1,
        "description": "The traces of an agent, beside its text or tool, if the request enables traces.",
    },
    "nodes": {
        "type": "object",
        "additionalProperties": True,
        "minProperties": 1,
        "description": "The outputs of a flow: any JSON by the name of the output node.",
    },
    "server_sent": {
        "type": "array",
        "minItems": 1,
        "description": "The data of each server-sent event of InvokeAgentRuntime, any JSON.",
    },
    "output": {
        "type": "object",
        "description": "The output of the operation in the words of AWS's service model, for any operation.",
        "additionalProperties": True,
    },
    "events": {
        "type": "array",
        "description": "The events of an operation that streams, each as {type: payload}, exceptions included.",
        "items": {"type": "object", "additionalProperties": True, "minProperties": 1},
    },
    "state": _text(
        "The status of a job or resource: the member status of the operation's output.", minLength=1
    ),
    "error": _text(
        f"The name of an error: one of Bedrock's ({', '.join(FAILURES)}), or any name with a status.",
        minLength=1,
    ),
    **{key: schema for key, schema in BESIDE_ERROR.items() if key != "after_events"},
    "raw": _RAW,
    "conversation": build_schema(_TOOL),
    "stop_reason": {
        "type": "string",
        "enum": list(STOP_REASONS),
        "description": "The reason why the model stopped.",
    },
    "stop_sequence": _text("The sequence at which the model stopped."),
    "usage": _object(
        {
            "input": make_count("Input tokens.", 0),
            "output": make_count("Output tokens.", 0),
            "cache_read": make_count("Tokens read from a cache.", 0),
            "cache_write": make_count("Tokens written to a cache.", 0),
        },
        minProperties=1,
        description="Token counts. Default: estimates from the texts.",
    ),
}

_NAME = _text(
    "The name in reports. Default: rule-1, fault-1 and so on.", pattern=r"^[\w.:-]{1,80}$"
)
_WHEN = _object(
    WHEN, description="The conditions on calls. A call must meet all of them.", minProperties=1
)
_ANSWER = _object(ANSWER, minProperties=1)

RULE: Schema = _object(
    {
        "name": _NAME,
        "when": _WHEN,
        "answer": {
            **_ANSWER,
            "description": "The answer, rendered for the operation and the model family of the call.",
        },
        "answers": {
            "type": "array",
            "items": _ANSWER,
            "minItems": 1,
            "description": "Answers in order. The last answer repeats, if `then` is not miss.",
        },
        "script": {
            "type": "array",
            "items": _object({"expect": _WHEN, "answer": _ANSWER}, required=["answer"]),
            "minItems": 1,
            "description": "A conversation: each call must meet what its turn expects, and gets the answer of the turn.",
        },
        "then": {
            "type": "string",
            "enum": ["repeat", "miss"],
            "description": "After the last answer, repeat it, or answer no more calls. Default: repeat.",
        },
        "allow_unoffered_tools": {
            "type": "boolean",
            "description": "Whether answers may call tools that the request does not offer. Default: false.",
        },
        "template": {
            "type": "boolean",
            "description": "Whether texts of the answers contain expressions such as {{ prompt }}. Default: false.",
        },
        "simulate": SIMULATE,
        "family": _text("The model family to render for, if the model id does not determine it."),
        **SCHEDULE,
    },
    oneOf=[{"required": [name]} for name in ("answer", "answers", "script")],
)

# Beside a fault of streams.
DIRECTION: dict[str, Schema] = {
    "direction": {
        "type": "string",
        "enum": list(get_args(Direction)),
        "description": "The side of a conversation that the fault changes: the answer (output) or what the client sends (input). Default: output.",
    }
}
FAULT: Schema = _object(
    {
        "name": _NAME,
        "when": _WHEN,
        **SCHEDULE,
        **BESIDE_ERROR,
        **DIRECTION,
        **{name: kind.schema for name, kind in KINDS.items()},
    },
    oneOf=[{"required": [name]} for name in KINDS],
)

OVERLAY: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://json.schemastore.org/bedtape-overlay.json",
    "title": "bedtape overlay",
    **_object(
        {
            "bedtape-overlay": {"enum": [1], "description": "The version of this format."},
            "seed": make_count("The seed of all random choices.", -(2**63), 2**63 - 1),
            "ids": {
                "type": "string",
                "enum": list(get_args(Ids)),
                "description": "Whether the answers of rules and faults to equal requests have equal or unique ids. Default: equal.",
            },
            "simulate": SIMULATE,
            "rules": {
                "type": "array",
                "items": RULE,
                "description": "The first rule that matches answers the call.",
            },
            "faults": {
                "type": "array",
                "items": FAULT,
                "description": "All faults that match apply, in order.",
            },
        },
        required=["bedtape-overlay"],
    ),
}
