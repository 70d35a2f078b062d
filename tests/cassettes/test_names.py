"""What a cassette may be called, and which cassette a session's is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.names import cassette_name, is_safe_name
from support.examples import examples


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("checkout", "checkout"),
        ("tests/test_a", "tests/test_a"),
        ("tests/test_a.py::test_b[x-1]", "tests/test_a.py-test_b[x-1]"),
        ("../../etc/passwd", "etc/passwd"),
        ("a//b", "a/b"),
        ("..", "default"),
        ("", "default"),
        ("C:\\temp", "C-temp"),
        ("name.", "name"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_session_makes_a_name_that_stays_in_its_folder(session: str, name: str) -> None:
    assert cassette_name(session) == name
    assert is_safe_name(name)


@settings(derandomize=True, max_examples=examples(300))
@given(st.text(max_size=40))
def test_any_session_has_a_cassette_and_the_same_one_again(session: str) -> None:
    name = cassette_name(session)
    assert is_safe_name(name)
    assert cassette_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/../b", "/a", "a/", ".hidden", "a\\b", "a:b", "a\nb", "a ", "a."],
)
def test_names_that_no_file_may_have(name: str) -> None:
    assert not is_safe_name(name)
