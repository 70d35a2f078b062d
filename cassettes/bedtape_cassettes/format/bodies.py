"""Converts bodies from bytes to JSON, text, base64 or events, and back.

A body is stored as JSON or as events if encoding that form again gives the recorded bytes.
Otherwise it is stored as text or base64. This module makes that check once, when a body is
recorded.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from random import Random
from typing import TypeGuard

import orjson

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.model import EMPTY, Body, BodyForm, Event, Events, JsonValue, PayloadForm

_DATA = re.compile(rb"^data: ?(.*)$", re.MULTILINE)
EVENT_STREAM = "application/vnd.amazon.eventstream"
SERVER_SENT = "text/event-stream"

# Every runtime event has a member `p`: a prefix of this string with 2 to 61 characters. The lengths
# are evenly distributed (20,000 recorded frames).
PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SHORTEST, _LONGEST = 2, 61

# Deeper JSON is stored as text. The YAML dialect allows 200 levels, and the document itself uses
# four. The deepest of 3,200 recorded bodies has 12.
MAX_LEVELS = 128


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def compact(value: JsonValue) -> bytes:
    """Returns JSON as Bedrock writes it: no spaces, raw UTF-8, keys in the given order."""
    return _encode(value).encode()


def _refuse_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


def levels(value: JsonValue, most: int = MAX_LEVELS) -> int:
    """Returns how deep lists and objects are; 0 for a scalar. The count ends above `most`."""
    deepest, members = 0, [value]
    while deepest <= most and (
        nested := [member for member in members if isinstance(member, dict | list)]
    ):
        deepest += 1
        members = [
            inner
            for outer in nested
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return deepest


_decode = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
).decode


def parse(data: bytes) -> JsonValue:
    """Parses strict JSON: UTF-8, unique keys, no NaN, at most MAX_LEVELS. Raises ValueError."""
    try:
        value: JsonValue = _decode(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not is_shallow(data) and levels(value) > MAX_LEVELS:
        raise ValueError("nested too deeply")
    return value


def parse_request(data: bytes) -> JsonValue:
    """Parses a request's JSON as `parse`, but faster: of a repeated key, the last value counts."""
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        # `parse` takes more: half of a surrogate pair, and large numbers
        return parse(data)
    if not is_shallow(data) and levels(value) > MAX_LEVELS:
        raise ValueError("nested too deeply")
    return value


def is_shallow(data: bytes) -> bool:
    """Whether the number of brackets proves that JSON has at most MAX_LEVELS levels."""
    return data.count(b"[") + data.count(b"{") <= MAX_LEVELS


def _is_compact(data: bytes) -> bool:
    """Whether parsing the JSON and writing it again gives the same bytes."""
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


def _choose_plain_form(data: bytes) -> BodyForm:
    return "text" if _is_text(data) else "base64"


def read_body(data: bytes) -> Body:
    """Returns the body in the most readable form that gives the same bytes back."""
    if not data:
        return EMPTY
    if _is_compact(data):
        return Body("json", data)
    return Body(_choose_plain_form(data), data)


def read_request_body(data: bytes) -> Body:
    """Returns the body as `read_body` does, but with JSON in its compact spelling.

    The spelling of a request does not count, because requests are matched as parsed JSON.
    """
    try:
        return Body("json", compact(parse(data)))
    except ValueError:
        return read_body(data)


# -- padding ---------------------------------------------------------------------------------------


def pad(payload: bytes, chance: Random) -> bytes:
    """Returns the payload of an event with Bedrock's padding `p`, in order of the keys.

    A payload that is not a JSON object is returned unchanged.
    """
    try:
        value = parse(payload)
        if not isinstance(value, dict) or "p" in value:
            return payload
        return _insert_padding(value, PADDING[: chance.randint(_SHORTEST, _LONGEST)])
    except ValueError:
        return payload


def _insert_padding(value: dict[str, JsonValue], padding: str) -> bytes:
    padded: dict[str, JsonValue] = {}
    for key, member in value.items():
        if key > "p" and "p" not in padded:
            padded["p"] = padding
        padded[key] = member
    return compact(padded if "p" in padded else {**padded, "p": padding})


def unpad(payload: bytes) -> tuple[bytes, bool]:
    """Returns the payload without padding, and whether `pad` would restore the padding."""
    if b'"p":"ab' not in payload:
        return payload, False
    try:
        value = parse(payload)
        padding = value.pop("p", None) if isinstance(value, dict) else None
        if (
            not isinstance(value, dict)
            or not _is_padding(padding)
            or _insert_padding(value, padding) != payload
        ):
            return payload, False
        return compact(value), True
    except ValueError:
        return payload, False


def _is_padding(value: JsonValue) -> TypeGuard[str]:
    return (
        isinstance(value, str) and _SHORTEST <= len(value) <= _LONGEST and PADDING.startswith(value)
    )


