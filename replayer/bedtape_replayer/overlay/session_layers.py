"""The layers of a session in their order, and what they have counted. Which of them take a call is decided here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random

from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.candidates import CandidateFinder, Candidates
from bedtape_replayer.overlay.faults.base import FaultContext
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Counter

__all__ = ["AppliedFault", "Layers", "NameTaken", "Refused", "RuleMatch"]


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that happens to a call, and its context."""

    fault: Fault
    context: FaultContext


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What a layer answered: its id, and the response."""

    layer: str
    response: Response


class Layers:
    """A session's layers: its own before those of the overlay file, and what all of them have counted."""

    def __init__(self, shared: Overlay = NOTHING) -> None:
        self.shared = shared
        self._own = NOTHING
        self._all = shared
        self._candidates = CandidateFinder(shared)
        self._made: dict[str, int] = {}
        self._counters: dict[str, Counter] = {}
        self._memory: dict[str, dict[str, object]] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def own(self) -> Overlay:
        """Those of the session alone."""
        return self._own

    @property
    def effective(self) -> Overlay:
        """Its own, then those of the overlay file, in the order in which they are asked."""
        return self._all

    def has_layer(self, name: str) -> bool:
        """Whether a layer has this id."""
        return any(layer.id == name for layer in self._all.layers)

    def remove(self, name: str) -> bool:
        """Removes a layer of its own; whether it was there."""
        own = self._own
        rules = tuple(rule for rule in own.rules if rule.id != name)
        faults = tuple(fault for fault in own.faults if fault.id != name)
        self.replace_own(replace(own, rules=rules, faults=faults))
        return self._own != own

    def replace_own(self, overlay: Overlay) -> None:
        """Replaces the session's own layers; what layers that stay have counted stays too.

        Raises NameTaken where two layers would have one name, and changes nothing then.
        """
        names = [layer.id for kind in (overlay, self.shared) for layer in kind.layers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise NameTaken(twice)
        before = {id(layer) for layer in self._all.layers}
        self._own = overlay
        self._all = Overlay(
            (*overlay.rules, *self.shared.rules),
            (*overlay.faults, *self.shared.faults),
            overlay.seed or self.shared.seed,
        )
        self._candidates = CandidateFinder(self._all)
        kept = {layer.id for layer in self._all.layers if id(layer) in before}  # not another that took its name
        self._counters = {name: counter for name, counter in self._counters.items() if name in kept}
        self._memory = {name: memory for name, memory in self._memory.items() if name in kept}

    def add(self, *layers: Rule | Fault) -> None:
        """Adds to the session's own layers, after those that are there. Raises NameTaken as `lay` does."""
        rules = tuple(layer for layer in layers if isinstance(layer, Rule))
        faults = tuple(layer for layer in layers if isinstance(layer, Fault))
        own = self._own
        self.replace_own(replace(own, rules=(*own.rules, *rules), faults=(*own.faults, *faults)))

    def next_id(self, kind: str) -> str:
        """A name for a new layer that none has, `rule-3`: the same in every run, for chance depends on it."""
        while True:
            self._made[kind] = self._made.get(kind, 0) + 1
            if not self.has_layer(name := f"{kind}-{self._made[kind]}"):
                return name

    def count_fired(self, layer: str) -> int:
        """How many calls a layer took."""
        counter = self._counters.get(layer)
        return counter.fired if counter else 0

    def candidates(self, call: Call) -> Candidates:
        """The layers that may take a call, to be handed to those below."""
        return self._candidates(call)

    def answer_from_fault(self, call: Call, now: float, among: Candidates | None = None) -> RuleMatch | None:
        """The answer of the first fault that replaces every other; the others are not counted."""
        for fault in (among or self._candidates(call)).answering_faults:
            if (context := self._make_context(fault, call, now)) is not None:
                response = fault.kind.build_answer(call, context)
                if response is not None and self._take(fault, context):
                    return RuleMatch(fault.id, response)
        return None

    def apply_faults(
        self, call: Call, response: Response, now: float, among: Candidates | None = None
    ) -> list[AppliedFault]:
        """The faults that happen to an answer, in order."""
        applied = []
        for fault in (among or self._candidates(call)).changing_faults:
            if not fault.kind.affects(response):
                continue
            if (context := self._make_context(fault, call, now)) is not None and self._take(fault, context):
                applied.append(AppliedFault(fault, context))
        return applied

    def _make_context(self, fault: Fault, call: Call, now: float) -> FaultContext | None:
        """The moment of a fault that is about this call."""
        if not fault.when.matches(call) or not fault.kind.applies_to(call):
            return None
        return FaultContext(self._make_chance(call, fault.id), now, self._memory.setdefault(fault.id, {}))

    def _take(self, fault: Fault, context: FaultContext) -> bool:
        counter = self._get_counter(fault.id)
        due = counter.match(fault.schedule, context.chance)
        if due:
            counter.count_fired()
        return due

    def answer_from_rule(
        self,
        call: Call,
        check: Callable[[Call], Response | None] | None = None,
        among: Candidates | None = None,
    ) -> RuleMatch | None:
        """What the first rule that takes the call gives. Raises Refused where it has no form for it.

        check: what Bedrock would refuse in a request that a rule would answer; then that is the answer, of no layer.
        A rule counts what it answers: not what it passes on, and not what is refused.
        """
        for rule in (among or self._candidates(call)).rules:
            if not rule.when.matches(call):
                continue
            chance, counter = self._make_chance(call, rule.id), self._get_counter(rule.id)
            if not counter.match(rule.schedule, chance):
                continue
            try:
                response = rule.respond(call, counter.fired + 1, chance)
            except RenderError as error:
                counter.undo_match()
                raise Refused(f"{rule.id} cannot answer {call.operation or call.path}: {error}") from None
            if response is None:
                counter.undo_match()
                continue
            if check is not None and (refusal := check(call)) is not None:
                counter.undo_match()
                return RuleMatch("", refusal)
            counter.count_fired()
            return RuleMatch(rule.id, response)
        return None

    def _get_counter(self, layer: str) -> Counter:
        counter = self._counters.get(layer)
        if counter is None:
            counter = self._counters[layer] = Counter()
        return counter

    def _make_chance(self, call: Call, layer: str) -> Random:
        """Chance for one layer and call, whatever other sessions do meanwhile."""
        seed = f"{self._all.seed}/{call.session}/{layer}/{call.number}".encode()
        return Random(blake2b(seed, digest_size=16).digest())  # noqa: S311 - reproducible is what it must be


class Refused(Exception):
    """A layer cannot do what it says to this call: the overlay must be fixed, not the client's code."""


class NameTaken(ValueError):
    """Two layers would have one name, by which they are counted and removed."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"a layer is named {name!r} already; name this one otherwise, or remove that one")
