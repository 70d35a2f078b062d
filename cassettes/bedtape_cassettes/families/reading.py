"""Requests and responses as content: what was asked and what was answered.

The counterpart of `rendering`, for recorded exchanges of any age: what is not understood is None or empty. Nothing
here raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import Content, Embeddings, Message, Prompt, Turn
from bedtape_cassettes.families.family import GUARDED, Cannot, Family, JsonObject
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.table import APIS, INVOKE, family_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events, JsonValue, Response

__all__ = ["content_of", "object_of", "prompt_of"]

_EXCEPTION = (":message-type", "exception")


# -- requests --------------------------------------------------------------------------------------------------


def prompt_of(operation: str | None, model: str | None, body: bytes, *, family: str | None = None) -> Prompt:
    """What a request says; an empty prompt where its form is not known.

    family: its name, where the model id does not tell it (here and below).
    """
    asked = object_of(body)
    match operation:
        case "CountTokens":
            return _counted(asked, model, family)
        case "ApplyGuardrail":
            texts = (json_access.text(part, "text", "text") for part in json_access.items(asked, "content"))
            return Prompt(turns=tuple(Turn("user", text) for text in texts))
    speaks = _family(operation, model, family)
    return speaks.prompt(asked) if speaks else Prompt()


def _counted(asked: JsonObject, model: str | None, family: str | None) -> Prompt:
    """The request inside a request for its number of tokens."""
    match asked.get("input"):
        case {"converse": dict(inner)}:
            return prompt_of("Converse", model, bodies.compact(inner))
        case {"invokeModel": {"body": encoded}}:
            return prompt_of("InvokeModel", model, readers.binary(encoded), family=family)
    return Prompt()


def object_of(data: bytes) -> JsonObject:
    """A body's JSON object; one that holds none says nothing."""
    try:
        value = bodies.parse(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _family(operation: str | None, model: str | None, name: str | None) -> Family | None:
    if operation not in INVOKE and operation not in APIS:
        return None
    try:
        return family_of(operation, model or "", name)
    except Cannot:
        return None


# -- responses -------------------------------------------------------------------------------------------------


def content_of(
    operation: str | None, model: str | None, response: Response, *, family: str | None = None
) -> Content | None:
    """What a response says; None for errors (also in mid-stream), and for what is not in the form of the family."""
    speaks = _family(operation, model, family)
    if speaks is None or response.status != 200 or _broke(response.body):
        return None
    values = _values(response.body)
    try:
        found = _read(speaks, response.body, values)
    except ValueError:
        return None
    if isinstance(found, Message) and any(json_access.text(value, GUARDED) == "INTERVENED" for value in values):
        found = replace(found, stop="guardrail_intervened")
    if isinstance(found, Message | Embeddings):
        found = replace(found, usage=read_usage(operation, model, response, family=family))
    return found


def _broke(body: Body | Events) -> bool:
    """Whether a stream ended in an exception."""
    return isinstance(body, Events) and any(_EXCEPTION in event.headers for event in body.events[-1:])


def _read(speaks: Family, body: Body | Events, values: Sequence[JsonValue]) -> Content | None:
    if isinstance(body, Events):
        return speaks.gather(values) if speaks.gather else None
    return speaks.read(values[0]) if values and isinstance(values[0], dict) else None


def _values(body: Body | Events) -> list[JsonValue]:
    """The JSON of a body, or of each event; Converse's events under their names, as its family has them."""
    if isinstance(body, Body):
        return [object_of(body.data)]
    return [
        value if event.form != "json" else {event.type or "": value}
        for event in body.events
        for value in [_value(event.form, event.payload)]
    ]


def _value(form: str, payload: bytes) -> JsonValue:
    try:
        return bodies.value_of(form, payload)
    except ValueError:
        return None
