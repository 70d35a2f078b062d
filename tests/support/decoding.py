"""Reads an interaction's answer as boto3 does, with botocore's decoder and parsers.

An oracle: nothing of bedtape reads here, but for what puts the bytes on the wire.
"""

import json
from functools import lru_cache
from random import Random
from typing import Any

from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser

from bedtape_cassettes.format.bodies import wire
from bedtape_cassettes.model import Events, Interaction


@lru_cache(maxsize=1)
def _service() -> ServiceModel:
    return ServiceModel(
        Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime"
    )


def decode_events(interaction: Interaction) -> list[dict[str, Any]]:
    """The events of a stream, as boto3 gives them to its user.

    Raises where a checksum or a form is wrong.
    """
    body = interaction.response.body
    assert isinstance(body, Events)
    buffer = EventStreamBuffer()
    for number, event in enumerate(body.events):
        buffer.add_data(wire(event, body.padded, Random(number)))
    assert interaction.operation is not None
    shape = _service().operation_model(interaction.operation).get_event_stream_output()
    return [EventStreamJSONParser().parse(message.to_response_dict(), shape) for message in buffer]


def decode_text(interaction: Interaction) -> str | None:
    """The text of a stream's answer, as a client of the model's makers puts it
    together; None where it has none.
    """
    pieces = [_piece(value) for value in map(_value, decode_events(interaction))]
    texts = [piece for piece in pieces if piece is not None]
    return "".join(texts) if texts else None


def _value(event: dict[str, Any]) -> Any:
    return json.loads(event["chunk"]["bytes"]) if "chunk" in event else event


def _piece(value: Any) -> str | None:
    match value:
        case {"contentBlockDelta": {"delta": {"text": str(text)}}}:  # Converse, Nova
            return text
        # Claude
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
            return text
        case {"completion": str(text)} | {"generation": str(text)} | {"outputText": str(text)}:
            return text
        case {"outputs": [{"text": str(text)}, *_]}:  # Mistral
            return text
        case {"is_finished": _, "text": str(text)}:  # Cohere
            return None if value.get("index") else text
        case {"generations": [{"text": str(text)}, *_]}:  # Cohere, all at once
            return text
        case {"choices": [{"delta": {"content": str(text)}}]}:
            return None if text.startswith("<reasoning>") else text
    return None
