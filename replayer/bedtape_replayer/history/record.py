"""A call in the history: its request, client, answer and outcome, parsed on access.

No property raises an exception, whatever the client sent. Secrets are removed from headers and
paths. Bodies are unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, takewhile
from typing import TypeVar, cast

from bedtape_cassettes.failures import read_error
from bedtape_cassettes.families.content import Content, Message, Usage
from bedtape_cassettes.families.reading import content_of, parse_object
from bedtape_cassettes.families.requests.spoken_content import read_spoken_answer
from bedtape_cassettes.families.service_apis import SERVICE_APIS, read_service_content
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import slots
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Events, Headers, JsonValue, Response
from bedtape_cassettes.operations import DUPLEX
from bedtape_cassettes.redaction.scrub import scrub_headers, scrub_path, scrub_text
from bedtape_replayer.answering.answer import MISS, OVERLAY, Outcome
from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.answering.steps import ChangeEvents, EndAt, Send, build_steps, edit
from bedtape_replayer.history.json_safe import make_json_safe, render_body
from bedtape_replayer.history.snapshot import build_snapshot

_T = TypeVar("_T")


def _value(read: Callable[[Record], _T]) -> _T:
    """Return a property of the call with the type of its value, as `dataclasses.field` does."""
    return cast(_T, property(read))


@dataclass(frozen=True)
class Record:
    """A completed call.

    Values that are missing in the request or the answer are `None` or empty. number: the number of
    the call in its session, from 1. prompt: the request in the form that all model families share.
    last_prompt: the text of the last user message. tools: the names of the tools that the request
    offers. http_version: `HTTP/1.1` also for HTTP/1.0. invocation_id: the id that the attempts of
    one SDK call share. attempt: from 1. by: the file of the recording, or the id of the rule or
    fault, that answered. faults: the ids of the applied faults. simulated: what simulated features
    of the service did, in words. events: the number of sent pieces of the body; a piece of a stream
    is an event. began: the time at which the request was complete, in seconds since
    1970. seconds: the duration of the answer.
    """

    outcome: Outcome

    def __repr__(self) -> str:
        """Return the call without texts and headers: `<call 1: Converse -> 200 by rule-1>`."""
        result = f"{self.status or 'no answer'} by {self.by or self.source}"
        return f"<call {self.number}: {self.operation or self.method} -> {result}>"

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

    def snapshot(self) -> dict[str, JsonValue]:
        """Return operation, model and body as JSON that is equal in every run, for snapshot tests.

        Ids, times and dates in texts are replaced by marks, base64 by its size, and secrets as in
        recordings. Works with syrupy, inline-snapshot and `==`.
        """
        body = self.json if self.json is not None else self.body.decode(errors="replace")
        return build_snapshot(self.operation or f"{self.method} {self.path}", self.model, body)

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
        """The access key id in the signature, or an example id in place of a real one."""
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
    simulated = _value(lambda record: record.outcome.answer.simulated)
    events = _value(lambda record: record.outcome.sent)
    began = _value(lambda record: record.outcome.began)
    seconds = _value(lambda record: record.outcome.seconds)

    @property
    def miss(self) -> str | None:
        """The report of a miss, or why Bedrock has no operation for the request, or `None`."""
        miss = self.outcome.answer.miss
        return None if miss is None else str(miss)

    @property
    def status(self) -> int | None:
        """The HTTP status. `None` if a fault prevented the start of the answer."""
        return self.outcome.answer.reply.status if self.outcome.started else None

    @cached_property
    def answer_headers(self) -> Headers:
        """The headers of the answer, with lower-case names and without secrets."""
        return scrub_headers(self._raw_headers)

    @cached_property
    def _raw_headers(self) -> Headers:
        pairs = self.outcome.answer.reply.headers
        return tuple((n.decode("latin-1").lower(), v.decode(errors="replace")) for n, v in pairs)

    @property
    def request_id(self) -> str | None:
        """The id that AWS gives to the call, from the headers of the answer."""
        # not decoded as a whole, because a list of calls reads many
        headers = self.outcome.answer.reply.headers
        return next(
            (v.decode(errors="replace") for n, v in headers if n.lower() == b"x-amzn-requestid"),
            None,
        )

    @property
    def error(self) -> str | None:
        """The name of the error, for example ThrottlingException.

        An error in the middle of a stream has status 200.
        """
        return self._failure[0]

    @property
    def message(self) -> str | None:
        """The message of the error."""
        return self._failure[1]

    @cached_property
    def _failure(self) -> tuple[str | None, str | None]:
        if not self.outcome.started:
            return None, None
        # an answer that does not look like an error
        if self.source == "validation" and self.miss is not None:
            return self.outcome.answer.error, self.miss
        own = _OWN_ERRORS.get(self.source)
        last = next((piece.data for piece in reversed(self.outcome.answer.reply.pieces)), b"")
        # two of them are read, so that scrubbing all would be slow
        headers = dict(self._raw_headers)
        if self.outcome.answer.reply.status >= 400 and self.call.dialect != "aws":
            name, message = read_error(parse_object(last))
            return own or self.outcome.answer.error or name, message
        if self.outcome.answer.reply.status >= 400:
            return headers.get("x-amzn-errortype", "").partition(":")[0] or None, _parse_message(
                last
            )
        if headers.get("content-type", "").startswith(bodies.EVENT_STREAM):
            return _parse_stream_error(last)
        if headers.get("content-type", "").startswith(bodies.SERVER_SENT):
            name, message = _parse_event_error(self.outcome.answer.reply.pieces[-2:])
            return (self.outcome.answer.error or name if name else None), message
        return None, None

    @cached_property
    def content(self) -> Content | None:
        """The content of the answer as it was sent.

        `None` for errors, cut and damaged answers, and unknown formats.
        """
        return self._read_content(self._sent_response)

    def _read_content(self, response: Response | None) -> Content | None:
        if response is None or self.error is not None:
            return None
        if self.operation is not None and self.operation in SERVICE_APIS:
            return read_service_content(self.operation, response)
        if self.operation in DUPLEX and isinstance(response.body, Events):
            events = response.body.events
            return read_spoken_answer(bodies.read_chunk(event.payload) for event in events)
        return content_of(self._written_by, self.model, response)

    @property
    def _written_by(self) -> str | None:
        """The operation whose answer was sent: a kept answer of Responses may be read again."""
        return "Responses" if self.operation in _READ_AGAIN else self.operation

    @cached_property
    def _sent_response(self) -> Response | None:
        """The response with the body that was sent. `None` if a part is missing or damaged."""
        response = self.outcome.answer.response if self.outcome.started else None
        if response is None or not (self.faults or self.hung_up):
            return response
        pieces = self.outcome.answer.reply.pieces
        sent = self._sent_pieces
        if isinstance(response.body, Events):
            events = [body.events for piece in sent if (body := _read_events(piece)) is not None]
            if len(events) != len(sent) or len(sent) < len(pieces):
                return None
            return replace(
                response, body=Events.of(list(chain(*events)), padded=response.body.padded)
            )
        return (
            replace(response, body=bodies.read_body(b"".join(sent)))
            if len(sent) == len(pieces)
            else None
        )

    @cached_property
    def _sent_pieces(self) -> list[bytes]:
        return read_sent_pieces(self.outcome)

    @cached_property
    def text(self) -> str | None:
        """The answer's text as sent: after faults, and of a stream also before an error."""
        if isinstance(self.content, Message):
            return self.content.text
        return self.sent_text or None

    @cached_property
    def whole_text(self) -> str | None:
        """The text of the answer before faults changed its bytes or cut it. `None` for errors."""
        content = self._read_content(self.outcome.answer.response if self.outcome.started else None)
        return content.text if isinstance(content, Message) else None

    @cached_property
    def sent_text(self) -> str:
        """The text in the events of a stream that were sent, up to an error or a damaged event.

        Empty for other answers.
        """
        response = self.outcome.answer.response
        if not self.outcome.started or response is None or not isinstance(response.body, Events):
            return ""
        events = takewhile(lambda body: body is not None, map(_read_events, self._sent_pieces))
        values = [value for body in events if body is not None for value in read_values(body)]
        members = members_of(self._written_by, self.model)
        return "".join(slot.text for slot in slots(values, members))

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
        # A fault ends the stream of another server before the number of its events is known.
        edits = self.outcome.answer.edits if self.outcome.answer.source == "upstream" else ()
        ended = any(isinstance(edit, EndAt) and (edit.events or 0) <= self.events for edit in edits)
        return ended or self.events < len(response.body.events)

    @property
    def hung_up(self) -> bool:
        """Whether the client closed the connection before the end of the answer."""
        return not self.outcome.complete

    @property
    def ended(self) -> float:
        """The time at which the answer was complete, in seconds since 1970."""
        return self.began + self.seconds

    def __str__(self) -> str:
        request = (
            f"{self.operation} of {self.model}"
            if self.model
            else self.operation or f"{self.method} {self.path}"
        )
        return f"call {self.number}: {request} -> {self.status} {self.error or ''}".rstrip()

    def as_json(self) -> dict[str, JsonValue]:
        """Return the call for the control API. See `render_body` for the members of the body."""
        return {
            **{name: make_json_safe(getattr(self, name)) for name in _JSON_FIELDS},
            **render_body(self.body),
        }


