"""Members set by path."""

from __future__ import annotations

import json

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.json_view import opened
from bedtape_cassettes.model import Body, Event, Events, event_headers
from bedtape_cassettes.suites.set_member import with_members

BODY = Body("json", b'{"a":[{"b":1},{"b":2}],"c":"d"}')


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        ("$.a[0].b", "7", {"a": [{"b": 7}, {"b": 2}], "c": "d"}),
        ("a.*.b", '"x"', {"a": [{"b": "x"}, {"b": "x"}], "c": "d"}),
        ("c", "plain words", {"a": [{"b": 1}, {"b": 2}], "c": "plain words"}),
        ("new", "[1]", {"a": [{"b": 1}, {"b": 2}], "c": "d", "new": [1]}),
        ("$", "null", None),
    ],
)
def test_members_are_json_or_text(path: str, value: str, after: object) -> None:
    body = with_members(BODY, path, value, "f")
    assert isinstance(body, Body)
    assert json.loads(body.data) == after


def test_of_a_stream_the_first_part_is_the_event() -> None:
    events = Events.of([Event(0, event_headers("a"), b'{"n":1}', "json") for _ in range(3)])
    assert opened(with_members(events, "$[1].n", "5", "f")) == [{"n": 1}, {"n": 5}, {"n": 1}]
    assert opened(with_members(events, "*.n", "5", "f")) == [{"n": 5}] * 3


@pytest.mark.parametrize("path", ["a.9.b", "c.d", "x.y", "a..b"])
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises(CassetteError, match="f: expected"):
        with_members(BODY, path, "1", "f")
