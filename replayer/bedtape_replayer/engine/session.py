"""The session of a test: choose answers, inject faults, read the calls, make assertions.

The method names are also the names on the `bedrock` fixture. Every method runs in the server's
thread, so that a test reads a consistent state, and a new layer applies from the next call on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias, TypeVar, Unpack

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.call import Call
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.layer_keywords import report_beside_function, split_keywords
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.assertions import (
    assert_all_played,
    assert_all_used,
    assert_cached,
    assert_called,
    assert_not_called,
    assert_sequence,
)
from bedtape_replayer.history.calls import Calls
from bedtape_replayer.history.retries.verdict import Finding, judge_retries
from bedtape_replayer.overlay.document import (
    OverlayInvalid,
    make_json,
    parse_fault,
    parse_overlay,
    parse_rule,
    parse_simulation,
    read_returned,
)
from bedtape_replayer.overlay.keywords import (
    AnswerDict,
    CalledDict,
    ErrorDict,
    ErrorName,
    FaultDict,
    FilterDict,
    RuleDict,
    SimulateDict,
    TurnDict,
)
from bedtape_replayer.overlay.rule import AnswerContent, Rule
from bedtape_replayer.overlay.script import read_turns

__tracebackhide__ = True  # pytest shows the test's own line, not ours
_T = TypeVar("_T")


class SessionServer(Protocol):
    """The server of a session."""

    @property
    def engine(self) -> Engine: ...
    def session_url(self, session: str) -> str: ...
    def run(self, function: Callable[[], _T]) -> _T:
        """Runs a function in the server's thread and returns its result."""

    def run_coroutine(self, coroutine: Awaitable[_T]) -> _T:
        """Runs a coroutine while the server waits, and returns its result."""

    def watch(self, rule: str) -> AbstractContextManager[object]:
        """Logs the name of a rule whose function takes long."""


# The function of a rule. See `respond`.
Returned: TypeAlias = AnswerContent | str | Mapping[str, Any] | None
Responder: TypeAlias = Callable[[Call], Returned | Awaitable[Returned]]


