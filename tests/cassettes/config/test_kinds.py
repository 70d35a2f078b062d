"""Values of each kind, as TOML and as the text of a variable: taken, or refused with what was expected."""

from __future__ import annotations

import pytest

from bedtape_cassettes.config.kinds import Choice, Command, Kind, Number, Pattern, Place, Switch, Text, Unfit, Whole

PORT, MODE = Whole(0, 65535), Choice(("once", "new"))
COMMAND = Command(("once",), "say it elsewhere")


@pytest.mark.parametrize(
    ("kind", "toml", "text", "value"),
    [
        (Switch(), True, "1", True),
        (Switch(), False, "OFF", False),
        (PORT, 0, "0", 0),
        (PORT, 65535, "65535", 65535),
        (Whole(), -3, "-3", -3),
        (Number(), 2, "2", 2.0),
        (Number(), 0.5, "5e-1", 0.5),
        (Text(), " a ", " a ", " a "),
        (Place(), "tests/cassettes", "tests/cassettes", "tests/cassettes"),
        (MODE, "new", "new", "new"),
        (Pattern(), r"\d+ (?:a|b)", r"\d+ (?:a|b)", r"\d+ (?:a|b)"),
        (COMMAND, "bedtape record 'a b'", "bedtape record 'a b'", "bedtape record 'a b'"),
    ],
)
def test_what_fits(kind: Kind, toml: object, text: str, value: object) -> None:
    for taken in (kind.of_toml(toml), kind.of_text(text)):
        assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "wrong", "expected", "fix"),
    [
        (Switch(), "true", "true or false", "write it without quotes"),
        (Switch(), 1, "true or false", ""),
        (PORT, "80", "a whole number from 0 to 65535", "write it without quotes"),
        (PORT, "eighty", "a whole number from 0 to 65535", ""),
        (PORT, True, "a whole number from 0 to 65535", ""),
        (PORT, 80.0, "a whole number from 0 to 65535", ""),
        (PORT, 65536, "a whole number from 0 to 65535", ""),
        (PORT, -1, "a whole number from 0 to 65535", ""),
        (Whole(1), 0, "a whole number from 1", ""),
        (Number(), 0, "a number above 0", ""),
        (Number(), float("inf"), "a number above 0", ""),
        (Number(), 10**400, "a number above 0", ""),
        (Number(), float("nan"), "a number above 0", ""),
        (Number(), True, "a number above 0", ""),
        (Number(), "2", "a number above 0", "write it without quotes"),
        (Text(), 3, "a text", ""),
        (Text(), "", "a text", "leave the key out for the default"),
        (Place(), ["a"], "a path", ""),
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
        (Switch(), "maybe"),
        (PORT, "1_0"),
        (PORT, "٣"),
        (PORT, "65536"),
        (PORT, "9" * 5000),
        (Number(), "fast"),
        (Number(), "-1"),
        (MODE, "all"),
        (Pattern(), "("),
        (COMMAND, "once"),
    ],
)
def test_what_a_variable_cannot_say(kind: Kind, text: str) -> None:
    with pytest.raises(Unfit):
        kind.of_text(text)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}"])
def test_a_pattern_that_is_none_is_told_with_its_reason(pattern: str) -> None:
    with pytest.raises(Unfit) as told:
        Pattern().of_toml(pattern)
    assert told.value.expected == "a regular expression"
    assert "put a backslash" in told.value.fix
