"""Removes members of bodies and events, removes events, and inserts events into streams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_schema import find_unsendable
from bedtape_cassettes.format.json_values import Plain, find_places, parse_path, remove
from bedtape_cassettes.format.json_view import (
    read_values,
    replace_value,
    request_body_of,
    with_request_body,
    write_values,
)
from bedtape_cassettes.model import (
    Body,
    Event,
    Events,
    Interaction,
    JsonValue,
    event_headers,
    exception_headers,
)
from bedtape_cassettes.suites.assign import OTHER_CALLS, EditResult, with_request
from bedtape_cassettes.suites.members import with_length


def unset(interaction: Interaction, paths: Sequence[str]) -> EditResult:
    """Removes the members at each `json:$.PATH` of the answer or `request:$.PATH`,
    or an event: `json:$[3]`.

    The numbers of events are those before the change. Raises CassetteError if nothing is at a path.
    """
    notes: tuple[str, ...] = ()
    # The last event first, so that the numbers of the others stay.
    for path in sorted(dict.fromkeys(paths), key=_find_order, reverse=True):
        interaction = _unset_one(interaction, path)
        if path.startswith("request:"):
            notes = (OTHER_CALLS,)
    return EditResult(with_length(interaction), notes)


def _find_order(path: str) -> int:
    """Returns the number of the event that a path removes; a higher one for other paths."""
    match = re.match(r"(?:json|request):\$\[([0-9]{1,9})\]$", path)
    return int(match[1]) if match else 10**9


def _unset_one(interaction: Interaction, path: str) -> Interaction:
    side, colon, rest = path.partition(":")
    if not colon or side not in ("json", "request"):
        raise CassetteError(
            f"{path}: expected json:$.path or request:$.path, found neither; write one of the two"
        )
    if side == "json":
        body = _remove(interaction.response.body, rest, interaction.file)
        return replace(interaction, response=replace(interaction.response, body=body))
    request = interaction.request
    changed = _remove(request_body_of(request), rest, interaction.file)
    return with_request(interaction, with_request_body(request, changed))


def _remove(body: Body | Events, path: str, file: str) -> Body | Events:
    try:
        parts = parse_path(path)
    except ValueError as error:
        raise CassetteError(f"{file}: {error}; write a path such as json:$.usage") from None
    values = read_values(body)
    if isinstance(body, Body):
        parts = ("0", *parts)
    holder: JsonValue = [None if isinstance(each, Plain) else each for each in values]
    numbers = {place[0] for place in find_places(holder, parts) if place}
    if not numbers or (isinstance(body, Body) and len(parts) == 1):
        fix = "to list members: bedtape cassette show --raw"
        raise CassetteError(f"{file}: expected a member at {path}, found none; {fix}")
    if isinstance(body, Events) and len(parts) == 1:
        kept = [event for number, event in enumerate(body.events) if number not in numbers]
        if not kept:
            raise CassetteError(
                f"{file}: expected to keep an event, found none left; drop the interaction instead"
            )
        return Events.of(kept, padded=body.padded)
    changed = deepcopy(values)
    for number in numbers:
        assert isinstance(number, int)
        remove(changed[number], parts[1:])  # type: ignore[arg-type]  # a place leads into it, so it is JSON
    return write_values(body, changed)


def find_stream(interaction: Interaction, *, of_client: bool) -> Events:
    """Returns the events of the answer, or of the client. Raises CassetteError if it has none."""
    body = interaction.request.events if of_client else interaction.response.body
    if not isinstance(body, Events):
        missing = (
            "a conversation, found a request without events"
            if of_client
            else "a stream, found a whole body; add is=stream to select"
        )
        raise CassetteError(f"{interaction.file}: expected {missing}")
    return body


def replace_stream(
    interaction: Interaction, body: Events, events: Sequence[Event], *, of_client: bool
) -> Interaction:
    """Returns the interaction with these events in place of the `body` of `find_stream`."""
    made = Events.of([*events], padded=body.padded)
    if of_client:
        return with_request(interaction, replace(interaction.request, events=made))
    return replace(interaction, response=replace(interaction.response, body=made))


def insert(
    interaction: Interaction, number: int, text: str, *, of_client: bool = False
) -> Interaction:
    """Inserts an event before the event with the number, from 0; the number of events appends one.

    text: `TYPE=JSON` for a frame of that event type, or JSON for an event of the kind of its
    neighbour. The event has the time of the event that it precedes. of_client: into the events of
    a conversation's client. Raises CassetteError.
    """
    body, file = find_stream(interaction, of_client=of_client), interaction.file
    events = list(body.events)
    if not 0 <= number <= len(events):
        raise CassetteError(
            f"{file}: expected a number of 0 to {len(events)}, found {number}; change the number"
        )
    events.insert(number, _build_event(text, events[min(number, len(events) - 1)], file))
    return replace_stream(interaction, body, events, of_client=of_client)


def _build_event(text: str, neighbour: Event, file: str) -> Event:
    name, value = _parse_event(text, file)
    if name is None and neighbour.headers and neighbour.form != "bytes":
        raise CassetteError(
            f"{file}: expected TYPE=JSON, found JSON alone; write it like {neighbour.type}={{…}}"
        )
    if name is None:
        return replace_value(neighbour, value)
    if not neighbour.headers:
        raise CassetteError(
            f"{file}: expected JSON, found TYPE=JSON; server-sent events have their type in the"
            " JSON"
        )
    headers = exception_headers(name) if name.endswith("Exception") else event_headers(name)
    payload = bodies.compact(value)
    return Event(neighbour.at_ms, headers, payload, bodies.choose_form(payload, framed=True))


def _parse_event(text: str, file: str) -> tuple[str | None, JsonValue]:
    name, equals, rest = text.partition("=")
    typed = equals and name.isalnum()
    try:
        value = bodies.parse((rest if typed else text).encode())
    except ValueError:
        fix = "write it like messageStop={…}"
        raise CassetteError(
            f"{file}: expected JSON or TYPE=JSON, found {text[:60]!r}; {fix}"
        ) from None
    if wrong := find_unsendable(value):
        raise CassetteError(f"{file}: {wrong[0]}")
    return name if typed else None, value
