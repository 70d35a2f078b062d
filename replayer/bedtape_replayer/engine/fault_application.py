"""Applies the faults of a session's layers to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bedtape_replayer.answering.answer import Answer, Forward
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply, build_response_reply
from bedtape_replayer.answering.steps import ChangeEvents, StepEdit
from bedtape_replayer.engine.clock import Clock
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.overlay.candidates import Candidates
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.rule_answers import Occasion
from bedtape_replayer.overlay.session_layers import AppliedFault, Layers

# The reply of a call whose client leaves before the other server answers.
_UNKNOWN = Reply(502, (), (), streamed=False)


def forward(call: Call, url: str) -> Answer:
    """Returns the answer that another server is to give. Its reply is known when it has."""
    return Answer(call, _UNKNOWN, "upstream", url, forward=Forward(url))


@dataclass(frozen=True, slots=True)
class FaultsOfLayers:
    """The faults that may change the answer of another server. See `LateFaults`."""

    layers: Layers
    occasion: Occasion
    among: Candidates
    clock: Clock

    def apply(self, answer: Answer, *, arriving: bool) -> Answer:
        """Select the faults now, because their conditions may depend on the answer."""
        assert answer.response is not None
        applied = self.layers.select_faults(
            self.occasion, answer.response, self.clock.now, self.among
        )
        if not applied:
            return answer
        if arriving:
            return apply_live_faults(self.layers, answer, applied)
        return apply_faults(self.layers, answer, applied, self.occasion)


def keep_response(session: SessionState, answer: Answer, occasion: Occasion) -> Answer:
    """Returns the answer to send. Answers of the Responses API are kept, to be read again."""
    assert answer.response is not None
    response = session.responses.keep(answer.call, answer.response, answer.by or "")
    if response is answer.response:
        return answer
    reply = build_response_reply(answer.call, response, occasion.key, occasion.number)
    return replace(answer, response=response, reply=reply)


def apply_live_faults(layers: Layers, answer: Answer, applied: list[AppliedFault]) -> Answer:
    """Applies the faults to a stream that still arrives.

    Faults that change single events come before the others. A fault that needs the complete stream
    changes nothing.
    """
    edits, inputs, acted = list[StepEdit](), list[StepEdit](), list[Fault]()
    for each in applied:
        kind = each.fault.kind
        able = kind.live or (kind.converses and answer.conversation is not None)
        if each.fault.direction == "input":  # the other server gets what the client sends
            able = able and answer.source != "upstream"
        if not able or (edit := kind.on_arriving(answer.reply, answer.call, each.context)) is None:
            layers.undo(each)
        else:
            (edits if each.fault.direction == "output" else inputs).append(edit)
            acted.append(each.fault)
    if inputs and answer.conversation is not None:
        answer.conversation.change_input(inputs)
    edits.sort(key=lambda edit: not isinstance(edit, ChangeEvents))
    ids = tuple(fault.id for fault in acted)
    return replace(answer, faults=ids, edits=tuple(edits), error=_find_error(answer, acted))


def apply_faults(
    layers: Layers, answer: Answer, applied: list[AppliedFault], occasion: Occasion
) -> Answer:
    """Applies the faults to an answer, and counts those that change something."""
    for each in applied:
        if each.fault.direction == "input":  # of a conversation, which this answer is not
            layers.undo(each)
    applied = [each for each in applied if each.fault.direction == "output"]
    call, response, reply = answer.call, answer.response, answer.reply
    assert response is not None
    changed, edits = response, list[StepEdit]()
    acted = set()
    for each in applied:
        before, changed = changed, each.fault.kind.on_response(changed, call, each.context)
        if changed is not before:
            acted.add(each.fault.id)
    if changed is not response:
        reply = build_response_reply(call, changed, occasion.key, occasion.number)
    for each in applied:
        last, reply = reply, each.fault.kind.on_reply(reply, call, each.context)
        if reply is not last and (reply.pieces, reply.headers) != (last.pieces, last.headers):
            acted.add(each.fault.id)
    for each in applied:
        if (edit := each.fault.kind.on_steps(reply, each.context)) is not None:
            edits.append(edit)
            acted.add(each.fault.id)
        elif each.fault.id not in acted:
            layers.undo(each)
    faults = [each.fault for each in applied if each.fault.id in acted]
    error = _find_error(answer, faults)
    ids = tuple(fault.id for fault in faults)
    edits += answer.edits  # after those of the faults, because the end of the answer may have moved
    return replace(
        answer, reply=reply, response=changed, faults=ids, edits=tuple(edits), error=error
    )


def _find_error(answer: Answer, faults: Sequence[Fault]) -> str | None:
    """Returns Bedrock's name of the error that these faults send, or the name in the answer."""
    return next(
        (fault.kind.error_name for fault in reversed(faults) if fault.kind.error_name), answer.error
    )
