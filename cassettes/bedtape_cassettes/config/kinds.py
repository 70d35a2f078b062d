"""The kinds of values that settings have. A kind checks a value of TOML or the text of a variable.

A kind does not check whether a path exists or a port is free; the command does.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bedtape_cassettes.format.patterns import compile_pattern

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]


class Unfit(ValueError):
    """A value is not of its kind. expected: describes valid values. fix: a hint, or empty."""

    def __init__(self, expected: str, fix: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.fix = fix


class Kind(Protocol):
    """Checks values. Both methods raise Unfit."""

    def of_toml(self, value: object) -> Scalar:
        """Returns the checked value of a file."""

    def of_text(self, text: str) -> Scalar:
        """Returns the checked value of a variable."""


_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


# A number in TOML and in the options of most programs. Python also reads 1_0, nan and ٣.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class SwitchKind:
    """On or off."""

    def of_toml(self, value: object) -> Scalar:
        if isinstance(value, bool):
            return value
        quoted = isinstance(value, str) and value.lower() in ("true", "false")
        raise Unfit("true or false", "write it without quotes" if quoted else "")

    def of_text(self, text: str) -> Scalar:
        if (value := _WORDS.get(text.lower())) is not None:
            return value
        raise Unfit("1 or 0, true or false, yes or no, on or off")


@dataclass(frozen=True, slots=True)
class WholeNumberKind:
    """A whole number from low to high, both included."""

    low: int | None = None
    high: int | None = None

    @property
    def _requirement(self) -> str:
        if self.low is None:
            return "a whole number"
        return f"a whole number from {self.low}" + ("" if self.high is None else f" to {self.high}")

    def of_toml(self, value: object) -> Scalar:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit(self._requirement, _suggest_unquoted(value))
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            raise Unfit(self._requirement)
        return value

    def of_text(self, text: str) -> Scalar:
        if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
            raise Unfit(self._requirement)
        return self.of_toml(int(text))


@dataclass(frozen=True, slots=True)
class NumberKind:
    """A finite number from low to high, both included. Without bounds, a number above 0: a pace."""

    low: float | None = None
    high: float = sys.float_info.max

    @property
    def _requirement(self) -> str:
        if self.low is None:
            return "a number above 0"
        return f"a number from {self.low:.15g} to {self.high:.15g}"

    def of_toml(self, value: object) -> Scalar:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Unfit(self._requirement, _suggest_unquoted(value))
        above = value > 0 if self.low is None else value >= self.low
        if not (above and value <= self.high):  # NaN is neither above nor below a number
            raise Unfit(self._requirement)
        return float(value)

    def of_text(self, text: str) -> Scalar:
        if _NUMBER.fullmatch(text) is None:
            raise Unfit(self._requirement)
        return self.of_toml(float(text))


def _suggest_unquoted(value: object) -> str:
    try:
        return (
            "write it without quotes"
            if isinstance(value, str) and float(value) == float(value)
            else ""
        )
    except ValueError:
        return ""


def _text(value: object, expected: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise Unfit(expected, "leave the key out for the default" if value == "" else "")


class TextKind:
    """Any text."""

    expected = "a text"

    def of_toml(self, value: object) -> Scalar:
        return _text(value, self.expected)

    def of_text(self, text: str) -> Scalar:
        return text


class PathKind(TextKind):
    """A path: in a file relative to its folder, in a variable to the working directory.

    A variable can also have the address of a bucket of S3. A file cannot, because it can come from
    another person's branch.
    """

    expected = "a path"

    def of_toml(self, value: object) -> Scalar:
        if isinstance(value, str) and value.startswith("s3:"):
            raise Unfit("a path", "name a bucket on the command line or in a variable")
        return super().of_toml(value)


@dataclass(frozen=True, slots=True)
class ChoiceKind:
    """One of a few words."""

    words: tuple[str, ...]

    def of_toml(self, value: object) -> Scalar:
        if isinstance(value, str) and value in self.words:
            return value
        raise Unfit(f"one of {', '.join(self.words)}")

    def of_text(self, text: str) -> Scalar:
        return self.of_toml(text)


class PatternKind:
    """A regular expression of Python's."""

    def of_toml(self, value: object) -> Scalar:
        return self.of_text(_text(value, "a regular expression"))

    def of_text(self, text: str) -> Scalar:
        try:
            compile_pattern(text)
        except ValueError as error:
            fix = f"{error}: put a backslash before literal special characters"
            raise Unfit("a regular expression", fix) from None
        return text


@dataclass(frozen=True, slots=True)
class CommandKind:
    """A command line, split as by a shell. not_words: rejected words. belong: the fix for them."""

    not_words: tuple[str, ...] = ()
    belong: str = ""

    def of_toml(self, value: object) -> Scalar:
        return self.of_text(_text(value, "a command"))

    def of_text(self, text: str) -> Scalar:
        if text in self.not_words:
            raise Unfit("a command", self.belong)
        try:
            shlex.split(text)
        except ValueError as error:
            raise Unfit("a command", f"{str(error).lower()}: fix its quotes") from None
        return text
