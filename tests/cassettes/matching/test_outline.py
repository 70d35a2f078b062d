"""The outline of a request: its key is the key of the body, and it contains
everything but large binary data.
"""

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.matching.key import compute_key
from bedtape_cassettes.matching.outline import read_outline
from bedtape_cassettes.operations import identify
from support.examples import examples

TARGET = identify("POST", "/model/us.amazon.nova-2-lite-v1%3A0/converse")
IMAGE = b64encode(Random(1).randbytes(300_000)).decode()
SECRET = f"{IMAGE[:100_000]}+AKIA{'ABCD' * 4}+{IMAGE[100_000:]}"
PLACES: list[Any] = [
    {"image": {"source": {"bytes": None}}},
    {"source": {"type": "base64", "data": None}},
    {"inputImage": None},
    {"images": [None]},
    {"image_url": {"url": None}},
    {"text": None},
    [None],
]
VALUES = [
    IMAGE,
    IMAGE[::-1],
    IMAGE[:1000],
    SECRET,
    f"data:image/png;base64,{IMAGE}",
    "words and " * 40_000,
    "=" * 300_000,
]


def put(value: str, place: Any) -> Any:
    match place:
        case None:
            return value
        case dict():
            return {name: put(value, member) for name, member in place.items()}
        case list():
            return [put(value, member) for member in place]
    return place


BODIES = st.builds(
    lambda values, text, spaced: json.dumps(
        {"a": text, "z": values, "b": [1.0]}, indent=1 if spaced else None
    ).encode(),
    st.lists(
        st.builds(put, st.sampled_from(VALUES), st.sampled_from(PLACES)), min_size=1, max_size=4
    ),
    st.text(max_size=5),
    st.booleans(),
)


def key(body: Any) -> bytes:
    return compute_key("POST", TARGET, (), body)


@settings(max_examples=examples(60))
@given(BODIES)
@pytest.mark.slow
def test_the_key_of_an_outline_is_the_key_of_its_body(body: bytes) -> None:
    outline = read_outline(body)
    assert b"".join(outline.split(outline.data)) == body
    assert key(outline) == key(body)


@pytest.mark.parametrize("place", PLACES[:4])
def test_large_binary_data_is_left_out(place: Any) -> None:
    outlines = [
        read_outline(json.dumps({"text": "Hello", "at": put(value, place)}).encode()).data
        for value in VALUES[:2]
    ]
    assert max(map(len, outlines)) < 300
    assert outlines[0] != outlines[1]


@pytest.mark.parametrize(
    "value",
    [
        {"text": IMAGE},
        {"bytes": "words and " * 40_000},
        {"bytes": SECRET},
        {"bytes": IMAGE[:1000], "text": "words and " * 40_000},
        {"bytes": IMAGE.replace("/", "\\/")},
    ],
)
def test_everything_else_stays(value: Any) -> None:
    body = json.dumps(value).encode()
    assert read_outline(body).data is body or read_outline(body).data == body


@pytest.mark.parametrize(
    "body", [b"", b"x" * 300_000, b'"' * 300_000, b'{"bytes":"' + IMAGE.encode(), b"\xff" * 300_000]
)
def test_bodies_that_are_no_json_are_their_own_outline(body: bytes) -> None:
    assert read_outline(body).data == body
