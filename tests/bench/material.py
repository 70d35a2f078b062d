"""What the benches replay and send: interactions of the usual size, and the
requests that they answer.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Cassette, Interaction, event_headers
from bedtape_cassettes.storage.commit import commit
from bedtape_cassettes.storage.file_names import number_files

MODEL = "us.amazon.nova-lite-v1:0"
PATH = f"/model/{MODEL.replace(':', '%3A')}/converse"
_JSON = (("Content-Type", "application/json"),)
# A request of 700 bytes, an answer of 1.2 KB.
ASKED, ANSWERED = 83, 143
_STOCK = (
    "cassette",
    "tape",
    "records",
    "what the",
    "model",
    "said",
    "and plays",
    "it again",
    "every",
    "time",
)
# JSON may begin with blanks. As digits to the base of 4 they make every body another
# one that means the same.
BLANKS, PLACES = " \t\n\r", 12


def words(count: int, seed: int) -> str:
    """So many words, others for each seed."""
    return " ".join(_STOCK[(seed + n * 7) % len(_STOCK)] for n in range(count))


def request(number: int, count: int = ASKED) -> bytes:
    """A Converse request's body."""
    message = {"role": "user", "content": [{"text": f"{number}: {words(count, number)}"}]}
    return json.dumps(
        {"messages": [message], "inferenceConfig": {"maxTokens": 300, "temperature": 0}}
    ).encode()


def answer(number: int, count: int = ANSWERED) -> bytes:
    """A Converse answer's body."""
    content = [{"text": words(count, number + 3)}]
    usage = {"inputTokens": 100, "outputTokens": 200, "serverToolUsage": {}, "totalTokens": 300}
    output = {"message": {"content": content, "role": "assistant"}}
    return bodies.compact(
        {"metrics": {"latencyMs": 800}, "output": output, "stopReason": "end_turn", "usage": usage}
    )


def converse(number: int, asked: int = ASKED, answered: int = ANSWERED) -> Interaction:
    """A recorded Converse."""
    return build_interaction(
        method="POST",
        path=PATH,
        request_headers=_JSON,
        request_body=request(number, asked),
        status=200,
        response_headers=_JSON,
        response_body=answer(number, answered),
    )


def stream(number: int, events: int = 16, asked: int = 180, every_ms: int = 40) -> Interaction:
    """A recorded ConverseStream of so many events."""
    deltas = [
        (
            "contentBlockDelta",
            {"contentBlockIndex": 0, "delta": {"text": words(12, number + n)}, "p": "abcdef"},
        )
        for n in range(events - 3)
    ]
    told = [
        ("messageStart", {"p": "abcd", "role": "assistant"}),
        *deltas,
        ("contentBlockStop", {"contentBlockIndex": 0, "p": "ab"}),
        ("messageStop", {"p": "abc", "stopReason": "end_turn"}),
    ]
    body = b"".join(
        eventstream.encode_strings(event_headers(name), bodies.compact(value))
        for name, value in told
    )
    return build_interaction(
        method="POST",
        path=f"{PATH}-stream",
        request_headers=_JSON,
        request_body=request(number, asked),
        status=200,
        response_headers=(("Content-Type", "application/vnd.amazon.eventstream"),),
        response_body=body,
        at_ms=[n * every_ms for n in range(len(told))],
    )


def suite(count: int) -> list[Cassette]:
    """`count` interactions of about 4 KB on disk, half of them streams, fifty a cassette."""
    interactions = [stream(n) if n % 2 else converse(n, 250, 250) for n in range(count)]
    return [
        Cassette(f"suite{n // 50:03d}", tuple(interactions[n : n + 50]))
        for n in range(0, count, 50)
    ]


def plain(count: int) -> list[Cassette]:
    """`count` Converse calls of the size that the targets name."""
    return [
        Cassette(
            f"plain{first // 1000:03d}",
            tuple(converse(n) for n in range(first, min(first + 1000, count))),
        )
        for first in range(0, count, 1000)
    ]


def headers() -> dict[str, str]:
    """Those of boto3, but for Host and Content-Length."""
    scope = "AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request"
    return {
        "Content-Type": "application/json",
        "User-Agent": (
            "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11"
            " cfg/retry-mode#standard"
        ),
        "X-Amz-Date": "20261122T000000Z",
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=content-type;host;x-amz-date,"
            f" Signature={'0' * 64}"
        ),
        "amz-sdk-invocation-id": "00000000-0000-4000-8000-000000000000",
        "amz-sdk-request": "attempt=1",
    }


def on_the_wire(body: bytes, path: str = PATH) -> bytes:
    """The request as HTTP/1.1, with another signature for each body, as clients send it."""
    signature = sha256(body).hexdigest()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in headers().items()),
    ]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return head.replace("0" * 64, signature).encode() + body


def varied(body: bytes, number: int) -> bytes:
    """The same in JSON, in bytes that no other number gives."""
    blanks = "".join(BLANKS[(number >> 2 * place) & 3] for place in range(PLACES))
    return blanks.encode() + body


def write(folder: Path, cassette: Cassette) -> None:
    """Writes a new cassette."""
    commit(folder, (), (number_files(cassette),))


def write_tape(path: Path, suite: Iterable[Cassette]) -> None:
    """Writes the cassettes as one `.tape` file."""
    commit(path, (), tuple(map(number_files, suite)))
