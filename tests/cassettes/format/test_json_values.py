"""Leaves, paths and differences of JSON values."""

import pytest
from hypothesis import given

from bedtape_cassettes.format.json_values import (
    MISSING,
    Place,
    at,
    compare,
    find,
    is_within,
    leaves,
    parse_path,
    render_path,
    same,
    with_leaf,
)
from bedtape_cassettes.model import JsonValue
from support.interactions import json_values

BODY: JsonValue = {
    "messages": [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"toolUse": {"name": "t"}}]},
    ],
    "n": 0,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", [BODY]),
        ("", [BODY]),
        ("n", [0]),
        ("$.n", [0]),
        ("messages.0.role", ["user"]),
        ("$.messages[1].role", ["assistant"]),
        ("messages.*.role", ["user", "assistant"]),
        ("messages[*].content[*].text", ["a", "b"]),
        ("messages.*.content.0.*", ["a", {"name": "t"}]),
        ("messages.2.role", []),
        ("messages.x", []),
        ("n.0", []),
        ("gone.away", []),
    ],
)
def test_a_path_leads_to_every_value_of_its_form(path: str, expected: list[JsonValue]) -> None:
    assert find(BODY, path) == expected


@pytest.mark.parametrize("path", ["a..b", "a.", "a[].b"])
def test_an_empty_part_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected members joined by dots"):
        parse_path(path)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": [1]}, {"a": [True]}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
    ],
)
def test_equality_is_that_of_json(one: JsonValue, other: JsonValue, expected: bool) -> None:
    assert same(one, other) is expected


@given(json_values)
def test_every_leaf_is_at_its_place(value: JsonValue) -> None:
    for place, leaf in leaves(value):
        assert at(value, place) is leaf or at(value, place) == leaf
        assert at(with_leaf(value, place, "new"), place) == "new"


def test_empty_objects_and_lists_are_leaves() -> None:
    value: JsonValue = {"a": [], "b": [{}, 1]}
    assert [(render_path(place), leaf) for place, leaf in leaves(value)] == [
        ("a", []),
        ("b[0]", {}),
        ("b[1]", 1),
    ]
    assert leaves(value, is_leaf=lambda place, _: place == ("b",))[1] == (("b",), [{}, 1])


@pytest.mark.parametrize(
    ("place", "root", "path"),
    [
        ((), "", ""),
        (("a", 0, "b"), "", "a[0].b"),
        ((0, "b"), "", "[0].b"),
        (("b",), "event 1", "event 1.b"),
    ],
)
def test_a_place_is_spelled_as_a_path(place: Place, root: str, path: str) -> None:
    assert render_path(place, root) == path
    assert is_within(place, parse_path(path if not root else "b"))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, [("a", 1, 1.0)]),
        ({"a": None}, {"b": None}, [("a", None, MISSING), ("b", MISSING, None)]),
        ([1, {"a": [2]}], [1, {"a": [3]}, 4], [("[1].a[0]", 2, 3), ("[2]", MISSING, 4)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
    ],
)
def test_every_difference_has_its_place(
    before: JsonValue, after: JsonValue, changes: list[object]
) -> None:
    places = [
        (render_path(change.place), change.before, change.after)
        for change in compare(before, after)
    ]
    assert [repr(one) for one in places] == [repr(one) for one in changes]
