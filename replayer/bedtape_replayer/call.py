"""A call: one request that the server received, as every room behind the wire sees it. No sockets, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bedtape_cassettes.operations import Target, identify

__all__ = ["Call", "Head", "Pairs", "RawHead"]


class Head(Protocol):
    """A request's headers, read when somebody asks."""

    def get(self, name: str) -> str | None:
        """The value of the header with this lower-case name."""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All headers, in wire order."""


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
        return next((value.decode("latin-1") for key, value in self._pairs if key == wanted), None)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._pairs)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is percent-encoded with its query, less the session prefix."""

    session: str
    method: str
    path: str
    head: Head
    body: bytes

    @property
    def target(self) -> Target:
        return identify(self.method, self.path)
