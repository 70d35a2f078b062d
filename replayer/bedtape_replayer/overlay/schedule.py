"""Which of the matching calls a layer applies to, by counters and seeded probability.

Counters belong to a session (see `session_layers.Layers`), so parallel tests do not
change each other's counters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """times: the maximum number of calls. after: the number of matching calls to skip first. every:
    of the remaining calls the first, then every Nth.

    probability: for each remaining call, seeded by layer, match key and the
    number of calls with that key.
    """

    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0


ALWAYS = Schedule()


class Counter:
    """How many calls matched a layer, and how many the layer applied to."""

    __slots__ = ("fired", "matched")

    def __init__(self) -> None:
        self.matched = 0
        self.fired = 0

    def match(self, schedule: Schedule, draw: Callable[[], float]) -> bool:
        """Counts a matching call, and returns whether the schedule selects the call.

        draw: returns the call's random number from 0 to 1. The caller then calls `record_fired`, or
        `undo_match` if the layer does not apply to the call after all.
        """
        if schedule.times is not None and self.fired >= schedule.times:
            return False
        self.matched += 1
        beyond = self.matched - schedule.after - 1
        if beyond < 0 or beyond % schedule.every:
            return False
        return schedule.probability >= 1 or draw() < schedule.probability

    def record_fired(self) -> None:
        self.fired += 1

    def undo_fired(self) -> None:
        """Counts the call as not matched, because the layer could not act on it."""
        self.fired -= 1
        self.undo_match()

    def undo_match(self) -> None:
        self.matched -= 1
