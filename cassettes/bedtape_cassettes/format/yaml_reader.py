"""Reads the YAML dialect of cassettes: the common part of YAML 1.1 and 1.2, with JSON's types.

A file is read completely, or `CassetteInvalid` contains every problem of one pass, with its line
and a fix. Tags, aliases and merge keys are errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import yaml
from yaml.events import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.model import JsonValue

Path: TypeAlias = tuple[str | int, ...]

# libyaml's scanner takes time that grows with the square of the flow nesting (17 s for 100,000
# brackets). Events arrive while libyaml scans, so stopping at the first event that is too deep
# keeps the time linear.
MAX_DEPTH = 200
# Python's own limit: int() of more digits takes time that grows with their square
MAX_DIGITS = 4300
MAX_PROBLEMS = 100  # a file of another format would have one problem for each line

_JSON_WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER_BEGINS = frozenset("-0123456789")

# A directive before the document, after comments. Possessive, because a file may consist of blank
# lines.
_DIRECTIVE = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+%")
# A block's first line. Without an indentation digit also the blank lines up to a tab that could be
# indentation.
_BLOCK_HEAD = re.compile(r"[|>][-+]?[0-9][^\n]*+|[|>][^\n]*+(?:\n[ \r]*+)*+\t?")
_BLOCK_COMMENT = re.compile(r"[|>][-+0-9]*#")
_COMMENT = re.compile(r"#[^\n]*")

_QUOTE_IT = "put the value in quotes"
_LEVEL = "give all entries of one level the same indentation, in spaces"
_NO_TABS = ("spaces", "a tab", 'indent with spaces; in a value write it as "\\t" in double quotes')
# A pattern for an error of libyaml or PyYAML ("context: problem 'character there'"), and the
# message that replaces it: expected, found, fix. The first pattern that matches counts.
_MESSAGES: tuple[tuple[str, tuple[str, str, str]], ...] = (
    (r"tab char|'\\t'", _NO_TABS),
    (
        r"cannot start any token",
        ("a value", "a character with which no plain value may begin", _QUOTE_IT),
    ),
    (
        r"values are not allowed",
        (
            "one 'key: value' a line",
            "another ': '",
            "quote a value that holds ': ', and check the indentation here",
        ),
    ),
    (
        r"find expected ':'",
        ("'key: value'", "a line without ': '", "write a key, or indent what goes on with a text"),
    ),
    (
        r"(?:entries|keys) are not allowed",
        (
            "an item or key that begins its line",
            "'- ' or '? ' after text",
            "begin a new line, or quote the value",
        ),
    ),
    (r"scanning an (?:alias|anchor)", ("a value", "a value that begins with & or *", _QUOTE_IT)),
    (r" tag\b|tag handle", ("a value without a tag", "a value that begins with !", _QUOTE_IT)),
    (
        r"quoted scalar.*(?:of stream|document (?:indicator|separator))",
        ("a closing quote", "none", "close the quote that is opened here"),
    ),
    (
        r"quoted scalar|escape",
        (
            "an escape that YAML has",
            "another backslash",
            'write a backslash as "\\\\", and an emoji as itself',
        ),
    ),
    (
        r"block scalar",
        (
            "a line break after | or >",
            "something else",
            "begin the text on the next line, indented",
        ),
    ),
    (
        r"flow (?:sequence|mapping|node)",
        (
            "',' or the closing bracket",
            "something else",
            "close the bracket; quote a value that holds , [ ] { or }",
        ),
    ),
    (
        r"block mapping",
        (
            "a key with the indentation of the keys above",
            "something else",
            f"{_LEVEL}; nothing may follow a closing quote or bracket",
        ),
    ),
    (
        r"block (?:collection|sequence)",
        ("'- ' with the indentation of the items above", "something else", _LEVEL),
    ),
    (r"block node", ("a value", "a sign of YAML's", _QUOTE_IT)),
)
# the parser detects the error some lines below
_REPORTED_AT_BEGIN = ("none", "a line without ': '")


def read(data: bytes, text: str, file: str) -> JsonValue:
    """Returns the value of a document. text: the decoded `data`.

    Raises CassetteInvalid with the first MAX_PROBLEMS problems.
    """
    reading = _Pass(data, text, file)
    value = reading.document()
    if reading.problems:
        raise CassetteInvalid(sorted(reading.problems, key=lambda problem: problem.line))
    return value


def events(data: bytes, text: str) -> Callable[[], Any]:
    """Returns a function that returns the next parser event, by libyaml if it is available."""
    if yaml.__with_libyaml__:
        return yaml.CSafeLoader(data).get_event
    return _slow_events(text)


def _slow_events(text: str) -> Callable[[], Any]:
    """Refuses surrogate escapes, which PyYAML's own parser accepts."""
    loader = yaml.SafeLoader(text)
    get_event: Callable[[], Any] = loader.get_event

    def next_event() -> Any:
        try:
            event = get_event()
            if isinstance(event, ScalarEvent) and event.style == '"':
                event.value.encode()
        except (ValueError, OverflowError):
            raise yaml.MarkedYAMLError(
                "quoted scalar", None, "invalid escape", loader.get_mark()
            ) from None
        return event

    return next_event


