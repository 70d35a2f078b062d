"""Reads the JSON values of a body and writes changed values back.

Commands that change recordings use it.

A whole body has one value; a stream has one value for each event. An
unchanged value keeps its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Plain
from bedtape_cassettes.model import Body, Event, Events, JsonValue, Request

_LINE = re.compile(rb"(?m)^(data: ?)(.*)$")
_NAME = re.compile(rb"(?m)^(event: ?)(.*)$")


def request_body_of(request: Request) -> Body | Events:
    """Returns the body of a request, or the events of the client in a conversation."""
    return request.body if request.events is None else request.events


def with_request_body(request: Request, body: Body | Events) -> Request:
    """Returns the request with another body, or with other events of the client."""
    changed = {"body": body} if isinstance(body, Body) else {"events": body}
    return replace(request, **changed)


def read_values(body: Body | Events) -> list[JsonValue | Plain]:
    """Returns the value of the body, or of each event: JSON, or `Plain` if it is not JSON."""
    if isinstance(body, Body):
        return [_json_or_text(body.form, body.data)]
    return [read_event(event) for event in body.events]


def read_event(event: Event) -> JsonValue | Plain:
    """Returns the value of one event: JSON, or `Plain` if it is not JSON."""
    return _json_or_text(event.form, event.payload)


def _json_or_text(form: str, data: bytes) -> JsonValue | Plain:
    if form in ("bytes", "data"):
        return bodies.READERS[form](data)
    lines = _LINE.findall(data) if form == "text" else []
    try:
        return bodies.parse(lines[0][1] if len(lines) == 1 else data)
    except ValueError:
        pass
    try:
        return Plain(data.decode())
    except UnicodeDecodeError:
        return Plain(None)


# -- writing ---------------------------------------------------------------------------------------


def replace_value(event: Event, value: JsonValue | Plain) -> Event:
    """Returns the event with another value; the same event if the value is equal."""
    if _is_same(value, read_event(event)):
        return event
    payload = _write_value(event.form, event.payload, value)
    return replace(
        event, payload=payload, form=bodies.choose_form(payload, framed=bool(event.headers))
    )


def _is_same(one: JsonValue | Plain, other: JsonValue | Plain) -> bool:
    """Compares the spelling too, because 1, 1.0 and true are equal for Python."""
    return one == other and repr(one) == repr(other)


def _write_value(form: str, old: bytes, value: JsonValue | Plain) -> bytes:
    if isinstance(value, Plain):
        return old if value.text is None else value.text.encode(errors="replace")
    if form == "text" and len(_LINE.findall(old)) == 1:  # a server-sent event with a name
        match _json_or_text(form, old), value:
            # the name repeats the type
            case {"type": str(before)}, {"type": str(now)} if before != now:
                old = _NAME.sub(
                    lambda line: line[1] + now.encode() if line[2] == before.encode() else line[0],
                    old,
                )
        return _LINE.sub(lambda line: line[1] + bodies.compact(value), old)
    return bodies.WRITERS.get(form, bodies.compact)(value)


def write_values(body: Body | Events, values: Sequence[JsonValue | Plain]) -> Body | Events:
    """Returns the body with other values; the same body if the values are equal."""
    if isinstance(body, Body):
        if _is_same(values[0], read_values(body)[0]):
            return body
        return bodies.read_body(_write_value(body.form, body.data, values[0]))
    events = [replace_value(event, value) for event, value in zip(body.events, values, strict=True)]
    return body if tuple(events) == body.events else Events.of(events, padded=body.padded)
