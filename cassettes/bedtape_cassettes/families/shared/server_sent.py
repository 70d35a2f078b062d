"""Writes the values of a stream as server-sent events, each API in its own form.

From recorded streams of Chat Completions and Responses; Messages as Anthropic's API sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bedtape_cassettes.families.family import ModelRequest
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format.bodies import compact, seal_data
from bedtape_cassettes.model import JsonValue

DONE = b"data: [DONE]\n\n"


def is_hosted(model: str) -> bool:
    """Whether OpenAI's service runs the model. bedrock-mantle runs gpt-oss itself, and answers in a shorter form."""
    return "gpt-oss" not in model


def write_chat(values: Iterable[JsonValue], request: ModelRequest) -> Iterator[bytes]:  # noqa: ARG001 - a signature
    """One data line an event, and a last event that says so."""
    yield from map(seal_data, values)
    yield DONE


def write_responses(values: Iterable[JsonValue], request: ModelRequest) -> Iterator[bytes]:
    """One data line an event. Hosted models have the line with the event's type after it, not before it."""
    for value in values:
        name = json_access.text(value, "type").encode()
        yield b"data: %b\nevent: %b\n\n" % (compact(value), name) if is_hosted(request.model) else seal_data(value)


def write_messages(values: Iterable[JsonValue], request: ModelRequest) -> Iterator[bytes]:  # noqa: ARG001
    """The event's type, then its data."""
    for value in values:
        yield b"event: %b\ndata: %b\n\n" % (json_access.text(value, "type").encode(), compact(value))


def write_event(operation: str, name: str, value: dict[str, JsonValue], number: int) -> bytes:
    """One event outside the stream of an answer: a new kind of event, or an error. Chat Completions has no types.

    number: of the event in its stream, from 0.
    """
    match operation:
        case "ChatCompletions":
            return seal_data(value)
        case "Messages":
            return b"event: %b\ndata: %b\n\n" % (name.encode(), compact({"type": name, **value}))
    return seal_data({"type": name, "sequence_number": number, **value})
