"""Turns traffic into journal records while the traffic passes through the proxy. Sans-io.

Data is scrubbed before it is written. A chunk is written before the client receives
it. `read_exchanges` reads the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TypeAlias

from bedtape_cassettes.families.models import nova_sonic
from bedtape_cassettes.format import bodies, eventstream, journal
from bedtape_cassettes.matching.normalise import build_interaction, keep_request_headers
from bedtape_cassettes.model import (
    ENDINGS,
    LONGEST_MS,
    Ending,
    Event,
    Events,
    Headers,
    Interaction,
    event_headers,
)
from bedtape_cassettes.operations import find_model, find_other_service, identify
from bedtape_cassettes.redaction.scrub import (
    ALWAYS,
    Redaction,
    scrub,
    scrub_headers,
    scrub_path,
    scrub_text,
)
from bedtape_cassettes.redaction.stream import Scrubber, scrubber_for
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.text import format_count
from bedtape_recorder.errors import RecorderError

AnswerRecord: TypeAlias = journal.Head | journal.Chunk | journal.InputChunk | journal.End


@dataclass(slots=True)
class Counts:
    """Totals of a running recording. bytes: of response bodies. refusals: of requests."""

    requests: int = 0
    bytes: int = 0
    models: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Capture:
    """The journal of one recorder.

    write: appends bytes and flushes, or raises OSError. After the first error, nothing is written,
    and `failure` is the error. missing: the exchanges whose answers are not complete in the journal
    because of the error. clock: returns monotonic seconds. mode: the record mode, for `bedtape
    recover`. audio: whether the audio of clients is kept. redaction: patterns to replace besides
    secrets.
    """

    write: Callable[[bytes], object]
    clock: Callable[[], float]
    _: KW_ONLY
    name: str | None = None
    exact: bool = False
    audio: bool = False
    mode: str | None = None
    redaction: Redaction = ALWAYS
    counts: Counts = field(default_factory=Counts, init=False)
    failure: OSError | None = field(default=None, init=False)
    missing: set[int] = field(default_factory=set, init=False)
    _next: int = field(default=0, init=False)
    _live: dict[int, Scrubber | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._append(journal.JournalStart(journal.VERSION, self.name, self.exact, self.mode))

    @property
    def live(self) -> int:
        """The number of exchanges that have not ended."""
        return len(self._live)

    def keep_out(self, own: frozenset[str]) -> None:
        """Takes these credentials out of everything that is recorded from now on."""
        if not own <= self.redaction.own:
            self.redaction = replace(self.redaction, own=self.redaction.own | own)

    def add_request(
        self,
        session: str,
        method: str,
        path: str,
        headers: Headers,
        body: bytes,
        *,
        region: str | None = None,
        service: str | None = None,
    ) -> int:
        """Records a complete request.

        Returns the number of its exchange. Raises RecorderError if it cannot be written.
        """
        self._next += 1
        mine = self.redaction
        path = scrub_path(path, mine)
        target = identify(method, path)
        kept = scrub_headers(keep_request_headers(headers, exact=self.exact), mine)
        session, body = scrub_text(session, mine), scrub(body, mine)
        self._append(
            journal.SentRequest(
                self._next, self.clock(), session, method, path, kept, body, region, service
            )
        )
        self._live[self._next] = None
        self.counts.requests += 1
        if model := find_model(target, body):
            self.counts.models.add(model)
        return self._next

    def add_input(self, exchange: int, frames: Iterable[eventstream.Frame]) -> None:
        """Records events of the client in a bidirectional stream, without secrets, and without
        audio unless it is kept.
        """
        if exchange in self._live and (data := b"".join(map(self._strip, frames))):
            self._append_answer(journal.InputChunk(exchange, self.clock(), data))

    def _strip(self, frame: eventstream.Frame) -> bytes:
        """Returns the frame of an event as it is recorded."""
        value = bodies.read_chunk(frame.payload)
        known = nova_sonic.read_event(value) is not None
        if known and not self.audio:
            value = nova_sonic.strip_event(value)
        payload = bodies.seal_chunk(value) if known else frame.payload
        name = next((str(v.value) for n, v in frame.headers if n == ":event-type"), "chunk")
        return eventstream.encode_strings(event_headers(name), scrub(payload, self.redaction))

    def add_head(self, exchange: int, status: int, headers: Headers) -> None:
        """Records the head of a response. Ignores an exchange that has ended."""
        if exchange not in self._live:
            return
        by_name = {name.lower(): value for name, value in reversed(headers)}  # the first value wins
        kind, length = by_name.get("content-type", ""), by_name.get("content-length")
        self._live[exchange] = scrubber_for(kind, length, self.redaction)
        self._append_answer(
            journal.Head(exchange, self.clock(), status, scrub_headers(headers, self.redaction))
        )

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
            error = journal.MID_FRAME if scrubber.mid_frame else "the event stream was broken"
        self._append_answer(
            journal.End(exchange, self.clock(), error and scrub_text(error, self.redaction))
        )

    def end_all(self, error: str) -> None:
        """Ends every open exchange as cut."""
        for exchange in list(self._live):
            self.end(exchange, error)

    def describe_failure(self) -> str | None:
        """Return why the recording lacks answers, or `None` if the journal could be written."""
        if self.failure is None:
            return None
        why = self.failure.strerror or self.failure
        return (
            f"the journal could not be written ({why}): {format_count(len(self.missing), 'answer')}"
            " missing"
        )

    def _append(self, record: journal.Record) -> None:
        if self.failure is None:
            try:
                self.write(journal.encode(record))
            except OSError as error:
                self.failure = error
        if self.failure is not None:
            why = self.failure.strerror or self.failure
            raise RecorderError(
                f"expected to write the journal, found: {why}; nothing is sent that cannot be"
                " recorded"
            )

    def _append_answer(self, record: AnswerRecord) -> None:
        """Continue without an error, because the answer is paid and the client can use it."""
        try:
            self._append(record)
        except RecorderError:
            self._live.pop(record.exchange, None)
            self.missing.add(record.exchange)


# -- reading the journal ---------------------------------------------------------------------------


@dataclass(slots=True)
class RecordedExchange:
    """The journal records of one exchange."""

    sent: journal.SentRequest
    head: journal.Head | None = None
    chunks: list[journal.Chunk] = field(default_factory=list)
    inputs: list[journal.InputChunk] = field(default_factory=list)
    end: journal.End | None = None

    @property
    def partial(self) -> bool:
        """Whether the recording is incomplete: it has no end, or not the end of the service."""
        return self.end is None or (self.end.error is not None and self.ends is None)

    @property
    def ends(self) -> Ending | None:
        """How the service ended the answer early; None for a complete answer."""
        return next(
            (ending for ending in ENDINGS if self.end is not None and self.end.error == ending),
            None,
        )


def read_exchanges(
    records: Iterable[journal.Record],
) -> tuple[journal.JournalStart | None, list[RecordedExchange]]:
    """Returns the opening record and the exchanges of a journal, in the order of their requests."""
    opened = None
    exchanges: dict[int, RecordedExchange] = {}
    for record in records:
        match record:
            case journal.JournalStart():
                opened = record
            case journal.SentRequest():
                exchanges[record.exchange] = RecordedExchange(record)
            case journal.DamagedPart():  # the damaged part may contain the ends of open exchanges
                for recorded in exchanges.values():
                    sent = recorded.sent
                    recorded.end = recorded.end or journal.End(
                        sent.exchange, sent.at, "the journal is damaged"
                    )
            case _ if record.exchange in exchanges and exchanges[record.exchange].end is None:
                _add(exchanges[record.exchange], record)
    return opened, list(exchanges.values())


def _add(recorded: RecordedExchange, record: AnswerRecord) -> None:
    match record:
        case journal.Head():
            recorded.head = record
        case journal.Chunk():
            recorded.chunks.append(record)
        case journal.InputChunk():
            recorded.inputs.append(record)
        case journal.End():
            recorded.end = record


def to_interaction(recorded: RecordedExchange, head: journal.Head, *, exact: bool) -> Interaction:
    sent = recorded.sent
    interaction = build_interaction(
        method=sent.method,
        path=sent.path,
        request_headers=sent.headers,
        request_body=sent.body,
        status=head.status,
        response_headers=head.headers,
        response_body=b"".join(chunk.data for chunk in recorded.chunks),
        exact=exact,
        after_ms=_compute_ms(sent.at, head.at),
        # The time of each event, because the scrubber emits chunks of whole events.
        at_ms=[
            _compute_ms(head.at, chunk.at)
            for chunk in recorded.chunks
            for _ in range(_count_events(chunk.data))
        ],
    )
    if recorded.inputs:
        events = Events.of(_gather_audio(_read_inputs(recorded.inputs, head)), padded=False)
        request = replace(interaction.request, events=events)
        interaction = scrub_interaction(replace(interaction, request=request))
    response = replace(interaction.response, ends=recorded.ends)
    return replace(
        interaction,
        partial=recorded.partial,
        response=response,
        region=sent.region,
        service=find_other_service(sent.method, sent.path, sent.service),
    )


def _gather_audio(events: Iterable[Event]) -> list[Event]:
    """Returns the events of the client with audio that was kept as one file for each content."""
    kept = list(events)
    values = nova_sonic.gather_audio(bodies.read_chunk(event.payload) for event in kept)
    return [
        event
        if nova_sonic.read_event(value) is None
        else replace(event, payload=bodies.seal_chunk(value))
        for event, value in zip(kept, values, strict=True)
    ]


def _read_inputs(inputs: Iterable[journal.InputChunk], head: journal.Head) -> Iterator[Event]:
    """Yields the events of the client. Those before the answer's head have its time."""
    for chunk in inputs:
        at_ms = _compute_ms(head.at, chunk.at)
        for frame in eventstream.decode_all(chunk.data):
            yield Event(
                at_ms, frame.strings() or (), frame.payload, bodies.choose_form(frame.payload)
            )


def _compute_ms(one: float, other: float) -> int:
    """Returns the milliseconds between two times, limited to the range of a cassette."""
    return min(max(0, round((other - one) * 1000)), LONGEST_MS)


def _count_events(data: bytes) -> int:
    try:
        return len(eventstream.decode_all(data))
    except eventstream.FrameError:
        return max(1, data.count(b"\n\n"))


class InputReceiver:
    """Records the client's side of a bidirectional stream, cut at any byte, before it is signed."""

    def __init__(self, capture: Capture, exchange: int) -> None:
        self._capture = capture
        self._exchange = exchange
        self._decoder = eventstream.Decoder()
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        """Records the events that are complete, and returns the data. Never raises.

        Data that is no event stream is not recorded.
        """
        try:
            for frame in () if self._broken else self._decoder.feed(data):
                inner = eventstream.open_envelope(frame)
                self._capture.add_input(self._exchange, [frame] if inner is None else inner)
        except ValueError:  # no frames, or a value that JSON cannot hold
            self._broken = True
        return data
