"""A soak: what a server keeps after many mixed calls in many sessions, beside what it
kept after the first tenth.

`python tests/bench/soak.py 100000` runs it alone, with that many calls. The default is a million,
in 10,000 sessions; a shorter run has as many calls for each session.
"""

import json
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import material
from measuring import Row, memory
from servers import bedtape

CALLS, CALLS_OF_SESSION, BATCH = 1_000_000, 100, 50
# Every request has a number, so most bodies never repeat.
_RULES = {
    "bedtape-overlay": 1,
    "rules": [
        {"when": {"prompt_contains": "by rule"}, "answer": {"text": "An answer of a rule. " * 20}}
    ],
    "faults": [{"error": "ThrottlingException", "when": {"prompt_contains": "by fault"}}],
}
_KINDS = ("by rule", "by fault")
_OWN_RULE = json.dumps(
    {"when": {"prompt_contains": "by own rule"}, "answer": {"text": "Own. " * 50}}
).encode()


def measure(work: Path, calls: int = CALLS) -> list[Row]:
    # The limit is small enough to be reached in the first tenth: a call takes about 3 KB.
    sessions, limit = calls // CALLS_OF_SESSION, max(16, min(128, calls // 7800))
    packed, overlay = work / "soak.tape", work / "overlay.json"
    material.write_tape(packed, material.plain(1000))
    overlay.write_text(json.dumps(_RULES))
    with bedtape(str(packed), "--overlay", str(overlay), "--memory", str(limit)) as server:
        requests = _requests(sessions)
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            _send(client, requests, calls // 10)
            settled = memory(server.pid)
            _send(client, requests, calls - calls // 10)
        held, health = memory(server.pid), _control(server.url, "health")
        _control(server.url, "reset", b"")
        released, after = memory(server.pid), _control(server.url, "health")
    mixed = f"{calls:,} mixed calls in {sessions:,} sessions, `--memory {limit}`"
    return [
        (
            f"memory after {mixed}, beside that after the first tenth (target: within 5 %)",
            f"{held:.0f} MB instead of {settled:.0f}, {(held / settled - 1) * 100:+.1f} %",
        ),
        (
            "counted memory after them, calls dropped, sessions dropped",
            (
                f"{health['memory_used'] / 2**20:.0f} MiB, {health['forgotten']:,},"
                f" {health['dropped_sessions']:,}"
            ),
        ),
        (
            "memory after `POST /_bedtape/reset`, and counted memory",
            f"{released:.0f} MB, {after['memory_used'] / 2**20:.0f} MiB",
        ),
    ]


def _requests(sessions: int) -> Iterator[bytes]:
    """Yield recorded calls, misses, rules, faults, streams and new rules of sessions,
    in all sessions in turns.
    """
    number = 0
    while True:
        number += 1
        name = f"soak-{number % sessions}"
        if number % 100 == 7 and number // sessions % 2 == 0:
            yield _http(f"/_bedtape/sessions/{name}/rules", _OWN_RULE)
            continue
        if number % 5 < 2:
            body = material.request(number % 1000)
        else:
            # A miss is compared with all recordings, so it is rare.
            kind = (
                "no answer"
                if number % 1000 == 3
                else "by own rule"
                if number % 100 == 7
                else _KINDS[number % 2]
            )
            content = [{"text": f"{number} {kind} {material.words(60, number % 997)}"}]
            body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
        is_stream = number % 9 == 0 and number % 5 >= 2
        yield _http(f"/s/{name}{material.PATH}{'-stream' if is_stream else ''}", body)


def _http(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: {'boto3 ' * 20}\r\ncontent-length:"
        f" {len(body)}"
    )
    return f"{head}\r\ncontent-type: application/json\r\n\r\n".encode() + body


def _send(client: socket.socket, requests: Iterator[bytes], count: int) -> None:
    """Send requests in batches and read all answers. No answer contains the start of another."""
    for _ in range(count // BATCH):
        client.sendall(b"".join(next(requests) for _ in range(BATCH)))
        received = bytearray()
        while received.count(b"HTTP/1.1 ") < BATCH or not _is_complete(
            received[received.rfind(b"HTTP/1.1 ") :]
        ):
            data = client.recv(1 << 20)
            if not data:
                raise RuntimeError("expected an answer, found the end of the connection")
            received += data


def _is_complete(answer: bytearray) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    _, sized, length = head.lower().partition(b"content-length: ")
    return len(body) == int(length.partition(b"\r\n")[0]) if sized else body.endswith(b"0\r\n\r\n")


def _control(url: str, route: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/_bedtape/{route}", data=body)
    ) as answer:
        return json.load(answer)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bedtape-soak-") as folder:
        for what, figure in measure(
            Path(folder), int(sys.argv[1].replace("_", "")) if sys.argv[1:] else CALLS
        ):
            print(f"{what}: {figure}")
