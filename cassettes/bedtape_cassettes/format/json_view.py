"""Bodies taken apart into the JSON that they hold, and put together again: what changes recordings works on.

A whole body is one value, a stream one a event. What does not change keeps its bytes. No disk, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Plain
from bedtape_cassettes.model import Body, Event, Events, JsonValue

__all__ = ["event_with", "opened", "sealed", "value_in"]

_LINE = re.compile(rb"(?m)^(data: ?)(.*)$")


def opened(body: Body | Events) -> list[JsonValue | Plain]:
    """What the body, or each of its events, holds: JSON where it is some, else its text."""
    if isinstance(body, Body):
        return [_json_or_text(body.form, body.data)]
    return [_json_or_text(event.form, event.payload) for event in body.events]


def value_in(event: Event) -> JsonValue | Plain:
    """As `opened`, of one event."""
    return _json_or_text(event.form, event.payload)


def _json_or_text(form: str, data: bytes) -> JsonValue | Plain:
    if form == "bytes":
        return bodies.open_chunk(data)
    if form == "data":
        return bodies.open_data(data)
    lines = _LINE.findall(data) if form == "text" else []
    try:
        return bodies.parse(lines[0][1] if len(lines) == 1 else data)
    except ValueError:
        pass
    try:
        return Plain(data.decode())
    except UnicodeDecodeError:
        return Plain(None)


# -- and back --------------------------------------------------------------------------------------------------


def event_with(event: Event, value: JsonValue | Plain) -> Event:
    """The event with another value, spelled as it was; the same one where the value is."""
    if _same(value, _json_or_text(event.form, event.payload)):
        return event
    payload = _written(event.form, event.payload, value)
    return replace(event, payload=payload, form=bodies.event_form(payload, framed=bool(event.headers)))


def _same(one: JsonValue | Plain, other: JsonValue | Plain) -> bool:
    """Equal and spelled alike: Python takes 1, 1.0 and true for the same."""
    return one == other and repr(one) == repr(other)


def _written(form: str, old: bytes, value: JsonValue | Plain) -> bytes:
    if isinstance(value, Plain):
        return old if value.text is None else value.text.encode(errors="replace")
    if form == "bytes":
        return bodies.seal_chunk(value)
    if form == "data":
        return bodies.seal_data(value)
    if form == "text" and len(_LINE.findall(old)) == 1:  # a server-sent event with a name
        return _LINE.sub(lambda line: line[1] + bodies.compact(value), old)
    return bodies.compact(value)


def sealed(body: Body | Events, values: Sequence[JsonValue | Plain]) -> Body | Events:
    """The body with these values in place of its own; the same one where they are the same."""
    if isinstance(body, Body):
        if _same(values[0], opened(body)[0]):
            return body
        return bodies.body_of(_written(body.form, body.data, values[0]))
    events = [event_with(event, value) for event, value in zip(body.events, values, strict=True)]
    return body if tuple(events) == body.events else Events.of(events, padded=body.padded)
