"""Bodies between the wire and the cassette: bytes to json, text, base64 or events, and back.

A body is only shown opened where writing it again gives the recorded bytes; otherwise it stays as it came. That
check is made here, once, when a body is taken in. No disk, no clock; chance comes in as a `random.Random`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random
from typing import TypeGuard

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.model import EMPTY, Body, Event, Events, JsonValue, PayloadForm

__all__ = [
    "EVENT_STREAM",
    "MAX_LEVELS",
    "PADDING",
    "SERVER_SENT",
    "body_from_request",
    "body_of",
    "compact",
    "event_form",
    "events_of",
    "levels",
    "open_chunk",
    "open_data",
    "pad",
    "parse",
    "pieces_of",
    "seal_chunk",
    "seal_data",
    "unpad",
    "value_of",
    "wire",
]

_DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)
EVENT_STREAM = "application/vnd.amazon.eventstream"
SERVER_SENT = "text/event-stream"

# Every runtime event carries `p`, a prefix of this, 2 to 61 characters, evenly spread (20,000 recorded frames).
PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SHORTEST, _LONGEST = 2, 61

# Deeper JSON stays text. The YAML dialect holds 200 levels, and four of those are the document's own; the deepest of
# 3,200 recorded bodies has 12.
MAX_LEVELS = 128


def compact(value: JsonValue) -> bytes:
    """JSON as Bedrock writes it: no spaces, raw UTF-8, keys in the order given."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _refuse_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


