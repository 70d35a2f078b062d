"""An overlay: rules and faults in order. Values only; `session_layers` applies them to calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from bedtape_cassettes.families.family import JsonObject
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.when import ANY, When


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: the calls it applies to, and the kind of failure. document: the fault as JSON."""

    id: str
    kind: FaultKind
    when: When = ANY
    schedule: Schedule = ALWAYS
    document: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Rules and faults in the order in which bedtape tries them. seed: the seed of all random choices."""

    rules: tuple[Rule, ...] = ()
    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def __bool__(self) -> bool:
        return bool(self.rules or self.faults)

    @property
    def layers(self) -> tuple[Rule | Fault, ...]:
        """The rules, then the faults."""
        return (*self.rules, *self.faults)


NOTHING = Overlay()
