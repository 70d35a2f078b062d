"""Which of the calls that a layer is about it takes: counted, and by chance that is seeded.

Counters belong to a session (see `overlay.Layers`), so parallel tests do not move each other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["ALWAYS", "Counter", "Schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """times: at most so many. after: not the first so many. every: of the rest the first, then each so-manieth.

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

    def fires(self, schedule: Schedule, chance: Random) -> bool:
        """Whether the layer takes the call that it was just found to be about; counts it."""
        if schedule.times is not None and self.fired >= schedule.times:
            return False
        self.matched += 1
        beyond = self.matched - schedule.after - 1
        if beyond < 0 or beyond % schedule.every:
            return False
        if schedule.probability < 1 and chance.random() >= schedule.probability:
            return False
        self.fired += 1
        return True
