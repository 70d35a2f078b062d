"""Compares the shape of a new answer with the recorded answer. Ignores wording. Pure.

Compares fields, types, event order, content blocks, headers, errors, stop reasons, and classes of
latency. Detects retired models, missing permissions and streams that are cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bedtape_cassettes.failures import read_error
from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.members import Members, find_leaves, find_places
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place, Plain, compare_members, leaves, render_path
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS
from bedtape_cassettes.model import Body, Event, Events, Interaction, JsonValue, Response
from bedtape_cassettes.suites.texts import read_error_name

_RETIRED = ("end of its life",)
# Errors about the caller's permissions, and not about the request.
_DENIED = (
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "InvalidSignatureException",
)
# The upper ends of the classes of latency, in milliseconds. A new class alone is chance: the
# time must also be doubled.
_CLASSES = (1_000, 3_000, 10_000, 30_000)
_FACTOR = 2


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference in shape between a recorded answer and a new answer.

    where: the member, header or event; empty for the whole answer.
    """

    kind: str
    where: str
    recorded: str
    now: str

    def __str__(self) -> str:
        place = f" {self.where}" if self.where else ""
        return f"{self.kind}{place}: recorded {self.recorded}, now {self.now}"


def find_drifts(recorded: Interaction, now: Interaction) -> list[Drift]:
    """Returns the drifts of an interaction's answer, most serious first."""
    before, after = recorded.response, now.response
    if gone := _find_retired_model(before, after) or _find_missing_permission(before, after):
        return [gone]
    if before.status != after.status:
        return [
            Drift(
                "status",
                "",
                str(before.status),
                f"{after.status} {_read_error_type(after)}".strip(),
            )
        ]
    if (after.ends or now.partial) and not before.ends:  # its other differences follow from that
        return [Drift("cut stream", "", "complete", after.ends or "broken")]
    errors = [*_compare("error type", _read_error_type(before), _read_error_type(after))]
    if not errors and before.status >= 400:
        errors = [*_compare("error text", _read_error_text(before), _read_error_text(after))]
    drifts = [*errors, *_compare_headers(before, after)]
    if isinstance(before.body, Events) != isinstance(after.body, Events):  # implies content types
        return [*drifts, Drift("body", "", _describe_form(before), _describe_form(after))]
    members = members_of(recorded.operation, recorded.model)
    bodies_drift = [*_compare_bodies(before.body, after.body, members)]
    stops = _compare(
        "stop reason", _read_stop_reasons(before, members), _read_stop_reasons(after, members)
    )
    blocks = (
        []
        if any(drift.kind == "event order" for drift in bodies_drift)
        else _compare_blocks(recorded, now)
    )
    content_types = _compare_content_types(before, after)
    return [
        *drifts,
        *content_types,
        *bodies_drift,
        *blocks,
        *stops,
        *_compare_latency(before, after),
    ]


def _compare(kind: str, before: str, after: str) -> Iterator[Drift]:
    if before != after:
        yield Drift(kind, "", before or "none", after or "none")


def _describe_form(response: Response) -> str:
    return "a stream" if isinstance(response.body, Events) else "no stream"


def _read_text(response: Response) -> str:
    return response.body.data.decode(errors="replace") if isinstance(response.body, Body) else ""


def _find_retired_model(before: Response, after: Response) -> Drift | None:
    text = _read_text(after)
    if (
        before.status == 200
        and after.status in (400, 404)
        and any(words in text for words in _RETIRED)
    ):
        return Drift("model retired", "", "an answer", text)
    return None


def _find_missing_permission(before: Response, after: Response) -> Drift | None:
    """Returns the same drift for every request, so that a missing permission is one finding."""
    name = _capitalise(read_error_name(after))
    if (
        before.status < 400
        and _capitalise(read_error_name(before)) not in _DENIED
        and (after.status in (401, 403) or name in _DENIED)
    ):
        return Drift("missing permission", "", "an answer", f"{after.status} {name}".strip())
    return None


def _capitalise(name: str) -> str:
    """Returns an error's name as in a response. In streams, it begins with a small letter."""
    return name[:1].upper() + name[1:]


def _index_headers(response: Response) -> dict[str, str]:
    """Returns headers by lower-case name, without the volatile headers of exact recordings."""
    lowered = ((name.lower(), value) for name, value in response.headers)
    return {name: value for name, value in lowered if name not in VOLATILE_RESPONSE_HEADERS}


def _read_error_type(response: Response) -> str:
    """Returns the error's name. The exception of a stream is compared as an event."""
    return read_error_name(response) if isinstance(response.body, Body) else ""


def _read_error_text(response: Response) -> str:
    """Returns the error's message without numbers and ids, which differ in each call."""
    value = read_values(response.body)[0]
    if isinstance(value, Plain):
        return ""
    message = value.get("message", value.get("Message")) if isinstance(value, dict) else None
    text = message if isinstance(message, str) else read_error(value)[1] or ""
    return re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\breq_\w+|[0-9]+", "…", text)


def _compare_blocks(recorded: Interaction, now: Interaction) -> Iterator[Drift]:
    """Compares the kinds of content blocks. The number of cited texts is wording."""
    before, after = (_list_blocks(interaction) for interaction in (recorded, now))
    if before is not None and after is not None:
        yield from _compare("content blocks", ", ".join(before), ", ".join(after))


