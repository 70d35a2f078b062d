"""Renders answers of ApplyGuardrail, and traces of guardrails: a text may pass, or is replaced.

If a message has a `GuardrailOutcome`, its assessments are rendered. Otherwise no policy was
evaluated, and a message that intervenes has a topic that is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from bedtape_cassettes.families.content import Assessment, Content, Message, Prompt
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.model import JsonValue

# Characters in a text unit, by which guardrails are billed.
_UNIT = 1000
# The members of an assessment of ApplyGuardrail and their lists, which are null if they are empty.
_POLICIES = {
    "automatedReasoningPolicy": ("findings",),
    "contentPolicy": ("filters",),
    "contextualGroundingPolicy": ("filters",),
    "sensitiveInformationPolicy": ("piiEntities", "regexes"),
    "topicPolicy": ("topics",),
    "wordPolicy": ("customWords", "managedWordLists"),
}
_UNITS = (
    "automatedReasoningPolicies",
    "automatedReasoningPolicyUnits",
    "contentPolicyImageUnits",
    "contentPolicyUnits",
    "contextualGroundingPolicyUnits",
    "sensitiveInformationPolicyFreeUnits",
    "sensitiveInformationPolicyUnits",
    "topicPolicyUnits",
    "wordPolicyUnits",
)
_DENIED: JsonObject = {
    "topicPolicy": {
        "topics": [{"action": "BLOCKED", "detected": True, "name": "denied", "type": "DENY"}]
    }
}


def count_units(length: int) -> int:
    """Return the text units of a text."""
    return -(-length // _UNIT)


def make_arn(identifier: str) -> str:
    """Return the ARN of a guardrail. identifier: an id or an ARN."""
    if "/" in identifier:
        return identifier
    return f"arn:aws:bedrock:us-east-1:123456789012:guardrail/{identifier}"


def render_assessment(content: Content, prompt: Prompt, chance: Random) -> JsonObject:
    """Return the answer of ApplyGuardrail.

    A message with the stop reason guardrail_intervened replaces the prompt. Any other message lets
    the prompt pass. Members and their order are from real answers. Raises RenderError for content
    other than a Message.
    """
    if not isinstance(content, Message):
        raise RenderError(f"ApplyGuardrail answers with a Message, found {type(content).__name__}")
    stopped, outcome = content.stop == "guardrail_intervened", content.guardrail
    blocked = stopped if outcome is None else outcome.blocked
    if outcome is None:
        outputs: list[JsonValue] = [{"text": content.text}] if stopped else []
        assessment = _make_default(_count_characters(prompt), stopped=stopped)
        details: JsonObject = {}
    else:
        outputs = [{"text": getattr(block, "text", "")} for block in content.blocks]
        assessment = outcome.input or outcome.output or _make_default(0)
        details = {"appliedGuardrailDetails": _details(outcome.identifier, outcome.version)}
    coverage: JsonObject = {"images": None, **_coverage(assessment)}
    usage = _usage(assessment.units)
    members: JsonObject = {
        **{name: _fill(assessment.policies.get(name), _POLICIES[name]) for name in _POLICIES},
        "invocationMetrics": {
            "guardrailCoverage": coverage,
            "guardrailProcessingLatency": chance.randint(200, 400),
            "usage": usage,
        },
        **details,
    }
    reason = ("Guardrail blocked." if stopped else "No action.") if outcome is None else None
    return {
        "action": "GUARDRAIL_INTERVENED" if stopped else "NONE",
        "actionReason": outcome.reason if outcome is not None else reason,
        "assessments": [dict(sorted(members.items()))],
        **({"blockedResponse": content.text} if blocked else {}),
        "guardrailCoverage": coverage,
        "output": outputs,
        "outputs": outputs,
        "usage": usage,
    }


@dataclass(frozen=True, slots=True)
class GuardrailRequest:
    """A guardrail that a request names. identifier: an id or an ARN. traced: whether the
    request asks for the trace. full: whether the trace also contains what was not detected.
    """

    identifier: str
    version: str
    traced: bool = False
    full: bool = False

    @property
    def name(self) -> str:
        """The id, without the rest of the ARN."""
        return self.identifier.rpartition("/")[2]

    def render_trace(
        self, message: Message, prompt: Prompt, chance: Random, *, native: bool = False
    ) -> JsonObject:
        """Return the member `guardrail` of a trace. native: in the form of InvokeModel,
        else in the form of Converse.

        Members and their order are from real answers. Without an outcome, a guardrail that
        intervenes blocks the prompt, so that only the prompt has an assessment.
        """
        outcome = message.guardrail
        if outcome is None:
            stopped = message.stop == "guardrail_intervened"
            reason = "Guardrail blocked." if stopped else "No action."
            before: Assessment | None = _make_default(_count_characters(prompt), stopped=stopped)
            after = None if stopped else _make_default(len(message.text))
            text = None
        else:
            reason, before, after = outcome.reason, outcome.input, outcome.output
            text = outcome.model_output
        trace: JsonObject = {"actionReason": reason}
        if before is not None:
            member = "input" if native else "inputAssessment"
            trace[member] = {self.name: self._assess(before, chance)}
        if text is not None:
            trace["modelOutput"] = [text]
        if after is not None:
            assessment = self._assess(after, chance)
            if native:
                trace["outputs"] = [{self.name: assessment}]
            else:
                trace["outputAssessments"] = {self.name: [assessment]}
        return {"guardrail": trace}

    def _assess(self, assessment: Assessment, chance: Random) -> JsonObject:
        members: JsonObject = {
            "appliedGuardrailDetails": _details(self.identifier, self.version),
            "invocationMetrics": {
                "guardrailCoverage": _coverage(assessment),
                "guardrailProcessingLatency": chance.randint(100, 400),
                "usage": _usage(assessment.units),
            },
            **assessment.policies,
        }
        return dict(sorted(members.items()))


def with_model_stop(message: Message) -> Message:
    """Return the message with the stop reason of the model in place of the guardrail's."""
    if message.stop != "guardrail_intervened":
        return message
    outcome = message.guardrail
    stop = "end_turn" if outcome is None or outcome.blocked else outcome.stop
    return replace(message, stop=stop)


