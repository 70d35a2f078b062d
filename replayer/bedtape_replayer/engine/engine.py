"""Finds the answer to a request: call, session, overlay, match, reply.

The same cassettes, the same layers and the same calls of a session in the same order give the same
answers. The engine has no sockets and no clock. An answer's `steps` are the parts to send and their
times; `server` plays them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from bedtape_cassettes.addresses import DEFAULT_SESSION, render_prefix
from bedtape_cassettes.format.patterns import SlowPattern
from bedtape_cassettes.model import Events, Response
from bedtape_cassettes.operations import DUPLEX
from bedtape_replayer.answering.answer import MISS, OVERLAY, Answer, Outcome, Progress, Source
from bedtape_replayer.answering.binding import ECHOED, bind, echo_session
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.duplex.turns import RecordedScript, RuleScript, SilentScript
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.reply import (
    Reply,
    build_error_reply,
    build_reply,
    build_response_reply,
    make_request_id,
)
from bedtape_replayer.answering.siblings import ACCEPTED, AllSiblings
from bedtape_replayer.answering.steps import build_ending
from bedtape_replayer.engine.checks import (
    NO_CHECKS,
    UNKNOWN_OPERATION,
    Checks,
    find_refusal,
    find_unknown_operation,
)
from bedtape_replayer.engine.clock import Clock
from bedtape_replayer.engine.defaults import Defaults
from bedtape_replayer.engine.editor import Editor
from bedtape_replayer.engine.fault_application import (
    FaultsOfLayers,
    apply_faults,
    apply_live_faults,
    forward,
    keep_response,
)
from bedtape_replayer.engine.known_requests import KnownRequests
from bedtape_replayer.engine.live import Watcher
from bedtape_replayer.engine.recorded_conversations import is_conversation
from bedtape_replayer.engine.repetition import Repetition
from bedtape_replayer.engine.session_state import Sessions, SessionState, read_session
from bedtape_replayer.engine.simulation import build_answer, refuse_request, simulate
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.candidates import LayerError
from bedtape_replayer.overlay.faults.base import derive_seed
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.rule_answers import RuleAnswers

# Rendered replies are cached, because tests request the same recordings again and again. The
# cache is bounded by bytes.
_CACHED_BYTES = 32 * 1024 * 1024


class ControlApi(Protocol):
    """Answers control paths; None for every other path. session: that the request names."""

    def owns(self, path: str) -> bool: ...

    def __call__(
        self, session: str, method: str, path: str, head: Head, body: bytes
    ) -> Reply | None: ...


class Engine:
    """Answers calls from a library of recordings and an overlay.

    `library` can be replaced while the engine runs; sessions keep their positions. checks: when
    requests are validated. control: answers paths that begin with `/_`. memory: the most bytes that
    sessions and caches keep. idle: the seconds without use after which a session is dropped; `None`
    for no limit. upstream: the URL of a server that is asked if nothing else answers. elsewhere:
    returns the files that have a call's request and are not played, for the report of a miss.
    advise: returns what to change if a call of a session misses; an empty string for the usual
    report. defaults: answers where nothing else answers; `None` for misses. editor: changes the
    cassettes; `None` if the server only reads. problems: why no client should send calls now, by
    cause. render_metrics: returns the metrics; `None` if nothing is counted. namespace: its name,
    if the server has several.
    """

    def __init__(
        self,
        library: Library,
        *,
        strict: bool = False,
        overlay: Overlay = NOTHING,
        history_limit: int = History.LIMIT,
        checks: Checks = NO_CHECKS,
        memory: int = Memory.LIMIT,
        idle: float | None = None,
        defaults: Defaults | None = None,
        namespace: str = "",
    ) -> None:
        self.namespace = namespace
        self._defaults = defaults
        self.strict = strict
        self.clock = Clock()
        self.overlay = overlay
        self.memory = Memory(memory)
        self.memory.report = self._report_sessions
        self.sessions = Sessions(overlay, history_limit, self.memory, idle)
        self.control: ControlApi | None = None
        self.problems: dict[str, str] = {}
        self.render_metrics: Callable[[], str] | None = None
        self.upstream: str | None = None
        self.elsewhere: Callable[[Call], tuple[str, ...]] = lambda _: ()
        self.advise: Callable[[str], str] = lambda _: ""
        # Calls whose answers are being sent.
        self.running: dict[Progress, Answer] = {}
        self.share_outcome: Callable[[Outcome], None] | None = None
        self.watchers: set[Watcher] = set()
        self.editor: Editor | None = None
        self._checks = checks
        largest = self.memory.share(_CACHED_BYTES)
        self._requests = KnownRequests(self.memory)
        self._replies: Memo[IndexedRecording, Reply] = Memo(largest, largest, self.memory)
        self._rule_answers = RuleAnswers(self.memory, self._requests.findings)
        self._siblings = AllSiblings(self.memory)
        # By the form of the head and the body.
        self.repetitions: Memo[tuple[object, bytes], Repetition] = Memo(largest, memory=self.memory)
        self._library = library

    @property
    def checks_requests(self) -> bool:
        """Whether requests are validated: all of them, or those that rules answer."""
        return self._checks.rules or self._checks.all

    @property
    def library(self) -> Library:
        return self._library

    @library.setter
    def library(self, library: Library) -> None:
        self._library = library
        self._replies.clear()
        self.repetitions.clear()

    def prepare(self, method: str, target: str, head: Head, body: bytes) -> Call:
        """Read a large body in a thread, and return a call for `answer`. No state changes."""
        session_name, prefix, path = read_session(target, head)
        name = session_name or DEFAULT_SESSION
        call = Call(name, method, path, head, body, prefix=prefix, namespace=self.namespace)
        if (session := self.sessions.find(name)) is not None:
            session.index(self._library).key(call)
        return call

    def answer(
        self, method: str, target: str, head: Head, body: bytes, prepared: Call | None = None
    ) -> Answer:
        """Return the answer to a request. target: percent-encoded. prepared: by `prepare`."""
        session_name, prefix, path = read_session(target, head)
        name = session_name or DEFAULT_SESSION
        if self.control is not None and path.startswith("/_"):
            reply = self.control(name, method, path, head, body)
            if reply is not None:
                call = Call(name, method, path, head, body, namespace=self.namespace)
                return Answer(call, reply, "control")
        session = self.sessions.get(name)
        call = session.call(method, path, head, body, prefix, self.namespace)
        if prepared is not None:
            call.outline, call.findings = prepared.outline, prepared.findings
        if not self._requests.share(call) and session.layers:
            self._siblings.find(call)
        try:
            answer = self._answer_call(session, call)
        except SlowPattern as error:
            reply = build_error_reply(
                400, OVERLAY, f"bedtape: {error}", make_request_id(body), call.dialect
            )
            return Answer(call, reply, "overlay", str(error))
        if call.operation in ECHOED:
            answer = replace(answer, reply=echo_session(answer.reply, call))
        return answer if session.speed is None else replace(answer, speed=session.speed)

    def reset(self) -> None:
        """Drop all sessions and all kept answers. A session with two names is reset."""
        self.sessions.clear()
        for cache in (
            *(self._requests, self._replies, self._rule_answers, self._siblings),
            self.repetitions,
        ):
            cache.clear()

    def follow(self, progress: Progress, answer: Answer) -> None:
        """Let watchers see an answer while it is sent: at the start, and after each part."""
        self.running[progress] = answer
        for watcher in self.watchers:
            watcher.follow(progress, answer)

    def finish(self, outcome: Outcome, session: SessionState | None = None) -> None:
        """Add a finished call to its session's history. session: if the caller knows it."""
        answer = outcome.sample
        session = session or self.sessions.find_caller(answer.call)
        if session is not None:
            (self.share_outcome or session.history.add)(outcome)
            if answer.conversation is not None:
                session.conversations.end(answer.conversation)
        if outcome.progress is not None:
            self.running.pop(outcome.progress, None)
        if self.watchers and answer.source != "control":
            for watcher in self.watchers:
                watcher.end(outcome, kept=session is not None)

    def _report_sessions(self) -> None:
        for watcher in self.watchers:
            watcher.check_sessions()

    def _answer_call(self, session: SessionState, call: Call) -> Answer:
        if self._checks.all and (refused := self._find_refusal(call)) is not None:
            key = session.index(self._library).key(call)
            return Answer(
                call, build_response_reply(call, refused, key), "validation", response=refused
            )
        if session.layers and not (call.target.plain_slash and self._checks.rules):
            return self._answer_with_layers(session, call)
        return self._answer_from_cassette(session, call)

    # -- recordings --------------------------------------------------------------------------------

    def _answer_from_cassette(self, session: SessionState, call: Call) -> Answer:
        index = session.index(self._library)
        key = index.key(call)
        recording = session.select(call, index) if session.select is not None else None
        if recording is None:
            if call.known is not None and call.known.duplex and not call.body:
                return self._answer_duplex(session, call, index, key)
            recording = session.next(index, key, strict=self._strict(session))
        if recording is None and session.substitute is not None:
            recording = session.substitute(call, index)
        if recording is None:
            return self._forward_or_miss(session, call, index, key)
        return self._render_recording(call, recording, index)

    def _forward_or_miss(
        self, session: SessionState, call: Call, index: Index, key: bytes
    ) -> Answer:
        if (url := self._find_upstream(session, call)) is None:
            return self._render_miss(session, call, index, key)
        answer = forward(call, url)
        if call.operation not in DUPLEX or call.body:
            return answer
        # It describes what the client sends. The other server answers.
        listener = Conversation(SilentScript(), index.rules.redaction)
        return replace(answer, conversation=listener)

    def _answer_duplex(self, session: SessionState, call: Call, index: Index, key: bytes) -> Answer:
        """Begin a recorded conversation: of the recordings, the first with the client's events.

        If no recording has them, another server holds the conversation.
        """
        strict = self._strict(session)
        order = session.conversations.order(index.queue(key), strict=strict)
        if not order:
            return self._forward_or_miss(session, call, index, key)
        recording, interaction = order[0], order[0].interaction
        if not is_conversation(interaction):
            session.conversations.played[interaction.file] = None
            return self._render_recording(call, recording, index)
        recordings = [one for each in order if is_conversation(one := each.interaction)]
        script = RecordedScript(recordings, index.rules)
        response = replace(interaction.response, body=Events.of([]))
        reply = build_reply(replace(interaction, response=response), key, recording.number)
        upstream = self._find_upstream(session, call)
        conversation = Conversation(script, index.rules.redaction, upstream)
        session.conversations.begin(conversation, script, strict=strict)
        answer = Answer(call, reply, "cassette", interaction.file, response)
        return replace(answer, conversation=conversation)

    def _find_upstream(self, session: SessionState, call: Call) -> str | None:
        """Returns the server to ask if nothing else answers."""
        url = session.upstream or self.upstream
        return None if url is None else f"{url.rstrip('/')}{render_prefix(service=call.prefix)}"

    def _strict(self, session: SessionState) -> bool:
        return self.strict if session.strict is None else session.strict

    def _render_recording(self, call: Call, recording: IndexedRecording, index: Index) -> Answer:
        interaction = recording.interaction
        reply = self._reply(recording)
        if index.rules.placeholders or call.target.agent_session is not None:
            interaction = bind(interaction, call, index.rules)
            if interaction is not recording.interaction:
                reply = build_reply(interaction, recording.key, recording.number)
        ends = interaction.response.ends
        edits = () if ends is None else build_ending(reply, ends)
        return Answer(call, reply, "cassette", interaction.file, interaction.response, edits=edits)

    def _render_miss(self, session: SessionState, call: Call, index: Index, key: bytes) -> Answer:
        if self._checks.rules and (unknown := self._answer_unknown(call, index, key)) is not None:
            return unknown
        if (
            self._defaults is not None
            and (response := self._defaults.answer(call, key)) is not None
        ):
            return Answer(
                call,
                build_response_reply(call, response, key),
                "default",
                self._defaults.kind,
                response,
            )
        queue = index.queue(key)
        miss = index.report_exhausted(call, queue) if queue else index.report_miss(call)
        layers = session.layers.explain(call)
        advice = self.advise(call.session)
        miss = replace(miss, layers=layers, elsewhere=self.elsewhere(call), advice=advice)
        return Answer(
            call,
            build_error_reply(400, MISS, str(miss), make_request_id(key), call.dialect),
            "miss",
            miss=miss,
        )

    def _answer_unknown(self, call: Call, index: Index, key: bytes) -> Answer | None:
        """Return Bedrock's answer to a request that is no operation, or None for an operation."""
        unknown = find_unknown_operation(call)
        if unknown is None:
            return None
        response, reason = unknown
        miss, reply = index.report_unknown(call, reason), build_response_reply(call, response, key)
        return Answer(call, reply, "validation", miss=miss, error=UNKNOWN_OPERATION)

    def _reply(self, recording: IndexedRecording) -> Reply:
        reply = self._replies.get(recording)
        if reply is None:
            reply = build_reply(recording.interaction, recording.key, recording.number)
            self._replies.keep(recording, reply, reply.size * (2 if reply.streamed else 1) + 512)
        return reply

    # -- the overlay -------------------------------------------------------------------------------

    def _answer_with_layers(self, session: SessionState, call: Call) -> Answer:
        """Tries answering faults, rules, then the cassette. Other faults change the answer."""
        layers, now = session.layers, self.clock.now
        key = session.index(self._library).key(call)
        has_responses = call.dialect == "openai" and bool(session.responses)
        if has_responses:
            call = session.responses.continue_conversation(call)
        occasion, among = layers.count(call, key), layers.candidates(call)
        if has_responses and (kept := session.responses.answer(call)) is not None:
            reply = build_response_reply(call, kept[1], key, occasion.number)
            source: Source = "rule" if kept[0] else "simulation"
            return Answer(call, reply, source, kept[0] or None, kept[1])
        is_valid = call.findings.refusal is ACCEPTED and not has_responses
        check = partial(self._check, session) if self._checks.rules and not is_valid else None
        refuse = (
            partial(refuse_request, occasion, now, session.simulated, check)
            if layers.simulates
            else None
        )
        try:
            if (
                among.answering_faults
                and (match := layers.answer_from_fault(occasion, now, among)) is not None
            ):
                answer = Answer(
                    call, match.reply, "fault", match.layer, match.response, error=match.error
                )
            elif (
                match := layers.answer_from_rule(occasion, self._rule_answers, check, refuse, among)
            ) is not None:
                answer = build_answer(call, match)
                if match.turns:
                    seed = derive_seed(layers.effective.seed, match.layer, key)
                    redaction = session.index(self._library).rules.redaction
                    answer = replace(
                        answer, conversation=Conversation(RuleScript(match.turns, seed), redaction)
                    )
                if match.layer and call.findings.text is None:
                    self._siblings.add(call)
                if refuse is not None:
                    answer = simulate(layers, answer, occasion, now, session.simulated)
            elif refuse is not None and (match := refuse(layers.features)) is not None:
                answer = build_answer(call, match)
            else:
                answer = self._answer_from_cassette(session, call)
                if refuse is not None:
                    answer = simulate(layers, answer, occasion, now, session.simulated)
            if call.operation == "Responses" and answer.source in ("rule", "simulation"):
                answer = keep_response(session, answer, occasion)
            if answer.forward is not None:
                live = answer.conversation is not None or all(
                    fault.kind.live for fault in among.changing_faults
                )
                faults = FaultsOfLayers(layers, occasion, among, self.clock)
                return replace(answer, forward=replace(answer.forward, live=live, faults=faults))
            # a miss has no response to change
            if answer.response is None or not among.changing_faults:
                return answer
            applied = layers.select_faults(occasion, answer.response, now, among)
            if applied and answer.conversation is not None:
                return apply_live_faults(layers, answer, applied)
            return apply_faults(layers, answer, applied, occasion) if applied else answer
        except LayerError as error:
            index = session.index(self._library)
            if (
                self._checks.rules
                and (unknown := self._answer_unknown(call, index, key)) is not None
            ):
                return unknown
            reply = build_error_reply(
                400, OVERLAY, f"bedtape: {error}", make_request_id(key), call.dialect
            )
            return Answer(call, reply, "overlay", str(error))

    def _check(self, session: SessionState, call: Call) -> Response | None:
        refusal = self._find_refusal(call)
        return (
            session.responses.find_refusal(call)
            if refusal is None and session.responses
            else refusal
        )

    def _find_refusal(self, call: Call) -> Response | None:
        """Validate the request. Equal requests are validated once."""
        findings = call.findings
        if findings.refusal is None:
            findings.refusal = (find_refusal(call),)
        return findings.refusal[0]
