"""Latency: waits before the first byte and between events, in addition to the recorded pace."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import AddWaits, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum


@dataclass(frozen=True, slots=True)
class Delay(FaultKind):
    """Milliseconds before the head, before each event except the first, and the maximum
    random addition to each wait.

    Jitter is seeded, and is added to waits that are not 0. Raises ValueError if both waits are 0.
    """

    first_byte_ms: int = 0
    between_ms: int = 0
    jitter_ms: int = 0
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(
            0,
            first_byte_ms=self.first_byte_ms,
            between_ms=self.between_ms,
            jitter_ms=self.jitter_ms,
        )
        if not (self.first_byte_ms or self.between_ms):
            raise ValueError(
                "expected milliseconds before the first byte, between events, or both; found none"
            )

    @property
    def varies(self) -> bool:
        return self.jitter_ms > 0

    def affects(self, response: Response) -> bool:  # noqa: ARG002 - errors take their time too
        return True

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit | None:
        if not self.first_byte_ms and len(reply.pieces) < 2:
            return None
        chance = context.call_chance
        first = self._seconds(self.first_byte_ms, chance)
        return AddWaits(
            first, tuple(self._seconds(self.between_ms, chance) for _ in reply.pieces[1:])
        )

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit:  # noqa: ARG002
        chance = context.call_chance
        first = self._seconds(self.first_byte_ms, chance)
        return AddWaits(first, (self._seconds(self.between_ms, chance) for _ in count()))

    def _seconds(self, milliseconds: int, chance: Random) -> float:
        return (milliseconds + chance.uniform(0, self.jitter_ms)) / 1000 if milliseconds else 0.0
