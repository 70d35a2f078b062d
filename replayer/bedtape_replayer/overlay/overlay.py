"""An overlay: rules and faults in order. Values only; `session_layers` applies them to calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.families.family import JsonObject
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.simulation.features import NO_FEATURES, Features, merge_features
from bedtape_replayer.overlay.when import ANY, When

# Whether answers of rules and faults to equal requests have equal ids, or ids of their own.
Ids: TypeAlias = Literal["equal", "unique"]
# The side of a conversation that a fault changes.
Direction: TypeAlias = Literal["output", "input"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: the calls it applies to, and the kind of failure. document: the fault as JSON.
    size: the bytes of that JSON. direction: whether the fault changes the answer or, of a
    conversation, what the client sends.
    """

    id: str
    kind: FaultKind
    when: When = ANY
    schedule: Schedule = ALWAYS
    document: JsonObject = field(default_factory=dict)
    size: int = 0
    direction: Direction = "output"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Rules and faults in the order in which bedtape tries them.

    seed: the seed of all random choices. ids: the ids of answers to equal requests; `None` if the
    overlay does not set it. features: the simulated features of the service.
    """

    rules: tuple[Rule, ...] = ()
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    ids: Ids | None = None
    features: Features = NO_FEATURES

    def __bool__(self) -> bool:
        return bool(self.rules or self.faults or self.features)

    @property
    def layers(self) -> tuple[Rule | Fault, ...]:
        """The rules, then the faults."""
        return (*self.rules, *self.faults)

    def with_ids(self, ids: Ids) -> Overlay:
        """Returns the overlay with these ids, unless it sets `ids` itself."""
        return self if self.ids else replace(self, ids=ids)

    def with_features(self, features: Features) -> Overlay:
        """Returns the overlay with these simulated features too, after its own features."""
        return replace(self, features=merge_features(features, self.features)) if features else self


NOTHING = Overlay()


def parse_ids(ids: Ids) -> Ids:
    """Returns the value. Raises ValueError for another value."""
    if ids not in get_args(Ids):
        raise ValueError(f"expected ids to be one of {', '.join(get_args(Ids))}, found {ids!r}")
    return ids
