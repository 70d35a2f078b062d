"""Conditions on calls. A call must meet all of them; a `When` without any matches all calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import attrgetter
from typing import Any

from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.format.json_values import find, parse_path, same
from bedtape_cassettes.format.patterns import compile_pattern, matches
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.call import Call

_Check = Callable[[Call], bool]


def _pass(_: Call) -> bool:
    return True


def _join(checks: Iterable[_Check]) -> _Check:
    """Return one check that passes a call if all of these pass it."""
    joined = tuple(checks)
    if len(joined) < 2:
        return joined[0] if joined else _pass

    def pass_all(call: Call) -> bool:
        for check in joined:  # noqa: SIM110 - a generator costs more than most checks
            if not check(call):
                return False
        return True

    return pass_all


@dataclass(frozen=True, slots=True)
class When:
    """Conditions on a call.

    operation: the names of operations, any of which matches. model: a glob over the model id as
    sent or without prefix and ARN. Conditions that begin with prompt concern the text of the last
    user message, with question the last text of the user, also if tool results follow it, with
    system the system prompt, with text the system prompt and all messages, with document the names
    and texts of documents. Suffix contains: a case-sensitive substring. Suffix regex: a search.
    tool_offered: the name of a tool in the request. tool_result: the name or id of a tool whose
    result the request contains, `*` for any. json_path: JSON paths and their values. turn: the
    number of user messages. attempt, call: numbers from 1. header: globs by lower-case name.
    session, access_key: globs. any_of: alternatives, one of which must match. none_of: alternatives
    that must not match.

    literal: a text that is in the body of every call that matches; None if there is no such text.
    names_operations: whether an operation is a condition, also of an alternative. concerns_calls:
    whether there is a condition in which equal requests may differ.
    """

    operation: tuple[str, ...] = ()
    model: str | None = None
    prompt_contains: str | None = None
    prompt_regex: str | None = None
    prompt_equals: str | None = None
    question_contains: str | None = None
    question_regex: str | None = None
    question_equals: str | None = None
    text_contains: str | None = None
    text_regex: str | None = None
    document_contains: str | None = None
    document_regex: str | None = None
    system_contains: str | None = None
    system_regex: str | None = None
    tool_offered: str | None = None
    tool_result: str | None = None
    json_path: Mapping[str, JsonValue] = field(default_factory=dict)
    turn: int | None = None
    attempt: int | None = None
    call: int | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    session: str | None = None
    access_key: str | None = None
    any_of: tuple[When, ...] = ()
    none_of: tuple[When, ...] = ()

    literal: bytes | None = field(init=False, repr=False, compare=False, default=None)
    names_operations: bool = field(init=False, repr=False, compare=False, default=False)
    concerns_calls: bool = field(init=False, repr=False, compare=False, default=False)
    _target: _Check = field(init=False, repr=False, compare=False, default=_pass)
    _call: _Check = field(init=False, repr=False, compare=False, default=_pass)
    _content: _Check = field(init=False, repr=False, compare=False, default=_pass)

    def __post_init__(self) -> None:
        texts = (
            *(
                self.prompt_contains,
                self.prompt_equals,
                self.question_contains,
                self.question_equals,
            ),
            *(self.system_contains, self.text_contains),
        )
        object.__setattr__(self, "literal", next(filter(None, map(_encode_literal, texts)), None))
        names_operations = bool(self.operation) or any(
            alternative.operation for alternative in self.any_of
        )
        object.__setattr__(self, "names_operations", names_operations)
        object.__setattr__(self, "_target", _join(self._build_target_checks()))
        object.__setattr__(self, "_call", _join(self._build_call_checks()))
        object.__setattr__(self, "_content", _join(self._build_content_checks()))
        object.__setattr__(self, "concerns_calls", self._call is not _pass)

    def matches(self, call: Call) -> bool:
        """Returns whether the call meets every condition.

        Cheap checks run first, because most layers do not match.
        """
        return self.matches_target(call) and self.matches_call(call) and self.matches_content(call)

    def matches_target(self, call: Call) -> bool:
        """Returns whether operation and model match: the same for all calls of one path."""
        return self._target(call)

    def matches_call(self, call: Call) -> bool:
        """Returns whether attempt, number, session, access key and headers match.

        Equal requests may differ in these.
        """
        return self._call(call)

    def matches_content(self, call: Call) -> bool:
        """Returns whether the body matches. The result is the same for all equal requests."""
        return self._content(call)

    def _build_target_checks(self) -> Iterator[_Check]:
        if operations := frozenset(self.operation):
            yield lambda call: call.operation in operations
        if (model := self.model) is not None:
            yield lambda call: _matches_model(model, call.model)

    @property
    def _alternatives_concern_calls(self) -> bool:
        return any(alternative.concerns_calls for alternative in (*self.any_of, *self.none_of))

    def _build_alternative_checks(self) -> Iterator[_Check]:
        if any_of := self.any_of:
            yield lambda call: any(alternative.matches(call) for alternative in any_of)
        if none_of := self.none_of:
            yield lambda call: not any(alternative.matches(call) for alternative in none_of)

    def _build_call_checks(self) -> Iterator[_Check]:
        if self.attempt is not None:
            yield lambda call: call.attempt == self.attempt
        if self.call is not None:
            yield lambda call: call.number == self.call
        if (session := self.session) is not None:
            yield lambda call: fnmatchcase(call.session, session)
        if (access_key := self.access_key) is not None:
            yield lambda call: fnmatchcase(call.scope[0] or "", access_key)
        for name, glob in self.header.items():
            yield _Header(name, glob)
        if self._alternatives_concern_calls:
            yield from self._build_alternative_checks()

    def _build_content_checks(self) -> Iterator[_Check]:
        for path, value in self.json_path.items():
            yield _JsonPath(path, value)
        if not self._alternatives_concern_calls:
            yield from self._build_alternative_checks()
        for name, read in _TEXTS.items():
            part, whole = getattr(self, f"{name}_contains"), getattr(self, f"{name}_equals", None)
            yield from _build_text_checks(read, part, whole, getattr(self, f"{name}_regex"))
        if self.tool_offered is not None:
            yield lambda call: self.tool_offered in call.prompt.tools
        if (wanted := self.tool_result) is not None:
            yield lambda call: any(
                wanted in ("*", result.id, result.name) for result in call.prompt.results
            )
        if self.turn is not None:
            yield lambda call: call.prompt.turn == self.turn


def parse_when(conditions: Mapping[str, Any]) -> When:
    """Read conditions that match the schema. Raises ValueError for an invalid JSON path."""
    for path in conditions.get("json_path", {}):
        parse_path(path)
    read: dict[str, Callable[[Any], object]] = {
        "operation": lambda names: (names,) if isinstance(names, str) else tuple(names),
        "header": lambda globs: {name.lower(): glob for name, glob in globs.items()},
        **dict.fromkeys(
            ("any_of", "none_of"), lambda alternatives: tuple(map(parse_when, alternatives))
        ),
    }
    members: dict[str, Any] = {
        name: read.get(name, _keep)(value) for name, value in conditions.items()
    }
    return When(**members)


def _keep(value: object) -> object:
    return value


# JSON always escapes quotes, backslashes and control characters. Some writers
# escape slashes and DEL.
_ESCAPED = re.compile(r'["\\/\x00-\x1f\x7f\ud800-\udfff]')


def _encode_literal(text: str | None) -> bytes | None:
    """Returns the text in JSON without optional escapes, or `None` if it must be escaped."""
    return None if not text or _ESCAPED.search(text) else text.encode()


# The texts that conditions concern, by the beginning of the conditions' names.
_TEXTS: Mapping[str, Callable[[Call], str]] = {
    "question": attrgetter("prompt.question"),
    "prompt": attrgetter("prompt.last"),
    "system": attrgetter("prompt.system"),
    "text": attrgetter("prompt.text"),
    "document": attrgetter("documents"),
}


def _build_text_checks(
    read: Callable[[Call], str], part: str | None, whole: str | None, regex: str | None
) -> Iterator[_Check]:
    if part is not None:
        yield lambda call: part in read(call)
    if whole is not None:
        yield lambda call: read(call) == whole
    if regex is not None:
        pattern = compile_pattern(regex)
        yield lambda call: matches(pattern, read(call))


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    glob: str

    def __call__(self, call: Call) -> bool:
        return fnmatchcase(call.head.get(self.name) or "", self.glob)


@dataclass(frozen=True, slots=True)
class _JsonPath:
    path: str
    value: JsonValue

    def __call__(self, call: Call) -> bool:
        return any(same(value, self.value) for value in find(call.json, self.path))


ANY = When()


@lru_cache(maxsize=4096)
def _matches_model(glob: str, model: str | None) -> bool:
    return model is not None and (
        fnmatchcase(model, glob) or fnmatchcase(strip_profile(model), glob)
    )
