"""Values of each kind, as TOML and as the text of a variable: taken, or
refused with what was expected.
"""

import pytest

from bedtape_cassettes.config.kinds import (
    ChoiceKind,
    CommandKind,
    Kind,
    NumberKind,
    PathKind,
    PatternKind,
    SwitchKind,
    TextKind,
    Unfit,
    WholeNumberKind,
)

PORT, MODE = WholeNumberKind(0, 65535), ChoiceKind(("once", "new"))
COMMAND = CommandKind(("once",), "say it elsewhere")


@pytest.mark.parametrize(
    ("kind", "toml", "text", "value"),
    [
        (SwitchKind(), True, "1", True),
        (SwitchKind(), False, "OFF", False),
        (PORT, 0, "0", 0),
        (PORT, 65535, "65535", 65535),
        (WholeNumberKind(), -3, "-3", -3),
        (NumberKind(), 2, "2", 2.0),
        (NumberKind(), 0.5, "5e-1", 0.5),
        (TextKind(), " a ", " a ", " a "),
        (PathKind(), "tests/cassettes", "tests/cassettes", "tests/cassettes"),
        (MODE, "new", "new", "new"),
        (PatternKind(), r"\d+ (?:a|b)", r"\d+ (?:a|b)", r"\d+ (?:a|b)"),
        (COMMAND, "bedtape record 'a b'", "bedtape record 'a b'", "bedtape record 'a b'"),
    ],
)
def test_what_fits(kind: Kind, toml: object, text: str, value: object) -> None:
    for taken in (kind.of_toml(toml), kind.of_text(text)):
        assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "wrong", "expected", "fix"),
    [
        (SwitchKind(), "true", "true or false", "write it without quotes"),
        (SwitchKind(), 1, "true or false", ""),
        (PORT, "80", "a whole number from 0 to 65535", "write it without quotes"),
        (PORT, "eighty", "a whole number from 0 to 65535", ""),
        (PORT, True, "a whole number from 0 to 65535", ""),
        (PORT, 80.0, "a whole number from 0 to 65535", ""),
        (PORT, 65536, "a whole number from 0 to 65535", ""),
        (PORT, -1, "a whole number from 0 to 65535", ""),
        (WholeNumberKind(1), 0, "a whole number from 1", ""),
        (NumberKind(), 0, "a number above 0", ""),
        (NumberKind(), float("inf"), "a number above 0", ""),
        (NumberKind(), 10**400, "a number above 0", ""),
        (NumberKind(), float("nan"), "a number above 0", ""),
        (NumberKind(), True, "a number above 0", ""),
        (NumberKind(), "2", "a number above 0", "write it without quotes"),
        (TextKind(), 3, "a text", ""),
        (TextKind(), "", "a text", "leave the key out for the default"),
        (PathKind(), ["a"], "a path", ""),
        (MODE, "New", "one of once, new", ""),
        (MODE, 1, "one of once, new", ""),
        (COMMAND, "once", "a command", "say it elsewhere"),
        (COMMAND, "a 'b", "a command", "no closing quotation: fix its quotes"),
    ],
)
def test_what_does_not(kind: Kind, wrong: object, expected: str, fix: str) -> None:
    with pytest.raises(Unfit) as told:
        kind.of_toml(wrong)
    assert (told.value.expected, told.value.fix) == (expected, fix)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SwitchKind(), "maybe"),
        (PORT, "1_0"),
        (PORT, "٣"),
        (PORT, "65536"),
        (PORT, "9" * 5000),
        (NumberKind(), "fast"),
        (NumberKind(), "-1"),
        (MODE, "all"),
        (PatternKind(), "("),
        (COMMAND, "once"),
    ],
)
def test_what_a_variable_cannot_say(kind: Kind, text: str) -> None:
    with pytest.raises(Unfit):
        kind.of_text(text)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}"])
def test_a_pattern_that_is_none_is_told_with_its_reason(pattern: str) -> None:
    with pytest.raises(Unfit) as told:
        PatternKind().of_toml(pattern)
    assert told.value.expected == "a regular expression"
    assert "put a backslash" in told.value.fix
