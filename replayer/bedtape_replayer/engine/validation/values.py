"""Checks single values by their shapes: strings, numbers and bytes.

`Violation` is the result of a failed check.

The texts are those of Bedrock's framework, from public traces of Bedrock. `shapes`
checks lists and structures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from botocore.model import Shape, StringShape

from bedtape_cassettes.model import JsonValue

# The kind of a violation decides the form of its message: JSON of another type, a value out of
# bounds, or a violated union or document, which Bedrock checks after the other two.
Kind = Literal["type", "bounds", "own"]

# Longer texts are not matched, because some patterns take quadratic time. The longest
# ARN has 2,048 characters.
LONGEST_MATCHED = 2048
# Patterns of the models that take cubic time, which is five seconds for 2,000 characters.
SLOW_PATTERNS = frozenset({"[A-Za-z0-9-_=]+.[A-Za-z0-9-_=]+.[A-Za-z0-9-_=]+"})

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*")


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of a shape.

    text: the violated constraint; in the kind `own`, `{}` stands for the place. shown: the value as
    messages show it, or empty. path: names of members and positions in lists from 0, outermost
    first.
    """

    kind: Kind
    text: str
    shown: str = ""
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        if self.kind == "bounds":
            # The framework counts list members from 1, and names them.
            place = ".".join(
                f"{step + 1}.member" if isinstance(step, int) else step for step in self.path
            )
            return f"Value{self.shown} at '{place}' failed to satisfy constraint: {self.text}"
        return self.text.replace("{}", ".".join(map(str, self.path)))


Check = Callable[[JsonValue], Sequence[Violation]]
FINE: tuple[Violation, ...] = ()


def scalar(shape: Shape, hidden: bool) -> Check:
    """Return the check of a shape without members. hidden: messages do not repeat the value."""
    match shape.type_name:
        case "integer" | "long":
            return _number(
                shape,
                hidden,
                "an Integer" if shape.type_name == "integer" else "a Long",
                whole=True,
            )
        case "float" | "double":
            return _number(
                shape, hidden, "a Float" if shape.type_name == "float" else "a Double", whole=False
            )
        case "boolean":
            return _check_type("a Boolean", bool)
        case "blob":
            return _blob(shape)
        case "timestamp":
            return _check_type("a Timestamp", int, float, str)
        case "structure":
            return _document
    return _string(shape, hidden)


# Values that newer Claude models send, and clients send back, although the
# service model lacks them.
_UNLISTED = {"ToolUseType": frozenset({"tool_use"})}


def is_plain(shape: Shape) -> bool:
    """Whether every string is a valid value of the shape."""
    constrained = shape.metadata.keys() & {"pattern", "min", "max", "enum"}
    return shape.type_name == "string" and not constrained


def _string(shape: Shape, hidden: bool) -> Check:
    enum = list(shape.enum) if isinstance(shape, StringShape) else []
    members = frozenset(enum) | _UNLISTED.get(shape.name, frozenset())
    pattern = _pattern(shape.metadata.get("pattern"))
    longest, shortest = shape.metadata.get("max"), shape.metadata.get("min")

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not str:
            return (_type_mismatch(value, "a String"),)
        texts = []  # in the order of real messages: too long, pattern, too short
        if members and value not in members:
            texts.append(f"Member must satisfy enum value set: [{', '.join(enum)}]")
        if longest is not None and len(value) > longest:
            texts.append(f"Member must have length less than or equal to {longest}")
        if pattern is not None and len(value) <= LONGEST_MATCHED and not pattern.fullmatch(value):
            texts.append(f"Member must satisfy regular expression pattern: {pattern.pattern}")
        if shortest is not None and len(value) < shortest:
            texts.append(f"Member must have length greater than or equal to {shortest}")
        shown = "" if hidden else f" '{value}'"
        return [Violation("bounds", text, shown) for text in texts] if texts else FINE

    return check


def _pattern(source: object) -> re.Pattern[str] | None:
    """Return the model's pattern; `None` for none, a slow one, or one Python cannot compile."""
    try:
        return (
            re.compile(source) if isinstance(source, str) and source not in SLOW_PATTERNS else None
        )
    except re.error:
        return None


def _number(shape: Shape, hidden: bool, kind: str, *, whole: bool) -> Check:
    bounds = bounds_of(shape, "value")

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not int and type(value) is not float:
            return (_type_mismatch(value, kind),)
        # Bedrock truncates a fraction in place of an integer, and accepts it.
        number = int(value) if whole else float(value)
        return [
            Violation("bounds", text, "" if hidden else f" '{number}'") for text in bounds(number)
        ]

    return check


def _blob(shape: Shape) -> Check:
    bounds = bounds_of(shape, "length")

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not str or not _BASE64.fullmatch(value):
            return (_type_mismatch(value, "a Blob"),)
        return [Violation("bounds", text) for text in bounds(len(value.rstrip("=")) * 3 // 4)]

    return check


def _check_type(kind: str, *types: type) -> Check:
    def check(value: JsonValue) -> Sequence[Violation]:
        return FINE if type(value) in types else (_type_mismatch(value, kind),)

    return check


def _document(value: JsonValue) -> Sequence[Violation]:
    # The service models allow any JSON in a document. Bedrock accepts objects alone.
    text = (
        "The format of the value at {} is invalid. Provide a json object for the field and try"
        " again."
    )
    return FINE if type(value) is dict else (Violation("own", text),)


def bounds_of(shape: Shape, quantity: str) -> Callable[[float], list[str]]:
    """Return a function from a value to a text for each violated bound. quantity: value, length."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def texts(measure: float) -> list[str]:
        violated = []
        if most is not None and measure > most:
            violated.append(f"Member must have {quantity} less than or equal to {most}")
        if least is not None and measure < least:
            violated.append(f"Member must have {quantity} greater than or equal to {least}")
        return violated

    return texts


def make_type_violation(value: JsonValue, otherwise: str) -> Violation:
    """Return the violation of a value of a wrong JSON type. otherwise: the text for scalars."""
    if isinstance(value, dict):
        return Violation("type", "Start of structure or map found where not expected.")
    if isinstance(value, list):
        return Violation("type", "Start of list found where not expected")
    return Violation("type", otherwise)


def _type_mismatch(value: JsonValue, kind: str) -> Violation:
    token = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    if isinstance(value, bool):
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    return make_type_violation(value, f"{token} can not be converted to {kind}")
