"""Writes the values of a stream as server-sent events, each API in its own form.

From recorded streams of Chat Completions and Responses; Messages as Anthropic's API sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format.bodies import compact, seal_data
from bedtape_cassettes.model import JsonValue

# The last event of Chat Completions, at which clients stop reading.
_DONE = b"data: [DONE]"


def ends_reading(event: bytes) -> bool:
    """Whether clients read no further event of the stream."""
    return event.rstrip() == _DONE


def is_hosted(model: str) -> bool:
    """Whether OpenAI runs the model. bedrock-mantle runs gpt-oss itself, and answers shorter."""
    return "gpt-oss" not in model


def write_stream(operation: str, values: Iterable[JsonValue], model: str) -> Iterator[bytes]:
    """Write the values of an answer. Chat Completions ends with an event that is no JSON."""
    hosted = is_hosted(model)
    for value in values:
        yield _write_value(operation, value, hosted=hosted)
    if operation == "ChatCompletions":
        yield _DONE + b"\n\n"


def write_event(operation: str, name: str, members: Mapping[str, JsonValue], number: int) -> bytes:
    """Write an event that is not part of an answer: an event of a new type, or an error.

    The events of Chat Completions have no type. number: the number of the
    event in its stream, from 0.
    """
    more: dict[str, JsonValue] = {} if operation == "ChatCompletions" else {"type": name}
    if operation == "Responses":
        more["sequence_number"] = number
    return _write_value(operation, {**more, **members})


def _write_value(operation: str, value: JsonValue, *, hosted: bool = False) -> bytes:
    """Messages sends the event's type before the data, hosted models of Responses after it."""
    name = json_access.text(value, "type").encode()
    if operation == "Messages":
        return b"event: %b\ndata: %b\n\n" % (name, compact(value))
    if operation == "Responses" and hosted:
        return b"data: %b\nevent: %b\n\n" % (compact(value), name)
    return seal_data(value)
