"""Sets members of bodies and of events, named by a path such as `json:$.output.message`."""

from __future__ import annotations

from dataclasses import replace

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_schema import find_unsendable
from bedtape_cassettes.format.json_values import Plain, find_places, parse_path, with_leaf
from bedtape_cassettes.format.json_view import read_values, write_values
from bedtape_cassettes.model import Body, Events, Interaction, JsonValue, Response


def with_member(interaction: Interaction, path: str, value: str, notes: list[str]) -> Response:
    response = interaction.response
    body = with_members(response.body, path, value, interaction.file)
    if content_of(interaction.operation, interaction.model, response) is None:
        notes.append("the form of the answer is not known, so only this member is changed")
    return replace(response, body=body)


def with_members(body: Body | Events, path: str, value: str, file: str) -> Body | Events:
    """Sets the members at the path, which begins with an event's number, from 0, in a stream."""
    try:
        parts = parse_path(path)
    except ValueError as error:
        raise CassetteError(
            f"{file}: {error}; write a path such as json:$.content[0].text=…"
        ) from None
    values = read_values(body)
    holder: JsonValue = [None if isinstance(each, Plain) else each for each in values]
    if isinstance(body, Body):
        parts = ("0", *parts)
    places = list(find_places(holder, parts, or_new=True))
    if not places:
        raise CassetteError(
            f"{file}: expected a member at {path}, found none; to list members: bedtape cassette"
            " show --raw"
        )
    parsed = parse_value(path, value, file)
    for number, *place in places:
        assert isinstance(number, int)
        values[number] = with_leaf(values[number], tuple(place), parsed)
    return write_values(body, values)


def parse_value(key: str, value: str, file: str) -> JsonValue:
    """Parses the value as JSON; returns the text if it is not JSON.

    Raises CassetteError if the value cannot be sent.
    """
    try:
        parsed = bodies.parse(value.encode())
    except ValueError:
        parsed = value
    if (
        key.startswith("tool")
        and not isinstance(parsed, dict | list)
        and value.lstrip()[:1] in ("{", "[")
    ):
        raise CassetteError(f"{file}: {key}: expected JSON, found {value[:60]!r}")
    if wrong := find_unsendable(parsed):
        raise CassetteError(f"{file}: {key}: {wrong[0]}")
    return parsed


def with_length(interaction: Interaction) -> Interaction:
    """Updates the Content-Length of an exact recording to the size of its body."""
    response = interaction.response
    size = str(_measure(response.body))
    headers = tuple((n, size if n.lower() == "content-length" else v) for n, v in response.headers)
    return (
        interaction
        if headers == response.headers
        else replace(interaction, response=replace(response, headers=headers))
    )


def _measure(body: Body | Events) -> int:
    if isinstance(body, Body):
        return len(body.data)
    return sum(
        len(eventstream.encode_strings(e.headers, e.payload) if e.headers else e.payload)
        for e in body.events
    )
