"""Renders answers of ApplyGuardrail: a text may pass, or is replaced. No policy is evaluated."""

from __future__ import annotations

from random import Random

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.model import JsonValue

# Characters in a text unit, by which guardrails are billed.
_UNIT = 1000


def render_assessment(content: Content, prompt: Prompt, chance: Random) -> JsonObject:
    """Return the assessment of a prompt.

    A message with the stop reason guardrail_intervened replaces the prompt. Any other message lets the prompt pass.
    Members and their order are from real answers. Raises RenderError for content other than a Message.
    """
    if not isinstance(content, Message):
        raise RenderError(f"ApplyGuardrail answers with a Message, found {type(content).__name__}")
    stopped = content.stop == "guardrail_intervened"
    outputs: list[JsonValue] = [{"text": content.text}] if stopped else []
    length = sum(len(turn.text) for turn in prompt.turns)
    coverage: JsonObject = {"images": None, "textCharacters": {"guarded": length, "total": length}}
    usage = _usage(length)
    assessment: JsonObject = {
        "automatedReasoningPolicy": None,
        "contentPolicy": None,
        "contextualGroundingPolicy": None,
        "invocationMetrics": {
            "guardrailCoverage": coverage,
            "guardrailProcessingLatency": chance.randint(200, 400),
            "usage": usage,
        },
        "sensitiveInformationPolicy": None,
        "topicPolicy": _topic() if stopped else None,
        "wordPolicy": None,
    }
    return {
        "action": "GUARDRAIL_INTERVENED" if stopped else "NONE",
        "actionReason": "Guardrail blocked." if stopped else "No action.",
        "assessments": [assessment],
        **({"blockedResponse": content.text} if stopped else {}),
        "guardrailCoverage": coverage,
        "output": outputs,
        "outputs": outputs,
        "usage": usage,
    }


def _topic() -> JsonObject:
    return {"topics": [{"action": "BLOCKED", "detected": True, "name": "denied", "type": "DENY"}]}


def _usage(length: int) -> JsonObject:
    return {
        "automatedReasoningPolicies": 0,
        "automatedReasoningPolicyUnits": 0,
        "contentPolicyImageUnits": 0,
        "contentPolicyUnits": 0,
        "contextualGroundingPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 0,
        "sensitiveInformationPolicyUnits": 0,
        "topicPolicyUnits": -(-length // _UNIT),
        "wordPolicyUnits": 0,
    }
