"""What one call in the history is: what was asked, by whom, what answered, and how it ended, read when somebody asks.

Nothing here raises, whatever the client sent. Secrets are taken out of headers and paths; bodies are as they came.
No sockets, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bedtape_cassettes.families.content import Content, Message, Prompt, ToolResult, Turn, Usage
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.model import Events, Headers, JsonValue
from bedtape_cassettes.redaction.scrub import scrub_headers, scrub_path, scrub_text
from bedtape_replayer.answering.answer import Outcome, Source
from bedtape_replayer.answering.call import Call
from bedtape_replayer.history.json_safe import plain, shown_body

__all__ = ["Record"]


@dataclass(frozen=True)
class Record:
    """One call that is over. What the request or the answer does not say is None, or empty."""

    outcome: Outcome

    # -- the request -------------------------------------------------------------------------------------------

    @property
    def call(self) -> Call:
        return self.outcome.answer.call

    @property
    def session(self) -> str:
        return self.call.session

    @property
    def number(self) -> int:
        """Its place among its session's calls, from 1."""
        return self.call.number

    @property
    def method(self) -> str:
        return self.call.method

    @property
    def path(self) -> str:
        """Percent-encoded with its query, less the session prefix."""
        return scrub_path(self.call.path)

    @property
    def operation(self) -> str | None:
        return self.call.operation

    @property
    def model(self) -> str | None:
        return self.call.model

    @property
    def prompt(self) -> Prompt:
        """All that the request asks, in words that no model family owns."""
        return self.call.prompt

    @property
    def system(self) -> str:
        return self.prompt.system

    @property
    def messages(self) -> tuple[Turn, ...]:
        return self.prompt.turns

    @property
    def last_prompt(self) -> str:
        """The text of the last user message."""
        return self.prompt.last

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of those that are offered."""
        return self.prompt.tools

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        return self.prompt.results

    @property
    def temperature(self) -> float | None:
        return self.prompt.temperature

    @property
    def top_p(self) -> float | None:
        return self.prompt.top_p

    @property
    def max_tokens(self) -> int | None:
        return self.prompt.max_tokens

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        return self.prompt.stop_sequences

    @property
    def body(self) -> bytes:
        """The raw body."""
        return self.call.body

    @property
    def json(self) -> JsonValue:
        return self.call.json

    # -- the client --------------------------------------------------------------------------------------------

    @cached_property
    def headers(self) -> Headers:
        """The request's, in wire order, less secrets."""
        return scrub_headers(self.call.head.pairs())

    @property
    def region(self) -> str | None:
        """What the signature says."""
        return self.call.scope[1]

    @property
    def access_key_id(self) -> str | None:
        """What the signature says; of a real one, the example id that stands for it in recordings."""
        key = self.call.scope[0]
        return None if key is None else scrub_text(key)

    @property
    def user_agent(self) -> str | None:
        """Which SDK it was."""
        agent = self.call.head.get("user-agent")
        return None if agent is None else scrub_text(agent)

    @property
    def http_version(self) -> str:
        """`HTTP/1.1` (as which 1.0 counts) or `HTTP/2`."""
        return self.call.head.version

    @property
    def invocation_id(self) -> str | None:
        """What groups the attempts of one SDK call."""
        return self.call.invocation_id

    @property
    def attempt(self) -> int:
        """From 1."""
        return self.call.attempt

    # -- the answer --------------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """What answered."""
        return self.outcome.answer.source

    @property
    def by(self) -> str | None:
        """The recording's file, or the id of the rule or fault that answered."""
        return self.outcome.answer.by

    @property
    def faults(self) -> tuple[str, ...]:
        """The ids of those that happened to it."""
        return self.outcome.answer.faults

    @property
    def miss(self) -> str | None:
        """The report of a miss."""
        miss = self.outcome.answer.miss
        return None if miss is None else str(miss)

    @property
    def status(self) -> int | None:
        """The HTTP status; None where a fault kept the client from any."""
        return self.outcome.answer.reply.status if self.outcome.started else None

    @cached_property
    def answer_headers(self) -> Headers:
        """The answer's, with lower-case names, less secrets."""
        pairs = self.outcome.answer.reply.headers
        return scrub_headers(tuple((n.decode("latin-1").lower(), v.decode(errors="replace")) for n, v in pairs))

    @property
    def error(self) -> str | None:
        """The error's name, `ThrottlingException`, of an answer or in the middle of a stream (then the status is 200)."""
        return self._failure[0]

    @property
    def message(self) -> str | None:
        """The error's message."""
        return self._failure[1]

    @cached_property
    def _failure(self) -> tuple[str | None, str | None]:
        if not self.outcome.started:
            return None, None
        last = next((piece.data for piece in reversed(self.outcome.answer.reply.pieces)), b"")
        headers = dict(self.answer_headers)
        if self.outcome.answer.reply.status >= 400:
            return headers.get("x-amzn-errortype", "").partition(":")[0] or None, _message(last)
        if headers.get("content-type", "").startswith(bodies.EVENT_STREAM):
            return _broken_off(last)
        return None, None

    @cached_property
    def content(self) -> Content | None:
        """What was answered; None for errors, and for what is in no known form."""
        said = self.outcome.answer.response
        return None if said is None or not self.outcome.started else content_of(self.operation, self.model, said)

    @property
    def text(self) -> str | None:
        """The text that was answered, as it was before faults cut the wire."""
        return self.content.text if isinstance(self.content, Message) else None

    @property
    def stop_reason(self) -> str | None:
        """In Converse's words."""
        return self.content.stop if isinstance(self.content, Message) else None

    @cached_property
    def usage(self) -> Usage | None:
        said = self.outcome.answer.response
        return None if said is None or not self.outcome.started else read_usage(self.operation, self.model, said)

    @property
    def events(self) -> int:
        """How many pieces of the body went out: events, where it is a stream."""
        return self.outcome.sent

    @property
    def cut(self) -> bool:
        """Whether a stream ended before all of its events were sent, and it was not the client who ended it."""
        said = self.outcome.answer.response
        if said is None or not isinstance(said.body, Events) or self.hung_up:
            return False
        return self.events < len(said.body.events)

    @property
    def hung_up(self) -> bool:
        """Whether the client went before the answer's end."""
        return not self.outcome.complete

    @property
    def began(self) -> float:
        """When the request was whole: seconds since 1970."""
        return self.outcome.began

    @property
    def seconds(self) -> float:
        """How long answering took."""
        return self.outcome.seconds

    @property
    def ended(self) -> float:
        """When the answer was out: seconds since 1970."""
        return self.began + self.seconds

    def __str__(self) -> str:
        what = f"{self.operation} of {self.model}" if self.model else self.operation or f"{self.method} {self.path}"
        return f"call {self.number}: {what} -> {self.status} {self.error or ''}".rstrip()

    def as_json(self) -> dict[str, JsonValue]:
        """All of it for the control API. A body that is no UTF-8 is in `body_base64`, and `body` is null."""
        return {**{name: plain(getattr(self, name)) for name in _SHOWN}, **shown_body(self.body)}


_SHOWN = (
    *("session", "number", "began", "seconds", "operation", "model", "method", "path"),
    *("region", "access_key_id", "user_agent", "http_version", "invocation_id", "attempt", "headers"),
    *("system", "messages", "last_prompt", "tools", "tool_results"),
    *("temperature", "top_p", "max_tokens", "stop_sequences"),
    *("source", "by", "faults", "miss", "status", "error", "message"),
    *("text", "stop_reason", "usage", "events", "hung_up"),
)


def _message(body: bytes) -> str | None:
    try:
        value = bodies.parse(body)
    except ValueError:
        return body.decode(errors="replace") or None
    match value:
        case {"error": {"message": str(message)}} | {"message": str(message)} | {"Message": str(message)}:
            return message
    return None


def _broken_off(last: bytes) -> tuple[str | None, str | None]:
    """The error that ends a stream, from its last frame."""
    try:
        frames = eventstream.decode_all(last)
    except eventstream.FrameError:
        return None, None
    named = dict(frames[-1].strings() or ()) if frames else {}
    if name := named.get(":exception-type"):
        return name[:1].upper() + name[1:], _message(frames[-1].payload)
    return named.get(":error-code"), named.get(":error-message")
