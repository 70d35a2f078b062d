"""A session as a test holds it: choose answers, inject faults, look at the calls, assert.

The names are those of the `bedrock` fixture. Everything runs in the server's own thread, so that what a test sees is
whole, and what it lays counts from the next call on.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar, Unpack

from bedtape_cassettes.errors import Problem
from bedtape_replayer.answering.call import Call
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.assertions import assert_all_played, assert_called, assert_not_called, assert_sequence
from bedtape_replayer.history.calls import Calls
from bedtape_replayer.history.retries.verdict import Finding, verdict
from bedtape_replayer.overlay.document import OverlayInvalid, fault_of, overlay_of, rule_of
from bedtape_replayer.overlay.keywords import Failing, Faulting, Responding
from bedtape_replayer.overlay.rule import Given, Rule
from bedtape_replayer.overlay.schema import SCHEDULE, WHEN

__all__ = ["Session"]

__tracebackhide__ = True  # pytest shows the test's own line, not ours
_T = TypeVar("_T")


class Running(Protocol):
    """The server that a session is on."""

    @property
    def engine(self) -> Engine: ...
    def session_url(self, session: str) -> str: ...
    def run(self, function: Callable[[], _T]) -> _T:
        """Runs a function in the server's thread and gives what it gave."""


_LAYER = ("name", "family", "answers")


