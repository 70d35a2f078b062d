"""A request to an operation around the models, such as Retrieve, and the parts answers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from bedtape_cassettes.families.content import Content, Prompt
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Event, Events, Headers, JsonValue, Response, event_headers
from bedtape_cassettes.text import format_uuid

_STREAM: Headers = (("content-type", bodies.EVENT_STREAM),)


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """operation: its name. body: parsed. data: its bytes. labels: of the path. prompt: content."""

    operation: str
    body: JsonObject
    data: bytes
    labels: dict[str, str]
    prompt: Prompt
    chance: Random

    @property
    def id(self) -> str:
        """An id that equal requests share: of a session, an execution or an invocation."""
        return format_uuid(blake2b(self.data, digest_size=16).digest())

    def refuse(self, content: Content, supported: str) -> RenderError:
        """Build the error for content that the operation does not answer with."""
        return RenderError(
            f"{self.operation} answers with {supported}, found {type(content).__name__}"
        )


def render_json(value: JsonValue) -> Response:
    """Return a whole answer."""
    return Response(
        200, (("content-type", "application/json"),), Body("json", bodies.compact(value))
    )


def render_events(values: Iterable[tuple[str, JsonValue]], headers: Headers = ()) -> Response:
    """Return a stream without padding. values: the type and the payload of each event."""
    payloads = [(name, bodies.compact(value)) for name, value in values]
    events = [
        Event(0, event_headers(name), data, bodies.choose_form(data)) for name, data in payloads
    ]
    return Response(200, (*_STREAM, *headers), Events.of(events, padded=False))
