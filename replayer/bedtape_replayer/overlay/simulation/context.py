"""The base class of features, and the context that a feature gets: the call, the state of the
session and the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from bedtape_cassettes.families.content import Message, Prompt
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.requests.prompt_parts import Part, count_tokens, list_parts
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.simulation.guardrails.store import GuardrailStore
from bedtape_replayer.overlay.simulation.state import Caches, SimulationState, Usage


class Chance(Random):
    """Random numbers for an answer.

    pieces: the deltas of the answer's text; empty if the model family chooses the deltas.
    """

    pieces: tuple[str, ...] = ()


class Feature:
    """A feature of the service. Each method does nothing unless the feature overrides it."""

    __slots__ = ()

    def refuse(self, context: Context) -> Response | None:
        """Return the answer to a request that the service does not give to the model, or None.

        The method changes the state of the session only if it returns an answer, because a rule
        may pass the call on.
        """

    def accept(self, context: Context, *, blocked: bool = False) -> None:
        """Count a request that no feature refuses. blocked: whether a guardrail answers it."""

    def change(self, message: Message, context: Context) -> Message:  # noqa: ARG002
        """Return the answer of the model as the service sends it."""
        return message


@dataclass(eq=False)
class Context:
    """One call, while features act on the call and on its answer.

    now: seconds of the virtual clock. notes: descriptions of the simulated effects, for the
    history. error: Bedrock's name of the error that a feature answers with. state: the state of
    the session's features. seed: makes the ids of a feature's answer. source: the source of the
    answer; None before there is an answer. family: the model family, if the rule names one.
    """

    call: Call
    now: float = 0.0
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    state: SimulationState = field(default_factory=SimulationState)
    seed: bytes = b""
    source: Source | None = None
    family: str | None = None

    @property
    def caches(self) -> Caches:
        return self.state.caches

    @property
    def guardrails(self) -> GuardrailStore:
        return self.state.guardrails

    @property
    def usage(self) -> Usage:
        return self.state.usage

    @property
    def prompt(self) -> Prompt:
        return self.call.prompt

    @property
    def model(self) -> str:
        """The model id; empty if the request has none."""
        return self.call.model or ""

    @property
    def body(self) -> JsonObject:
        """The body of the request; an empty object if the body is not an object."""
        body = self.call.json
        return body if isinstance(body, dict) else {}

    @lazy_property
    def parts(self) -> list[Part]:
        """The parts of the request."""
        return list_parts(self.body, self.prompt)

    @property
    def input_tokens(self) -> int:
        """The estimated number of tokens of the request, with its tools."""
        return count_tokens(self.parts)

    def refuse(self, message: str, note: str, error: str = "ValidationException") -> Response:
        """Return an error of the service, and keep its name and the note."""
        self.notes.append(note)
        self.error = error
        return Failure(error, message).build_response(self.call.dialect, self.call.service)
