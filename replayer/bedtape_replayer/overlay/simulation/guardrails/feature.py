"""Lets guardrails act on calls: on prompts before a rule or a recording answers, and on answers.

The wire effects are recorded: stop reasons, traces, masks, coverages and usage. What asynchronous
streams contain when an answer is blocked is not known: here, the text up to the end of the delta
that completes the first match, and then the message of the guardrail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    GuardrailOutcome,
    Message,
    Refusal,
    Text,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.guardrail import GuardrailRequest
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.model import Response
from bedtape_replayer.overlay.simulation.context import Chance, Context, Feature
from bedtape_replayer.overlay.simulation.guardrails import control_plane
from bedtape_replayer.overlay.simulation.guardrails.evaluation import (
    Evaluation,
    GuardedContent,
    evaluate,
)
from bedtape_replayer.overlay.simulation.guardrails.guarded_content import (
    find_mistake,
    is_asynchronous,
    read_answer,
    read_prompt,
    read_request,
)
from bedtape_replayer.overlay.simulation.guardrails.policy import Policy, Side

# Operations of guardrails alone. No rule and no recording answers them if guardrails are simulated.
OPERATIONS = control_plane.OPERATIONS | {"ApplyGuardrail"}
_STOP = "guardrail_intervened"
# Recorded; real-errors of several logs. One text for an id, a version and a region that is unknown.
_UNKNOWN = "The guardrail identifier or version provided in the request does not exist."
_INVALID = "The provided guardrail identifier is invalid."
# botocore's pattern of identifiers.
_IDENTIFIER = re.compile(
    r"[a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+"
)


class Guardrails(Feature):
    """policies: documents by the guardrail's id, or by its id and version, as in `abc123:2`."""

    def __init__(self, /, **policies: Any) -> None:
        self._policies = {name: Policy(document) for name, document in policies.items()}
        self._documents = policies

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guardrails) and self._documents == other._documents

    def __hash__(self) -> int:
        return hash(tuple(self._documents))

    def refuse(self, context: Context) -> Response | None:
        """Return the answer of a guardrail to a prompt that it blocks, to ApplyGuardrail or to
        the control plane; the error for an unknown guardrail; or None.
        """
        call = context.call
        if call.operation in control_plane.OPERATIONS:
            answer = control_plane.answer_control(
                call, context.guardrails, self._policies, context.now
            )
            context.error = answer.error
            context.notes.append(f"guardrails: {call.operation}")
            return answer.response
        request = read_request(call)
        if (mistake := find_mistake(call, request)) is not None:
            return context.refuse(mistake, f"guardrails: {mistake}")
        if request is None:
            return None
        if (policy := self._find(request, context)) is None:
            known = _IDENTIFIER.fullmatch(request.identifier) is not None
            return context.refuse(
                _UNKNOWN if known else _INVALID,
                f"guardrails: no policy {request.identifier} version {request.version}",
            )
        prompt = read_prompt(call)
        if call.operation == "ApplyGuardrail":
            return _apply(policy, request, prompt, context)
        evaluation = evaluate(policy, "INPUT", prompt, full=request.full)
        if not evaluation.blocked:
            return None
        outcome = _make_outcome(request, evaluation, None)
        message = Message((Text(policy.input_message),), _STOP, guardrail=outcome)
        try:
            response = _render(message, context)
        except RenderError:
            return None
        _note(context, "prompt", evaluation)
        return response

    def change(self, message: Message, context: Context) -> Message:
        """Return the answer as the guardrail of the request lets it pass."""
        request = read_request(context.call)
        if request is None or message.stop == _STOP:
            return message
        if (policy := self._find(request, context)) is None:
            return message
        prompt = read_prompt(context.call)
        before = evaluate(policy, "INPUT", prompt, full=request.full)
        after = evaluate(policy, "OUTPUT", read_answer(message, prompt), full=request.full)
        _note(context, "prompt", before)
        late = is_asynchronous(context.call)
        _note(context, "answer", after, masks=not late)
        if not after.blocked and (late or not after.masked):
            if not request.traced or context.source == "cassette":
                return message
            return replace(message, guardrail=_make_outcome(request, before, after))
        outcome = replace(
            _make_outcome(request, before, after), stop=message.stop, model_output=message.text
        )
        usage = usage_of(message, context.prompt)
        changed = replace(message, stop=_STOP, guardrail=outcome, usage=usage, stop_sequence=None)
        if after.blocked and late:
            return _block_late(changed, after, policy.output_message)
        if after.blocked:
            text = policy.output_message
            return replace(changed, blocks=(Text(text),), pieces=(text,))
        return _mask(changed, after)

    def _find(self, request: GuardrailRequest, context: Context) -> Policy | None:
        """Return the policy that a request names: of the session, or of the overlay."""
        name, version = request.name, request.version
        if (guardrail := context.guardrails.get(name)) is not None:
            kept = guardrail.versions.get(version)
            return None if kept is None else kept.policy
        return self._policies.get(f"{name}:{version}") or self._policies.get(name)


