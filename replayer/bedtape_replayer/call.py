"""A call: one request that the server received, as every room behind the wire sees it. No sockets, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

from bedtape_cassettes.bodies import parse
from bedtape_cassettes.content import Prompt
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import Target, identify
from bedtape_cassettes.reading import prompt_of

__all__ = ["Call", "Head", "Pairs", "RawHead"]


# What two byte strings and their tuple take beside their characters.
_A_PAIR = 120


class Head(Protocol):
    """A request's headers, read when somebody asks."""

    def get(self, name: str) -> str | None:
        """The value of the header with this lower-case name."""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All headers, in wire order."""

    @property
    def size(self) -> int:
        """The bytes that it keeps in memory, about."""


class RawHead:
    """The header lines of an HTTP/1.1 request as they came, each ended by CR LF; `raw` begins with CR LF.

    Parsing twenty headers costs more than answering, and a call is asked for five.
    """

    __slots__ = ("lowered", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.lowered = raw.lower()

    def get(self, name: str) -> str | None:
        at = self.lowered.find(b"\r\n%b:" % name.encode())
        if at < 0:
            return None
        start = at + len(name) + 3
        return self.raw[start : self.raw.index(b"\r\n", start)].strip(b" \t").decode("latin-1")

    @property
    def size(self) -> int:
        return 2 * len(self.raw)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        lines = (line.partition(":") for line in self.raw.decode("latin-1").split("\r\n") if line)
        return tuple((name, value.strip(" \t")) for name, _, value in lines)


class Pairs:
    """Headers that came as pairs, with lower-case names (HTTP/2)."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: tuple[tuple[bytes, bytes], ...]) -> None:
        self._pairs = pairs

    def get(self, name: str) -> str | None:
        wanted = name.encode()
        for key, value in self._pairs:  # a generator takes twice the time
            if key == wanted:
                return value.decode("latin-1")
        return None

    @property
    def size(self) -> int:
        return sum(len(name) + len(value) + _A_PAIR for name, value in self._pairs)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._pairs)


@dataclass(frozen=True, eq=False)
class Call:
    """One request that the server received, read further as somebody asks.

    path: percent-encoded with its query, less the session prefix. number: its place among its session's calls, from 1.
    keep: the history of the session that it came to, which keeps it when it is over; not that of one that has since
    taken the name.
    """

    session: str
    method: str
    path: str
    head: Head
    body: bytes
    number: int = 1
    keep: Callable[[Any], None] | None = field(default=None, repr=False)

    @cached_property
    def target(self) -> Target:
        return identify(self.method, self.path)

    @property
    def operation(self) -> str | None:
        """The operation's name, as botocore's; None where the path is none of Bedrock's."""
        return self.target.name

    @property
    def model(self) -> str | None:
        """The model id, percent-decoded, ARNs whole."""
        return self.target.model

    @cached_property
    def json(self) -> JsonValue:
        """The body parsed; None where it is not JSON."""
        try:
            return parse(self.body)
        except ValueError:
            return None

    @cached_property
    def prompt(self) -> Prompt:
        """What it asks: system, messages, tools, parameters, whatever its model family calls them."""
        read = _remembered_prompt if len(self.body) <= _LARGEST_REMEMBERED else prompt_of
        return read(self.operation, self.model, self.body)

    @cached_property
    def attempt(self) -> int:
        """Which attempt of one invocation it is, from 1, as its SDK says."""
        if found := _ATTEMPT.search(self.head.get("amz-sdk-request") or ""):
            return int(found[1])
        retried = self.head.get("x-stainless-retry-count") or ""
        return int(retried) + 1 if _SMALL.fullmatch(retried) else 1

    @property
    def invocation_id(self) -> str | None:
        """What groups the attempts of one SDK call, where the SDK says it."""
        return self.head.get("amz-sdk-invocation-id")

    @cached_property
    def scope(self) -> tuple[str | None, str | None]:
        """Access key id and region of its signature; None where it is not signed so."""
        found = _SCOPE.search(self.head.get("authorization") or "")
        return (found[1], found[2]) if found else (None, None)


# Tests send the same request again and again, and reading it costs more than answering it. Bounded by count and size.
_LARGEST_REMEMBERED = 16_384
_remembered_prompt = lru_cache(maxsize=2048)(prompt_of)

_ATTEMPT = re.compile(r"\battempt=([0-9]{1,4})\b")
_SMALL = re.compile(r"[0-9]{1,4}")
_SCOPE = re.compile(r"Credential=([^/\s,]+)/[0-9]+/([^/\s,]+)/")
