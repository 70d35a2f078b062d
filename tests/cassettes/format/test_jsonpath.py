"""Paths into JSON."""

from __future__ import annotations

import pytest

from bedtape_cassettes.format.jsonpath import find, parts, same
from bedtape_cassettes.model import JsonValue

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
        parts(path)


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
