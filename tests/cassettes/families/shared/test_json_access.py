"""Members by path: each as its type, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.shared import json_access
from support.native import json_objects

BODY = json.loads(
    '{"a": {"b": {"c": "deep"}}, "n": 28.0, "f": 0.5, "t": true, "huge": 1e999, "l": ["x", 1, "y"],'
    ' "half": "\\ud800!"}'
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("a", "b", "c"), "deep"),
        (("a", "b"), ""),
        (("a", "x", "c"), ""),
        (("n",), ""),
        (("half",), "?!"),
    ],
)
def test_texts_are_found_by_path(path: tuple[str, ...], expected: str) -> None:
    assert json_access.text(BODY, *path) == expected


@pytest.mark.parametrize(
    ("name", "number", "integer"),
    [
        ("n", 28.0, 28),
        ("f", 0.5, None),
        ("t", None, None),
        ("huge", None, None),
        ("a", None, None),
        ("no", None, None),
    ],
)
def test_numbers_are_numbers_that_a_float_can_hold(
    name: str, number: float | None, integer: int | None
) -> None:
    assert json_access.number(BODY, name) == number
    assert json_access.integer(BODY, name) == integer


def test_lists_keep_their_strings() -> None:
    assert json_access.texts(BODY, "l") == ("x", "y")
    assert json_access.items(BODY, "l") == ["x", 1, "y"]
    assert json_access.items(BODY, "a") == []


@given(json_objects("a", "b"), st.lists(st.sampled_from("ab"), max_size=3))
def test_nothing_ever_raises_and_every_text_fits_utf_8(
    value: dict[str, Any], path: list[str]
) -> None:
    json_access.text(value, *path).encode()
    for one in json_access.texts(value, *path):
        one.encode()
    number = json_access.number(value, *path)
    assert number is None or float(number) == number
    json_access.integer(value, *path)