_JSON_FIELDS = (
    *("session", "number", "began", "seconds", "operation", "model", "method", "path"),
    *(
        "region",
        "access_key_id",
        "user_agent",
        "http_version",
        "invocation_id",
        "attempt",
        "headers",
    ),
    *("system", "messages", "last_prompt", "tools", "tool_results"),
    *("temperature", "top_p", "max_tokens", "stop_sequences"),
    *("source", "by", "faults", "simulated", "miss", "status", "error", "message"),
    *("text", "stop_reason", "usage", "events", "hung_up"),
)


def read_sent_pieces(outcome: Outcome) -> list[bytes]:
    """The pieces of the body that were sent, each with the bytes of it that faults left."""
    answer = outcome.answer
    # its function may count the calls
    if any(isinstance(edit, ChangeEvents) for edit in answer.edits):
        return [piece.data for piece in answer.reply.pieces[: outcome.sent]]
    steps = edit(build_steps(answer.reply), answer.edits)
    return [step.data for step in steps if isinstance(step, Send)][: outcome.sent]


# Operations on a kept answer of Responses that send the answer again.
_READ_AGAIN = ("GetResponse", "CancelResponse")
_OWN_ERRORS = {"miss": MISS, "overlay": OVERLAY}


def _read_events(data: bytes) -> Events | None:
    """Return the events in a piece of a stream; `None` for a damaged event or a part of one."""
    body = bodies.read_events(data)
    if isinstance(body, Body) and data.endswith(b"\n\n"):
        body = bodies.read_pieces(data)
    return body if isinstance(body, Events) else None


def _parse_message(body: bytes) -> str | None:
    try:
        value = bodies.parse(body)
    except ValueError:
        return body.decode(errors="replace") or None
    match value:
        case (
            {"error": {"message": str(message)}}
            | {"message": str(message)}
            | {"Message": str(message)}
        ):
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
