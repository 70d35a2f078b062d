"""The layers of a session in order, with counters. Selects the layers that apply to a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.model import Response
from bedtape_cassettes.operations import DUPLEX, TOKEN_COUNTS
from bedtape_cassettes.redaction.scrub import scrub_path
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.reply import Reply, build_response_reply
from bedtape_replayer.overlay.candidates import CandidateFinder, Candidates, LayerError
from bedtape_replayer.overlay.explain import describe, explain
from bedtape_replayer.overlay.faults.base import FaultContext, derive_seed, draw
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.rule_answers import Occasion, RuleAnswers, RuleMatch
from bedtape_replayer.overlay.schedule import ALWAYS, Counter
from bedtape_replayer.overlay.simulation.features import Features, merge_features

# Sessions count the calls of this number of match keys. Then they begin again, because
# clients choose the requests.
_MOST_KEYS = 1_000_000
# The memory of a counted key, of a layer without its JSON, and the multiple of its JSON's bytes
# that a layer takes. Measured.
_KEY_BYTES, _LAYER_BYTES, _JSON_FACTOR = 160, 1_500, 8


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that applies to a call, with its context."""

    fault: Fault
    context: FaultContext


class Layers:
    """The layers of a session: its own layers before the layers of the overlay
    file, with their counters.

    memory: counts the session's own layers, the counted match keys and the kept candidates.
    """

    def __init__(self, shared: Overlay = NOTHING, memory: Memory | None = None) -> None:
        self.shared = shared
        self._counted = memory or Memory()
        self._own_bytes = 0
        self._own = NOTHING
        self._set_effective(shared)
        self._made: dict[str, int] = {}
        self._counters: dict[str, Counter] = {}
        # The rules that acted on a call without using up an answer: the call was invalid, was
        # refused or only counted tokens, or the answer had no form for the call.
        self._acted: set[str] = set()
        self._memory: dict[str, dict[str, object]] = {}
        self._seen: dict[bytes, int] = {}

    def _set_effective(self, overlay: Overlay) -> None:
        """Set the effective layers, and what is found out about them once for all calls."""
        self._all = overlay
        self._any = bool(overlay)
        self.candidates = CandidateFinder(overlay, self._counted)
        self._counts_keys = _varies(overlay)
        self._rule_features = _merge_rules(overlay)
        self.simulates = bool(self._rule_features) or bool(overlay.features)

    def __bool__(self) -> bool:
        return self._any

    @property
    def own(self) -> Overlay:
        """The layers that were added to this session."""
        return self._own

    @property
    def effective(self) -> Overlay:
        """The session's own layers, then the layers of the overlay file."""
        return self._all

    @property
    def features(self) -> Features:
        """The simulated features of the service."""
        return self._all.features

    def features_of(self, layer: str | None) -> Features:
        """The simulated features for the answers of a rule, or those of the session."""
        return self._rule_features.get(layer or "", self._all.features)

    def family_of(self, layer: str | None) -> str | None:
        """The model family that a rule names."""
        return next((rule.family for rule in self._all.rules if rule.id == layer), None)

    def has_layer(self, name: str) -> bool:
        """Whether a layer has this id."""
        return any(layer.id == name for layer in self._all.layers)

    def simulate(self, features: Features) -> None:
        """Replaces the session's own features of the service.

        The features that they do not name stay those of the file.
        """
        self.replace_own(replace(self._own, features=features))

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
        kept_bytes = sum(map(_measure_layer, overlay.layers))
        self._counted.used += kept_bytes - self._own_bytes
        self._own, self._own_bytes = overlay, kept_bytes
        self.candidates.clear()
        self._set_effective(
            Overlay(
                (*overlay.rules, *self.shared.rules),
                (*overlay.faults, *self.shared.faults),
                overlay.seed or self.shared.seed,
                overlay.ids or self.shared.ids,
                merge_features(self.shared.features, overlay.features),
            )
        )
        kept = {
            layer.id for layer in self._all.layers if id(layer) in before
        }  # a new layer may have the name of a removed layer
        self._counters = {name: counter for name, counter in self._counters.items() if name in kept}
        self._memory = {name: memory for name, memory in self._memory.items() if name in kept}
        self._acted &= kept

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """How many calls matched each layer, and how many it applied to."""
        return {name: (each.matched, each.fired) for name, each in self._counters.items()}

    def set_counts(self, layer: str, matched: int | None, fired: int | None) -> None:
        """Set the counts of a layer, as another server has counted. None: as it is."""
        counter = self.get_counter(layer)
        counter.matched = counter.matched if matched is None else matched
        counter.fired = counter.fired if fired is None else fired

    def count_seen(self, key: bytes) -> int:
        """Returns how many calls had a match key, if answers vary between equal calls."""
        return self._seen.get(key, 0)

    def set_seen(self, key: bytes, seen: int) -> None:
        """Set the number of calls with a match key, as another server has counted."""
        self._counted.used += 0 if key in self._seen else _KEY_BYTES
        self._seen[key] = seen

    def dump_memory(self) -> tuple[dict[str, dict[str, object]], tuple[str, ...], dict[str, int]]:
        """Returns what faults remember, the rules that acted without using up an answer, and
        how many ids were made.
        """
        memory = {name: values for name, values in self._memory.items() if values}
        return memory, tuple(sorted(self._acted)), self._made

    def load_memory(
        self, memory: dict[str, dict[str, object]], acted: tuple[str, ...], made: dict[str, int]
    ) -> None:
        """Replace what `dump_memory` returns."""
        self._memory, self._acted, self._made = memory, set(acted), made

    def release(self) -> None:
        """Subtract the layers from the counted memory. Nothing uses them after this."""
        self.candidates.clear()
        self._counted.used -= self._own_bytes + len(self._seen) * _KEY_BYTES
        self._own_bytes = 0
        self._seen.clear()

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

    @property
    def unused(self) -> tuple[Rule | Fault, ...]:
        """The session's own layers that did not apply to any call, and scripts with
        turns that did not come.

        A rule whose answer was refused did apply, and so did a rule that only counted tokens.
        """
        layers = (
            layer
            for layer in self._own.layers
            if layer.id not in self._acted or _count_needed(layer) > 1
        )
        return tuple(layer for layer in layers if self.count_fired(layer.id) < _count_needed(layer))

    def describe_unused(self) -> tuple[str, ...]:
        """Returns the descriptions of the layers in `unused`."""
        return tuple(describe(layer, self.count_fired(layer.id)) for layer in self.unused)

    def list_unused(self) -> Iterator[tuple[Rule | Fault, str]]:
        """Yields the layers in `unused`, each with a line for the report of a test."""
        for layer, text in zip(self.unused, self.describe_unused(), strict=True):
            yield layer, f"{'did not end' if _count_needed(layer) > 1 else 'never acted'}: {text}"

    def explain(self, call: Call) -> tuple[str, ...]:
        """Returns, in a line each, why the rules and faults that can answer did not."""
        answering = (fault for fault in self._all.faults if fault.kind.replaces)
        layers: tuple[Rule | Fault, ...] = (*self._all.rules, *answering)
        return tuple(explain(layer, call, self.get_counter(layer.id)) for layer in layers)

    def count(self, call: Call, key: bytes) -> Occasion:
        """Counts the call with its match key, if answers vary between equal calls."""
        if not self._counts_keys:
            return Occasion(call, key, 0)
        seen = self._seen.get(key, 0) + 1
        if seen == 1:
            if len(self._seen) >= _MOST_KEYS:
                self._counted.used -= len(self._seen) * _KEY_BYTES
                self._seen.clear()
            self._counted.used += _KEY_BYTES
        self._seen[key] = seen
        return Occasion(call, key, seen, seen - 1 if self._all.ids == "unique" else 0)

    def answer_from_fault(
        self, occasion: Occasion, now: float, among: Candidates | None = None
    ) -> RuleMatch | None:
        """Returns the answer of the first fault that replaces it. Later faults count no call."""
        call = occasion.call
        among = among or self.candidates(call)
        for fault in among.answering_faults:
            if (context := self._make_context(fault, occasion, now, among)) is not None:
                response = fault.kind.build_answer(call, context)
                if response is not None and self._take(fault, context):
                    return RuleMatch(
                        fault.id, response, _build_reply(occasion, response), fault.kind.error_name
                    )
        return None

    def select_faults(
        self, occasion: Occasion, response: Response, now: float, among: Candidates | None = None
    ) -> list[AppliedFault]:
        """Returns the faults that apply to the answer, in order, and counts them."""
        applied = []
        among = among or self.candidates(occasion.call)
        for fault in among.changing_faults:
            if not fault.kind.affects(response):
                continue
            context = self._make_context(fault, occasion, now, among)
            if context is not None and self._take(fault, context):
                applied.append(AppliedFault(fault, context))
        return applied

    def _make_context(
        self, fault: Fault, occasion: Occasion, now: float, among: Candidates
    ) -> FaultContext | None:
        """Returns the context of the fault, or `None` if the fault does not match the call."""
        call = occasion.call
        if not among.matches(fault, call) or not fault.kind.applies_to(call):
            return None
        if fault.direction == "input" and call.operation not in DUPLEX:
            return None
        seed = derive_seed(self._all.seed, fault.id, occasion.key)
        return FaultContext(seed, now, self._memory.setdefault(fault.id, {}), occasion.seen)

    def _take(self, fault: Fault, context: FaultContext) -> bool:
        counter = self.get_counter(fault.id)
        due = counter.match(fault.schedule, context.draw)
        if due:
            counter.record_fired()
        return due

    def undo(self, applied: AppliedFault) -> None:
        """Forgets that a fault applied to a call, because it changed nothing."""
        self.get_counter(applied.fault.id).undo_fired()

    def answer_from_rule(
        self,
        occasion: Occasion,
        answers: RuleAnswers,
        check: Callable[[Call], Response | None] | None = None,
        refuse: Callable[[Features, str | None], RuleMatch | None] | None = None,
        among: Candidates | None = None,
    ) -> RuleMatch | None:
        """Returns the answer of the first rule that matches.

        Raises LayerError if the answer has no form for the call.

        answers: renders and caches the answers. check: returns Bedrock's error for an invalid
        request; the error then replaces the rule's answer. refuse: returns the answer of simulated
        features to a valid request that no model gets; a function that would answer such a request
        is not called. A rule counts the calls that it answers. It does not count calls that it
        passes on or that are refused. Unless the rule names operations, a call that counts tokens
        changes none of its counters, because frameworks ask for a count before the answer.
        """
        call = occasion.call
        counts_tokens = call.operation in TOKEN_COUNTS
        among = among or self.candidates(call)
        for rule in among.rules:
            if not among.matches(rule, call):
                continue
            counter = self.get_counter(rule.id)
            is_counted = not counts_tokens or rule.when.names_operations
            matched = counter.matched
            if rule.schedule is ALWAYS:
                counter.matched += 1
            elif not counter.match(rule.schedule, partial(self._draw, rule.id, occasion)):
                if not is_counted:
                    counter.matched = matched
                continue
            # before a function is called, because the model would not get the request
            refused = None
            if (
                refuse is not None
                and (features := self.features_of(rule.id))
                and rule.may_answer(counter.fired, call)
                and (check is None or check(call) is None)
            ):
                refused = refuse(features, rule.family)
            try:
                match = refused or answers.answer(rule, counter.fired, occasion, self._all.seed)
            except RenderError as error:
                counter.undo_match()
                self._acted.add(rule.id)
                raise LayerError(
                    f"{rule.id} cannot answer {call.operation or scrub_path(call.path)}: {error}"
                ) from None
            if match is None:
                counter.undo_match()
                continue
            if check is not None and (refusal := check(call)) is not None:
                counter.undo_match()
                self._acted.add(rule.id)
                return RuleMatch("", refusal, _build_reply(occasion, refusal))
            if refused is not None:
                counter.undo_match()
                self._acted.add(rule.id)
                return refused
            if is_counted:
                counter.record_fired()
            else:
                counter.undo_match()
                self._acted.add(rule.id)
            return match
        return None

    def answers_alike(self, call: Call, layer: str | None) -> bool:
        """Returns whether this rule (`None`: no layer) decides the answers to all calls that equal
        this one, until the layers change, and counting them changes its own counter alone.
        """
        among = self.candidates(call)
        if self.simulates or self._counts_keys or among.answering_faults or among.changing_faults:
            return False
        for rule in among.rules:
            if rule.when.concerns_calls:
                return False
            if among.matches(rule, call):
                return rule.id == layer and rule.schedule is ALWAYS and len(rule.answers) == 1
        return layer is None

    def _draw(self, layer: str, occasion: Occasion) -> float:
        return draw(derive_seed(self._all.seed, layer, occasion.key), occasion.seen)

    def get_counter(self, layer: str) -> Counter:
        """Returns the counter of a layer, which is the same object until the layer is removed."""
        counter = self._counters.get(layer)
        if counter is None:
            counter = self._counters[layer] = Counter()
        return counter


def _measure_layer(layer: Rule | Fault) -> int:
    """Return the approximate size of a layer in memory: document, conditions and answers."""
    return _LAYER_BYTES + _JSON_FACTOR * layer.size


def _count_needed(layer: Rule | Fault) -> int:
    """How many calls a layer must apply to."""
    return layer.needed if isinstance(layer, Rule) else 1


def _varies(overlay: Overlay) -> bool:
    """Whether a layer is different for each call with the same match key."""
    return (
        overlay.ids == "unique"
        or any(layer.schedule.probability < 1 for layer in overlay.layers)
        or any(fault.kind.varies for fault in overlay.faults)
    )


def _merge_rules(overlay: Overlay) -> dict[str, Features]:
    """The features of the rules that have features of their own."""
    return {
        rule.id: merge_features(overlay.features, rule.features)
        for rule in overlay.rules
        if rule.features.document
    }


def _build_reply(occasion: Occasion, response: Response) -> Reply:
    return build_response_reply(occasion.call, response, occasion.key, occasion.number)


class NameTaken(ValueError):
    """Two layers would have the same name.

    Names must be unique because they identify layers to count and remove.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"a layer has the name {name!r} already; choose another name, or remove that layer"
        )