def line_of(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _blank(comment: re.Match[str]) -> str:
    return " " * len(comment[0])


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


class _Stop(Exception):
    """Stops the pass. The list of problems contains the reason."""


class _Pass:
    """One pass over one file. It collects problems, so that one error contains all of them."""

    def __init__(self, data: bytes, text: str, file: str) -> None:
        self.data, self.text, self.file = data, text, file
        self.problems: list[Problem] = []
        self.next_event = events(data, text)
        self.depth = 0
        self.in_flow = False

    def document(self) -> JsonValue:
        """Returns the value of the document. The value is not valid if there are problems."""
        value = None
        try:
            self._read_head()
            value = self._read_node(self.next_event())
            self._read_foot()
            if not self.problems and (
                "\t" in self.text or ("#" in self.text and _BLOCK_COMMENT.search(self.text))
            ):
                self._check_blanks()
        except _Stop:
            pass  # the list contains the problem that stopped the pass
        except yaml.YAMLError as error:
            self._translate_error(error)
        return value

    def _read_head(self) -> None:
        if _DIRECTIVE.match(self.text):
            self._stop(
                1, "a document without directives", "a line that begins with %", "remove the line"
            )
        self.next_event()
        if not isinstance(self.next_event(), DocumentStartEvent):
            self._stop(1, "a value", "an empty file", "restore the file, or remove it")

    def _read_foot(self) -> None:
        self.next_event()
        try:
            event = self.next_event()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
        else:
            if isinstance(event, StreamEndEvent):
                return
            line = line_of(event)
        self._stop(
            line, "one document", "more after its end", "remove it, or move it to a file of its own"
        )

    def _read_node(self, event: Any) -> JsonValue:
        kind = type(event)
        if kind is ScalarEvent:
            if event.tag is not None or event.anchor is not None:
                self._refuse_decoration(event)
            value: str = event.value
            # PyYAML's two parsers give '' and None as the style of a plain scalar.
            return value if event.style else self._read_plain(value, event)
        if kind is MappingStartEvent:
            return self._read_mapping(event)
        if kind is SequenceStartEvent:
            return self._read_sequence(event)
        self._refuse_decoration(event)
        return None

    def _read_mapping(self, start: MappingStartEvent) -> dict[str, JsonValue]:
        outer = self._enter(start)
        next_event, node = self.next_event, self._read_node
        mapping: dict[str, JsonValue] = {}
        while type(event := next_event()) is not MappingEndEvent:
            # Nearly all keys are plain words, and a text in quotes needs no check.
            plain = type(event) is ScalarEvent and event.tag is event.anchor is None
            name = event.value if plain else ""
            word = name.isidentifier() and name not in mapping and name not in _JSON_WORDS
            key = name if word else self._read_key(event, mapping)
            value = next_event()
            quoted = type(value) is ScalarEvent and value.tag is value.anchor is None
            mapping[key] = value.value if quoted and value.style else node(value)
        self.depth -= 1
        self.in_flow = outer
        return mapping

    def _read_sequence(self, start: SequenceStartEvent) -> list[JsonValue]:
        outer = self._enter(start)
        next_event, node = self.next_event, self._read_node
        sequence: list[JsonValue] = []
        while type(event := next_event()) is not SequenceEndEvent:
            sequence.append(node(event))
        self.depth -= 1
        self.in_flow = outer
        return sequence

    def _enter(self, event: MappingStartEvent | SequenceStartEvent) -> bool:
        """Enters a level, and returns the value of `in_flow` to restore after it."""
        if event.tag is not None or event.anchor is not None:
            self._refuse_decoration(event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._stop(
                line_of(event),
                f"at most {MAX_DEPTH} levels",
                "deeper nesting",
                "keep the body as `text`",
            )
        outer, self.in_flow = self.in_flow, bool(event.flow_style)
        return outer

    def _read_key(self, event: Any, mapping: dict[str, JsonValue]) -> str:
        if not isinstance(event, ScalarEvent):
            self._report(
                line_of(event),
                "a text as key",
                "a list, mapping or alias",
                "write the key as a text in quotes",
            )
            self._read_node(event)
            return "\0"
        key: str = event.value
        if event.tag is not None or event.anchor is not None:
            self._refuse_decoration(event)
        if not event.style:
            self._check_plain_key(key, event)
        if key in mapping:
            self._report(
                line_of(event),
                "each key once",
                f"{_excerpt(key)} again",
                "remove or rename one of the two",
            )
        return key

    def _check_plain_key(self, key: str, event: ScalarEvent) -> None:
        if self.in_flow and "?" in key:
            self._refuse_question(event)
        if not key:
            self._report(line_of(event), "a key", "nothing", "write the key before the ':'")
        elif key == "<<":
            fix = "write out what it would merge, or put it in quotes"
            self._report(
                line_of(event), "a key that all YAML readers take alike", "the merge key <<", fix
            )
        elif key in _JSON_WORDS or (key[0] in _NUMBER_BEGINS and _JSON_NUMBER.fullmatch(key)):
            self._report(
                line_of(event),
                "a text as key",
                f"the bare {_excerpt(key)[1:-1]}",
                "put the key in quotes",
            )

    def _read_plain(self, text: str, event: ScalarEvent) -> JsonValue:
        """Returns a plain scalar as JSON's word or number. Every other plain scalar is a text."""
        if text.isidentifier():
            return _JSON_WORDS.get(text, text)
        if self.in_flow and "?" in text:
            self._refuse_question(event)
        if not text:
            self._report(line_of(event), "a value", "nothing", "write null or ''")
        elif text[0] in _NUMBER_BEGINS and (number := _JSON_NUMBER.fullmatch(text)):
            return self._read_number(text, number.lastindex is not None, event)
        elif text in _JSON_WORDS:
            return _JSON_WORDS[text]
        return text

    def _refuse_question(self, event: ScalarEvent) -> None:
        # YAML 1.1 begins a key there, 1.2 does not.
        self._report(line_of(event), "no bare ? between brackets", _excerpt(event.value), _QUOTE_IT)

    def _read_number(self, text: str, fractional: bool, event: ScalarEvent) -> int | float:
        if len(text.lstrip("-")) > MAX_DIGITS:
            expected, actual = f"a number of at most {MAX_DIGITS} digits", f"{len(text)} characters"
            self._report(line_of(event), expected, actual, "put it in quotes")
        elif not fractional:
            try:
                return int(text)
            except ValueError:  # the process runs with a lower sys.set_int_max_str_digits
                self._report(
                    line_of(event), "a shorter number", f"{len(text)} digits", "put it in quotes"
                )
        elif math.isinf(value := float(text)):
            fix = "write a smaller number, or put it in quotes"
            self._report(
                line_of(event), "a number that a double can hold", _excerpt(text)[1:-1], fix
            )
        else:
            return value
        return 0

    def _refuse_decoration(self, event: NodeEvent) -> None:
        """Refuses anchors and aliases, which can make a file huge, and tags, which can run code."""
        fix = "write the value out, or put it in quotes if the sign belongs to it"
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            self._report(
                line_of(event), "a value", f"the alias *{_excerpt(str(event.anchor))[1:-1]}", fix
            )
            return
        if event.tag is not None:
            self._report(
                line_of(event), "a value without a tag", f"the tag {_excerpt(event.tag)[1:-1]}", fix
            )
        if event.anchor is not None:
            self._report(
                line_of(event),
                "a value without an anchor",
                f"the anchor &{_excerpt(event.anchor)[1:-1]}",
                fix,
            )

    def _check_blanks(self) -> None:
        """Refuses `|#`, and tabs outside of quotes, blocks and comments, as PyYAML does."""
        next_event = events(self.data, self.text)
        end = 0
        while not isinstance(event := next_event(), StreamEndEvent):
            if (
                not isinstance(event, ScalarEvent)
                or event.start_mark is None
                or event.end_mark is None
            ):
                continue
            start = event.start_mark.index
            self._check_tab(end, _COMMENT.sub(_blank, self.text[end:start]))
            end = event.end_mark.index
            if not event.style:
                self._check_tab(start, self.text[start:end])
            elif event.style in "|>" and (head := _BLOCK_HEAD.match(self.text, start)):
                if _BLOCK_COMMENT.match(self.text, start):
                    self._report(line_of(event), "a blank before #", "none", "write ' #'")
                self._check_tab(start, _COMMENT.sub(_blank, head[0]))
        self._check_tab(end, _COMMENT.sub(_blank, self.text[end:]))

    def _check_tab(self, start: int, text: str) -> None:
        if (offset := text.find("\t")) >= 0:
            self._report(self.text.count("\n", 0, start + offset) + 1, *_NO_TABS)

    def _translate_error(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None)
        if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
            self._note(0, "YAML", _excerpt(str(error)), "restore the file")
            return
        message = f"{error.context}: {error.problem} {self.text[mark.index : mark.index + 1]!r}"
        words = (words for pattern, words in _MESSAGES if re.search(pattern, message))
        expected, actual, fix = next(words, ("YAML", message[:200], _QUOTE_IT))
        start = error.context_mark
        if start is not None and actual in _REPORTED_AT_BEGIN:
            mark = start
        elif start is not None and start.line != mark.line:
            actual = f"{actual} (in what begins on line {start.line + 1})"
        self._note(mark.line + 1, expected, actual, fix)

    def _stop(self, line: int, expected: str, found: str, fix: str) -> None:
        self._report(line, expected, found, fix)
        raise _Stop

    def _report(self, line: int, expected: str, found: str, fix: str) -> None:
        self._note(line, expected, found, fix)
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop

    def _note(self, line: int, expected: str, found: str, fix: str) -> None:
        # libyaml reports the end of a file on the line after the last line
        line = min(line, self.text.count("\n") + 1)
        self.problems.append(Problem(self.file, line, expected, found, fix))
