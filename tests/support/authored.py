"""Invented exchanges, for tests that no recorded exchange serves."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Interaction, JsonValue, event_headers

_JSON = "application/json"
_STREAM = "application/vnd.amazon.eventstream"


def ask(prompt: str) -> dict[str, Any]:
    """The body of a Converse request."""
    return {"messages": [{"role": "user", "content": [{"text": prompt}]}]}


def converse(model: str, prompt: str, answer: str) -> Interaction:
    """Converse, answered with a text."""
    usage: JsonValue = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    message: JsonValue = {"role": "assistant", "content": [{"text": answer}]}
    body: JsonValue = {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }
    return _interaction(
        f"/model/{quote(model, safe='')}/converse", ask(prompt), _JSON, _compact(body)
    )


def converse_stream(
    model: str, prompt: str, texts: Iterable[str], every_ms: int = 0
) -> Interaction:
    """ConverseStream, answered with a text in pieces, an event every so many milliseconds."""
    events: list[tuple[str, Any]] = [
        ("messageStart", {"role": "assistant"}),
        *(
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
            for text in texts
        ),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        (
            "metadata",
            {
                "metrics": {"latencyMs": 1},
                "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            },
        ),
    ]
    frames = [encode_strings(event_headers(name), _compact(payload)) for name, payload in events]
    path = f"/model/{quote(model, safe='')}/converse-stream"
    return _interaction(
        path,
        ask(prompt),
        _STREAM,
        b"".join(frames),
        at_ms=range(0, len(frames) * every_ms, every_ms or 1),
    )


def say(prompt: str) -> dict[str, Any]:
    """The body of an InvokeModel request to Claude."""
    return {"max_tokens": 64, "messages": [{"role": "user", "content": prompt}]}


def invoke(model: str, prompt: str, answer: str) -> Interaction:
    """InvokeModel of Claude, answered with a text."""
    body: JsonValue = {
        **_MESSAGE,
        "content": [{"type": "text", "text": answer}],
        "stop_reason": "end_turn",
    }
    return _interaction(
        f"/model/{quote(model, safe='')}/invoke", say(prompt), _JSON, _compact(body)
    )


def invoke_stream(model: str, prompt: str, texts: Iterable[str]) -> Interaction:
    """InvokeModelWithResponseStream of Claude, answered with a text in pieces."""
    chunks: list[Any] = [
        {"type": "message_start", "message": _MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}}
            for t in texts
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    frames = [
        encode_strings(event_headers("chunk"), _compact({"bytes": _base64(chunk)}))
        for chunk in chunks
    ]
    path = f"/model/{quote(model, safe='')}/invoke-with-response-stream"
    return _interaction(path, say(prompt), _STREAM, b"".join(frames))


def invoke_error(model: str, prompt: str, status: int, error: str, message: str) -> Interaction:
    """InvokeModel, answered with one of Bedrock's errors."""
    path = f"/model/{quote(model, safe='')}/invoke"
    return _interaction(
        path, say(prompt), _JSON, _compact({"message": message}), status=status, error=error
    )


_MESSAGE: dict[str, Any] = {
    "id": "msg_bdrk_01",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def _compact(value: JsonValue) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(value: JsonValue) -> str:
    return b64encode(_compact(value)).decode()


def _interaction(
    path: str,
    request: JsonValue,
    content_type: str,
    response: bytes,
    *,
    status: int = 200,
    error: str = "",
    at_ms: Iterable[int] = (),
) -> Interaction:
    return build_interaction(
        method="POST",
        path=path,
        request_headers=(("content-type", _JSON),),
        request_body=_compact(request),
        status=status,
        response_headers=(
            ("content-type", content_type),
            *((("x-amzn-errortype", error),) if error else ()),
        ),
        response_body=response,
        at_ms=at_ms,
    )
