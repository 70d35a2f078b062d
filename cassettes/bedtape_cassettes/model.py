"""The values that a cassette is made of.

Frozen and comparable; bodies are kept as the bytes that go over the wire, with a word (`form`) that says how the
cassette file shows them. No disk, no sockets, no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import msgpack

__all__ = [
    "EMPTY",
    "LONGEST_MS",
    "Body",
    "BodyForm",
    "Cassette",
    "Event",
    "Events",
    "Headers",
    "Interaction",
    "JsonValue",
    "PayloadForm",
    "Request",
    "Response",
    "Suite",
    "event_headers",
    "exception_headers",
    "is_header",
    "is_method",
    "is_path",
]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
# The place of a member or item in a JSON value.
Place: TypeAlias = tuple[str | int, ...]
Headers: TypeAlias = tuple[tuple[str, str], ...]

BodyForm: TypeAlias = Literal["json", "text", "base64"]
PayloadForm: TypeAlias = Literal["json", "bytes", "data", "text", "base64"]

LONGEST_MS = 86_400_000  # a day: no answer takes longer

# What HTTP can carry. Everything else would break the wire, or the name of a file, long after it was read.
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_PATH = re.compile(r"/[!-~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[^\r\n\0]*")


def is_method(text: str) -> bool:
    """Whether it can be a request's method."""
    return _METHOD.fullmatch(text) is not None


def is_path(text: str) -> bool:
    """Whether it can be a request's path: from `/`, percent-encoded."""
    return _PATH.fullmatch(text) is not None


def is_header(name: str, value: str) -> bool:
    """Whether it can be a header of HTTP (those of an event's frame are freer)."""
    return _HEADER_NAME.fullmatch(name) is not None and _HEADER_VALUE.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Body:
    """A whole body: `data` is what goes over the wire, `form` how the file shows it.

    `json` promises that writing the parsed value compactly gives `data` again; `text` that it is UTF-8.
    """

    form: BodyForm
    data: bytes


EMPTY = Body("text", b"")


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of a streamed body.

    at_ms: milliseconds after the response's head.
    headers: the frame's string headers in wire order, none for an unframed piece (a server-sent event).
    payload: the frame's payload without padding, or the piece itself.
    form: how the file shows the payload. `bytes` is `{"bytes": <base64 of JSON>}` opened to that JSON; `data` is
        a server-sent `data: <JSON>` line opened to that JSON; the others are as for a body.
    """

    at_ms: int
    headers: Headers
    payload: bytes
    form: PayloadForm

    @property
    def type(self) -> str | None:
        """The `:event-type`, or the `:exception-type` of a mid-stream exception, or None."""
        named = dict(self.headers)
        return named.get(":event-type") or named.get(":exception-type")


_JSON = (":content-type", "application/json")


def event_headers(name: str) -> Headers:
    """The headers of Bedrock's event frames, in its order (seen in all of 21,950 recorded frames)."""
    return ((":event-type", name), _JSON, (":message-type", "event"))


def exception_headers(name: str) -> Headers:
    """The headers of Bedrock's mid-stream exception frames, in its order."""
    return ((":exception-type", name), _JSON, (":message-type", "exception"))


@dataclass(frozen=True)
class Events:
    """A streamed body, kept packed until somebody asks: most are loaded and never played.

    padded: whether replay adds Bedrock's random padding `p` to event frames (see `bodies.pad`).
    """

    packed: bytes
    padded: bool = True

    @classmethod
    def of(cls, events: list[Event] | tuple[Event, ...], *, padded: bool = True) -> Events:
        rows = [(e.at_ms, e.headers, e.payload, e.form) for e in events]
        return cls(msgpack.packb(rows), padded)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        rows = msgpack.unpackb(self.packed, use_list=False)
        return tuple(Event(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked. `path` is as sent (percent-encoded, with its query), less any session prefix."""

    method: str
    path: str
    headers: Headers
    body: Body


@dataclass(frozen=True, slots=True)
class Response:
    """What Bedrock answered, `after_ms` milliseconds after the request was sent."""

    status: int
    headers: Headers
    body: Body | Events
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and its response: one file of a cassette.

    operation, model: what the request's path says (see `operations.identify`); None where it says nothing.
    exact: the response is kept byte for byte and header for header, and nothing is put back on replay but `Date`.
    partial: the recording was cut; kept to be looked at, never replayed.
    file: where it was read from, relative to the folder of cassettes; empty before it is written.
    """

    operation: str | None
    model: str | None
    request: Request
    response: Response
    exact: bool = False
    partial: bool = False
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Cassette:
    """Recorded interactions under one name, in recorded order. The name's parts are joined by `/`."""

    name: str
    interactions: tuple[Interaction, ...]


Suite: TypeAlias = tuple[Cassette, ...]


def render_path(place: Place, root: str = "") -> str:
    """The spelling of a place below `root`: `messages[0].text`."""
    spelled = "".join([f"[{part}]" if isinstance(part, int) else f".{part}" for part in place])
    return root + spelled if root else spelled.removeprefix(".")
