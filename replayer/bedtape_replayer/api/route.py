"""A route of the control API: a method, a path with named parts, and the function that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any
from urllib.parse import unquote

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.format.bodies import parse
from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.gaps import HeaderPairs
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record

# Read once, because a request may find no free file descriptor.
VERSION = version("bedtape")


class RouteError(Exception):
    """A request that fails: its status, the reason as JSON, and the headers of that status."""

    def __init__(self, status: int, body: JsonValue, headers: HeaderPairs = ()) -> None:
        super().__init__(body)
        self.status = status
        self.body = body
        self.headers = headers


class NoSuch(RouteError):
    """The path names a resource that does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(404, {"error": message})


def invalid(wrong: Iterable[Problem]) -> RouteError:
    """Return the failure of an invalid request, with all problems as a message and as data."""
    all_problems = list(wrong)
    problems: list[JsonValue] = [
        {"where": one.where, "expected": one.expected, "found": one.found, "fix": one.fix}
        for one in all_problems
    ]
    return RouteError(400, {"error": "\n".join(map(str, all_problems)), "problems": problems})


@dataclass(frozen=True, slots=True)
class DelayedResult:
    """An answer that takes long. work: makes it, in a thread of its own. May raise RouteError."""

    work: Callable[[], JsonValue]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to the control API: the engine, the path's parts by name, the
    query, the body as bytes.

    session: the name of the session in the prefix or the headers of the
    request, as in a call to Bedrock.
    """

    engine: Engine
    session: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def open_session(self) -> SessionState:
        """Return the session of the path, or create it: tests configure sessions before calls."""
        return self.engine.sessions.get(self.parts["session"])

    def peek_session(self) -> SessionState:
        """Return the session of the path for reading.

        A session that does not exist is returned as new, but not created.
        """
        name = self.parts["session"]
        return self.engine.sessions.find(name) or SessionState(name, self.engine.overlay)

    def find_call(self) -> Record:
        """The call that the path numbers. Raises NoSuch."""
        for record in self.peek_session().history.calls:
            if str(record.number) == self.parts["call"]:
                return record
        raise NoSuch(f"the session's history has no call numbered {self.parts['call']!r}")

    def json(self) -> Any:
        """The body as JSON. Raises RouteError for other bodies and values that cannot be sent."""
        try:
            value = parse(self.body)
            if (safe := make_json_safe(value)) != value:
                raise ValueError(
                    "half of a surrogate pair, or a number that a double cannot hold, cannot be"
                    " sent"
                )
            return safe
        except ValueError as error:
            shown = self.body[:40].decode(errors="replace")
            raise RouteError(
                400, {"error": f"expected a JSON body, found {shown!r} ({error})"}
            ) from None

    def read_json_as(self, schema: Schema) -> Any:
        """The body, if it fits the schema. Raises RouteError with every problem."""
        value = self.json()
        if wrong := problems(value, schema):
            raise invalid(wrong)
        return value

    def conditions(self, schemas: Mapping[str, Schema]) -> dict[str, Any]:
        """Return the query's members as JSON. Raises RouteError if one violates its schema."""
        query: dict[str, Any] = {
            name: _read(text, schemas.get(name, {})) for name, text in self.query.items()
        }
        closed = {"type": "object", "properties": dict(schemas), "additionalProperties": False}
        if wrong := problems(query, closed):
            raise invalid(wrong)
        return query


# As many digits as no count has, and few enough for Python to read quickly.
_DIGITS = re.compile(r"[0-9]{1,18}")
_TRUTHS = {"true": True, "false": False}


def _read(text: str, schema: Schema) -> JsonValue:
    """Convert the text to its schema's type. Other text stays, and the check reports it."""
    match schema.get("type"):
        case "integer" if _DIGITS.fullmatch(text):
            return int(text)
        case "boolean":
            return _TRUTHS.get(text, text)
    return text


@dataclass(frozen=True)
class Route:
    """One route of the control API.

    path: `{name}` stands for one part, `{name...}` for one or more. takes: the schema of the JSON
    body, or `None`. gives: the schema of the answer. query: the schemas of the query's members.
    name: the operation's name, if any. media: the content type of the answer.
    """

    method: str
    path: str
    answer: Callable[[ApiRequest], JsonValue | Reply | DelayedResult]
    summary: str
    gives: Schema = field(default_factory=lambda: {"type": "object"})
    takes: Schema | None = None
    query: dict[str, Schema] = field(default_factory=dict)
    name: str = ""
    media: str = "application/json"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.sub(r"\\{(\w+)\\.\\.\\.\\}", r"(?P<\1>.+)", re.escape(self.path))
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern))

    def parts(self, path: str) -> dict[str, str] | None:
        """The named parts of a path that is this route's, decoded; None for another's."""
        match = self._pattern.fullmatch(path)
        return {name: unquote(part) for name, part in match.groupdict().items()} if match else None
