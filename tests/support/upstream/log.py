"""What the upstream saw and did, for tests to read while it runs.

Times are `time.monotonic()` seconds.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bedtape_cassettes.model import Headers

End: TypeAlias = Literal["", "whole", "cut", "reset", "dropped"]


@dataclass(frozen=True)
class Request:
    """A request as it came: header names in their case and order, over HTTP/2 with the
    pseudo-headers among them.

    Bytes that are not UTF-8 are surrogates (PEP 383). at: when its head was whole; ended: when its
    body was. A bidirectional one is as much as came before its answer ended.
    """

    connection: int
    version: Literal["1.1", "2"]
    method: str
    target: str
    headers: Headers
    body: bytes
    at: float
    ended: float

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """A header's first value."""
        return next(iter(self.values(name)), None)

    @property
    def host(self) -> str:
        """The Host header, or what HTTP/2 has in its place."""
        return self.header(":authority") or self.header("host") or ""


@dataclass
class SentAnswer:
    """An answer on its way: `head_at` and `frames` tell when each piece was about to be
    written to the connection.

    request: without its body where that was still to come (a bidirectional stream). end: "" while
    it runs, "dropped" when the client left first.
    """

    request: Request
    status: int = 0
    head_at: float | None = None
    frames: list[float] = field(default_factory=list)
    end: End = ""
    ended_at: float | None = None


@dataclass(frozen=True)
class Failure:
    """A request that was refused for how it was signed."""

    request: Request
    status: int
    error: str
    message: str


class Log:
    """The lists, and a way to wait for what is not in them yet."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.clear()

    def clear(self) -> None:
        """Forgets all that was seen so far."""
        with self.changed:
            self.requests: list[Request] = []
            self.sent: list[SentAnswer] = []
            self.failures: list[Failure] = []
            self.unmatched: list[Request] = []
            self.handshakes_failed: list[BaseException] = []

    def notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Returns when the predicate holds, asked at every change. Raises TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(predicate, timeout):
                raise TimeoutError(
                    f"the upstream has seen {len(self.requests)} requests, sent {self.sent}"
                )
