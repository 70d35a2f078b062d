"""Lets a session's simulated features act on a call, before and after a rule or recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.answer import Answer, Source
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import build_response_reply
from bedtape_replayer.overlay.candidates import LayerError
from bedtape_replayer.overlay.faults.base import derive_seed
from bedtape_replayer.overlay.rule_answers import Occasion, RuleMatch
from bedtape_replayer.overlay.session_layers import Layers
from bedtape_replayer.overlay.simulation.context import Context
from bedtape_replayer.overlay.simulation.features import Features
from bedtape_replayer.overlay.simulation.state import SimulationState
from bedtape_replayer.overlay.simulation.structured_output import Mismatch

# The sources whose answers are those of a model. Another server has features of its own.
_SOURCES = ("rule", "cassette", "default")


def build_answer(call: Call, match: RuleMatch) -> Answer:
    """Return the answer of a rule, of a simulated feature or of the request check."""
    source: Source = "simulation" if match.simulated else "validation"
    return Answer(
        call,
        match.reply,
        "rule" if match.layer else source,
        match.layer or None,
        match.response,
        error=match.error,
        simulated=match.simulated,
    )


def refuse_request(
    occasion: Occasion,
    now: float,
    state: SimulationState,
    check: Callable[[Call], Response | None] | None,
    features: Features,
    family: str | None = None,
) -> RuleMatch | None:
    """Return the answer of the service to a request that it gives to no model, or None.

    now: seconds of the virtual clock. state: of the session's features. check: returns Bedrock's
    error for an invalid request, which a feature does not answer. features, family: those of the
    rule that would answer, or of the session.
    """
    call = occasion.call
    refusal = check(call) if check is not None and features.answers(call.operation) else None
    if refusal is not None:
        reply = build_response_reply(call, refusal, occasion.key, occasion.number)
        return RuleMatch("", refusal, reply)
    seed = derive_seed(0, f"simulate/{occasion.number}", occasion.key)
    effect = features.refuse(Context(call, now, state=state, seed=seed, family=family))
    if effect is None:
        return None
    reply = build_response_reply(call, effect.response, occasion.key, occasion.number)
    return RuleMatch("", effect.response, reply, effect.error, simulated=effect.notes)


def simulate(
    layers: Layers, answer: Answer, occasion: Occasion, now: float, state: SimulationState
) -> Answer:
    """Return the answer of a rule or recording as the service sends it. now, state: as above.

    Raises LayerError if a rule's answer is none that the service gives.
    """
    features = layers.features_of(answer.by if answer.source == "rule" else None)
    if not features or answer.source in ("simulation", "validation"):
        return answer
    context = Context(occasion.call, now, state=state, source=answer.source)
    features.accept(context)
    if answer.response is None or answer.source not in _SOURCES:
        return answer
    seed = derive_seed(layers.effective.seed, f"simulate/{occasion.number}", occasion.key)
    family = layers.family_of(answer.by) if answer.source == "rule" else None
    try:
        effect = features.change(context, answer.response, seed, family)
    except Mismatch as error:
        raise LayerError(f"{answer.by} cannot answer {occasion.call.operation}: {error}") from None
    if effect is None:
        return answer
    if effect.response is answer.response:
        return replace(answer, simulated=effect.notes)
    reply = build_response_reply(occasion.call, effect.response, occasion.key, occasion.number)
    return replace(answer, response=effect.response, reply=reply, simulated=effect.notes)
