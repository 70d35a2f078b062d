"""The JSON Schema of the key `simulate`. Data only."""

from __future__ import annotations

from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_replayer.overlay.simulation.guardrails.schema import GUARDRAILS


def _feature(description: str, properties: dict[str, Schema]) -> Schema:
    options: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"description": description, "anyOf": [{"type": "boolean"}, options]}


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
    },
}
