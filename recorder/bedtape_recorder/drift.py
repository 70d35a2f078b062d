"""How an answer of today differs from the recorded one in shape; wording is not looked at. Pure.

Fields gained and lost, types, the order of events, headers, error types, stop reasons, models that are retired.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bedtape_cassettes.families.members import Members, find_leaves, find_places
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place, compare_members, leaves, render_path
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS
from bedtape_cassettes.model import Body, Event, Events, Interaction, JsonValue, Response

__all__ = ["Drift", "drifts"]

_RETIRED = ("end of its life",)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: what kind, where, what was recorded, and what is answered now."""

    kind: str
    where: str
    recorded: str
    now: str

    def __str__(self) -> str:
        place = f" {self.where}" if self.where else ""
        return f"{self.kind}{place}: recorded {self.recorded}, now {self.now}"


def drifts(recorded: Interaction, now: Interaction) -> list[Drift]:
    """Every drift of an interaction's answer, the gravest first."""
    if retired := _retired(recorded.response, now.response):
        return [retired]
    before, after = recorded.response, now.response
    if before.status != after.status:
        return [Drift("status", "", str(before.status), f"{after.status} {_error_type(after)}".strip())]
    found = [*_error_types(before, after), *_headers(before, after)]
    if isinstance(before.body, Events) != isinstance(after.body, Events):  # so their content types differ, of course
        return [*found, Drift("body", "", _form(before), _form(after))]
    members = members_of(recorded.operation, recorded.model)
    bodies_drift = _bodies(before.body, after.body, members)
    return [*found, *_content_types(before, after), *bodies_drift, *_stops(before, after, members)]


def _form(response: Response) -> str:
    return "a stream" if isinstance(response.body, Events) else "no stream"


def _text(response: Response) -> str:
    return response.body.data.decode(errors="replace") if isinstance(response.body, Body) else ""


def _retired(before: Response, after: Response) -> Drift | None:
    said = _text(after)
    if before.status == 200 and after.status in (400, 404) and any(words in said for words in _RETIRED):
        return Drift("model retired", "", "an answer", said)
    return None


def _named(response: Response) -> dict[str, str]:
    """Less what an exact recording keeps of the connection and the moment."""
    lowered = ((name.lower(), value) for name, value in response.headers)
    return {name: value for name, value in lowered if name not in VOLATILE_RESPONSE_HEADERS}


def _error_type(response: Response) -> str:
    return _named(response).get("x-amzn-errortype", "").split(":")[0]


def _error_types(before: Response, after: Response) -> Iterator[Drift]:
    if _error_type(before) != _error_type(after):
        yield Drift("error type", "", _error_type(before) or "none", _error_type(after) or "none")


def _headers(before: Response, after: Response) -> Iterator[Drift]:
    one, other = _named(before), _named(after)
    for name in sorted(one.keys() - other.keys()):
        yield Drift("header lost", name, "there", "not there")
    for name in sorted(other.keys() - one.keys()):
        yield Drift("header gained", name, "not there", "there")


def _content_types(before: Response, after: Response) -> Iterator[Drift]:
    one, other = (_named(response).get("content-type") for response in (before, after))
    if one is not None and other is not None and one != other:
        yield Drift("content type", "", one, other)


def _bodies(before: Body | Events, after: Body | Events, members: Members) -> Iterator[Drift]:
    if isinstance(before, Events) and isinstance(after, Events):
        yield from _event_order(before, after)
        yield from _shapes(_events_shape(before, members), _events_shape(after, members))
    elif isinstance(before, Body) and isinstance(after, Body):
        one, other = (bodies.read_value(body.form, body.data) for body in (before, after))
        yield from _shapes(_body_shape(one, members), _body_shape(other, members))


# -- shapes ----------------------------------------------------------------------------------------------------


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "mapping"


def _body_shape(value: JsonValue, members: Members) -> dict[str, str]:
    """Each field and its type. The arguments of a tool call count as one field, because the model chooses them."""
    inputs = frozenset(find_places(value, members.tool_inputs))
    shape: dict[str, str] = {}
    for place, leaf in leaves(value, is_leaf=lambda place, _: place in inputs):
        for depth in range(1, len(place)):
            shape[_field(place[:depth])] = "list" if isinstance(place[depth], int) else "mapping"
        if place:
            shape[_field(place)] = _kind(leaf)
    return shape


def _field(place: Place) -> str:
    """The path of a field. The items of a list are one field, because their number is wording."""
    return re.sub(r"\[\d+\]", "[]", render_path(place))


def _labelled(body: Events) -> Iterator[tuple[str, JsonValue]]:
    """The events but for pings, which come when an answer takes long."""
    labelled = (
        (_label(event, value), value)
        for event in body.events
        for value in [bodies.read_value(event.form, event.payload)]
    )
    return ((label, value) for label, value in labelled if label.split()[-1] != "ping")


def _label(event: Event, value: JsonValue) -> str:
    """What an event is: its type, and below that what its delta or chunk says of itself."""
    name = event.type or "data"
    if not isinstance(value, dict):
        return name
    named = event.form == "bytes" or not event.headers
    detail = (value.get("type") or next(iter(value), "")) if named else ""
    delta = value.get("delta")
    if isinstance(delta, dict):
        detail = f"{detail} {delta.get('type') or next(iter(delta), '')}".strip()
    return f"{name} {detail}".strip()


def _event_order(before: Events, after: Events) -> Iterator[Drift]:
    """Repeats count as one: how a text is cut into pieces is wording."""
    one, other = ([label for label, _ in groupby(label for label, _ in _labelled(body))] for body in (before, after))
    if one != other:
        yield Drift("event order", "", " → ".join(one), " → ".join(other))


def _events_shape(body: Events, members: Members) -> dict[str, str]:
    return {
        f"{label}: {path}": kind
        for label, value in _labelled(body)
        for path, kind in _body_shape(value, members).items()
    }


def _shapes(before: dict[str, str], after: dict[str, str]) -> Iterator[Drift]:
    for path, one, other in compare_members(before, after, None):
        if one is None or other is None:
            yield Drift("field lost" if one else "field gained", path, one or "not there", other or "not there")
        elif one != other:
            yield Drift("type", path, one, other)


def _stops(before: Response, after: Response, members: Members) -> Iterator[Drift]:
    one, other = (_stop_words(response, members) for response in (before, after))
    if one != other:
        yield Drift("stop reason", "", ", ".join(one) or "none", ", ".join(other) or "none")


def _stop_words(response: Response, members: Members) -> list[str]:
    return sorted(
        {leaf for _, _, leaf in find_leaves(read_values(response.body), members.stop) if isinstance(leaf, str)}
    )
