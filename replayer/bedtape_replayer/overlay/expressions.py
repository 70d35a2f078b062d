"""Expressions in the texts of an answer: `{{ prompt }}` or `{{ json_path messages[0].role }}`.

They run no code.

An expression is a name of `EXPRESSIONS`, with an argument if the name takes one, or a text in
quotes. The text that replaces an expression is not read again, so that a prompt cannot contain
expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from json import JSONDecodeError, JSONDecoder
from typing import Any, NamedTuple, cast

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_values import Place, find, parse_path
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.call import Call

JsonObject = dict[str, Any]

# The most characters that the expressions of one answer may become. A prompt can have 25 MB.
LONGEST = 1_000_000
MOST = 100
# Members with any JSON. A text that is one expression keeps the type of its value there:
# numbers, lists and objects.
_ANY_JSON = (
    "json",
    "input",
    "output",
    "events",
    "nodes",
    "server_sent",
    "members",
    "chunks",
    "metadata",
    "trace",
)
_SPACES = re.compile(r"\s*")


class Occurrence(NamedTuple):
    """A call. answered: its number among the calls that the rule answers, from 1."""

    call: Call
    answered: int


class Reader(NamedTuple):
    """Reads the value of an expression. argument: the word for it; empty without one."""

    meaning: str
    read: Callable[[Occurrence, str], JsonValue]
    argument: str = ""


def _read_path(occurrence: Occurrence, path: str) -> JsonValue:
    values = find(occurrence.call.json, path)
    if "*" in parse_path(path):
        return values
    if not values:
        raise RenderError(f"the request has no {path}")
    return values[0]


def _read_result(occurrence: Occurrence, tool: str) -> JsonValue:
    results = occurrence.call.prompt.results
    texts = [result.text for result in results if tool in ("*", result.id, result.name)]
    if not texts:
        names = (
            ", ".join(dict.fromkeys(result.name or result.id for result in results)) or "no tool"
        )
        raise RenderError(f"expected a result of the tool {tool}, found results of {names}")
    return texts[-1]


EXPRESSIONS: dict[str, Reader] = {
    "prompt": Reader("the text of the last user message", lambda this, _: this.call.prompt.last),
    "question": Reader(
        "the last text of the user, also if results of tools follow this text",
        lambda this, _: this.call.prompt.question,
    ),
    "system": Reader("the system prompt", lambda this, _: this.call.prompt.system),
    "text": Reader("the system prompt and all messages", lambda this, _: this.call.prompt.text),
    "model": Reader("the model id, as sent", lambda this, _: this.call.model or ""),
    "operation": Reader("the name of the operation", lambda this, _: this.call.operation or ""),
    "session": Reader("the name of the session", lambda this, _: this.call.session),
    "turn": Reader("the number of user messages", lambda this, _: this.call.prompt.turn),
    "attempt": Reader(
        "the number of the attempt within one SDK call, from 1", lambda this, _: this.call.attempt
    ),
    "call": Reader(
        "the number of the call within its session, from 1", lambda this, _: this.call.number
    ),
    "count": Reader(
        "the number of the call among the calls that the rule answers, from 1",
        lambda this, _: this.answered,
    ),
    "json_path": Reader(
        "the value at this path of the body; a list if the path contains `*`", _read_path, "PATH"
    ),
    "tool_result": Reader(
        "the last result of the tool with this name or id; `*` for any tool", _read_result, "NAME"
    ),
}


@dataclass(frozen=True, slots=True)
class _Expression:
    source: str
    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with expressions. keeps_type: whether a single expression's value replaces it."""

    parts: tuple[str | _Expression, ...]
    keeps_type: bool


class ExpressionInvalid(ValueError):
    """An expression is invalid. expected, fix: of the problem; the message is what was found."""

    def __init__(self, expected: str, found: str, fix: str = "") -> None:
        super().__init__(found)
        self.expected, self.fix = expected, fix


def find_expression_problems(answer: JsonObject, path: Place) -> Iterator[Problem]:
    """Find the invalid expressions of an answer."""
    number = 0
    for place, text in _list_texts(answer, path):
        for part in _scan(text):
            number += isinstance(part, _Expression)
            if isinstance(part, ExpressionInvalid):
                yield Problem.at(place, part.expected, str(part), part.fix)
    if number > MOST:
        yield Problem.at(path, f"at most {MOST} expressions in an answer", str(number))


class TemplatedAnswer:
    """An answer with expressions that are valid.

    read: reads the answer after the expressions were replaced; its second argument is the
    operation. Raises RenderError.
    """

    def __init__(self, answer: JsonObject, read: Callable[[JsonObject, str | None], Any]) -> None:
        self._prepared = _prepare(answer, any_json=False)
        self._read = read

    def fill(self, call: Call, answered: int) -> Any:
        """Return the content for a call. answered: see `Occurrence`. May raise RenderError."""
        return self._read(_Filler(Occurrence(call, answered)).fill(self._prepared), call.operation)


