"""Latency: waits before the first byte and between events, on top of what the recorded pace says at any speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.steps import Send, Start, Step, Wait
from bedtape_replayer.overlay.faults.base import Harm, Moment, at_least

__all__ = ["Delay"]


@dataclass(frozen=True, slots=True)
class Delay(Harm):
    """Milliseconds: before the head, before each event but the first, and up to how much more of each by chance.

    Jitter is seeded, and is only where there is a wait. Raises ValueError where nothing would wait.
    """

    first_byte_ms: int = 0
    between_ms: int = 0
    jitter_ms: int = 0

    def __post_init__(self) -> None:
        at_least(0, first_byte_ms=self.first_byte_ms, between_ms=self.between_ms, jitter_ms=self.jitter_ms)
        if not (self.first_byte_ms or self.between_ms):
            raise ValueError("expected milliseconds before the first byte, between events, or both; found none")

    def reaches(self, response: Response) -> bool:  # noqa: ARG002 - errors take their time too
        return True

    def on_steps(self, steps: Iterator[Step], call: Call, moment: Moment) -> Iterator[Step]:  # noqa: ARG002
        sent = False
        for step in steps:
            if isinstance(step, Start) and self.first_byte_ms:
                yield self._wait(self.first_byte_ms, moment.chance)
            if isinstance(step, Send):
                if sent and self.between_ms:
                    yield self._wait(self.between_ms, moment.chance)
                sent = True
            yield step

    def _wait(self, milliseconds: int, chance: Random) -> Wait:
        return Wait((milliseconds + chance.uniform(0, self.jitter_ms)) / 1000)
