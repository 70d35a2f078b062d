"""Users' patterns mean what they mean in Python's `re`, and none of them hangs."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format.patterns import (
    SlowPattern,
    compile_pattern,
    expand_all,
    find_spans,
    matches,
    replace_all,
)
from support.examples import examples

SOURCES = [
    "a",
    "^a|b$",
    "(?i)ÄB",
    "(?a)\\w+",
    "(?m)^a$",
    "(?s)a.b",
    "(?x) a  # an a\n b",
    "(a)(b)?",
    r"(?<=a)b(?!c)",
    r"(a|b)\1",
    r"\bab\b",
    r"\d{2,3}?",
    r"[^ab]+",
    "(?:ab){e<=1}",
    "a{i}",
    r"a\{b{s}",
    r"\N{DIGIT ONE}{d}",
    "(?P<x>a)(?P=x)",
    "a*",
    "a++b",
    r"\[:ab:]",
    "[ab[]+",
]


@pytest.mark.parametrize("source", SOURCES)
@settings(derandomize=True, deadline=None, max_examples=examples(60))
@given(text=st.text("abcÄ1 {}ei<=d\n", max_size=12))
def test_a_pattern_matches_as_python_does(source: str, text: str) -> None:
    pattern = compile_pattern(source)
    assert list(find_spans(pattern, text)) == [match.span() for match in pattern.finditer(text)]
    assert matches(pattern, text) == (pattern.search(text) is not None)
    assert replace_all(pattern, r"\1", text) == pattern.sub(lambda _: r"\1", text)
    template = r"[\g<0>\n" + (r"\1]" if pattern.groups else "]")
    assert expand_all(pattern, template, text) == pattern.sub(template, text)
    if pattern.groups:
        assert list(find_spans(pattern, text, 1)) == [
            match.span(1) for match in pattern.finditer(text)
        ]


@pytest.mark.parametrize("source", ["[[:alpha:]]+", "x[^[:digit:]]", "[a[:^space:]]"])
def test_a_class_of_posix_is_refused(source: str) -> None:
    """Python reads it as a set of the characters of its name, and the engine as the class."""
    with pytest.raises(ValueError, match=r"Python has no classes such as \[:\^?[a-z]+:\]; write"):
        compile_pattern(source)


def test_flags_of_a_compiled_pattern_count() -> None:
    assert matches(compile_pattern("ab", ignore_case=True), "AB")
    assert matches(re.compile("a b # x", re.IGNORECASE | re.VERBOSE), "AB")
    assert not matches(re.compile(r"\w", re.ASCII), "é")


@pytest.mark.parametrize("source", ["[a", "b)", "*", "(?P<a", "a" + "(" * 200 + ")" * 200 + ")"])
def test_a_wrong_pattern_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compile_pattern(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("(x+x+)+y", "x" * 100_000),
        pytest.param(r"(?:a{1,1000}){1,1000}b", "a" * 100_000, marks=pytest.mark.slow),
        pytest.param(r"\s+$", " " * 200_000 + "x", marks=pytest.mark.slow),
    ],
)
def test_a_pattern_that_would_take_hours_is_stopped(source: str, text: str) -> None:
    pattern = compile_pattern(source)
    for search in (lambda: matches(pattern, text), lambda: list(find_spans(pattern, text))):
        with pytest.raises(
            SlowPattern, match=re.escape(f"a text of {len(text)} characters, found {source!r}")
        ):
            search()
    for replace in (replace_all, expand_all):
        with pytest.raises(SlowPattern):
            replace(pattern, "", text)


@pytest.mark.parametrize(("source", "text"), [("^(a+)+$", "a" * 40 + "b"), ("(a|a)*b$", "a" * 40)])
def test_patterns_that_hang_python_return_at_once(source: str, text: str) -> None:
    assert not matches(compile_pattern(source), text)