class _Filler:
    """Replaces the expressions of one answer."""

    def __init__(self, occurrence: Occurrence) -> None:
        self._occurrence = occurrence
        self._left = LONGEST

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.fill(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, _Text):
            return value
        if value.keeps_type and isinstance(value.parts[0], _Expression):
            return self._evaluate(value.parts[0])[0]
        return "".join(
            part if isinstance(part, str) else self._evaluate(part)[1] for part in value.parts
        )

    def _evaluate(self, expression: _Expression) -> tuple[JsonValue, str]:
        """Return the value, and its text: JSON if it is not a text."""
        try:
            value = EXPRESSIONS[expression.name].read(self._occurrence, expression.argument)
        except RenderError as error:
            raise RenderError(f"{{{{ {expression.source} }}}}: {error}") from None
        try:
            text = value if isinstance(value, str) else compact(value).decode()
        except ValueError:  # half of a surrogate pair, or a number that JSON does not have
            raise RenderError(
                f"{{{{ {expression.source} }}}}: expected a value that can be sent as JSON, found"
                " half of a surrogate pair or a number that is too large"
            ) from None
        self._left -= len(text)
        if self._left < 0:
            raise RenderError(
                f"{{{{ {expression.source} }}}}: expected at most {LONGEST:,} characters in all"
                " expressions, found more"
            )
        return value, text


def _list_texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for part, member in members:
        yield from _list_texts(member, (*place, part))


def _prepare(value: Any, *, any_json: bool) -> Any:
    if isinstance(value, dict):
        return {
            key: _prepare(member, any_json=any_json or key in _ANY_JSON)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_prepare(item, any_json=any_json) for item in value]
    if not isinstance(value, str):
        return value
    parts = _parse(value)
    if all(isinstance(part, str) for part in parts):
        return "".join(map(str, parts))
    return _Text(parts, any_json and len(parts) == 1)


def _parse(text: str) -> tuple[str | _Expression, ...]:
    """Return the parts of a text without empty texts. Raises ExpressionInvalid."""
    parts: list[str | _Expression] = []
    for part in _scan(text):
        if isinstance(part, ExpressionInvalid):
            raise part
        if part != "":
            parts.append(part)
    return tuple(parts)


def _scan(text: str) -> Iterator[str | _Expression | ExpressionInvalid]:
    """Yield the parts of a text, also the errors in it. An unfinished expression ends the text."""
    at = 0
    while (begin := text.find("{{", at)) >= 0:
        yield text[at:begin]
        begin += 2
        quoted = cast(re.Match[str], _SPACES.match(text, begin)).end()
        end = text.find("}}", begin)
        if text.startswith('"', quoted):
            literal, after = _read_quoted(text, quoted)
            if after is None:
                yield ExpressionInvalid(
                    "a text in quotes, as in JSON", repr(text[begin : begin + 40])
                )
            else:
                end = text.find("}}", after)
                stop = len(text) if end < 0 else end
                if end < 0 or text[after:stop].strip():
                    yield ExpressionInvalid(
                        "}} after a text in quotes", repr(text[after : after + 40])
                    )
                else:
                    yield literal
        elif end < 0:
            fix = 'write {{ "{{" }} for the characters themselves'
            yield ExpressionInvalid("}} after {{", repr(text[begin - 2 : begin + 40]), fix)
        else:
            try:
                yield _parse_expression(text[begin:end].strip())
            except ExpressionInvalid as error:
                yield error
        if end < 0:
            return
        at = end + 2
    yield text[at:]


def _read_quoted(text: str, at: int) -> tuple[str, int | None]:
    """Return the text in quotes and the position after it; `None` if it is not JSON."""
    try:
        literal, after = JSONDecoder().raw_decode(text, at)
    except JSONDecodeError:
        return "", None
    return str(literal), after


def _parse_expression(source: str) -> _Expression:
    name, _, argument = source.partition(" ")
    argument = argument.strip()
    reader = EXPRESSIONS.get(name)
    if reader is None:
        near = get_close_matches(name, EXPRESSIONS, 1)
        expected = f"a name of an expression ({', '.join(EXPRESSIONS)})"
        raise ExpressionInvalid(
            expected, f"{name!r} in {{{{ {source} }}}}", f"did you mean {near[0]}?" if near else ""
        )
    if reader.argument and not argument:
        raise ExpressionInvalid(f"{{{{ {name} {reader.argument} }}}}", f"{{{{ {source} }}}}")
    if argument and not reader.argument:
        raise ExpressionInvalid(
            f"{{{{ {name} }}}}", f"{{{{ {source} }}}}", f"{name} takes no argument"
        )
    if name == "json_path":
        try:
            parse_path(argument)
        except ValueError as error:
            raise ExpressionInvalid("a JSON path", str(error)) from None
    return _Expression(source, name, argument)
