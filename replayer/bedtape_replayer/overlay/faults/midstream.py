"""Error frames in an event stream. The stream then ends normally, as in Bedrock.

An answer that is not an event stream, such as an error, does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from bedtape_cassettes.failures import FAILURES, stream_member
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.model import Headers, JsonValue, exception_headers
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum, explain_no_stream, is_framed
from bedtape_replayer.overlay.faults.rewrite import is_event_stream, replace_pieces

# The length of a frame's header value is a signed 16-bit number.
_LONGEST = 0x7FFF


@dataclass(frozen=True, slots=True)
class Raise(FaultKind):
    """A modelled exception of the operation, after a number of events or at the end of the stream.

    error: the name, such as ThrottlingException. message: `None` for the error's default. members: further members of
    the payload, such as originalStatusCode. Raises ValueError for an error or a member that streams do not have.
    """

    error: str
    after_events: int = 1
    message: str | None = None
    members: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        known = FAILURES.get(self.error)
        if known is None or not known.streams:
            raise ValueError(f"expected an exception that streams have ({_list_stream_errors()}), found {self.error!r}")
        unknown = [name for name in self.members if name not in known.members]
        if unknown:
            names = " and ".join(known.members) or "nothing"
            raise ValueError(f"expected {names} beside the message of {self.error}, found {unknown[0]!r}")

    def applies_to(self, call: Call) -> bool:
        return call.operation in FAILURES[self.error].streams

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        streams = FAILURES[self.error].streams
        if not operations or set(operations) & set(streams):
            return None
        return f"{self.error} is in the streams of {', '.join(streams)}, not of {', '.join(operations)}"

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        message = FAILURES[self.error].message if self.message is None else self.message
        payload = compact({"message": message, **self.members})
        return _end_with_frame(reply, self.after_events, exception_headers(stream_member(self.error)), payload)


@dataclass(frozen=True, slots=True)
class RaiseUnmodelled(FaultKind):
    """A frame of type error with a code and a message, which no model describes. Placed like `Raise`."""

    code: str
    message: str = ""
    after_events: int = 1

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        if not self.code:
            raise ValueError("expected a code, found an empty one")
        for name, value in (("code", self.code), ("message", self.message)):
            if len(value.encode()) > _LONGEST:
                raise ValueError(f"expected a {name} of at most {_LONGEST} bytes, found {len(value.encode())}")

    def applies_to(self, call: Call) -> bool:
        return is_framed(call)

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        return explain_no_stream(operations, framed=True)

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        headers: Headers = ((":error-code", self.code), (":error-message", self.message), (":message-type", "error"))
        return _end_with_frame(reply, self.after_events, headers, b"")


def _list_stream_errors() -> str:
    return ", ".join(name for name, known in FAILURES.items() if known.streams)


def _end_with_frame(reply: Reply, after: int, headers: Headers, payload: bytes) -> Reply:
    """Keeps the first events of the stream, and adds a last frame."""
    if not is_event_stream(reply):
        return reply
    kept = tuple(islice(reply.pieces, after))
    last = Piece(kept[-1].at_ms if kept else 0, encode_strings(headers, payload))
    return replace_pieces(reply, (*kept, last))