class Session:
    """One test's own overlay, playback position and call history. See `Replayer.session`.

    name: what names it in the endpoint.
    """

    def __init__(self, name: str, server: Running) -> None:
        self.name = name
        self._server = server

    @property
    def url(self) -> str:
        """The endpoint to give to a client."""
        return self._server.session_url(self.name)

    # -- answers and faults ------------------------------------------------------------------------------------

    def respond(
        self,
        prompt_contains: str | Callable[[Call], Given | str | dict[str, Any] | None] | None = None,
        /,
        **rule: Unpack[Responding],
    ) -> str:
        """Answers calls from now on: respond("spam", json={...}), respond(text="hi", model="*nova*", times=2).

        A function in place of the prompt is called with each call (in the server's thread) and returns text, an object,
        content, or None to pass. The first rule that matches answers. Returns the rule's name.

        Raises OverlayInvalid, or NameTaken where a layer has its name.
        """
        told: dict[str, Any] = dict(rule)
        if callable(prompt_contains):
            return self._respond_by(prompt_contains, told)
        if prompt_contains is not None:
            told["prompt_contains"] = prompt_contains
        document = _layer(told)
        answers = told.get("answers")
        if answers is not None:
            document["answers"] = [{"text": answer} if isinstance(answer, str) else answer for answer in answers]
        if (answer := _rest(told)) or answers is None:
            document["answer"] = answer
        return self._add(lambda state: rule_of(_plain(document), state.layers.next_id))

    def _respond_by(self, function: Callable[[Call], Any], told: dict[str, Any]) -> str:
        """A rule whose answer is computed: its conditions are checked as those of any other."""
        if beside := _rest(told):
            raise OverlayInvalid(map(_beside_function, beside))
        document = {**_layer(told), "answer": {"text": ""}}

        def made(state: SessionState) -> Rule:
            rule = rule_of(_plain(document), state.layers.next_id)
            name = getattr(function, "__qualname__", repr(function))
            return Rule(
                rule.id, (function,), rule.when, rule.schedule, rule.family, {**rule.told, "answer": {"function": name}}
            )

        return self._add(made)

    def fail(self, error: str, /, **fault: Unpack[Failing]) -> str:
        """Makes calls fail, once if `times` does not say otherwise: fail("ThrottlingException", times=2).

        With after_events it is a mid-stream exception. Returns the fault's name. Raises OverlayInvalid.
        """
        return self._fault({"error": error, "times": 1, **fault})

    def fault(self, **fault: Unpack[Faulting]) -> str:
        """Harms answers in any other way: fault(latency={"first_byte_ms": 200}), fault(reset={"after_events": 2})."""
        return self._fault(dict(fault))

    def _fault(self, told: dict[str, Any]) -> str:
        document = {**_layer(told), **_rest(told)}
        return self._add(lambda state: fault_of(_plain(document), state.layers.next_id))

    def _add(self, make: Callable[[SessionState], Any]) -> str:
        def add() -> str:
            state = self._state()
            layer = make(state)
            state.layers.add(layer)
            name: str = layer.id
            return name

        return self._do(add)

    def overlay(self, document: Mapping[str, Any]) -> None:
        """Replaces the session's layers by those of a document, as an overlay file has them.

        Raises OverlayInvalid, or NameTaken where the server's overlay file has a layer of the same name.
        """
        laid = overlay_of(_plain(document))
        self._do(lambda: self._state().layers.lay(laid))

    def remove(self, name: str) -> None:
        """Removes a rule or fault by its name. Raises KeyError where there is none."""
        if not self._do(lambda: self._state().layers.remove(name)):
            raise KeyError(f"the session has no layer of its own named {name!r}")

    # -- calls -------------------------------------------------------------------------------------------------

    @property
    def calls(self) -> Calls:
        """The calls so far, in the order in which they were sent."""
        return self._do(lambda: self._state().history.calls)

    def assert_called(self, prompt_contains: str | None = None, /, **conditions: Any) -> None:
        """Fails where no call was so; times, at_least and at_most say how many must have been."""
        if prompt_contains is not None:
            conditions["prompt_contains"] = prompt_contains
        assert_called(self.calls, **conditions)

    def assert_not_called(self, prompt_contains: str | None = None, /, **conditions: Any) -> None:
        """Fails where any call was so."""
        if prompt_contains is not None:
            conditions["prompt_contains"] = prompt_contains
        assert_not_called(self.calls, **conditions)

    def assert_sequence(self, steps: Sequence[Mapping[str, Any]], **how: Any) -> None:
        """Fails where there are no calls that are so, in this order."""
        assert_sequence(self.calls, steps, **how)

    def assert_all_played(self) -> None:
        """Fails where a recording was never asked for."""

        def unplayed() -> list[Any]:
            state = self._state()
            return list(state.unplayed(state.index(self._server.engine.library)))

        assert_all_played(self._do(unplayed))

    @property
    def verdict(self) -> tuple[Finding, ...]:
        """What the code did wrong in retrying; empty where it did well."""
        return tuple(verdict(self.calls))

    # -- the session itself ------------------------------------------------------------------------------------

    def play(self, cassette: str | None, *, strict: bool | None = None) -> None:
        """Chooses the cassette to play from; None for the usual choice. strict: play each recording once."""
        names = {known.name for known in self._server.engine.library.cassettes}
        if cassette is not None and cassette not in names:
            raise ValueError(f"expected a cassette among {', '.join(sorted(names)) or 'none'}, found {cassette!r}")

        def choose() -> None:
            state = self._state()
            state.cassette, state.strict = cassette, strict

        self._do(choose)

    def advance(self, seconds: float) -> None:
        """Moves the virtual clock on, by which quotas count; it is the whole server's."""
        self._do(lambda: self._server.engine.clock.advance(seconds))

    def reset(self) -> None:
        """Forgets layers, positions and calls: as if it had never been used."""
        self._do(lambda: self._server.engine.sessions.reset(self.name))

    def _state(self) -> SessionState:
        return self._server.engine.sessions.get(self.name)

    def _do(self, function: Callable[[], _T]) -> _T:
        return self._server.run(function)


def _layer(told: dict[str, Any]) -> dict[str, Any]:
    """What all layers have: their conditions, schedule and names."""
    document = {key: value for key, value in told.items() if key in SCHEDULE or key in ("name", "family")}
    if when := {key: value for key, value in told.items() if key in WHEN}:
        document["when"] = when
    return document


def _rest(told: dict[str, Any]) -> dict[str, Any]:
    """What only this kind of layer has."""
    return {key: value for key, value in told.items() if key not in SCHEDULE and key not in WHEN and key not in _LAYER}


def _beside_function(name: str) -> Problem:
    near = get_close_matches(name, [*WHEN, *SCHEDULE, *_LAYER], n=1)
    fix = f"did you mean {near[0]}?" if near else "let the function return it"
    return Problem.at((name,), "conditions and a schedule beside a function", name, fix)


def _plain(value: Any) -> Any:
    """Any mapping and sequence as JSON has them, and bytes as base64."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
