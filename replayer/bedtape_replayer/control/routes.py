"""What can be asked of the control API: a method, a path with named parts, and the function that answers. Values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from bedtape_cassettes.checking import Schema
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.engine import Engine

__all__ = ["Asked", "Failed", "NoSuch", "Route"]


class Failed(Exception):
    """A request that cannot be done: its status, and the JSON that says why."""

    def __init__(self, status: int, body: JsonValue) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class NoSuch(Failed):
    """What the path names is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(404, {"error": message})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the control API: the engine, the path's parts by name, the query, the body as bytes.

    session: the name of the one that the request names by its prefix or headers, as a call would.
    """

    engine: Engine
    session: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Route:
    """One request that is answered.

    path: `{name}` stands for one part, `{name...}` for one or more. takes: the schema of its JSON body, None for none.
    gives: the schema of its answer. query: the schemas of its query's members. text: the body is plain text.
    """

    method: str
    path: str
    answer: Callable[[Asked], JsonValue]
    summary: str
    gives: Schema = field(default_factory=lambda: {"type": "object"})
    takes: Schema | None = None
    query: dict[str, Schema] = field(default_factory=dict)
    name: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.sub(r"\\{(\w+)\\.\\.\\.\\}", r"(?P<\1>.+)", re.escape(self.path))
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern))

    def parts(self, path: str) -> dict[str, str] | None:
        """The named parts of a path that is this route's, decoded; None for another's."""
        found = self._pattern.fullmatch(path)
        return {name: unquote(part) for name, part in found.groupdict().items()} if found else None


Answering = Callable[[Asked], Any]
