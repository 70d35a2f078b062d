"""Turns traffic into journal records while the traffic passes through the proxy. Sans-io.

Data is scrubbed before it is written. A chunk is written before the client receives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace

from bedtape_cassettes.format import journal
from bedtape_cassettes.matching.normalise import keep_request_headers
from bedtape_cassettes.model import Headers
from bedtape_cassettes.operations import find_model, identify
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub, scrub_headers, scrub_path, scrub_text
from bedtape_cassettes.redaction.stream import Scrubber, scrubber_for
from bedtape_cassettes.text import format_count
from bedtape_recorder.errors import RecorderError


@dataclass(slots=True)
class Counts:
    """Totals of a running recording. bytes: of response bodies."""

    requests: int = 0
    bytes: int = 0
    models: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Capture:
    """The journal of one recorder.

    write: appends bytes and flushes, or raises OSError. After the first error, nothing is written, and `failure` is the
    error. missing: the exchanges whose answers are not complete in the journal because of the error. clock: returns
    monotonic seconds. mode: the record mode, for `bedtape recover`. redaction: patterns to replace besides secrets.
    """

    write: Callable[[bytes], object]
    clock: Callable[[], float]
    _: KW_ONLY
    name: str | None = None
    exact: bool = False
    mode: str | None = None
    redaction: Redaction = ALWAYS
    counts: Counts = field(default_factory=Counts, init=False)
    failure: OSError | None = field(default=None, init=False)
    missing: set[int] = field(default_factory=set, init=False)
    _next: int = field(default=0, init=False)
    _live: dict[int, Scrubber | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._append(journal.Opened(journal.VERSION, self.name, self.exact, self.mode))

    @property
    def live(self) -> int:
        """The number of exchanges that have not ended."""
        return len(self._live)

    def keep_out(self, own: frozenset[str]) -> None:
        """Takes these credentials out of everything that is recorded from now on."""
        if not own <= self.redaction.own:
            self.redaction = replace(self.redaction, own=self.redaction.own | own)

    def add_request(self, session: str, method: str, path: str, headers: Headers, body: bytes) -> int:
        """Records a complete request. Returns the number of its exchange. Raises RecorderError if it cannot be written."""
        self._next += 1
        mine = self.redaction
        path = scrub_path(path, mine)
        target = identify(method, path)
        kept = scrub_headers(keep_request_headers(headers, exact=self.exact), mine)
        session, body = scrub_text(session, mine), scrub(body, mine)
        self._append(journal.Sent(self._next, self.clock(), session, method, path, kept, body))
        self._live[self._next] = None
        self.counts.requests += 1
        if model := find_model(target, body):
            self.counts.models.add(model)
        return self._next

    def add_head(self, exchange: int, status: int, headers: Headers) -> None:
        """Records the head of a response. Ignores an exchange that has ended."""
        if exchange not in self._live:
            return
        by_name = {name.lower(): value for name, value in reversed(headers)}  # the first value wins
        kind, length = by_name.get("content-type", ""), by_name.get("content-length")
        self._live[exchange] = scrubber_for(kind, length, self.redaction)
        self._append_answer(journal.Head(exchange, self.clock(), status, scrub_headers(headers, self.redaction)))

    def add_chunk(self, exchange: int, data: bytes) -> None:
        """Records a piece of a response's body. Ends the exchange if the body is complete."""
        scrubber = self._live.get(exchange)
        if scrubber is None:
            return
        self.counts.bytes += len(data)
        if clean := scrubber.feed(data):
            self._append_answer(journal.Chunk(exchange, self.clock(), clean))
        if scrubber.complete:  # the client may close before mitmproxy reports the end
            self.end(exchange)

    def end(self, exchange: int, error: str | None = None) -> None:
        """Ends an exchange. error: why it was cut. Later calls for the exchange do nothing."""
        if exchange not in self._live:
            return
        scrubber = self._live.pop(exchange)
        if scrubber is not None and (rest := scrubber.close(cut=error is not None)):
            self._append_answer(journal.Chunk(exchange, self.clock(), rest))
        if error is None and scrubber is not None and scrubber.lost:
            error = "the event stream was broken"
        self._append_answer(journal.End(exchange, self.clock(), error and scrub_text(error, self.redaction)))

    def end_all(self, error: str) -> None:
        """Ends every open exchange as cut."""
        for exchange in list(self._live):
            self.end(exchange, error)

    def describe_failure(self) -> str | None:
        """Return why the recording lacks answers, or `None` if the journal could be written."""
        if self.failure is None:
            return None
        why = self.failure.strerror or self.failure
        return f"the journal could not be written ({why}): {format_count(len(self.missing), 'answer')} missing"

    def _append(self, record: journal.Record) -> None:
        if self.failure is None:
            try:
                self.write(journal.encode(record))
            except OSError as error:
                self.failure = error
        if self.failure is not None:
            why = self.failure.strerror or self.failure
            raise RecorderError(f"expected to write the journal, found: {why}; nothing is sent that cannot be recorded")

    def _append_answer(self, record: journal.Head | journal.Chunk | journal.End) -> None:
        """Continue without an error, because the answer is paid, and the client can still use it."""
        try:
            self._append(record)
        except RecorderError:
            self._live.pop(record.exchange, None)
            self.missing.add(record.exchange)
