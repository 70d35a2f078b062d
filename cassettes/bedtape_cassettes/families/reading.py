"""Reads requests and responses as content.

The inverse of `rendering`, for recorded exchanges of any age. Functions return None or an empty
value for unknown forms, and do not raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import Content, Embeddings, Message, Prompt, Turn
from bedtape_cassettes.families.family import GUARDED, Family, JsonObject, RenderError
from bedtape_cassettes.families.requests.spoken_content import (
    list_client_events,
    read_spoken_prompt,
)
from bedtape_cassettes.families.service_apis import (
    PAYLOADS,
    WITH_PROMPT,
    read_payload_prompt,
    read_service_prompt,
)
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.table import APIS, INVOKE, family_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events, JsonValue, Response
from bedtape_cassettes.operations import DUPLEX

_EXCEPTION = (":message-type", "exception")


# -- requests --------------------------------------------------------------------------------------


def prompt_of(
    operation: str | None, model: str | None, body: bytes, *, family: str | None = None
) -> Prompt:
    """Return the content of a request, or an empty prompt if the form of the request is unknown.

    family: the family's name, if the model id does not determine the family.
    """
    if operation in PAYLOADS:
        return read_payload_prompt(body)
    return read_prompt(operation, model, parse_object(body), family)


def read_prompt(
    operation: str | None, model: str | None, request: JsonObject, family: str | None = None
) -> Prompt:
    """Return the content of a request whose body is parsed. See `prompt_of`."""
    if operation in PAYLOADS:
        return read_payload_prompt(bodies.compact(request))
    if operation in DUPLEX:
        return read_spoken_prompt(list_client_events(request))
    if operation is not None and operation in WITH_PROMPT:
        return read_service_prompt(operation, request)
    match operation:
        case "CountTokens":
            return _read_inner_prompt(request, model, family)
        case "ApplyGuardrail":
            texts = (
                json_access.text(part, "text", "text")
                for part in json_access.items(request, "content")
            )
            return Prompt(turns=tuple(Turn("user", text) for text in texts))
    model_family = _family(operation, model, family)
    return model_family.prompt(request) if model_family else Prompt()


def _read_inner_prompt(request: JsonObject, model: str | None, family: str | None) -> Prompt:
    """Read the request inside a CountTokens request."""
    match request.get("input"):
        case {"converse": dict(inner)}:
            return prompt_of("Converse", model, bodies.compact(inner))
        case {"invokeModel": {"body": encoded}}:
            return prompt_of("InvokeModel", model, readers.binary(encoded), family=family)
    return Prompt()


def parse_object(data: bytes) -> JsonObject:
    """Parse a body as a JSON object. Returns an empty object for any other body."""
    try:
        value = bodies.parse_request(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _family(operation: str | None, model: str | None, name: str | None) -> Family | None:
    if operation not in INVOKE and operation not in APIS:
        return None
    try:
        return family_of(operation, model or "", name)
    except RenderError:
        return None


# -- responses -------------------------------------------------------------------------------------


def content_of(
    operation: str | None, model: str | None, response: Response, *, family: str | None = None
) -> Content | None:
    """Return the content of a response; None for errors, also in streams, and unknown forms."""
    model_family = _family(operation, model, family)
    if model_family is None or response.status != 200 or _ends_in_exception(response.body):
        return None
    values = _values(response.body)
    try:
        content = _read(model_family, response.body, values)
    except ValueError:
        return None
    if isinstance(content, Message) and any(
        json_access.text(value, GUARDED) == "INTERVENED" for value in values
    ):
        content = replace(content, stop="guardrail_intervened")
    if isinstance(content, Message | Embeddings):
        content = replace(content, usage=read_usage(operation, model, response, family=family))
    return content


def _ends_in_exception(body: Body | Events) -> bool:
    """Whether the last event of a stream is an exception."""
    return isinstance(body, Events) and any(
        _EXCEPTION in event.headers for event in body.events[-1:]
    )


def _read(model_family: Family, body: Body | Events, values: Sequence[JsonValue]) -> Content | None:
    if isinstance(body, Events):
        return model_family.gather(values) if model_family.gather else None
    return model_family.read(values[0]) if values and isinstance(values[0], dict) else None


def _values(body: Body | Events) -> list[JsonValue]:
    """The JSON of a body or of each event. Converse's events become objects, by event type."""
    if isinstance(body, Body):
        return [parse_object(body.data)]
    return [
        value if event.form != "json" else {event.type or "": value}
        for event in body.events
        for value in [_value(event.form, event.payload)]
    ]


def _value(form: str, payload: bytes) -> JsonValue:
    try:
        return bodies.read_value(form, payload)
    except ValueError:
        return None