def read_guardrail(body: JsonObject) -> GuardrailRequest | None:
    """Return the guardrail in the body of a Converse request, or None."""
    config = body.get("guardrailConfig")
    identifier = json_access.text(config, "guardrailIdentifier")
    if not identifier:
        return None
    trace = json_access.text(config, "trace")
    version = json_access.text(config, "guardrailVersion")
    return GuardrailRequest(
        identifier, version, trace in ("enabled", "enabled_full"), trace == "enabled_full"
    )


def read_guardrail_headers(header: Callable[[str], str | None]) -> GuardrailRequest | None:
    """Return the guardrail in an InvokeModel request's headers, or None. header: reads a header."""
    identifier = header("x-amzn-bedrock-guardrailidentifier")
    if not identifier:
        return None
    trace = (header("x-amzn-bedrock-trace") or "").upper()
    version = header("x-amzn-bedrock-guardrailversion") or ""
    return GuardrailRequest(
        identifier, version, trace in ("ENABLED", "ENABLED_FULL"), trace == "ENABLED_FULL"
    )


def _count_characters(prompt: Prompt) -> int:
    return sum(len(turn.text) for turn in prompt.turns)


def _make_default(length: int, *, stopped: bool = False) -> Assessment:
    units = {"topicPolicyUnits": count_units(length)}
    return Assessment(_DENIED if stopped else {}, length, length, units)


def _fill(policy: JsonValue, lists: Sequence[str]) -> JsonValue:
    return {**dict.fromkeys(lists), **policy} if isinstance(policy, dict) else None


def _details(identifier: str, version: str) -> JsonObject:
    return {
        "guardrailArn": make_arn(identifier),
        "guardrailId": identifier.rpartition("/")[2],
        "guardrailOrigin": ["REQUEST"],
        "guardrailOwnership": "SELF",
        "guardrailVersion": version,
    }


def _coverage(assessment: Assessment) -> JsonObject:
    return {"textCharacters": {"guarded": assessment.guarded, "total": assessment.total}}


def _usage(units: Mapping[str, int]) -> JsonObject:
    return {name: units.get(name, 0) for name in _UNITS}