class Session:
    """The overlay, the playback position and the call history of one test. See `Replayer.session`.

    name: the name of the session in the endpoint URL.
    """

    def __init__(self, name: str, server: SessionServer) -> None:
        self.name = name
        self._server = server

    def __repr__(self) -> str:
        """Returns the name and what the session has: `<Session 'a': 2 calls, 1 rule, 0 faults>`."""
        state = self._server.engine.sessions.find(self.name)
        if state is None:
            return f"<{type(self).__name__} {self.name!r}: no calls>"
        layers = state.layers.effective
        counts = (
            (len(state.history), "call"),
            (len(layers.rules), "rule"),
            (len(layers.faults), "fault"),
        )
        return (
            f"<{type(self).__name__} {self.name!r}:"
            f" {', '.join(format_count(*count) for count in counts)}>"
        )

    @property
    def url(self) -> str:
        """The endpoint URL for a client."""
        return self._server.session_url(self.name)

    # -- answers and faults ------------------------------------------------------------------------

    def respond(
        self,
        prompt_contains: str | Responder | None = None,
        text: str | None = None,
        /,
        **rule: Unpack[RuleDict],
    ) -> str:
        """Adds a rule: respond("spam", "yes"), respond("spam", json={...}),
        respond(text="hi", times=2).

        The first argument is a part of the prompt, and the second argument is the text of the
        answer. Conditions are keywords or `when={...}`. If the first argument is a function, also
        an `async` one, the server calls it with each call and waits. The function returns text, an
        answer such as {"tool": {...}}, any other object as JSON text, or None to pass the call on.
        The first rule that matches answers. Returns the name of the rule.

        Raises OverlayInvalid; NameTaken if a layer has the name; TypeError if a prompt is the
        only argument, because respond("hi") could mean a prompt or an answer.
        """
        keywords: dict[str, Any] = {**rule}
        if text is not None:
            _set_once(keywords, "text", text)
        if callable(prompt_contains):
            return self._respond_by(prompt_contains, keywords)
        if callable(keywords.get("text")):
            fix = "write the function first: respond(function, prompt_contains=...)"
            raise OverlayInvalid([Problem.at(("text",), "text", "a function", fix)])
        if prompt_contains is not None:
            _set_once(keywords, "prompt_contains", prompt_contains)
        answers = keywords.pop("answers", None)
        document, answer = split_keywords(keywords)
        if prompt_contains is not None and not answer and answers is None:
            raise TypeError(
                f"respond({prompt_contains!r}) has no answer; write respond({prompt_contains!r},"
                f" TEXT) to answer prompts that contain {prompt_contains!r}, or"
                f" respond(text={prompt_contains!r}) to answer every call"
            )
        if answers is not None:
            document["answers"] = [
                {"text": each} if isinstance(each, str) else each for each in answers
            ]
        if answer or answers is None:
            document["answer"] = answer
        return self._add_rule(document)

    def _respond_by(self, function: Responder, keywords: dict[str, Any]) -> str:
        """Adds a rule whose answer `function` returns. Its conditions are those of any rule."""
        layer, rest = split_keywords(keywords)
        if rest:
            raise OverlayInvalid(map(report_beside_function, rest))
        document = {**layer, "answer": {"text": ""}}

        def make(state: SessionState) -> Rule:
            rule = parse_rule(make_json(document), state.layers.next_id)

            def compute(call: Call) -> AnswerContent | None:
                with self._server.watch(rule.id):
                    returned = function(call)
                    if isawaitable(returned):
                        returned = self._server.run_coroutine(returned)
                return read_returned(
                    make_json(returned) if isinstance(returned, Mapping) else returned,
                    call.operation,
                )

            answer = {"function": getattr(function, "__qualname__", repr(function))}
            return replace(rule, answers=(compute,), document={**rule.document, "answer": answer})

        return self._add(make)

    def script(
        self,
        turns: Sequence[TurnDict | tuple[str, AnswerDict | str]],
        /,
        *,
        template: bool = False,
        allow_unoffered_tools: bool = False,
    ) -> str:
        """Adds a conversation whose turns are expected and answered: script([("weather", {"tool":
        {...}}), ("", "sunny")]).

        A turn is a part of the prompt and an answer, or {"expect": conditions, "answer": answer}.
        Each call must meet the conditions of the next turn. Another call gets an error that shows
        the difference, and a test with the fixture then fails; it also fails if turns are left.
        template, allow_unoffered_tools: as in a rule. Returns the name.

        Raises OverlayInvalid.
        """
        keys = {"template": template, "allow_unoffered_tools": allow_unoffered_tools}
        document = {
            "script": read_turns(turns),
            **{key: True for key, value in keys.items() if value},
        }
        return self._add_rule(document)

    def fail(self, error: ErrorName | str, /, **fault: Unpack[ErrorDict]) -> str:
        """Adds an error as the answer, once unless `times` is given:
        fail("ThrottlingException", times=2).

        With `after_events`, the error is an exception inside the event stream. Returns the name of
        the fault. Raises OverlayInvalid, or NameTaken if a layer has the name.
        """
        return self._fault({"error": error, "times": 1, **fault})

    def fault(self, **fault: Unpack[FaultDict]) -> str:
        """Adds a fault of any kind: fault(latency={"first_byte_ms": 200}),
        fault(reset={"after_events": 2}).

        Each fault has exactly one kind. Returns the name of the fault. Raises OverlayInvalid, or
        NameTaken if a layer has the name.
        """
        return self._fault(fault)

    def _fault(self, keywords: Mapping[str, Any]) -> str:
        layer, kind = split_keywords(keywords)
        return self._add_fault({**layer, **kind})

    def _add_rule(self, document: Mapping[str, Any]) -> str:
        return self._add(lambda state: parse_rule(make_json(document), state.layers.next_id))

    def _add_fault(self, document: Mapping[str, Any]) -> str:
        return self._add(lambda state: parse_fault(make_json(document), state.layers.next_id))

    def _add(self, make: Callable[[SessionState], Any]) -> str:
        def add() -> str:
            state = self._state()
            layer = make(state)
            state.layers.add(layer)
            name: str = layer.id
            return name

        return self._do(add)

    def overlay(self, document: Mapping[str, Any]) -> None:
        """Replaces the session's layers by the layers of a document in the form of an overlay file.

        Raises OverlayInvalid, or NameTaken if the server's overlay file has
        a layer of the same name.
        """
        laid = parse_overlay(make_json(document))
        self._do(lambda: self._state().layers.replace_own(laid))

    def simulate(self, **features: Unpack[SimulateDict]) -> None:
        """Simulates features of the service: True, False or options. Other features are as in the
        overlay file. Another call of `simulate` replaces this one. Raises OverlayInvalid.
        """
        parsed = parse_simulation(make_json(features))
        self._do(lambda: self._state().layers.simulate(parsed))

    def remove(self, name: str) -> None:
        """Removes a rule or fault of the session. Raises KeyError for another name."""
        if not self._do(lambda: self._state().layers.remove(name)):
            raise KeyError(f"the session has no layer of its own named {name!r}")

    # -- calls -------------------------------------------------------------------------------------

    @property
    def calls(self) -> Calls:
        """The calls so far, in the order in which they were sent."""
        return self._do(lambda: self._state().history.calls)

    def assert_called(
        self, prompt_contains: str | None = None, /, **conditions: Unpack[CalledDict]
    ) -> None:
        """Raises CallsMismatch if no call meets the conditions. times,
        at_least, at_most: how many must.
        """
        if prompt_contains is not None:
            conditions["prompt_contains"] = prompt_contains
        self._judge(lambda: assert_called(self.calls, **conditions))

    def assert_not_called(
        self, prompt_contains: str | None = None, /, **conditions: Unpack[FilterDict]
    ) -> None:
        """Raises CallsMismatch if a call meets the conditions."""
        if prompt_contains is not None:
            conditions["prompt_contains"] = prompt_contains
        self._judge(lambda: assert_not_called(self.calls, **conditions))

    def assert_sequence(self, steps: Sequence[FilterDict], *, consecutive: bool = False) -> None:
        """Raises CallsMismatch unless calls meet the steps in this order.

        consecutive: no other call may be between them.
        """
        self._judge(lambda: assert_sequence(self.calls, steps, consecutive=consecutive))

    def assert_all_played(self) -> None:
        """Raises CallsMismatch if a recording was not played."""

        def list_unplayed() -> list[Any]:
            state = self._state()
            return list(state.find_unplayed(state.index(self._server.engine.library)))

        self._judge(lambda: assert_all_played(self._do(list_unplayed)))

    def assert_cached(
        self,
        prompt_contains: str | None = None,
        /,
        *,
        at_least_tokens: int = 1,
        **conditions: Unpack[FilterDict],
    ) -> None:
        """Raises CallsMismatch unless a call that meets the conditions read from a prompt cache."""
        if prompt_contains is not None:
            conditions["prompt_contains"] = prompt_contains
        self._judge(
            lambda: assert_cached(self.calls, at_least_tokens=at_least_tokens, **conditions)
        )

    def assert_all_used(self) -> None:
        """Raises CallsMismatch if a rule or fault of the session did not act."""
        self._judge(lambda: assert_all_used(self.unused))

    @property
    def unused(self) -> tuple[str, ...]:
        """The rules and faults that did not act: `rule-2 (prompt_contains="refund")`."""
        return self._do(lambda: self._state().layers.describe_unused())

    def _judge(self, assertion: Callable[[], object]) -> None:
        """Runs an assertion. A subclass can skip it."""
        assertion()

    @property
    def verdict(self) -> tuple[Finding, ...]:
        """The mistakes that the client made in retrying; empty if it made none."""
        return judge_retries(self.calls)

    # -- the session itself ------------------------------------------------------------------------

    def play(self, cassette: str | None, *, strict: bool | None = None) -> None:
        """Chooses the cassette to play; None for the default. strict: play recordings once."""
        names = {known.name for known in self._server.engine.library.cassettes}
        if cassette is not None and cassette not in names:
            raise ValueError(
                f"expected a cassette among {', '.join(sorted(names)) or 'none'}, found"
                f" {cassette!r}"
            )

        def choose() -> None:
            state = self._state()
            state.cassette, state.strict = cassette, strict

        self._do(choose)

    def advance(self, seconds: float) -> None:
        """Advances the virtual clock of quotas, which all sessions of a server share."""
        self._do(lambda: self._server.engine.clock.advance(seconds))

    def reset(self) -> None:
        """Removes the layers, the playback positions and the calls of the session."""
        self._do(lambda: self._server.engine.sessions.reset(self.name))

    def _state(self) -> SessionState:
        return self._server.engine.sessions.get(self.name)

    def _do(self, function: Callable[[], _T]) -> _T:
        return self._server.run(function)


def _set_once(keywords: dict[str, Any], name: str, value: str) -> None:
    if name in keywords:
        raise TypeError(
            f"respond() got two values for {name!r}: a positional argument and a keyword argument"
        )
    keywords[name] = value
