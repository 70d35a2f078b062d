"""Truncated answers: the answer ends normally but early, or the connection closes early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import Close, EndAt, Finish, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum
from bedtape_replayer.overlay.faults.rewrite import replace_pieces


@dataclass(frozen=True, slots=True)
class Truncate(FaultKind):
    """after_events: the number of events to send. bytes_more: bytes of the next event, or of a
    whole body after 0 events.

    in_order: whether the answer ends normally, with a content length that fits. Otherwise the
    connection is closed before the promised length or before the end of the stream. With HTTP/2,
    other answers on the connection end too, because HTTP/2 cannot close without an error for one
    answer.
    """

    after_events: int = 0
    bytes_more: int = 0
    in_order: bool = True
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events, bytes_more=self.bytes_more)

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        if not self.in_order:
            return reply
        return replace_pieces(
            reply, tuple(truncate_pieces(reply.pieces, self.after_events, self.bytes_more))
        )

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit | None:  # noqa: ARG002
        return None if self.in_order else EndAt(self.after_events, self.bytes_more, Close())

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit:  # noqa: ARG002
        return EndAt(self.after_events, self.bytes_more, Finish() if self.in_order else Close())


def truncate_pieces(pieces: Iterable[Piece], events: int, more: int) -> Iterator[Piece]:
    """Yields the pieces before the place. A place after the end of the answer is its end."""
    for piece in pieces:
        if events:
            events -= 1
            yield piece
        elif more:
            yield replace(piece, data=piece.data[:more])
            more -= min(more, len(piece.data))
