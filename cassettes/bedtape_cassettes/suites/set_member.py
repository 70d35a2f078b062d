"""Members of bodies and events set by JSON path. Pure; it knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_view import Place, Plain, opened, sealed, with_leaf
from bedtape_cassettes.format.jsonpath import parts
from bedtape_cassettes.model import Body, Events, JsonValue

__all__ = ["with_members"]


def with_members(body: Body | Events, path: str, value: str, file: str) -> Body | Events:
    """The body with the members at the path set; in a stream the path's first part is the event's number, from 0."""
    try:
        where = parts(path)
    except ValueError as error:
        raise CassetteError(f"{file}: {error}; write it like json:$.content[0].text=…") from None
    values = opened(body)
    holder: JsonValue = [None if isinstance(each, Plain) else each for each in values]
    if isinstance(body, Body):
        where = ("0", *where)
    places = list(_places(holder, where))
    if not places:
        raise CassetteError(f"{file}: expected a member at {path}, found none; look at it: bedtape cassette show --raw")
    for number, *place in places:
        assert isinstance(number, int)
        values[number] = with_leaf(values[number], tuple(place), _parsed(value))
    return sealed(body, values)


def _places(value: JsonValue, where: Sequence[str], done: Place = ()) -> Iterator[Place]:
    """The places that the path means; a new member of an object is one."""
    if not where:
        yield done
        return
    part, rest = where[0], where[1:]
    if isinstance(value, dict):
        for key in value if part == "*" else [part]:
            if key in value:
                yield from _places(value[key], rest, (*done, key))
            elif not rest:
                yield (*done, key)
    elif isinstance(value, list):
        for index in range(len(value)):
            if part in ("*", str(index)):
                yield from _places(value[index], rest, (*done, index))


def _parsed(value: str) -> JsonValue:
    """JSON, or the text itself where it is none."""
    try:
        return bodies.parse(value.encode(errors="replace"))
    except ValueError:
        return value
