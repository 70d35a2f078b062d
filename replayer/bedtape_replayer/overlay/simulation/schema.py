"""The JSON Schema of the key `simulate`. Data only."""

from __future__ import annotations

from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_replayer.overlay.simulation.guardrails.schema import GUARDRAILS


def _feature(description: str, properties: dict[str, Schema]) -> Schema:
    options: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"description": description, "anyOf": [{"type": "boolean"}, options]}


_QUOTAS: dict[str, Schema] = {
    "requests_per_minute": make_count("The most requests in a minute."),
    "tokens_per_minute": make_count("The most tokens in a minute."),
    "tokens_per_day": make_count("The most tokens in a day."),
    "output_rate": make_count("The tokens that an output token uses. Default: of the model."),
}

_LIMITS: list[Schema] = [
    {"required": [name]} for name in ("requests_per_minute", "tokens_per_minute", "tokens_per_day")
]
# Without a limit for all models, each model needs one of its own.
_EACH_LIMITED: Schema = {
    "type": "object",
    "properties": {"models": {"additionalProperties": {"anyOf": _LIMITS}}},
}

SIMULATE: Schema = {
    "type": "object",
    "description": "Features of the service to simulate, by name. A rule can have its own.",
    "additionalProperties": False,
    "properties": {
        "caching": _feature(
            "Token counts of prompt caches.",
            {
                "minimum_tokens": make_count(
                    "The fewest tokens of a cached prefix. Default: of the model."
                ),
                "automatic": {
                    "type": "boolean",
                    "description": "Whether unmarked prefixes are cached. Default: of the model.",
                },
            },
        ),
        "guardrails": {
            "description": "Guardrails: true for those that the session creates, or policies.",
            "anyOf": [{"type": "boolean"}, GUARDRAILS],
        },
        "limits": _feature(
            "Ends at max_tokens and stop sequences, and errors for long requests.",
            {
                "context_tokens": make_count(
                    "The context window. Default: of the model, if it is known."
                ),
                "max_output_tokens": make_count(
                    "The greatest max_tokens. Default: of the model, if known."
                ),
                "long_prompt": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The message of the error for a prompt that is too long.",
                },
                "cut_tools": {
                    "type": "string",
                    "enum": ["keep", "drop"],
                    "description": "Whether an answer keeps a cut tool call. Default: keep.",
                },
            },
        ),
        "quotas": {
            "description": "Errors for requests above a quota of each model.",
            "anyOf": [
                {
                    "type": "boolean",
                    "enum": [False],
                    "$comment": "quotas have no defaults, because accounts differ; set"
                    " tokens_per_minute, for example, or one of the other options",
                },
                {
                    "type": "object",
                    "properties": {
                        **_QUOTAS,
                        "models": {
                            "type": "object",
                            "description": "Other quotas of models, by glob. The first one counts.",
                            "minProperties": 1,
                            "additionalProperties": {
                                "type": "object",
                                "properties": _QUOTAS,
                                "minProperties": 1,
                                "additionalProperties": False,
                            },
                        },
                        "count_blocked": {
                            "type": "boolean",
                            "description": "Whether a prompt that a guardrail blocks counts as a"
                            " request. Default: true.",
                        },
                    },
                    "allOf": [
                        {"anyOf": [*_LIMITS, {"required": ["models"]}]},
                        {"anyOf": [*_LIMITS, _EACH_LIMITED]},
                    ],
                    "additionalProperties": False,
                },
            ],
        },
        "structured_output": _feature(
            "Errors for schemas that the service refuses, and for answers that match no schema.",
            {
                "check_answers": {
                    "type": "boolean",
                    "description": "Whether answers of rules must match. Default: true.",
                },
                "check_schemas": {
                    "type": "boolean",
                    "description": "Whether unsupported schemas are refused. Default: true.",
                },
            },
        ),
        "service_tiers": _feature(
            "Errors for service tiers that a model does not have.",
            {
                "supported": {
                    "type": "array",
                    "items": {"type": "string", "enum": ["flex", "priority", "reserved"]},
                    "description": "The tiers beside default. Default: of the model.",
                }
            },
        ),
    },
}
