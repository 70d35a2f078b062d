"""What a call costs, counted in Python functions, because times on a shared machine are no test.

`make bench` measures times. A function that every call begins to run is noticed here first. The
compiled build runs fewer functions.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from types import FrameType
from typing import Any

import pytest

from bedtape_cassettes.model import Body, Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import render_json
from bedtape_replayer.engine.checks import Checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.document import parse_overlay
from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.monitoring.metrics import Metrics
from bedtape_replayer.server.server import Server
from support.duplex import PATH, START, audio_content, sign, wrap
from support.duplex import record as record_conversation
from support.in_process import Transport, connect
from support.inference_apis import COUNTS, MESSAGES, name_case, record
from support.recordings import converse, path, prompt, stream

CALLS = 200
EVENTS = 200
_WORDS = "How is the weather in Oslo?"
_RULES = {
    "bedtape-overlay": 1,
    "rules": [
        *({"when": {"prompt_contains": f"order {n}"}, "answer": {"text": "no"}} for n in range(9)),
        {"when": {"prompt_contains": "in Oslo?"}, "answer": {"text": "It snows. " * 20}},
    ],
}


def _request(body: bytes, operation: str = "converse") -> bytes:
    """A request with the headers that boto3 sends."""
    lines = (
        f"POST {path(operation)} HTTP/1.1",
        "Host: 127.0.0.1:8765",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11",
        "X-Amz-Date: 20261122T000000Z",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=" + "0" * 64,
        "amz-sdk-invocation-id: 00000000-0000-4000-8000-000000000000",
        "amz-sdk-request: attempt=1",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def _count_functions(connection: Connection, requests: Iterator[bytes]) -> Counter[str]:
    """Return how many times each function of bedtape ran, for `CALLS` requests."""
    counts: Counter[str] = Counter()
    sent = [next(requests) for _ in range(CALLS)]

    def receive() -> None:
        for request in sent:
            connection.data_received(request)

    _count(counts, receive)
    return counts


def _count(counts: Counter[str], run: Callable[[], object]) -> None:
    """Count the functions of bedtape that run in `run`, by name."""

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "bedtape_" in frame.f_code.co_filename:
            counts[frame.f_code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)


def _repeat(operation: str) -> Iterator[bytes]:
    bodies = [_request(prompt(f"{n}: {_WORDS}"), operation) for n in range(10)]
    while True:
        yield from bodies


def _vary() -> Iterator[bytes]:
    """New requests for the same recordings and rules."""
    for n in range(10**9):
        body = json.loads(prompt(f"{n % 10}: {_WORDS}"))
        yield _request(json.dumps(body, indent=n % 7 + 1).encode() + b" " * (n // 7))


def _ask_anew() -> Iterator[bytes]:
    for n in range(10**9):
        yield _request(prompt(f"{n}: {_WORDS}"))


def _play(operation: str) -> Engine:
    texts = [f"{n}: {_WORDS}" for n in range(10)]
    if operation == "converse":
        interactions = [converse(text, "It snows.") for text in texts]
    else:
        interactions = [stream(text, ["It ", "snows."] * 15) for text in texts]
    return Engine(Library([Cassette("weather", tuple(interactions))]))


def _apply(rules: dict[str, Any]) -> Engine:
    checks = Checks(rules=True, all=False)
    return Engine(Library([]), overlay=parse_overlay(rules), checks=checks)


@pytest.mark.parametrize(
    ("engine", "requests", "most"),
    [
        pytest.param(_play("converse"), _repeat("converse"), 26, id="cassette"),
        pytest.param(
            _play("converse-stream"), _repeat("converse-stream"), 26, id="cassette, streamed"
        ),
        pytest.param(_play("converse"), _vary(), 82, id="cassette, new bodies"),
        pytest.param(_apply(_RULES), _repeat("converse"), 26, id="rule"),
        pytest.param(_apply(_RULES), _ask_anew(), 113, id="rule, new bodies"),
    ],
)
def test_functions_of_a_call(engine: Engine, requests: Iterator[bytes], most: int) -> None:
    connection, transport = connect(Server(engine))
    for _ in range(50):
        connection.data_received(next(requests))
    counts = _count_functions(connection, requests)
    assert len(transport.written) == 50 + CALLS
    assert {answer[:15] for answer in transport.written} == {b"HTTP/1.1 200 OK"}
    each = counts.total() / CALLS
    functions = "\n".join(f"{n / CALLS:5.2f} {name}" for name, n in counts.most_common())
    assert each <= most, f"expected at most {most} functions for a call, found {each}:\n{functions}"


@pytest.mark.parametrize(
    "case", [pytest.param(each, id=name_case(each)) for each in (*MESSAGES, *COUNTS)]
)
def test_log_and_metrics_do_not_read_a_request_again(case: tuple[str, bool]) -> None:
    """The history has freed by then what was read from the request."""
    name, streamed = case
    recording = record(name, stream=streamed)
    engine = Engine(Library([Cassette("apis", (recording,))]))
    server, metrics = Server(engine), Metrics(engine)

    def observe(outcome: Outcome) -> None:
        metrics.count(outcome)
        render_json(outcome)

    connection, transport = connect(server)
    asked = recording.request
    assert isinstance(asked.body, Body)
    lines = (
        f"POST {asked.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(asked.body.data)}"
    )
    request = f"{lines}\r\n\r\n".encode() + asked.body.data
    for _ in range(2):
        connection.data_received(request)
    alone, observed = Counter[str](), Counter[str]()
    _count(alone, lambda: connection.data_received(request))
    server.observer = observe
    connection.data_received(request)
    _count(observed, lambda: connection.data_received(request))
    assert {answer[:15] for answer in transport.written} == {b"HTTP/1.1 200 OK"}
    more = {name for name in observed - alone if name.partition(".")[0] in ("Call", "Head")}
    assert more <= {"Call.model"}, f"expected no reading of the request, found {sorted(more)}"


def test_functions_of_an_event_at_the_recorded_pace() -> None:
    texts = [f"word {n} " for n in range(EVENTS)]
    recorded = stream(_WORDS, texts, at_ms=range(1, EVENTS + 4))
    engine = Engine(Library([Cassette("weather", (recorded,))]))
    loop = asyncio.new_event_loop()
    counts: Counter[str] = Counter()
    with closing(loop):
        connection, transport = Connection(Server(engine, speed=1000.0), loop), Transport()
        connection.connection_made(transport)

        def play() -> None:
            connection.data_received(_request(prompt(_WORDS), "converse-stream"))
            while connection.exchanges.in_flight:
                loop.stop()
                loop.run_forever()

        play()  # fills the caches
        play()
        _count(counts, play)
        assert b"".join(transport.written).endswith(b"0\r\n\r\n")
    each = counts.total() / EVENTS
    functions = "\n".join(f"{n / EVENTS:5.2f} {name}" for name, n in counts.most_common())
    assert each <= 15, f"expected at most 15 functions for an event, found {each}:\n{functions}"


@pytest.mark.parametrize("played", ["rule", "recording"])
def test_functions_of_an_event_of_audio(played: str) -> None:
    sent = sign(wrap({"event": audio_content(1)[1]}))
    turn = {"when": {"event": "textInput"}, "text": "Hi!"}
    if played == "rule":
        answer = {"conversation": [turn]}
        engine = _apply(
            {"bedtape-overlay": 1, "rules": [{"when": {"model": "*"}, "answer": answer}]}
        )
    else:
        recorded = record_conversation([(0, "in", each) for each in (*audio_content(1), START)])
        engine = Engine(Library([Cassette("talk", (recorded,))]))
    connection, transport = connect(Server(engine))
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    start = sign(wrap({"event": audio_content(1)[0]}))
    chunks = [b"%x\r\n%b\r\n" % (len(data), data) for data in (start, sent)]
    connection.data_received(head.encode() + chunks[0])
    assert b"200 OK" in transport.written[0]
    counts: Counter[str] = Counter()

    def speak() -> None:
        for _ in range(EVENTS):
            connection.data_received(chunks[1])

    speak()  # fills the caches
    _count(counts, speak)
    assert len(transport.written) == 1
    each = counts.total() / EVENTS
    functions = "\n".join(f"{n / EVENTS:5.2f} {name}" for name, n in counts.most_common())
    assert each <= 70, f"expected at most 70 functions for an event, found {each}:\n{functions}"
