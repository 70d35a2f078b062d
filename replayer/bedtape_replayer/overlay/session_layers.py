"""The layers of a session in order, with their counters. Selects the layers that apply to a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.model import Response
from bedtape_cassettes.redaction.scrub import scrub_path
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply, build_response_reply
from bedtape_replayer.overlay.candidates import CandidateFinder, Candidates, Refused
from bedtape_replayer.overlay.explain import explain
from bedtape_replayer.overlay.faults.base import FaultContext, derive_seed, draw
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rendered import Occasion, RuleAnswers, RuleMatch
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Counter

# Sessions count the calls of this number of match keys. Then they begin again, because clients choose the requests.
_MOST_KEYS = 1_000_000


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that applies to a call, with its context."""

    fault: Fault
    context: FaultContext


class Layers:
    """The layers of a session: its own layers before the layers of the overlay file, with their counters."""

    def __init__(self, shared: Overlay = NOTHING) -> None:
        self.shared = shared
        self._own = NOTHING
        self._all = shared
        self._candidates = CandidateFinder(shared)
        self._made: dict[str, int] = {}
        self._counters: dict[str, Counter] = {}
        self._memory: dict[str, dict[str, object]] = {}
        self._seen: dict[bytes, int] = {}
        self._counts_keys = _varies(shared)

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def own(self) -> Overlay:
        """The layers that were added to this session."""
        return self._own

    @property
    def effective(self) -> Overlay:
        """The session's own layers, then the layers of the overlay file."""
        return self._all

    def has_layer(self, name: str) -> bool:
        """Whether a layer has this id."""
        return any(layer.id == name for layer in self._all.layers)

    def remove(self, name: str) -> bool:
        """Removes one of the session's own layers. Returns whether the layer existed."""
        own = self._own
        rules = tuple(rule for rule in own.rules if rule.id != name)
        faults = tuple(fault for fault in own.faults if fault.id != name)
        self.replace_own(replace(own, rules=rules, faults=faults))
        return self._own != own

    def replace_own(self, overlay: Overlay) -> None:
        """Replaces the session's own layers. A layer that stays keeps its counters.

        Raises NameTaken, without a change, if two layers would have the same name.
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
            overlay.ids or self.shared.ids,
        )
        self._candidates = CandidateFinder(self._all)
        self._counts_keys = _varies(self._all)
        kept = {
            layer.id for layer in self._all.layers if id(layer) in before
        }  # a new layer may have the name of a removed layer
        self._counters = {name: counter for name, counter in self._counters.items() if name in kept}
        self._memory = {name: memory for name, memory in self._memory.items() if name in kept}

    def add(self, *layers: Rule | Fault) -> None:
        """Adds layers after the session's own layers. Raises NameTaken if a name is in use."""
        rules = tuple(layer for layer in layers if isinstance(layer, Rule))
        faults = tuple(layer for layer in layers if isinstance(layer, Fault))
        own = self._own
        self.replace_own(replace(own, rules=(*own.rules, *rules), faults=(*own.faults, *faults)))

    def next_id(self, kind: str) -> str:
        """Returns an unused id for a new layer, such as rule-3.

        The id is the same in every run, because the seed of a layer contains its id.
        """
        while True:
            self._made[kind] = self._made.get(kind, 0) + 1
            if not self.has_layer(name := f"{kind}-{self._made[kind]}"):
                return name

    def count_fired(self, layer: str) -> int:
        """Returns how many calls the layer applied to."""
        counter = self._counters.get(layer)
        return counter.fired if counter else 0

    def explain(self, call: Call) -> tuple[str, ...]:
        """Returns why each rule and each fault that can answer did not answer the call, one line each."""
        answering = (fault for fault in self._all.faults if fault.kind.replaces)
        layers: tuple[Rule | Fault, ...] = (*self._all.rules, *answering)
        return tuple(explain(layer, call, self._get_counter(layer.id)) for layer in layers)

    def candidates(self, call: Call) -> Candidates:
        """Finds the layers that may match a call, for the `among` parameter of the methods below."""
        return self._candidates(call)

    def count(self, call: Call, key: bytes) -> Occasion:
        """Counts the call among the calls with its match key, if answers vary between equal calls."""
        if not self._counts_keys:
            return Occasion(call, key, 0)
        if len(self._seen) >= _MOST_KEYS:
            self._seen.clear()
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        return Occasion(call, key, seen, seen - 1 if self._all.ids == "unique" else 0)

    def answer_from_fault(self, occasion: Occasion, now: float, among: Candidates | None = None) -> RuleMatch | None:
        """Returns the answer of the first fault that replaces the answer. Later faults do not count the call."""
        call = occasion.call
        among = among or self._candidates(call)
        for fault in among.answering_faults:
            if (context := self._make_context(fault, occasion, now, among)) is not None:
                response = fault.kind.build_answer(call, context)
                if response is not None and self._take(fault, context):
                    return RuleMatch(fault.id, response, _build_reply(occasion, response))
        return None

    def select_faults(
        self, occasion: Occasion, response: Response, now: float, among: Candidates | None = None
    ) -> list[AppliedFault]:
        """Returns the faults that apply to the answer, in order, and counts them."""
        applied = []
        among = among or self._candidates(occasion.call)
        for fault in among.changing_faults:
            if not fault.kind.affects(response):
                continue
            context = self._make_context(fault, occasion, now, among)
            if context is not None and self._take(fault, context):
                applied.append(AppliedFault(fault, context))
        return applied

    def _make_context(self, fault: Fault, occasion: Occasion, now: float, among: Candidates) -> FaultContext | None:
        """Returns the context of the fault, or `None` if the fault does not match the call."""
        if not among.matches(fault, occasion.call) or not fault.kind.applies_to(occasion.call):
            return None
        seed = derive_seed(self._all.seed, fault.id, occasion.key)
        return FaultContext(seed, now, self._memory.setdefault(fault.id, {}), occasion.seen)

    def _take(self, fault: Fault, context: FaultContext) -> bool:
        counter = self._get_counter(fault.id)
        due = counter.match(fault.schedule, context.draw)
        if due:
            counter.record_fired()
        return due

    def undo(self, applied: AppliedFault) -> None:
        """Forgets that a fault applied to a call, because it changed nothing."""
        self._get_counter(applied.fault.id).undo_fired()

    def answer_from_rule(
        self,
        occasion: Occasion,
        answers: RuleAnswers,
        check: Callable[[Call], Response | None] | None = None,
        among: Candidates | None = None,
    ) -> RuleMatch | None:
        """Returns the answer of the first rule that matches. Raises Refused if the answer has no form for the call.

        answers: renders and caches the answers. check: returns Bedrock's error for an invalid request; the error then
        replaces the rule's answer. A rule counts the calls that it answers. It does not count calls that it passes on or
        that the check refuses.
        """
        call = occasion.call
        among = among or self._candidates(call)
        for rule in among.rules:
            if not among.matches(rule, call):
                continue
            counter = self._get_counter(rule.id)
            if not counter.match(rule.schedule, partial(self._draw, rule.id, occasion)):
                continue
            try:
                match = answers.answer(rule, rule.position(counter.fired), occasion, self._all.seed)
            except RenderError as error:
                counter.undo_match()
                raise Refused(f"{rule.id} cannot answer {call.operation or scrub_path(call.path)}: {error}") from None
            if match is None:
                counter.undo_match()
                continue
            if check is not None and (refusal := check(call)) is not None:
                counter.undo_match()
                return RuleMatch("", refusal, _build_reply(occasion, refusal))
            counter.record_fired()
            return match
        return None

    def _draw(self, layer: str, occasion: Occasion) -> float:
        return draw(derive_seed(self._all.seed, layer, occasion.key), occasion.seen)

    def _get_counter(self, layer: str) -> Counter:
        counter = self._counters.get(layer)
        if counter is None:
            counter = self._counters[layer] = Counter()
        return counter


def _varies(overlay: Overlay) -> bool:
    """Whether a layer is different for each call with the same match key."""
    return (
        overlay.ids == "unique"
        or any(layer.schedule.probability < 1 for layer in overlay.layers)
        or any(fault.kind.varies for fault in overlay.faults)
    )


def _build_reply(occasion: Occasion, response: Response) -> Reply:
    return build_response_reply(occasion.call, response, occasion.key, occasion.number)


class NameTaken(ValueError):
    """Two layers would have the same name. Names must be unique because they identify layers to count and remove."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"a layer has the name {name!r} already; choose another name, or remove that layer")
