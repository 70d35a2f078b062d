"""A bidirectional stream: what an event of a client costs, and many conversations at once."""

import json
import socket
import statistics
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from measuring import Row, cpu, require_200
from servers import bedtape

from bedtape_cassettes.format.eventstream import (
    Frame,
    HeaderType,
    HeaderValue,
    encode,
    encode_strings,
)
from bedtape_cassettes.model import event_headers

ROUNDS = 5
EVENTS = 2000  # a minute of a microphone
AT_ONCE = 200
WAITS = 100
_LISTENS, _ANSWERS = "amazon.nova-sonic-v1:0", "amazon.nova-2-sonic-v1:0"
_CUES = {_LISTENS: "textInput", _ANSWERS: "audioInput"}  # of the turns of each model
_HEAD = (
    "POST /model/{}/invoke-with-bidirectional-stream HTTP/1.1\r\n"
    "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
)
# 32 ms of 16 kHz with 16 bits
_AUDIO = {"promptName": "p", "contentName": "a", "content": b64encode(bytes(1024)).decode()}


def measure(work: Path) -> list[Row]:
    overlay = work / "overlay.json"
    rules = [
        {
            "when": {"model": model},
            "answer": {"conversation": [{"when": {"event": cue}, "text": "Hello to you."}] * WAITS},
        }
        for model, cue in _CUES.items()
    ]
    overlay.write_text(json.dumps({"bedtape-overlay": 1, "rules": rules}))
    with bedtape("--overlay", str(overlay)) as server:
        costs, waits, crowds = [], [], []
        for _ in range(ROUNDS):
            before = cpu(server.pid)
            _converse(server.port, 1, EVENTS)
            costs.append((cpu(server.pid) - before) / EVENTS)
            waits.append(_wait_for_turns(server.port))
            began = time.perf_counter()
            _converse(server.port, AT_ONCE, EVENTS // 10)
            crowds.append(time.perf_counter() - began)
    crowd = statistics.median(crowds)
    return [
        ("an event of audio in a conversation", f"{statistics.median(costs):.0f} µs of CPU"),
        ("from an event of the client to the model's turn", f"{statistics.median(waits):.0f} µs"),
        (
            f"{AT_ONCE} conversations at once, {EVENTS // 10} events each",
            f"{crowd:.2f} s until all have ended, {AT_ONCE * EVENTS // 10 / crowd:,.0f} events a"
            " second",
        ),
    ]


def _converse(port: int, count: int, events: int) -> None:
    """Holds conversations at once: sends the events of each, and reads each answer to its end."""
    sent = (
        _chunk(_sign(_event({"audioInput": _AUDIO}))) * events + _chunk(_sign(b"")) + b"0\r\n\r\n"
    )
    clients = [_open(port, _LISTENS) for _ in range(count)]
    for client in clients:
        client.sendall(sent)
    for client in clients:
        received = client.recv(1 << 20)
        require_200(received)
        while not received.endswith(b"0\r\n\r\n"):
            received = received[-5:] + client.recv(1 << 20)
        client.close()


def _wait_for_turns(port: int) -> float:
    """The median microseconds from the event that a turn follows to the first byte of the turn."""
    event = _chunk(_sign(_event({"audioInput": _AUDIO})))
    waits = []
    with _open(port, _ANSWERS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        require_200(client.recv(65536))
        for _ in range(WAITS):
            began = time.perf_counter()
            client.sendall(event)
            client.recv(65536)
            waits.append((time.perf_counter() - began) * 1e6)
    return statistics.median(waits)


def _open(port: int, model: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(_HEAD.format(model).encode())
    return client


def _event(event: Any) -> bytes:
    payload = b64encode(json.dumps({"event": event}).encode()).decode()
    return encode_strings(event_headers("chunk"), json.dumps({"bytes": payload}).encode())


def _sign(frame: bytes) -> bytes:
    date = HeaderValue(HeaderType.TIMESTAMP, 1_790_000_000_000)
    signature = HeaderValue(HeaderType.BYTES, bytes(32))
    return encode(Frame(((":date", date), (":chunk-signature", signature)), frame))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
