"""Finds the answer to a request: call, session, overlay, match, reply.

The same cassettes, the same layers and the same calls of a session in the same order give the same answers. The engine
has no sockets and no clock. An answer's `steps` are the parts to send and their times; `server` plays them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.format.patterns import SlowPattern
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.answer import MISS, OVERLAY, Answer, Outcome, Source
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.reply import (
    Reply,
    build_error_reply,
    build_reply,
    build_response_reply,
    make_request_id,
)
from bedtape_replayer.engine.checks import NO_CHECKS, Checks, find_refusal
from bedtape_replayer.engine.clock import Clock
from bedtape_replayer.engine.session_state import Sessions, SessionState, read_session
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.candidates import Refused
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.rendered import Occasion, RuleAnswers
from bedtape_replayer.overlay.session_layers import AppliedFault, Layers

# Rendered replies are cached, because tests request the same recordings again and again. The cache is bounded by bytes.
_CACHED_BYTES = 32 * 1024 * 1024
# Equal request bodies are in memory once, up to this size. Match keys and histories refer to the same objects.
_SHARED_BYTES = 16 * 1024 * 1024
_LARGEST_SHARED = 64 * 1024
# Requests whose validation is cached, up to this size.
_CHECKED_BYTES = 4 * 1024 * 1024


class ControlApi(Protocol):
    """Answers the control paths, and returns None for every other path. session: the session that the request names."""

    def __call__(self, session: str, method: str, path: str, head: Head, body: bytes) -> Reply | None: ...


class Engine:
    """Answers calls from a library of recordings and an overlay.

    `library` can be replaced while the engine runs; sessions keep their positions. checks: when requests are
    validated. control: answers paths that begin with `/_`.
    """

    def __init__(
        self,
        library: Library,
        *,
        strict: bool = False,
        overlay: Overlay = NOTHING,
        history_limit: int = History.LIMIT,
        checks: Checks = NO_CHECKS,
    ) -> None:
        self.strict = strict
        self.clock = Clock()
        self.overlay = overlay
        self.sessions = Sessions(overlay, history_limit)
        self.control: ControlApi | None = None
        self._checks = checks
        self._bodies: Memo[bytes, bytes] = Memo(_SHARED_BYTES)
        self._replies: Memo[IndexedRecording, Reply] = Memo(_CACHED_BYTES, _CACHED_BYTES)
        self._rule_answers = RuleAnswers()
        self._refusals: Memo[object, Response | None] = Memo(_CHECKED_BYTES)
        self._library = library

    @property
    def library(self) -> Library:
        return self._library

    @library.setter
    def library(self, library: Library) -> None:
        self._library = library
        self._replies.clear()

    def answer(self, method: str, target: str, head: Head, body: bytes) -> Answer:
        """Return the answer to a request. target: the percent-encoded path with the query."""
        session_name, prefix, path = read_session(target, head)
        name = session_name or DEFAULT_SESSION
        if self.control is not None and path.startswith("/_"):
            reply = self.control(name, method, path, head, body)
            if reply is not None:
                return Answer(Call(name, method, path, head, body), reply, "control")
        session = self.sessions.get(name)
        call = session.call(method, path, head, self._share(body), prefix)
        try:
            answer = self._answer_call(session, call)
        except SlowPattern as error:
            reply = build_error_reply(400, OVERLAY, f"bedtape: {error}", make_request_id(body), call.dialect)
            return Answer(call, reply, "overlay", str(error))
        return answer if session.speed is None else replace(answer, speed=session.speed)

    def finish(self, outcome: Outcome) -> None:
        """Add a finished call to its session's history."""
        history = self.sessions.history_of(outcome.answer.call)
        if history is not None:
            history.add(outcome)

    def _share(self, body: bytes) -> bytes:
        """Return the object that all equal bodies use, because a history keeps thousands of them."""
        if not 0 < len(body) <= _LARGEST_SHARED:
            return body
        known = self._bodies.get(body)
        if known is None:
            self._bodies.keep(body, body, len(body))
            return body
        return known

    def _answer_call(self, session: SessionState, call: Call) -> Answer:
        if self._checks.all and (refused := self._find_refusal(call)) is not None:
            key = session.index(self._library).key(call)
            return Answer(call, build_response_reply(call, refused, key), "validation", response=refused)
        if session.layers:
            return self._answer_with_layers(session, call)
        return self._answer_from_cassette(session, call)

    # -- recordings --------------------------------------------------------------------------------------------

    def _answer_from_cassette(self, session: SessionState, call: Call) -> Answer:
        index = session.index(self._library)
        key = index.key(call)
        recording = session.next(index, key, strict=self._strict(session))
        if recording is None:
            return self._render_miss(session, call, index, key)
        return self._render_recording(call, recording)

    def _strict(self, session: SessionState) -> bool:
        return self.strict if session.strict is None else session.strict

    def _render_recording(self, call: Call, recording: IndexedRecording) -> Answer:
        interaction = recording.interaction
        return Answer(call, self._reply(recording), "cassette", interaction.file, interaction.response)

    def _render_miss(self, session: SessionState, call: Call, index: Index, key: bytes) -> Answer:
        queue = index.queue(key)
        miss = index.report_exhausted(call, queue) if queue else index.report_miss(call)
        miss = replace(miss, layers=session.layers.explain(call))
        return Answer(
            call, build_error_reply(400, MISS, str(miss), make_request_id(key), call.dialect), "miss", miss=miss
        )

    def _reply(self, recording: IndexedRecording) -> Reply:
        reply = self._replies.get(recording)
        if reply is None:
            reply = build_reply(recording.interaction, recording.key, recording.number)
            self._replies.keep(recording, reply, reply.size * (2 if reply.streamed else 1) + 512)
        return reply

    # -- the overlay -------------------------------------------------------------------------------------------

    def _answer_with_layers(self, session: SessionState, call: Call) -> Answer:
        """Tries answering faults, then rules, then the cassette. Other faults then change the answer."""
        layers, now = session.layers, self.clock.now
        key = session.index(self._library).key(call)
        if call.dialect == "openai":
            call = session.responses.continue_conversation(call)
        occasion, among = layers.count(call, key), layers.candidates(call)
        if call.dialect == "openai" and (kept := session.responses.answer(call)) is not None:
            reply = build_response_reply(call, kept[1], key, occasion.number)
            return Answer(call, reply, "rule", kept[0], kept[1])
        check = partial(self._check, session) if self._checks.rules else None
        try:
            if (match := layers.answer_from_fault(occasion, now, among)) is not None:
                answer = Answer(call, match.reply, "fault", match.layer, match.response)
            elif (match := layers.answer_from_rule(occasion, self._rule_answers, check, among)) is not None:
                source: Source = "rule" if match.layer else "validation"
                answer = Answer(call, match.reply, source, match.layer or None, match.response)
                if call.operation == "Responses" and match.layer:
                    answer = _keep_response(session, answer, occasion)
            else:
                answer = self._answer_from_cassette(session, call)
            if answer.response is None:  # a miss has no response to change
                return answer
            applied = layers.select_faults(occasion, answer.response, now, among)
            return _apply_faults(layers, answer, applied, occasion) if applied else answer
        except Refused as error:
            reply = build_error_reply(400, OVERLAY, f"bedtape: {error}", make_request_id(key), call.dialect)
            return Answer(call, reply, "overlay", str(error))

    def _check(self, session: SessionState, call: Call) -> Response | None:
        return self._find_refusal(call) or session.responses.find_refusal(call)

    def _find_refusal(self, call: Call) -> Response | None:
        """Validate the request. Equal requests are validated once."""
        request = call.request
        if request not in self._refusals:
            refusal = find_refusal(call)
            self._refusals.keep(request, refusal, call.request_size)
            return refusal
        return self._refusals[request]


def _keep_response(session: SessionState, answer: Answer, occasion: Occasion) -> Answer:
    """Keeps a rule's answer of the Responses API, which a client may read again, and returns the answer to send."""
    assert answer.response is not None
    response = session.responses.keep(answer.call, answer.response, answer.by or "")
    if response is answer.response:
        return answer
    reply = build_response_reply(answer.call, response, occasion.key, occasion.number)
    return replace(answer, response=response, reply=reply)


def _apply_faults(layers: Layers, answer: Answer, applied: list[AppliedFault], occasion: Occasion) -> Answer:
    """Applies the faults to an answer. Faults that change nothing are not counted and not in the history."""
    call, response, reply = answer.call, answer.response, answer.reply
    assert response is not None
    changed, edits = response, []
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
    ids = tuple(each.fault.id for each in applied if each.fault.id in acted)
    return Answer(call, reply, answer.source, answer.by, changed, answer.miss, ids, tuple(edits))
