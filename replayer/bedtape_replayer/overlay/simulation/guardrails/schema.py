"""The JSON Schema of a guardrail's policy: the request of CreateGuardrail, and bedtape's own
members. Data only.
"""

from __future__ import annotations

from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import TRUTH, describe, list_of, make_optional
from bedtape_replayer.overlay.simulation.guardrails.lists import FILTERS
from bedtape_replayer.overlay.simulation.guardrails.sensitive import KINDS

_TEXT: Schema = {"type": "string", "minLength": 1}
_STRENGTH: Schema = {"type": "string", "enum": ["NONE", "LOW", "MEDIUM", "HIGH"]}
_BLOCKS, _MASKS = ("BLOCK", "NONE"), ("BLOCK", "ANONYMIZE", "NONE")
_TIER: Schema = {"description": "Accepted, without effect."}


def _texts(description: str, **more: object) -> Schema:
    return list_of({**_TEXT, **more}, description)


def _enum(*values: str) -> Schema:
    return {"type": "string", "enum": [*values]}


def _items(actions: tuple[str, ...], required: list[str], **properties: Schema) -> Schema:
    """A list of items of a policy, each with what it does to prompts and to answers."""
    action = _enum(*actions)
    sides: dict[str, Schema] = {
        "inputAction": action,
        "outputAction": action,
        "inputEnabled": TRUTH,
        "outputEnabled": TRUTH,
    }
    return list_of(make_optional({**properties, **sides}, required=required))


def _policy(description: str, **properties: Schema) -> Schema:
    return make_optional(properties, description=description)


_CONFIDENCES = make_optional(
    {
        level: _texts(f"A text with these words has the confidence {level}.")
        for level in ("LOW", "MEDIUM", "HIGH")
    }
)
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_GROUNDING = list_of(
    make_optional(
        {
            "type": _enum("GROUNDING", "RELEVANCE"),
            "threshold": _SHARE,
            "action": _enum(*_BLOCKS),
            "enabled": TRUTH,
            "score": describe("The score of every answer, in place of the share of words.", _SHARE),
        },
        required=["type", "threshold"],
    )
)
_PROPERTIES: dict[str, Schema] = {
    "name": _TEXT,
    "description": _TEXT,
    "blockedInputMessaging": _TEXT,
    "blockedOutputsMessaging": _TEXT,
    "topicPolicyConfig": _policy(
        "Denied topics.",
        topicsConfig=_items(
            _BLOCKS,
            ["name"],
            name=_TEXT,
            definition=_TEXT,
            examples=_texts("Texts of the topic."),
            type=_enum("DENY"),
            patterns=_texts("Regular expressions, in any case of letters.", format="regex"),
        ),
        tierConfig=_TIER,
    ),
    "contentPolicyConfig": _policy(
        "Content filters.",
        filtersConfig=_items(
            _BLOCKS,
            ["type"],
            type=_enum(*FILTERS),
            inputStrength=_STRENGTH,
            outputStrength=_STRENGTH,
            inputModalities=_texts("Accepted, without effect."),
            outputModalities=_texts("Accepted, without effect."),
            words=_CONFIDENCES,
        ),
        tierConfig=_TIER,
    ),
    "wordPolicyConfig": _policy(
        "Denied words.",
        wordsConfig=_items(_BLOCKS, ["text"], text=_TEXT),
        managedWordListsConfig=_items(_BLOCKS, ["type"], type=_enum("PROFANITY")),
    ),
    "sensitiveInformationPolicyConfig": _policy(
        "Sensitive information.",
        piiEntitiesConfig=_items(
            _MASKS,
            ["type"],
            type=_enum(*KINDS),
            action=_enum(*_MASKS),
            matches=_texts("Texts that are this kind of information."),
        ),
        regexesConfig=_items(
            _MASKS,
            ["name", "pattern"],
            name=_TEXT,
            description=_TEXT,
            pattern={**_TEXT, "format": "regex"},
            action=_enum(*_MASKS),
        ),
    ),
    "contextualGroundingPolicyConfig": _policy(
        "Contextual grounding.", filtersConfig=_GROUNDING, tierConfig=_TIER
    ),
}
POLICY = make_optional(_PROPERTIES, description="A policy, as in the request of CreateGuardrail.")
GUARDRAILS: Schema = {
    "type": "object",
    "description": "Policies by the guardrail's id, or by its id and version, as in abc123:2.",
    "propertyNames": {
        "pattern": r"^[a-z0-9]+(:([1-9][0-9]{0,7}|DRAFT))?$",
        "$comment": "requests name a guardrail by an id of small letters and digits, or by an ARN"
        " that ends in it; write abc123, or abc123:2 for version 2",
    },
    "additionalProperties": POLICY,
}
# The members of a request of CreateGuardrail that have no effect here.
_IGNORED = (
    "automatedReasoningPolicyConfig",
    "clientRequestToken",
    "crossRegionConfig",
    "kmsKeyId",
    "tags",
)
REQUEST: Schema = {
    **POLICY,
    "required": ["name", "blockedInputMessaging", "blockedOutputsMessaging"],
    "properties": {**_PROPERTIES, **{name: {} for name in _IGNORED}},
}
