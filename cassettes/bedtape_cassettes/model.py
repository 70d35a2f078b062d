"""The values of a cassette. They are frozen and comparable.

Bodies are bytes as on the wire. The `form` of a body is its representation in the cassette file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, TypeGuard

import msgpack

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
# The place of a member or item in a JSON value.
Place: TypeAlias = tuple[str | int, ...]
Headers: TypeAlias = tuple[tuple[str, str], ...]

BodyForm: TypeAlias = Literal["json", "text", "base64"]
PayloadForm: TypeAlias = Literal["json", "bytes", "data", "text", "base64"]

# How the service ended an answer early: with a reset, by closing the connection, or within a
# frame of an event stream.
Ending: TypeAlias = Literal["reset", "closed", "mid-frame"]
ENDINGS: tuple[Ending, ...] = ("reset", "closed", "mid-frame")

# Responses with these statuses have no body (RFC 9110, section 6.4.1).
BODYLESS = (204, 304)
LONGEST_MS = 86_400_000  # a day

# The syntax of HTTP. Other text would cause an error on the wire or in a file name, long after
# reading.
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_PATH = re.compile(r"/[!-~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[^\r\n\0]*")


def is_method(text: str) -> bool:
    """Whether the text can be a request's method."""
    return _METHOD.fullmatch(text) is not None


def is_path(text: str) -> bool:
    """Whether the text can be a request's path: it begins with `/` and is percent-encoded."""
    return _PATH.fullmatch(text) is not None


def is_header(name: str, value: str) -> bool:
    """Whether name and value can be a header of HTTP. Headers of frames are less restricted."""
    return _HEADER_NAME.fullmatch(name) is not None and _HEADER_VALUE.fullmatch(value) is not None


def is_headers(value: object) -> TypeGuard[Headers]:
    """Whether the value is a tuple of pairs of texts."""
    return type(value) is tuple and all(
        type(pair) is tuple and [*map(type, pair)] == [str, str] for pair in value
    )


@dataclass(frozen=True, slots=True)
class Body:
    """A whole body. data: the bytes on the wire. form: the representation in the file.

    If the form is `json`, writing the parsed value compactly gives `data` again. If it is
    `text`, `data` is UTF-8.
    """

    form: BodyForm
    data: bytes


EMPTY = Body("text", b"")


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of a streamed body.

    at_ms: milliseconds after the response's head.
    headers: the frame's string headers in wire order; empty for a server-sent event, which has no
    frame.
    payload: the frame's payload without padding, or the server-sent event.
    form: the representation of the payload in the file. `bytes`: the JSON inside `{"bytes": <base64
    of JSON>}`.
        `data`: the JSON of a server-sent `data: <JSON>` line. The other forms are as in `Body`.
    bare: whether the event has no padding although its stream is padded.
    """

    at_ms: int
    headers: Headers
    payload: bytes
    form: PayloadForm
    bare: bool = False

    @property
    def type(self) -> str | None:
        """The `:event-type`, or the `:exception-type` of a mid-stream exception, else None."""
        headers = dict(self.headers)
        return headers.get(":event-type") or headers.get(":exception-type")


_JSON = (":content-type", "application/json")


def event_headers(name: str) -> Headers:
    """Returns the headers of Bedrock's event frames, as in all of 21,950 recorded frames."""
    return ((":event-type", name), _JSON, (":message-type", "event"))


def exception_headers(name: str) -> Headers:
    """Returns the headers of Bedrock's mid-stream exception frames in wire order."""
    return ((":exception-type", name), _JSON, (":message-type", "exception"))


@dataclass(frozen=True)
class Events:
    """A streamed body, packed until `events` is read, because most streams are not played.

    padded: whether replay adds Bedrock's random padding `p` to event frames (see `bodies.pad`).
    """

    packed: bytes
    padded: bool = True

    @classmethod
    def of(cls, events: list[Event] | tuple[Event, ...], *, padded: bool = True) -> Events:
        rows: list[tuple[object, ...]] = [(e.at_ms, e.headers, e.payload, e.form) for e in events]
        if any(event.bare for event in events):
            rows = [(*row, event.bare) for row, event in zip(rows, events, strict=True)]
        return cls(msgpack.packb(rows), padded)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        rows = msgpack.unpackb(self.packed, use_list=False)
        return tuple(Event(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `path` is percent-encoded as sent, with its query, without a session prefix.

    events: the input of a duplex operation, whose body is empty; `None` for every other
    request. Audio is not in it.
    """

    method: str
    path: str
    headers: Headers
    body: Body
    events: Events | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response, whose head arrived `after_ms` milliseconds after the request was sent.

    ends: how the service ended it early; None for a complete response.
    """

    status: int
    headers: Headers
    body: Body | Events
    after_ms: int = 0
    ends: Ending | None = None


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and its response: one file of a cassette.

    operation, model: the operation and model in the request's path (see `operations.identify`), or
    None. exact: the response has its recorded bytes and headers. Replay adds the header `Date`.
    partial: the recording is incomplete. Replay does not use it. file: the path of its file,
    relative to the folder of cassettes; empty before it is written. region: the AWS region that
    answered, or None. service: the service that answered, if it is not the operation's own, because
    two services have the APIs of OpenAI and Anthropic. Both are not parts of the match key.
    """

    operation: str | None
    model: str | None
    request: Request
    response: Response
    exact: bool = False
    partial: bool = False
    file: str = field(default="", compare=False)
    region: str | None = field(default=None, compare=False)
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cassette:
    """Recorded interactions with one name, in order. `/` joins the parts of the name."""

    name: str
    interactions: tuple[Interaction, ...]


Suite: TypeAlias = tuple[Cassette, ...]


def render_path(place: Place, root: str = "") -> str:
    """Returns the spelling of a place below `root`: `messages[0].text`."""
    spelled = "".join([f"[{part}]" if isinstance(part, int) else f".{part}" for part in place])
    return root + spelled if root else spelled.removeprefix(".")
