"""The text of a call in the history is the text that the client got, whatever
faults did to the answer.
"""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from bedtape_replayer import Replayer
from support import WAIT
from support.recordings import path, prompt

TEXT = "The rain in Spain stays mainly in the plain, and the history knows every word of it."
CHAT = json.dumps(
    {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
).encode()
CALLS = {
    "Converse": (path("converse"), prompt("Hi")),
    "ConverseStream": (path("converse-stream"), prompt("Hi")),
    "ChatCompletions": ("/openai/v1/chat/completions", CHAT),
}
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "truncate in order": {"truncate": {"after_events": 3}},
    "truncate": {"truncate": {"after_events": 3, "in_order": False}},
    "truncate in an event": {"truncate": {"after_events": 3, "bytes_more": 20, "in_order": False}},
    "truncate before the first event": {"truncate": {"after_events": 0, "in_order": False}},
    "error in the stream": {"error": "ThrottlingException", "after_events": 3},
    "error frame": {"error_frame": {"code": "InternalFailure", "after_events": 3}},
    "corrupt checksum": {"corrupt": {"what": "message_crc", "event": 4}},
    "corrupt json": {"corrupt": {"what": "json", "event": 4}},
    "drop": {"drop": {"numbers": [3]}},
    "repeat": {"repeat": {"numbers": [4], "times": 2}},
    "swap": {"swap": {"first": 3, "second": 4}},
    "insert": {"insert": {"type": "news", "payload": {"delta": {"text": ""}}, "after_events": 3}},
    "reset": {"reset": {"after_events": 3, "bytes_more": 10}},
    "misanswer": {"misanswer": "empty"},
    "http": {"http": {"status": 200, "text": "{}"}},
    "error": {"error": "ThrottlingException"},
}


@pytest.fixture(scope="module")
def replayer() -> Iterator[Replayer]:
    with Replayer() as running:
        yield running


def ask(base: str, url: str, body: bytes) -> tuple[bytes, bytes]:
    """Sends a request, and returns the head and the body of the answer, without its chunks,
    up to the end of the data.
    """
    parts = urlsplit(base)
    host = parts.netloc
    head = (
        f"POST {parts.path}{url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length:"
        f" {len(body)}\r\n\r\n"
    )
    data = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=WAIT) as connection:
        connection.sendall(head.encode() + body)
        try:
            while part := connection.recv(65536):
                data += part
        except ConnectionResetError:
            pass
    start, _, rest = data.partition(b"\r\n\r\n")
    return start, (unchunk(rest) if b"chunked" in start else rest)


def unchunk(data: bytes) -> bytes:
    whole = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", data):
        size = int(match[1], 16)
        whole += data[match.end() : match.end() + size]
        data = data[match.end() + size + 2 :]
    return whole


def read_text(head: bytes, body: bytes) -> str:
    """The text that a client reads, up to an error."""
    if b"vnd.amazon.eventstream" in head:
        buffer = EventStreamBuffer()
        buffer.add_data(body)
        text = ""
        try:
            for message in buffer:
                text += parse(message.payload).get("delta", {}).get("text", "")
        except ChecksumMismatch:
            pass
        return text
    if b"text/event-stream" in head:
        events = [parse(event.removeprefix(b"data: ")) for event in body.split(b"\n\n")]
        return "".join(
            c["delta"].get("content") or "" for event in events for c in event.get("choices", [])
        )
    content = parse(body).get("output", {}).get("message", {}).get("content", [])
    return "".join(block["text"] for block in content)


def parse(data: bytes) -> Any:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("name", FAULTS)
def test_the_history_has_the_text_that_was_sent(
    name: str, operation: str, replayer: Replayer
) -> None:
    session = replayer.session(f"{operation} {name}".replace(" ", "-"))
    session.overlay(
        {
            "bedtape-overlay": 1,
            "rules": [{"answer": {"text": TEXT}}],
            "faults": [FAULTS[name]] if FAULTS[name] else [],
        }
    )
    head, body = ask(session.url, *CALLS[operation])
    (call,) = session.calls
    assert (call.text or "") == read_text(head, body)
    if name == "none":
        assert call.text == TEXT