def _list_blocks(interaction: Interaction) -> list[str] | None:
    content = content_of(interaction.operation, interaction.model, interaction.response)
    if not isinstance(content, Message):
        return None
    kinds = [type(block).__name__ for block in content.blocks]
    return [
        kind
        for place, kind in enumerate(kinds)
        if kind != "CitedText" or kinds[place - 1 : place] != [kind]
    ]


def _compare_latency(before: Response, after: Response) -> Iterator[Drift]:
    """Compares the time to the end of the answer, if it was recorded."""
    one, other = _measure(before), _measure(after)
    if one and other and max(one, other) >= _FACTOR * min(one, other):
        yield from _compare("latency", _classify(one), _classify(other))


def _measure(response: Response) -> int:
    events = response.body.events[-1:] if isinstance(response.body, Events) else ()
    return response.after_ms + sum(event.at_ms for event in events)


def _classify(milliseconds: int) -> str:
    ends = [end for end in _CLASSES if milliseconds < end]
    return f"under {ends[0] // 1000} s" if ends else f"{_CLASSES[-1] // 1000} s or more"


def _compare_headers(before: Response, after: Response) -> Iterator[Drift]:
    one, other = _index_headers(before), _index_headers(after)
    for name in sorted(one.keys() - other.keys()):
        yield Drift("header lost", name, "there", "not there")
    for name in sorted(other.keys() - one.keys()):
        yield Drift("header gained", name, "not there", "there")


def _compare_content_types(before: Response, after: Response) -> Iterator[Drift]:
    one, other = (_index_headers(response).get("content-type") for response in (before, after))
    if one is not None and other is not None:
        yield from _compare("content type", one, other)


def _compare_bodies(
    before: Body | Events, after: Body | Events, members: Members
) -> Iterator[Drift]:
    if isinstance(before, Events) and isinstance(after, Events):
        yield from _compare_event_order(before, after)
        yield from _compare_shapes(
            _read_events_shape(before, members), _read_events_shape(after, members)
        )
    elif isinstance(before, Body) and isinstance(after, Body):
        one, other = (bodies.read_value(body.form, body.data) for body in (before, after))
        yield from _compare_shapes(_read_body_shape(one, members), _read_body_shape(other, members))


# -- shapes ----------------------------------------------------------------------------------------


_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "mapping",
}


def _read_body_shape(value: JsonValue, members: Members) -> dict[str, str]:
    """Returns each field and its type.

    The arguments of a tool call count as one field, because the model chooses them.
    """
    inputs = frozenset(find_places(value, members.tool_inputs))
    shape: dict[str, str] = {}
    for place, leaf in leaves(value, is_leaf=lambda place, _: place in inputs):
        for depth in range(1, len(place)):
            shape[_render_field(place[:depth])] = (
                "list" if isinstance(place[depth], int) else "mapping"
            )
        if place:
            shape[_render_field(place)] = _TYPES[type(leaf)]
    return shape


def _render_field(place: Place) -> str:
    """Returns the path of a field. A list's items are one field: their number is wording."""
    return re.sub(r"\[\d+\]", "[]", render_path(place))


def _label_events(body: Events) -> Iterator[tuple[str, JsonValue]]:
    """Yields events with labels. Omits pings, because their number depends on timing."""
    events = (
        (_make_label(event, value), value)
        for event in body.events
        for value in [bodies.read_value(event.form, event.payload)]
    )
    return ((label, value) for label, value in events if label.split()[-1] != "ping")


def _make_label(event: Event, value: JsonValue) -> str:
    """Returns an event's type, followed by the type of its delta or chunk."""
    name = event.type or "data"
    if not isinstance(value, dict):
        return name
    named = event.form == "bytes" or not event.headers
    detail = (value.get("type") or next(iter(value), "")) if named else ""
    delta = value.get("delta")
    if isinstance(delta, dict):
        detail = f"{detail} {delta.get('type') or next(iter(delta), '')}".strip()
    return f"{name} {detail}".strip()


def _compare_event_order(before: Events, after: Events) -> Iterator[Drift]:
    """Compares event order. Repeats count as one, because a text is cut arbitrarily."""
    one, other = (
        [label for label, _ in groupby(label for label, _ in _label_events(body))]
        for body in (before, after)
    )
    if one != other:
        yield Drift("event order", "", " → ".join(one), " → ".join(other))


def _read_events_shape(body: Events, members: Members) -> dict[str, str]:
    return {
        f"{label}: {path}": kind
        for label, value in _label_events(body)
        for path, kind in _read_body_shape(value, members).items()
    }


def _compare_shapes(before: dict[str, str], after: dict[str, str]) -> Iterator[Drift]:
    for path, one, other in compare_members(before, after, None):
        if one is None or other is None:
            yield Drift(
                "field lost" if one else "field gained",
                path,
                one or "not there",
                other or "not there",
            )
        elif one != other:
            yield Drift("type", path, one, other)


def _read_stop_reasons(response: Response, members: Members) -> str:
    stops = find_leaves(read_values(response.body), members.stop)
    return ", ".join(sorted({leaf for _, _, leaf in stops if isinstance(leaf, str)}))