def read_value(form: str, data: bytes) -> JsonValue:
    """Returns the JSON of a body or of an event's payload, else its text."""
    if form in ("bytes", "data"):
        return READERS[form](data)
    # a server-sent event can have other lines too
    lines = _DATA.findall(data) if form == "text" else []
    try:
        return parse(b"\n".join(lines) if lines else data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


# -- wrapped JSON ----------------------------------------------------------------------------------


def open_chunk(payload: bytes) -> JsonValue:
    """Returns the JSON inside an InvokeModel chunk, `{"bytes": <base64 of JSON>}`.

    Raises ValueError if the payload is not such a chunk.
    """
    value = parse(payload)
    if (
        not isinstance(value, dict)
        or list(value) != ["bytes"]
        or not isinstance(value["bytes"], str)
    ):
        raise ValueError("not an object with `bytes` alone")
    inner = parse(b64decode(value["bytes"], validate=True))
    if seal_chunk(inner) != payload:
        raise ValueError("writing it again changes its bytes")
    return inner


_CHUNK_STARTS = (b'{"bytes":"', b'{"bytes": "')


def read_chunk(payload: bytes) -> JsonValue:
    """Returns the JSON inside a chunk in any spelling, or of the payload if it is no chunk."""
    for start in _CHUNK_STARTS:  # as SDKs write it, without a second reading of the JSON
        if payload.startswith(start) and payload.find(b'"}', len(start)) == len(payload) - 2:
            with suppress(ValueError):
                return read_value("json", b64decode(payload[len(start) : -2], validate=True))
    value = read_value("json", payload)
    if isinstance(value, dict) and isinstance(inner := value.get("bytes"), str):
        try:
            return read_value("json", b64decode(inner, validate=True))
        except ValueError:
            return value
    return value


def seal_chunk(value: JsonValue) -> bytes:
    """Returns the InvokeModel chunk that contains the JSON value; the inverse of `open_chunk`."""
    return b'{"bytes":"' + b64encode(compact(value)) + b'"}'


def open_data(piece: bytes) -> JsonValue:
    """Returns the JSON of an event with one `data:` line. Raises ValueError for other events."""
    if not (piece.startswith(b"data: ") and piece.endswith(b"\n\n")):
        raise ValueError("not one `data: ` line and an empty one")
    value = parse(piece[6:-2])
    if seal_data(value) != piece:
        raise ValueError("writing it again changes its bytes")
    return value


def seal_data(value: JsonValue) -> bytes:
    """Returns the server-sent event that contains the JSON value; the inverse of `open_data`."""
    return b"data: " + compact(value) + b"\n\n"


# The JSON of a payload by its form, and back. The forms `text` and `base64` have none.
READERS: dict[str, Callable[[bytes], JsonValue]] = {
    "json": parse,
    "bytes": open_chunk,
    "data": open_data,
}
WRITERS: dict[str, Callable[[JsonValue], bytes]] = {
    "json": compact,
    "bytes": seal_chunk,
    "data": seal_data,
}


def choose_form(payload: bytes, *, framed: bool = True) -> PayloadForm:
    """Returns the most readable form that gives the same bytes back.

    framed: whether the payload is a frame's; False for a server-sent event.
    """
    if not framed:
        return "data" if _can_open(open_data, payload) else _choose_plain_form(payload)
    if payload.startswith(b'{"bytes":') and _can_open(open_chunk, payload):
        return "bytes"
    return "json" if _is_compact(payload) else _choose_plain_form(payload)


def _can_open(opener: Callable[[bytes], JsonValue], payload: bytes) -> bool:
    try:
        opener(payload)
    except ValueError:
        return False
    return True


# -- streams ---------------------------------------------------------------------------------------


def read_events(data: bytes, *, exact: bool = False, at_ms: Iterable[int] = ()) -> Body | Events:
    """Returns the events of a recorded event stream, or a plain body if its bytes would change.

    exact: keep the recorded padding. at_ms: the time of each frame; 0 for a frame without a time.
    """
    try:
        frames = eventstream.decode_all(data)
        if not frames or eventstream.encode_all(frames) != data:
            return read_body(data)
    except eventstream.FrameError:
        return read_body(data)
    events = []
    for frame, time in zip(frames, chain(at_ms, repeat(0)), strict=False):
        if not (headers := frame.strings()):
            return read_body(data)
        events.append(Event(time, headers, frame.payload, choose_form(frame.payload)))
    return Events.of(events, padded=False) if exact else _without_padding(events)


def _without_padding(events: list[Event]) -> Events:
    """Removes the padding of each event. A stream in which no event has padding is not padded."""
    stripped = [_remove_padding(event) for event in events]
    if any(_is_event(event) and not event.bare for event in stripped):
        return Events.of(stripped)
    return Events.of(events, padded=not any(map(_is_event, events)))


def _remove_padding(event: Event) -> Event:
    """Returns the event without padding, or marks it as bare. Exceptions have neither."""
    if not _is_event(event):
        return event
    payload, had = unpad(event.payload)
    return (
        replace(event, payload=payload, form=choose_form(payload))
        if had
        else replace(event, bare=True)
    )


def _is_event(event: Event) -> bool:
    return (":message-type", "event") in event.headers


def read_pieces(data: bytes, *, at_ms: Iterable[int] = ()) -> Body | Events:
    """Returns the server-sent events of a body. at_ms: as in `read_events`."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in data and b"\n\n" not in data else b"\n\n"
    pieces = [piece + end for piece in data.split(end)]
    pieces[-1] = pieces[-1][: -len(end)]
    pieces = [piece for piece in pieces if piece]
    if not pieces or not _is_text(data):
        return read_body(data)
    timed = zip(pieces, chain(at_ms, repeat(0)), strict=False)
    return Events.of(
        [Event(time, (), p, choose_form(p, framed=False)) for p, time in timed], padded=False
    )


def wire(event: Event, padded: bool, chance: Random) -> bytes:
    """Returns the bytes of the event on the wire, with padding if `padded`."""
    if not event.headers:
        return event.payload
    has_padding = padded and _is_event(event) and not event.bare
    payload = pad(event.payload, chance) if has_padding else event.payload
    return eventstream.encode_strings(event.headers, payload)
