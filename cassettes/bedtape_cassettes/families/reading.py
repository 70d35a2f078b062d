"""Requests and responses as content: what was asked, what was answered, how many tokens it took.

The counterpart of `rendering`, for recorded exchanges of any age: what is not understood is None or empty. Nothing
here raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bedtape_cassettes.families.content import Content, Embeddings, Message, Prompt, Turn, Usage
from bedtape_cassettes.families.family import GUARDED, METRICS, Cannot, Family, JsonObject
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events, Headers, JsonValue, Response

__all__ = ["content_of", "object_of", "prompt_of", "usage_of"]

# The front doors that no AWS model describes, and the families whose form they share.
_DOORS = {
    "ChatCompletions": "openai",
    "Responses": "openai",
    "Messages": "anthropic",
    "CountMessageTokens": "anthropic",
}
_FAMILY_OPERATIONS = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
_EXCEPTION = (":message-type", "exception")
_TOKENS = "x-amzn-bedrock-{}-token-count"


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
        case "Responses":
            asked = _as_chat(asked)
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


def _as_chat(asked: JsonObject) -> JsonObject:
    """A request of the Responses API as one of Chat Completions, as far as a prompt goes."""
    given = asked.get("input")
    turns: list[JsonValue] = (
        given if isinstance(given, list) else [{"role": "user", "content": json_access.text(given)}]
    )
    system: list[JsonValue] = [{"role": "system", "content": json_access.text(asked, "instructions")}]
    return {
        **asked,
        "messages": [*(system if asked.get("instructions") else []), *turns],
        "max_tokens": asked.get("max_output_tokens"),
    }


def object_of(data: bytes) -> JsonObject:
    """A body's JSON object; one that holds none says nothing."""
    try:
        value = bodies.parse(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _family(operation: str | None, model: str | None, name: str | None) -> Family | None:
    if operation not in _FAMILY_OPERATIONS and operation not in _DOORS:
        return None
    try:
        return family_of(operation, model or "", name or _DOORS.get(operation))
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
    if isinstance(found, Message | Embeddings) and found.usage is None:
        found = replace(found, usage=_measured(values) or _counted_in(response.headers))
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


def usage_of(
    operation: str | None, model: str | None, response: Response, *, family: str | None = None
) -> Usage | None:
    """The tokens that a response counts: in its body, in the metrics of its stream, or in its headers."""
    found = content_of(operation, model, response, family=family)
    if isinstance(found, Message | Embeddings):
        return found.usage
    return _measured(_values(response.body)) or _counted_in(response.headers)


def _measured(values: Sequence[JsonValue]) -> Usage | None:
    """By the metrics in a stream's last chunk."""
    names = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
    metrics = (json_access.member(value, METRICS) for value in reversed(values))
    return next((readers.usage(each, *names) for each in metrics if each is not None), None)


def _counted_in(headers: Headers) -> Usage | None:
    """By headers; those of embeddings have no output."""
    counted: JsonObject = {name: int(value) for name, value in headers if value.isdecimal() and len(value) < 16}
    found = {_TOKENS.format("output"): 0, **counted}
    names = [_TOKENS.format(what) for what in ("input", "output", "cache-read-input", "cache-write-input")]
    return readers.usage(found, *names)