def levels(value: JsonValue) -> int:
    """How deep lists and objects stand in each other; 0 for a scalar."""
    deepest, members = 0, [value]
    while nested := [member for member in members if isinstance(member, dict | list)]:
        deepest += 1
        members = [inner for outer in nested for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return deepest


def parse(data: bytes) -> JsonValue:
    """The JSON value, strictly: UTF-8, no duplicate keys, no NaN, at most MAX_LEVELS deep. Raises ValueError."""
    try:
        value: JsonValue = json.loads(
            data.decode(), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if data.count(b"[") + data.count(b"{") > MAX_LEVELS and levels(value) > MAX_LEVELS:
        raise ValueError("nested too deeply")
    return value


def _is_compact(data: bytes) -> bool:
    """Whether the JSON can be kept opened: parsing and writing it again gives these bytes."""
    try:
        return compact(parse(data)) == data
    except ValueError:
        return False


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def body_of(data: bytes) -> Body:
    """The body in the most readable form that gives the same bytes back."""
    if not data:
        return EMPTY
    if _is_compact(data):
        return Body("json", data)
    return Body("text" if _is_text(data) else "base64", data)


def body_from_request(data: bytes) -> Body:
    """As `body_of`, but JSON may change its spelling: requests are matched as parsed JSON, so theirs is no fact."""
    try:
        return Body("json", compact(parse(data)))
    except ValueError:
        return body_of(data)


# -- padding ---------------------------------------------------------------------------------------------------


def pad(payload: bytes, chance: Random) -> bytes:
    """The payload of an event with Bedrock's padding `p` put where it belongs: keys are alphabetical.

    Anything but a JSON object comes back as it is.
    """
    try:
        value = parse(payload)
        if not isinstance(value, dict) or "p" in value:
            return payload
        return _padded(value, PADDING[: chance.randint(_SHORTEST, _LONGEST)])
    except ValueError:
        return payload


def _padded(value: dict[str, JsonValue], padding: str) -> bytes:
    padded: dict[str, JsonValue] = {}
    for key, member in value.items():
        if key > "p" and "p" not in padded:
            padded["p"] = padding
        padded[key] = member
    return compact(padded if "p" in padded else {**padded, "p": padding})


def unpad(payload: bytes) -> tuple[bytes, bool]:
    """The payload without its padding, and whether it had any that `pad` would put back in the same place."""
    if b'"p":"ab' not in payload:
        return payload, False
    try:
        value = parse(payload)
        padding = value.pop("p", None) if isinstance(value, dict) else None
        if not isinstance(value, dict) or not _is_padding(padding) or _padded(value, padding) != payload:
            return payload, False
        return compact(value), True
    except ValueError:
        return payload, False


def _is_padding(value: JsonValue) -> TypeGuard[str]:
    return isinstance(value, str) and _SHORTEST <= len(value) <= _LONGEST and PADDING.startswith(value)


def value_of(form: str, data: bytes) -> JsonValue:
    """What a body or an event's payload says: its JSON, opened where the form says so, else its text."""
    match form:
        case "bytes":
            return open_chunk(data)
        case "data":
            return open_data(data)
    lines = _DATA.findall(data)  # a server-sent event that has other lines too
    try:
        return parse(b"\n".join(lines) if lines and form == "text" else data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


# -- opened payloads -------------------------------------------------------------------------------------------


def open_chunk(payload: bytes) -> JsonValue:
    """The JSON inside an InvokeModel chunk, `{"bytes": <base64 of JSON>}`. Raises ValueError if it is not one."""
    value = parse(payload)
    if not isinstance(value, dict) or list(value) != ["bytes"] or not isinstance(value["bytes"], str):
        raise ValueError("not an object with `bytes` alone")
    inner = parse(b64decode(value["bytes"], validate=True))
    if seal_chunk(inner) != payload:
        raise ValueError("writing it again changes its bytes")
    return inner


def seal_chunk(value: JsonValue) -> bytes:
    """The inverse of `open_chunk`."""
    return b'{"bytes":"' + b64encode(compact(value)) + b'"}'


def open_data(piece: bytes) -> JsonValue:
    """The JSON of a server-sent event that is one `data:` line. Raises ValueError if it is anything else."""
    if not (piece.startswith(b"data: ") and piece.endswith(b"\n\n")):
        raise ValueError("not one `data: ` line and an empty one")
    value = parse(piece[6:-2])
    if seal_data(value) != piece:
        raise ValueError("writing it again changes its bytes")
    return value


def seal_data(value: JsonValue) -> bytes:
    """The inverse of `open_data`."""
    return b"data: " + compact(value) + b"\n\n"


def event_form(payload: bytes, *, framed: bool = True) -> PayloadForm:
    """The most readable form that gives the same bytes back, of a frame's payload or of an unframed piece."""
    if not framed:
        return "data" if _opens(open_data, payload) else _plain_form(payload)
    if payload.startswith(b'{"bytes":') and _opens(open_chunk, payload):
        return "bytes"
    return "json" if _is_compact(payload) else _plain_form(payload)


def _opens(opener: Callable[[bytes], JsonValue], payload: bytes) -> bool:
    try:
        opener(payload)
    except ValueError:
        return False
    return True


def _plain_form(payload: bytes) -> PayloadForm:
    return "text" if _is_text(payload) else "base64"


# -- streams ---------------------------------------------------------------------------------------------------


def events_of(data: bytes, *, exact: bool = False, at_ms: Iterable[int] = ()) -> Body | Events:
    """A recorded event stream opened into events, or as a plain body where that would change it.

    exact: keep the padding that was recorded. at_ms: when each frame came; 0 where that is not known.
    """
    try:
        frames = eventstream.decode_all(data)
        if not frames or eventstream.encode_all(frames) != data:
            return body_of(data)
    except eventstream.FrameError:
        return body_of(data)
    times = [*at_ms, *[0] * len(frames)]
    opened = [_opened(frame, time) for frame, time in zip(frames, times, strict=False)]
    events = [event for event in opened if event is not None]
    if len(events) < len(opened):
        return body_of(data)
    return Events.of(events, padded=False) if exact else _without_padding(events)


def _opened(frame: eventstream.Frame, at_ms: int) -> Event | None:
    headers = frame.strings()
    if not headers:
        return None
    return Event(at_ms, headers, frame.payload, event_form(frame.payload))


def _without_padding(events: list[Event]) -> Events:
    """Padding off every event, if every event had it; else the stream is kept as it came, and said to be bare."""
    bare = [stripped for event in events if (stripped := _bare(event)) is not None]
    return Events.of(bare) if len(bare) == len(events) else Events.of(events, padded=False)


def _bare(event: Event) -> Event | None:
    """The event less its padding; None for an event frame that has none. Exception frames never have any."""
    if not _is_event(event):
        return event
    payload, had = unpad(event.payload)
    return replace(event, payload=payload, form=event_form(payload)) if had else None


def _is_event(event: Event) -> bool:
    return (":message-type", "event") in event.headers


def pieces_of(data: bytes, *, at_ms: Iterable[int] = ()) -> Body | Events:
    """A body of server-sent events cut after each empty line; at_ms as for `events_of`."""
    pieces = [piece + b"\n\n" for piece in data.split(b"\n\n")]
    pieces[-1] = pieces[-1][:-2]
    pieces = [piece for piece in pieces if piece]
    if not pieces or not _is_text(data):
        return body_of(data)
    times = [*at_ms, *[0] * len(pieces)]
    return Events.of(
        [Event(t, (), p, event_form(p, framed=False)) for p, t in zip(pieces, times, strict=False)], padded=False
    )


def wire(event: Event, padded: bool, chance: Random) -> bytes:
    """The event as it goes over the wire, with padding where the stream has it."""
    if not event.headers:
        return event.payload
    payload = pad(event.payload, chance) if padded and _is_event(event) else event.payload
    return eventstream.encode_strings(event.headers, payload)
