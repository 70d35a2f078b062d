"""Counts with nouns, and text of recordings made fit for a terminal."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.text import escape_controls, format_count, format_uuid, render_annotation


@pytest.mark.parametrize(("count", "expected"), [(0, "0 calls"), (1, "1 call"), (2, "2 calls")])
def test_a_count_has_its_noun(count: int, expected: str) -> None:
    assert format_count(count, "call") == expected


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    escaped = escape_controls(text)
    assert escaped.isprintable()
    assert escaped == text or not text.isprintable()


def test_a_recording_cannot_steer_the_terminal() -> None:
    assert escape_controls("\x1b]0;owned\x07\u202e täglich") == "\\x1b]0;owned\\x07\\x202e täglich"


@given(st.binary(min_size=16, max_size=16))
def test_a_uuid_is_formatted_as_the_library_does(data: bytes) -> None:
    assert format_uuid(data) == str(UUID(bytes=data, version=4))


def test_annotations_are_escaped_as_github_reads_them() -> None:
    line = render_annotation("100%: a, b\r\n::error::x", "one: two, 3%", "a,b:c.py", 7)
    assert (
        line
        == "::error file=a%2Cb%3Ac.py,line=7,title=one%3A two%2C 3%25::100%25: a, b%0D%0A::error::x"
    )
    assert render_annotation("x", "title") == "::error title=title::x"
