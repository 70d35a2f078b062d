"""Renders answers of ApplyGuardrail, and traces of guardrails: a text may pass, or is replaced.

No policy is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bedtape_cassettes.families.content import Content, Message, Prompt
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.model import JsonValue

# Characters in a text unit, by which guardrails are billed.
_UNIT = 1000


def render_assessment(content: Content, prompt: Prompt, chance: Random) -> JsonObject:
    """Return the assessment of a prompt.

    A message with the stop reason guardrail_intervened replaces the prompt. Any other message lets
    the prompt pass. Members and their order are from real answers. Raises RenderError for content
    other than a Message.
    """
    if not isinstance(content, Message):
        raise RenderError(f"ApplyGuardrail answers with a Message, found {type(content).__name__}")
    stopped = content.stop == "guardrail_intervened"
    outputs: list[JsonValue] = [{"text": content.text}] if stopped else []
    length = _count_characters(prompt)
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


@dataclass(frozen=True, slots=True)
class GuardrailRequest:
    """A guardrail that a request names. identifier: id or ARN. traced: with the trace."""

    identifier: str
    version: str
    traced: bool

    def render_trace(
        self, message: Message, prompt: Prompt, chance: Random, *, native: bool = False
    ) -> JsonObject:
        """Return the member `guardrail` of a trace. native: in the form of InvokeModel,
        else in the form of Converse.

        Members and their order are from real answers. A guardrail that intervenes blocks the
        prompt, so that only the prompt has an assessment.
        """
        stopped = message.stop == "guardrail_intervened"
        name = self.identifier.rpartition("/")[2]
        blocked: JsonObject = {"topicPolicy": _topic()} if stopped else {}
        trace: JsonObject = {
            "actionReason": "Guardrail blocked." if stopped else "No action.",
            "input" if native else "inputAssessment": {
                name: {**self._assess(_count_characters(prompt), chance), **blocked}
            },
        }
        if not stopped:
            assessment = self._assess(len(message.text), chance)
            if native:
                trace["outputs"] = [{name: assessment}]
            else:
                trace["outputAssessments"] = {name: [assessment]}
        return {"guardrail": trace}

    def _assess(self, length: int, chance: Random) -> JsonObject:
        name = self.identifier.rpartition("/")[2]
        arn = (
            self.identifier
            if "/" in self.identifier
            else f"arn:aws:bedrock:us-east-1:123456789012:guardrail/{name}"
        )
        return {
            "appliedGuardrailDetails": {
                "guardrailArn": arn,
                "guardrailId": name,
                "guardrailOrigin": ["REQUEST"],
                "guardrailOwnership": "SELF",
                "guardrailVersion": self.version,
            },
            "invocationMetrics": {
                "guardrailCoverage": {"textCharacters": {"guarded": length, "total": length}},
                "guardrailProcessingLatency": chance.randint(100, 400),
                "usage": _usage(length),
            },
        }


def read_guardrail(body: JsonObject) -> GuardrailRequest | None:
    """Return the guardrail in the body of a Converse request, or None."""
    config = body.get("guardrailConfig")
    identifier = json_access.text(config, "guardrailIdentifier")
    if not identifier:
        return None
    traced = json_access.text(config, "trace") in ("enabled", "enabled_full")
    return GuardrailRequest(identifier, json_access.text(config, "guardrailVersion"), traced)


def read_guardrail_headers(header: Callable[[str], str | None]) -> GuardrailRequest | None:
    """Return the guardrail in an InvokeModel request's headers, or None. header: reads a header."""
    identifier = header("x-amzn-bedrock-guardrailidentifier")
    if not identifier:
        return None
    traced = header("x-amzn-bedrock-trace") in ("ENABLED", "ENABLED_FULL")
    return GuardrailRequest(identifier, header("x-amzn-bedrock-guardrailversion") or "", traced)


def _count_characters(prompt: Prompt) -> int:
    return sum(len(turn.text) for turn in prompt.turns)


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
