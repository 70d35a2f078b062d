"""Connection resets: TCP reset or HTTP/2 RST_STREAM, before the head or during the answer."""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import EndAt, Reset, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum


@dataclass(frozen=True, slots=True)
class BreakOff(FaultKind):
    """after_events: the number of events to send, `None` for a reset before the head. bytes_more:
    bytes of the next event, or of a whole body after 0 events.

    code: an HTTP/2 error code (RFC 9113, section 7: 2 internal error, 7 refused, 8 cancel) that
    ends this answer only. Without a code, and with HTTP/1.1, the TCP connection is reset.
    """

    after_events: int | None = None
    bytes_more: int = 0
    code: int | None = None
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events, bytes_more=self.bytes_more, code=self.code)
        if self.after_events is None and self.bytes_more:
            raise ValueError(
                "expected a number of events (0 for none) before the bytes, found none"
            )
        if self.code is not None and self.code >= 1 << 32:
            raise ValueError(f"expected a code of 32 bits, found {self.code}")

    def affects(self, response: Response) -> bool:
        return self.after_events is None or response.status < 400

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit:  # noqa: ARG002
        return EndAt(self.after_events, self.bytes_more, Reset(self.code))