def _apply(
    policy: Policy, request: GuardrailRequest, prompt: GuardedContent, context: Context
) -> Response:
    """Return the answer of ApplyGuardrail."""
    side: Side = "OUTPUT" if context.body.get("source") == "OUTPUT" else "INPUT"
    evaluation = evaluate(policy, side, prompt, full=request.full)
    blocked = policy.input_message if side == "INPUT" else policy.output_message
    texts = (blocked,) if evaluation.blocked else evaluation.texts if evaluation.masked else ()
    outcome = _make_outcome(request, evaluation, None)
    stop = _STOP if evaluation.blocked or evaluation.masked else "end_turn"
    _note(context, "content", evaluation)
    if not evaluation.names:
        context.notes.append("guardrails: content passed")
    return _render(Message(tuple(map(Text, texts)), stop, guardrail=outcome), context)


def _render(message: Message, context: Context) -> Response:
    call, chance = context.call, Chance(context.seed)
    chance.pieces = (message.text,)  # a guardrail's message is one delta, as recorded
    return render(
        message,
        operation=call.operation or "",
        model=call.model,
        body=call.body,
        chance=chance,
        family=context.family,
        service=call.service,
        header=call.head.get,
    )


def _note(context: Context, place: str, evaluation: Evaluation, *, masks: bool = True) -> None:
    """Note what was found. masks: whether the masks reach the client."""
    for name in evaluation.names:
        did = name if masks else name.replace("masked ", "detected ", 1)
        context.notes.append(f"guardrails: {place} {did}")


def _make_outcome(
    request: GuardrailRequest, before: Evaluation, after: Evaluation | None
) -> GuardrailOutcome:
    reasons = [each.reason for each in (before, after) if each is not None]
    return GuardrailOutcome(
        request.name,
        request.version,
        "\n".join(dict.fromkeys(reasons)),
        (after or before).blocked,
        before.assessment,
        None if after is None else after.assessment,
    )


def _block_late(message: Message, evaluation: Evaluation, text: str) -> Message:
    """Return the answer of an asynchronous stream: what was sent before the guardrail
    had evaluated it, and the guardrail's message.
    """
    sent, pieces = "", list[str]()
    for piece in message.pieces or (message.text,):
        pieces.append(piece)
        sent += piece
        if len(sent) >= (evaluation.first or 0):
            break
    return replace(message, blocks=(Text(sent + text),), pieces=(*pieces, text))


def _mask(message: Message, evaluation: Evaluation) -> Message:
    """Return the answer with masked texts. A stream keeps its deltas, and a mask is in one delta,
    as recorded.
    """
    texts, blocks = iter(evaluation.texts), list[Block]()
    for block in message.blocks:
        if isinstance(block, Text | CitedText | Refusal):
            block = replace(block, text=next(texts))
        blocks.append(block)
    pieces, at = list[str](), 0
    for piece in message.pieces:
        pieces.append(_mask_piece(piece, at, evaluation.masks))
        at += len(piece)
    return replace(message, blocks=tuple(blocks), pieces=tuple(pieces))


def _mask_piece(piece: str, at: int, masks: Mapping[tuple[int, int], str]) -> str:
    """Return a delta without what masks hide, and with the masks that begin in it. at: its place
    in the text.
    """
    text, place = "", at
    for (start, end), new in masks.items():
        if end <= at or start >= at + len(piece):
            continue
        text += piece[place - at : max(start, place) - at]
        text += new if start >= at else ""
        place = min(end, at + len(piece))
    return text + piece[place - at :]
