"""Stalls: the answer stops, and the connection stays open until the client or the server ends."""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import EndAt, Stall, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum


@dataclass(frozen=True, slots=True)
class Silence(FaultKind):
    """after_events: the number of events to send, `None` to stall before the head.

    After the last, the end is missing.
    """

    after_events: int | None = None
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)

    def affects(self, response: Response) -> bool:
        return self.after_events is None or response.status < 400

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit:  # noqa: ARG002
        return EndAt(self.after_events, 0, Stall())
