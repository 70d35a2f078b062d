"""Text of others, fit for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.printable import printable


@given(st.text())
def test_whatever_comes_is_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_a_recording_cannot_steer_the_terminal() -> None:
    assert printable("\x1b]0;owned\x07\u202e täglich") == "\\x1b]0;owned\\x07\\x202e täglich"
