"""From what passes through the proxy to journal records, as it passes. Sans-io: it is told, and it writes bytes.

Nothing reaches the journal before it is scrubbed, and what a client receives is in the journal first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.normalise import keep_request_headers
from bedtape_cassettes.model import Headers
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub, scrub_headers, scrub_path, scrub_text
from bedtape_cassettes.redaction.stream import Scrubber, scrubber_for

__all__ = ["Capture", "Counts"]


@dataclass(slots=True)
class Counts:
    """What was recorded so far."""

    requests: int = 0
    responses: int = 0
    failures: int = 0
    bytes: int = 0
    models: set[str] = field(default_factory=set)


class Capture:
    """The journal of one recorder.

    write: appends and flushes. clock: returns seconds that only go up. mode: the record mode, for `bedtape recover`.
    redaction: what to replace besides secrets.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        clock: Callable[[], float],
        *,
        name: str | None = None,
        exact: bool = False,
        mode: str | None = None,
        redaction: Redaction = ALWAYS,
    ) -> None:
        self._write = write
        self._clock = clock
        self._exact = exact
        self._redaction = redaction
        self._next = 0
        self._live: dict[int, Scrubber | None] = {}
        self.counts = Counts()
        self._append(journal.Opened(journal.VERSION, name, exact, mode))

    @property
    def live(self) -> int:
        """How many exchanges are under way."""
        return len(self._live)

    def sent(self, session: str, method: str, path: str, headers: Headers, body: bytes) -> int:
        """A whole request is on its way; gives the number of its exchange."""
        self._next += 1
        mine = self._redaction
        path = scrub_path(path, mine)
        target = identify(method, path)
        kept = scrub_headers(keep_request_headers(headers, exact=self._exact), mine)
        session, body = scrub_text(session, mine), scrub(body, mine)
        self._append(journal.Sent(self._next, self._clock(), session, method, path, kept, body))
        self._live[self._next] = None
        self.counts.requests += 1
        if target.model:
            self.counts.models.add(target.model)
        return self._next

    def head(self, exchange: int, status: int, headers: Headers) -> None:
        """The response's head has come."""
        if exchange not in self._live:
            return
        named = {name.lower(): value for name, value in reversed(headers)}  # the first of a name counts
        kind, length = named.get("content-type", ""), named.get("content-length")
        self._live[exchange] = scrubber_for(kind, length, self._redaction)
        self._append(journal.Head(exchange, self._clock(), status, scrub_headers(headers, self._redaction)))

    def chunk(self, exchange: int, data: bytes) -> None:
        """A piece of the response's body has come."""
        scrubber = self._live.get(exchange)
        if scrubber is None:
            return
        self.counts.bytes += len(data)
        if clean := scrubber.feed(data):
            self._append(journal.Chunk(exchange, self._clock(), clean))
        if scrubber.complete:  # the client may hang up on its last byte, before anybody says that this is the end
            self.end(exchange)

    def end(self, exchange: int, error: str | None = None) -> None:
        """The exchange is over, or broke off. Only the first word on it counts."""
        if exchange not in self._live:
            return
        scrubber = self._live.pop(exchange)
        if scrubber is not None and (rest := scrubber.close(cut=error is not None)):
            self._append(journal.Chunk(exchange, self._clock(), rest))
        if error is None and scrubber is not None and scrubber.lost:
            error = "the event stream was broken"
        self._append(journal.End(exchange, self._clock(), error and scrub_text(error, self._redaction)))
        if error is None:
            self.counts.responses += 1
        else:
            self.counts.failures += 1

    def end_all(self, error: str) -> None:
        """The recorder stops: what is under way is cut."""
        for exchange in list(self._live):
            self.end(exchange, error)

    def _append(self, record: journal.Record) -> None:
        self._write(journal.encode(record))
