"""A call in the history: its request, client, answer and outcome, parsed on access.

No property raises an exception, whatever the client sent. Secrets are removed from headers and
paths. Bodies are unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from bedtape_cassettes.failures import read_error
from bedtape_cassettes.families.content import Content, Message, Usage
from bedtape_cassettes.families.reading import content_of, parse_object
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import slots
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_values import Plain
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Events, Headers, JsonValue
from bedtape_cassettes.redaction.scrub import scrub_headers, scrub_path, scrub_text
from bedtape_replayer.answering.answer import MISS, OVERLAY, Outcome
from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.history.json_safe import make_json_safe, render_body

_T = TypeVar("_T")


def _value(read: Callable[[Record], _T]) -> _T:
    """Return a property that reads a value of the call. As `dataclasses.field`, it has the type of the value."""
    return cast(_T, property(read))


@dataclass(frozen=True)
class Record:
    """A completed call.

    Values that are missing in the request or the answer are `None` or empty. number: the number of the call in its
    session, from 1. prompt: the request in the form that all model families share. last_prompt: the text of the last
    user message. tools: the names of the tools that the request offers. http_version: `HTTP/1.1` also for HTTP/1.0.
    invocation_id: the id that the attempts of one SDK call share. attempt: from 1. by: the file of the recording, or
    the id of the rule or fault, that answered. faults: the ids of the applied faults. events: the number of sent pieces
    of the body; a piece of a stream is an event. began: the time at which the request was complete, in seconds since
    1970. seconds: the duration of the answer.
    """

    outcome: Outcome

    # -- the request -------------------------------------------------------------------------------

    call = _value(lambda record: record.outcome.answer.call)
    session = _value(lambda record: record.call.session)
    number = _value(lambda record: record.call.number)
    method = _value(lambda record: record.call.method)
    operation = _value(lambda record: record.call.operation)
    model = _value(lambda record: record.call.model)
    body = _value(lambda record: record.call.body)
    json = _value(lambda record: record.call.json)
    prompt = _value(lambda record: record.call.prompt)
    system = _value(lambda record: record.prompt.system)
    messages = _value(lambda record: record.prompt.turns)
    last_prompt = _value(lambda record: record.prompt.last)
    tools = _value(lambda record: record.prompt.tools)
    tool_results = _value(lambda record: record.prompt.results)
    temperature = _value(lambda record: record.prompt.temperature)
    top_p = _value(lambda record: record.prompt.top_p)
    max_tokens = _value(lambda record: record.prompt.max_tokens)
    stop_sequences = _value(lambda record: record.prompt.stop_sequences)

    @property
    def path(self) -> str:
        """The percent-encoded path with its query, without the session prefix."""
        return scrub_path(self.call.path)

    # -- the client --------------------------------------------------------------------------------

    http_version = _value(lambda record: record.call.head.version)
    invocation_id = _value(lambda record: record.call.invocation_id)
    attempt = _value(lambda record: record.call.attempt)

    @cached_property
    def headers(self) -> Headers:
        """The headers of the request in wire order, without secrets."""
        return scrub_headers(self.call.head.pairs())

    @property
    def region(self) -> str | None:
        """The region in the signature."""
        return self.call.scope[1]

    @property
    def access_key_id(self) -> str | None:
        """The access key id in the signature. An example id replaces a real id, as in recordings."""
        key = self.call.scope[0]
        return None if key is None else scrub_text(key)

    @property
    def user_agent(self) -> str | None:
        """The User-Agent header, which names the SDK."""
        agent = self.call.head.get("user-agent")
        return None if agent is None else scrub_text(agent)

    # -- the answer --------------------------------------------------------------------------------

    source = _value(lambda record: record.outcome.answer.source)
    by = _value(lambda record: record.outcome.answer.by)
    faults = _value(lambda record: record.outcome.answer.faults)
    events = _value(lambda record: record.outcome.sent)
    began = _value(lambda record: record.outcome.began)
    seconds = _value(lambda record: record.outcome.seconds)

    @property
    def miss(self) -> str | None:
        """The report of a miss, or `None`."""
        miss = self.outcome.answer.miss
        return None if miss is None else str(miss)

    @property
    def status(self) -> int | None:
        """The HTTP status. `None` if a fault prevented the start of the answer."""
        return self.outcome.answer.reply.status if self.outcome.started else None

    @cached_property
    def answer_headers(self) -> Headers:
        """The headers of the answer, with lower-case names and without secrets."""
        pairs = self.outcome.answer.reply.headers
        return scrub_headers(tuple((n.decode("latin-1").lower(), v.decode(errors="replace")) for n, v in pairs))

    @property
    def error(self) -> str | None:
        """The name of the error, for example ThrottlingException. An error in the middle of a stream has status 200."""
        return self._failure[0]

    @property
    def message(self) -> str | None:
        """The message of the error."""
        return self._failure[1]

    @cached_property
    def _failure(self) -> tuple[str | None, str | None]:
        if not self.outcome.started:
            return None, None
        own = _OWN_ERRORS.get(self.source)
        last = next((piece.data for piece in reversed(self.outcome.answer.reply.pieces)), b"")
        headers = dict(self.answer_headers)
        if self.outcome.answer.reply.status >= 400 and self.call.dialect != "aws":
            name, message = read_error(parse_object(last))
            return own or name, message
        if self.outcome.answer.reply.status >= 400:
            return headers.get("x-amzn-errortype", "").partition(":")[0] or None, _parse_message(last)
        if headers.get("content-type", "").startswith(bodies.EVENT_STREAM):
            return _parse_stream_error(last)
        if headers.get("content-type", "").startswith(bodies.SERVER_SENT):
            return _parse_event_error(self.outcome.answer.reply.pieces[-2:])
        return None, None

    @cached_property
    def content(self) -> Content | None:
        """The content of the answer. `None` for errors and for unknown formats."""
        response = self.outcome.answer.response if self.outcome.started else None
        return None if response is None else content_of(self.operation, self.model, response)

    @property
    def text(self) -> str | None:
        """The text of the answer, before a fault changed the bytes on the wire."""
        return self.content.text if isinstance(self.content, Message) else None

    @cached_property
    def sent_text(self) -> str:
        """The text in the events of a stream that were sent, also before an error. Empty for other answers."""
        response = self.outcome.answer.response
        if not self.outcome.started or response is None or not isinstance(response.body, Events):
            return ""
        pieces = self.outcome.answer.reply.pieces[: self.events]
        values = [value for piece in pieces for value in _read_values(piece)]
        return "".join(slot.text for slot in slots(values, members_of(self.operation, self.model)))

    @property
    def stop_reason(self) -> str | None:
        """The stop reason, as Converse names it."""
        return self.content.stop if isinstance(self.content, Message) else None

    @cached_property
    def usage(self) -> Usage | None:
        response = self.outcome.answer.response if self.outcome.started else None
        return None if response is None else read_usage(self.operation, self.model, response)

    @property
    def cut(self) -> bool:
        """Whether the server ended a stream before it had sent all events."""
        response = self.outcome.answer.response
        if response is None or not isinstance(response.body, Events) or self.hung_up:
            return False
        return self.events < len(response.body.events)

    @property
    def hung_up(self) -> bool:
        """Whether the client closed the connection before the end of the answer."""
        return not self.outcome.complete

    @property
    def ended(self) -> float:
        """The time at which the answer was complete, in seconds since 1970."""
        return self.began + self.seconds

    def __str__(self) -> str:
        request = f"{self.operation} of {self.model}" if self.model else self.operation or f"{self.method} {self.path}"
        return f"call {self.number}: {request} -> {self.status} {self.error or ''}".rstrip()

    def as_json(self) -> dict[str, JsonValue]:
        """Return the call for the control API. See `render_body` for the members of the body."""
        return {**{name: make_json_safe(getattr(self, name)) for name in _JSON_FIELDS}, **render_body(self.body)}


_JSON_FIELDS = (
    *("session", "number", "began", "seconds", "operation", "model", "method", "path"),
    *("region", "access_key_id", "user_agent", "http_version", "invocation_id", "attempt", "headers"),
    *("system", "messages", "last_prompt", "tools", "tool_results"),
    *("temperature", "top_p", "max_tokens", "stop_sequences"),
    *("source", "by", "faults", "miss", "status", "error", "message"),
    *("text", "stop_reason", "usage", "events", "hung_up"),
)


_OWN_ERRORS = {"miss": MISS, "overlay": OVERLAY}


def _read_values(piece: Piece) -> Sequence[JsonValue | Plain]:
    """Return the JSON of the events in a piece of a stream. Empty for a part of an event."""
    for read in (bodies.read_events, bodies.read_pieces):
        if isinstance(body := read(piece.data), Events):
            return read_values(body)
    return ()


def _parse_message(body: bytes) -> str | None:
    try:
        value = bodies.parse(body)
    except ValueError:
        return body.decode(errors="replace") or None
    match value:
        case {"error": {"message": str(message)}} | {"message": str(message)} | {"Message": str(message)}:
            return message
    return None


def _parse_event_error(last: Sequence[Piece]) -> tuple[str | None, str | None]:
    """Return the name and the message of an error in the last server-sent events of a stream."""
    for piece in last:
        value = bodies.read_value("text", piece.data)
        if isinstance(value, dict) and value.get("type") == "error" and "message" in value:
            value = {"error": value}  # as the Responses API sends it
        if isinstance(value, dict) and "error" in value:
            return read_error(value)
    return None, None


def _parse_stream_error(last: bytes) -> tuple[str | None, str | None]:
    """Return the name and the message of the error in the last frame of a stream."""
    try:
        frames = eventstream.decode_all(last)
    except eventstream.FrameError:
        return None, None
    headers = dict(frames[-1].strings() or ()) if frames else {}
    if name := headers.get(":exception-type"):
        return name[:1].upper() + name[1:], _parse_message(frames[-1].payload)
    return headers.get(":error-code"), headers.get(":error-message")
