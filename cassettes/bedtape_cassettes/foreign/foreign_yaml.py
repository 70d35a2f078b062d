"""Reads YAML of other tools into plain values: several documents, aliases, `!!binary`.

It is built from libyaml's events, because a loader that knows tags executes code, and the fast safe
loader crashes on 50,000 brackets. A tag of an object becomes `TaggedNode`, which no reader
accepts as a value.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MAX_DEPTH = 200  # as in cassettes: libyaml's time grows with the square of the nesting
MAX_NODES = 2_000_000  # with aliases followed; 100 times the largest cassette that was seen

_PARSER = getattr(yaml, "CLoader", yaml.SafeLoader)  # only its events are used
_BINARY = ("tag:yaml.org,2002:binary", "!binary", "tag:yaml.org,2002:python/bytes")
_TEXT = (
    "tag:yaml.org,2002:str",
    "!",
    "!str",
    "tag:yaml.org,2002:python/unicode",
    "tag:yaml.org,2002:python/str",
)
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class TaggedNode:
    """A node whose tag names an object. The object is not built."""

    tag: str


def load_all(text: str) -> list[Any]:
    """Returns the value of every document. Raises ValueError with the problem and its line."""
    try:
        return list(_Builder(yaml.parse(text, Loader=_PARSER)).documents())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ValueError(
            f"YAML that cannot be read{where}: {getattr(error, 'problem', None) or error}"
        ) from None


class _Builder:
    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                yield self._node(next(self._events), 1)

    def _node(self, event: Event, depth: int) -> Any:
        self._count(1)
        if depth > MAX_DEPTH:
            raise ValueError(
                f"YAML nested more than {MAX_DEPTH} levels deep, at line {_line(event)}"
            )
        if isinstance(event, AliasEvent):
            return self._alias(event)
        before = self._nodes
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        value = _scalar(event) if isinstance(event, ScalarEvent) else self._collection(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _alias(self, event: AliasEvent) -> Any:
        """Counts an alias as all nodes that it repeats, because few bytes can exceed any memory."""
        if event.anchor not in self._anchors:
            raise ValueError(f"an alias *{event.anchor} of nothing, at line {_line(event)}")
        value, size = self._anchors[event.anchor]
        self._count(size)
        return value

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise ValueError(f"YAML of more than {MAX_NODES} values, aliases followed")

    def _collection(self, start: CollectionStartEvent, depth: int) -> Any:
        value: Any = (
            self._read_sequence(depth)
            if isinstance(start, SequenceStartEvent)
            else self._read_mapping(depth)
        )
        return value if start.tag in (None, *_PLAIN) else TaggedNode(str(start.tag))

    def _read_sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _read_mapping(self, depth: int) -> dict[str, Any]:
        members = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            if isinstance(event, ScalarEvent):  # keys are text, also `on` and `1`
                key = event.value
            if not isinstance(key, str):
                raise ValueError(f"a key that is no text, at line {_line(event)}")
            members[key] = self._node(next(self._events), depth + 1)
        return members


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _scalar(event: ScalarEvent) -> Any:
    value: str = event.value
    if event.tag in _BINARY:
        try:
            return b64decode("".join(value.split()), validate=True)
        except ValueError as error:
            raise ValueError(
                f"!!binary that is not base64 ({error}), at line {_line(event)}"
            ) from None
    if event.tag is not None and event.tag not in _TEXT:
        return TaggedNode(event.tag)
    if event.tag is not None or event.style:
        return value
    return _plain(value)


def _plain(value: str) -> Any:
    """Converts an unquoted scalar to a JSON type, because other tools quote text like it."""
    if value in _WORDS:
        return _WORDS[value]
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _FLOAT.fullmatch(value) else value
