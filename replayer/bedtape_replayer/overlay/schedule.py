"""Which of the calls that a layer is about it takes: counted, and by chance that is seeded.

Counters belong to a session (see `laid.Layers`), so parallel tests do not move each other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["ALWAYS", "Counter", "Schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """times: at most so many. after: not the first so many. every: of the rest the first, then every Nth.

    probability: of each that is left, seeded by session, layer and call number.
    """

    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0


ALWAYS = Schedule()


class Counter:
    """How many calls a layer was about, and how many of them it took."""

    __slots__ = ("fired", "matched")

    def __init__(self) -> None:
        self.matched = 0
        self.fired = 0

    def match(self, schedule: Schedule, chance: Random) -> bool:
        """Whether the layer takes the call that it was just found to be about. Counts it as one that it is about.

        Whoever then takes it says so (`took`), or takes that back (`passed`), as if it had not been about it.
        """
        if schedule.times is not None and self.fired >= schedule.times:
            return False
        self.matched += 1
        beyond = self.matched - schedule.after - 1
        if beyond < 0 or beyond % schedule.every:
            return False
        return schedule.probability >= 1 or chance.random() < schedule.probability

    def count_fired(self) -> None:
        self.fired += 1

    def undo_match(self) -> None:
        self.matched -= 1
