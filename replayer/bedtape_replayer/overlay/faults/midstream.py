"""Errors in a stream: frames of AWS, or server-sent events of OpenAI's and Anthropic's APIs.

The stream then ends.

An answer that is not a stream, such as an error, does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from bedtape_cassettes.failures import FAILURES, render_error, stream_member
from bedtape_cassettes.families.shared.server_sent import write_event
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.model import Headers, JsonValue, exception_headers
from bedtape_cassettes.operations import SERVER_SENT
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import EndAt, Finish, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, StreamingFault, check_minimum
from bedtape_replayer.overlay.faults.rewrite import is_event_stream, is_server_sent, replace_pieces

# The length of a frame's header value is a signed 16-bit number.
_LONGEST = 0x7FFF


@dataclass(frozen=True, slots=True)
class Raise(StreamingFault):
    """A modelled exception of the operation, after a number of events or at the end of the stream.

    error: the name, such as ThrottlingException. message: `None` for the error's default. members:
    further members of the payload, such as originalStatusCode. Raises ValueError for an error or a
    member that streams do not have.
    """

    error: str
    after_events: int = 1
    message: str | None = None
    members: Mapping[str, JsonValue] = field(default_factory=dict)
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        known = FAILURES.get(self.error)
        if known is None or not known.streams:
            raise ValueError(
                f"expected an exception that streams have ({_list_stream_errors()}), found"
                f" {self.error!r}"
            )
        unknown = [name for name in self.members if name not in known.members]
        if unknown:
            names = " and ".join(known.members) or "nothing"
            raise ValueError(
                f"expected {names} beside the message of {self.error}, found {unknown[0]!r}"
            )

    @property
    def error_name(self) -> str:
        return self.error

    def applies_to(self, call: Call) -> bool:
        return call.operation in FAILURES[self.error].streams or (
            call.dialect != "aws" and call.is_streamed
        )

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        streams = FAILURES[self.error].streams
        if not operations or set(operations) & {*streams, *SERVER_SENT}:
            return None
        return (
            f"{self.error} is in the streams of {', '.join(streams)}, not of"
            f" {', '.join(operations)}"
        )

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        known = FAILURES[self.error]
        message = known.message if self.message is None else self.message
        if is_server_sent(reply):
            return _end_with_event(
                reply, self.after_events, call, self.error, known.status, message, self.members
            )
        payload = compact({"message": message, **self.members})
        return _end_with_frame(
            reply, self.after_events, exception_headers(stream_member(self.error)), payload
        )

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit | None:
        return _end_arriving(self.on_reply(reply, call, context), self.after_events)


@dataclass(frozen=True, slots=True)
class RaiseUnmodelled(StreamingFault):
    """An error with a code and a message, which no model describes. Placed like `Raise`."""

    code: str
    message: str = ""
    after_events: int = 1
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        if not self.code:
            raise ValueError("expected a code, found an empty one")
        for name, value in (("code", self.code), ("message", self.message)):
            if len(value.encode()) > _LONGEST:
                raise ValueError(
                    f"expected a {name} of at most {_LONGEST} bytes, found {len(value.encode())}"
                )

    @property
    def error_name(self) -> str:
        return self.code

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002
        if is_server_sent(reply):
            return _end_with_event(reply, self.after_events, call, self.code, 500, self.message)
        headers: Headers = (
            (":error-code", self.code),
            (":error-message", self.message),
            (":message-type", "error"),
        )
        return _end_with_frame(reply, self.after_events, headers, b"")

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit | None:
        return _end_arriving(self.on_reply(reply, call, context), self.after_events)


def _list_stream_errors() -> str:
    return ", ".join(name for name, known in FAILURES.items() if known.streams)


def _end_with_frame(reply: Reply, after: int, headers: Headers, payload: bytes) -> Reply:
    """Keeps the first events of the stream, and adds a last frame."""
    return (
        _end_with(reply, after, encode_strings(headers, payload))
        if is_event_stream(reply)
        else reply
    )


def _end_with_event(
    reply: Reply,
    after: int,
    call: Call,
    error: str,
    status: int,
    message: str,
    members: Mapping[str, JsonValue] | None = None,
) -> Reply:
    """Keeps the first server-sent events, and adds an error as the API of the call sends it."""
    request_id = dict(reply.headers).get(b"request-id", b"").decode()
    value = render_error(call.dialect, error, status, message, request_id, members=members)
    # a stream that still arrives has no pieces
    number = min(after, len(reply.pieces)) if reply.pieces else after
    return _end_with(reply, after, write_event(call.operation or "", "error", value, number))


def _end_with(reply: Reply, after: int, data: bytes) -> Reply:
    kept = tuple(islice(reply.pieces, after))
    return replace_pieces(reply, (*kept, Piece(kept[-1].at_ms if kept else 0, data)))


def _end_arriving(reply: Reply, after: int) -> StepEdit | None:
    """Ends a stream that still arrives with the last piece of `reply`, which is the error."""
    return EndAt(after, 0, Finish(), reply.pieces[-1].data) if reply.pieces else None
