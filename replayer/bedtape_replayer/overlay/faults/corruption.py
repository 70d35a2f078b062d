"""Damaged bytes: frames with wrong checksums, and JSON that cannot be parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import FrameError
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import ChangeEvents, StepEdit
from bedtape_replayer.overlay.faults.base import (
    FaultContext,
    FaultKind,
    check_minimum,
    explain_no_stream,
    is_framed,
)
from bedtape_replayer.overlay.faults.rewrite import is_event_stream, replace_pieces

Damage: TypeAlias = Literal["message_crc", "prelude_crc", "json"]


@dataclass(frozen=True, slots=True)
class Corrupt(FaultKind):
    """what: the checksum that is wrong, or json: the last brace of an event's payload
    or of the body is missing.

    event: the number of the event, from 1; the last event if there are fewer. A body that is
    not a stream is one event. Of the client's events in a conversation, only JSON is damaged.
    """

    what: Damage
    event: int = 1
    converses = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(1, event=self.event)
        if self.what not in get_args(Damage):
            raise ValueError(f"expected {', '.join(get_args(Damage))}, found {self.what!r}")

    def applies_to(self, call: Call) -> bool:
        return self.what == "json" or is_framed(call)

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        return None if self.what == "json" else explain_no_stream(operations, framed=True)

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit | None:  # noqa: ARG002
        def change(number: int, data: bytes | None) -> Iterable[bytes]:
            if data is None:
                return ()
            return (_FRAMED[self.what](data) if number == self.event else data,)

        return ChangeEvents(change)

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        framed = is_event_stream(reply)
        if not reply.pieces or not (framed or self.what == "json"):
            return reply
        damage = _FRAMED[self.what] if framed else _remove_brace
        at = min(self.event, len(reply.pieces)) - 1
        piece = replace(reply.pieces[at], data=damage(reply.pieces[at].data))
        return replace_pieces(reply, (*reply.pieces[:at], piece, *reply.pieces[at + 1 :]))


def _remove_brace(data: bytes) -> bytes:
    """Removes the last brace of a JSON object, or else the last byte, so that it is invalid."""
    at = data.rfind(b"}")
    return data[:at] + data[at + 1 :] if at >= 0 else data[:-1]


def _break_json(frame: bytes) -> bytes:
    """Returns the frame with an invalid JSON payload and correct checksums."""
    try:
        (whole,) = eventstream.decode_all(frame)
    except (FrameError, ValueError):
        # the frame is damaged already, by another fault or in the recording
        return frame
    return eventstream.encode(replace(whole, payload=_remove_brace(whole.payload)))


def _flip_byte(frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]


_FRAMED: dict[Damage, Callable[[bytes], bytes]] = {
    "message_crc": lambda frame: _flip_byte(frame, len(frame) - 1),
    "prelude_crc": lambda frame: _flip_byte(frame, 11),
    "json": _break_json,
}
