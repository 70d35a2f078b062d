"""Builds interactions, for tests that choose the recorded request and answer."""

import json
from collections.abc import Iterable
from typing import Any

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Headers, Interaction, event_headers

MODEL = "us.amazon.nova-lite-v1:0"
_JSON = ("Content-Type", "application/json")


def path(operation: str = "converse", model: str = MODEL) -> str:
    """The path that boto3 sends."""
    return f"/model/{model.replace(':', '%3A').replace('/', '%2F')}/{operation}"


def prompt(text: str) -> bytes:
    """A Converse request's body."""
    return json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]}).encode()


def answer(text: str) -> dict[str, Any]:
    """A Converse answer."""
    return {
        "metrics": {"latencyMs": 5},
        "output": {"message": {"content": [{"text": text}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }


def text_of(body: bytes) -> str:
    """The text of a Converse answer."""
    text: str = json.loads(body)["output"]["message"]["content"][0]["text"]
    return text


def texts_of(body: bytes) -> list[str]:
    """The texts of a ConverseStream answer, in order."""
    payloads = [json.loads(event.payload) for event in eventstream.decode_all(body)]
    return [payload["delta"]["text"] for payload in payloads if "delta" in payload]


def record_interaction(
    request: bytes,
    response: bytes,
    *,
    url: str | None = None,
    method: str = "POST",
    status: int = 200,
    headers: Headers = (_JSON,),
    request_headers: Headers = (_JSON,),
    after_ms: int = 0,
    at_ms: Iterable[int] = (),
    exact: bool = False,
) -> Interaction:
    """An interaction as it is recorded."""
    return build_interaction(
        method=method,
        path=path() if url is None else url,
        request_headers=request_headers,
        request_body=request,
        status=status,
        response_headers=headers,
        response_body=response,
        after_ms=after_ms,
        at_ms=at_ms,
        exact=exact,
    )


def converse(text: str, reply: str, *, model: str = MODEL, after_ms: int = 0) -> Interaction:
    """A Converse call that asks `text` and is answered `reply`."""
    body = bodies.compact(answer(reply))
    return record_interaction(prompt(text), body, url=path("converse", model), after_ms=after_ms)


def stream(
    text: str, pieces: list[str], *, at_ms: Iterable[int] = (), after_ms: int = 0
) -> Interaction:
    """A ConverseStream call that is answered in pieces."""
    events: list[tuple[str, Any]] = [("messageStart", {"p": "abcd", "role": "assistant"})]
    events += [
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}, "p": "abc"})
        for piece in pieces
    ]
    events += [
        ("contentBlockStop", {"contentBlockIndex": 0, "p": "ab"}),
        ("messageStop", {"p": "abcde", "stopReason": "end_turn"}),
    ]
    data = b"".join(
        eventstream.encode_strings(event_headers(name), bodies.compact(value))
        for name, value in events
    )
    headers = (("Content-Type", "application/vnd.amazon.eventstream"),)
    url = path("converse-stream")
    return record_interaction(
        prompt(text), data, url=url, headers=headers, at_ms=at_ms, after_ms=after_ms
    )
