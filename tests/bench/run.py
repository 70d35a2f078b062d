"""`make bench`: how long things take on this machine, side by side in one run, written to docs/reference/performance.md.

Medians and ratios; the machine is named. Nothing here is a test: a shared machine makes absolute times worthless.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

from bedtape_cassettes import bodies, eventstream, store
from bedtape_cassettes.model import Cassette, Interaction, event_headers
from bedtape_cassettes.normalise import interaction_of
from bedtape_replayer import Replayer

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "performance.md"
MODEL = "us.amazon.nova-lite-v1:0"
_JSON = (("Content-Type", "application/json"),)
_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli import main; main()"]


# -- what is replayed ------------------------------------------------------------------------------------------


def _words(count: int, seed: int) -> str:
    stock = ("cassette", "tape", "records", "what the", "model", "said", "and plays", "it again", "every", "time")
    return " ".join(stock[(seed + n * 7) % len(stock)] for n in range(count))


def _request(number: int, words: int) -> bytes:
    message = {"role": "user", "content": [{"text": f"{number}: {_words(words, number)}"}]}
    return json.dumps({"messages": [message], "inferenceConfig": {"maxTokens": 300, "temperature": 0}}).encode()


def _answer(number: int, words: int) -> bytes:
    content = [{"text": _words(words, number + 3)}]
    usage = {"inputTokens": 100, "outputTokens": 200, "serverToolUsage": {}, "totalTokens": 300}
    output = {"message": {"content": content, "role": "assistant"}}
    return bodies.compact({"metrics": {"latencyMs": 800}, "output": output, "stopReason": "end_turn", "usage": usage})


def _converse(number: int, asked: int, answered: int) -> Interaction:
    return interaction_of(
        method="POST",
        path=f"/model/{MODEL.replace(':', '%3A')}/converse",
        request_headers=_JSON,
        request_body=_request(number, asked),
        status=200,
        response_headers=_JSON,
        response_body=_answer(number, answered),
    )


def _stream(number: int) -> Interaction:
    pieces = _words(150, number).split(" ")
    events = [("messageStart", {"p": "abcd", "role": "assistant"})]
    for n in range(0, len(pieces), 12):
        delta = {"contentBlockIndex": 0, "delta": {"text": " ".join(pieces[n : n + 12])}, "p": "abcdef"}
        events.append(("contentBlockDelta", delta))
    events += [
        ("contentBlockStop", {"contentBlockIndex": 0, "p": "ab"}),
        ("messageStop", {"p": "abc", "stopReason": "end_turn"}),
    ]
    body = b"".join(eventstream.encode_strings(event_headers(name), bodies.compact(value)) for name, value in events)
    return interaction_of(
        method="POST",
        path=f"/model/{MODEL.replace(':', '%3A')}/converse-stream",
        request_headers=_JSON,
        request_body=_request(number, 180),
        status=200,
        response_headers=(("Content-Type", "application/vnd.amazon.eventstream"),),
        response_body=body,
        at_ms=[n * 40 for n in range(len(events))],
    )


def _suite(count: int) -> list[Cassette]:
    """`count` interactions of about 3.6 KB on disk, half of them streams, fifty a cassette."""
    interactions = [_stream(n) if n % 2 else _converse(n, 250, 250) for n in range(count)]
    return [Cassette(f"suite{n // 50:03d}", tuple(interactions[n : n + 50])) for n in range(0, count, 50)]


# -- how it is measured ----------------------------------------------------------------------------------------


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _interleaved(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """The median seconds of each, a round of all after a round of all, so that the machine's moods hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(_timed(work))
    return {name: statistics.median(found) for name, found in times.items()}


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


@contextmanager
def _replaying(*arguments: str) -> Iterator[str]:
    """A `bedtape replay` in a process of its own; its url."""
    command = [*_COMMAND, "replay", "--port", "0", "--log-level", "error", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


_CONSTANT = """
import asyncio, sys
from bedtape_replayer.loops import new_event_loop
answer = bytes.fromhex(sys.argv[1])
class Constant(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.have = transport, b""
    def data_received(self, data):
        self.have += data
        head, found, body = self.have.partition(b"\\r\\n\\r\\n")
        if found and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0]):
            self.have = b""
            self.transport.write(answer)
async def main():
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", 0)
    print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""


@contextmanager
def _constant(body: bytes) -> Iterator[str]:
    """The least that an asyncio server can do: read a request by its length, write one constant answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    command = [sys.executable, "-c", _CONSTANT, (head + body).hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _latencies(url: str, requests: list[bytes], rounds: int) -> list[float]:
    host, port = url.removeprefix("http://").split(":")
    times = []
    with socket.create_connection((host, int(port))) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(rounds):
            request = requests[number % len(requests)]
            began = time.perf_counter()
            client.sendall(request)
            answer = client.recv(65536)
            times.append(time.perf_counter() - began)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    return times


def _raw(body: bytes) -> bytes:
    head = (
        f"POST /model/{MODEL.replace(':', '%3A')}/converse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11 cfg/retry-mode#standard\r\n"
        "X-Amz-Date: 20261122T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/"
        f"aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}\r\n"
        f"amz-sdk-invocation-id: 00000000-0000-4000-8000-000000000000\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


# -- what is measured ------------------------------------------------------------------------------------------


def starting(folder: Path) -> list[tuple[str, str]]:
    def first_answer() -> None:
        with _replaying() as url:
            assert _first(url)

    times = _interleaved(
        9,
        python=lambda: _python("pass"),
        imported=lambda: _python("import bedtape_replayer"),
        used=lambda: _python("from bedtape_replayer import Replayer"),
        answered=first_answer,
    )
    with Replayer(folder):  # warms the imports
        pass
    ready = statistics.median(_timed(lambda: Replayer(folder).start().stop()) for _ in range(9))
    return [
        ("`import bedtape_replayer`, over a bare Python", f"{(times['imported'] - times['python']) * 1000:.0f} ms"),
        ("`from bedtape_replayer import Replayer`, the same", f"{(times['used'] - times['python']) * 1000:.0f} ms"),
        (
            "`bedtape replay` on the samples: from the command to the first answer and the end",
            f"{times['answered'] * 1000:.0f} ms",
        ),
        ("`Replayer` on the samples: start to stop", f"{ready * 1000:.1f} ms"),
    ]


def _first(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /foundation-models HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.recv(65536).startswith(b"HTTP/1.1 200")


def loading(work: Path) -> list[tuple[str, str]]:
    count = 5000
    folder, cache, packed = work / "suite", work / "cache", work / "suite.tape"
    suite = _suite(count)
    for cassette in suite:
        store.write(folder, cassette)
    store.write_tape(packed, suite)
    size = sum(path.stat().st_size for path in folder.rglob("*.yaml")) / count
    store.read([folder], cache=cache)
    times = _interleaved(
        5,
        cold=lambda: store.read([folder]),
        warm=lambda: store.read([folder], cache=cache),
        packed=lambda: store.read([packed]),
    )
    return [
        (f"{count} interactions of {size / 1000:.1f} KB: cold, from folders", f"{times['cold']:.2f} s"),
        ("the same from a warm cache", f"{times['warm']:.2f} s ({times['warm'] / times['cold']:.2f} of cold)"),
        ("the same from a `.tape`", f"{times['packed']:.2f} s ({times['packed'] / times['cold']:.2f} of cold)"),
    ]


def answering(work: Path) -> list[tuple[str, str]]:
    folder = work / "answers"
    interactions = tuple(_converse(n, 70, 120) for n in range(500))
    store.write(folder, Cassette("answers", interactions))
    requests = [_raw(_request(n, 70)) for n in range(500)]
    with _replaying(str(folder)) as bedtape, _constant(_answer(0, 120)) as constant:
        ours, theirs, same = [], [], []
        for _ in range(10):
            ours += _latencies(bedtape, requests, 1000)
            same += _latencies(bedtape, requests[:1], 1000)
            theirs += _latencies(constant, requests, 1000)
        calls = _interleaved(300, bedtape=_boto3(bedtape), constant=_boto3(constant))
    p50, base = statistics.median(ours), statistics.median(theirs)
    p99 = statistics.quantiles(ours, n=100)[98]
    return [
        ("a Converse call, one keep-alive connection, p50", f"{p50 * 1e6:.0f} µs"),
        ("the same, p99", f"{p99 * 1e6:.0f} µs"),
        ("the same, where the request repeats, p50", f"{statistics.median(same) * 1e6:.0f} µs"),
        (
            "an asyncio server that writes one constant answer, p50",
            f"{base * 1e6:.0f} µs (bedtape: {p50 / base:.2f} of it)",
        ),
        (
            "boto3's `converse`, whole",
            f"{calls['bedtape'] * 1e3:.2f} ms ({calls['bedtape'] / calls['constant']:.2f} of the same to the constant)",
        ),
    ]


def _boto3(url: str) -> Callable[[], object]:
    session = boto3.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1")
    client = session.client("bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4"))
    body = json.loads(_request(0, 70))
    return lambda: client.converse(modelId=MODEL, **body)


def recording(work: Path) -> list[tuple[str, str]]:
    """What the recorder adds. Its upstream is a replay at the recorded pace: a second of events."""
    recorder = ROOT / ".venv-record" / "bin" / "bedtape"
    if not recorder.exists():
        return [("the recorder", "left out: `make test` installs it into .venv-record")]
    folder = work / "paced"
    store.write(folder, Cassette("paced", (_stream(1),)))
    with _replaying(str(folder), "--speed", "1") as direct, _recording(recorder, direct, work) as through:
        calls = {"direct": _first_event(direct), "through": _first_event(through)}
        for call in calls.values():
            call()
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(15):
            for name, call in calls.items():
                times[name].append(call())
    one, other = (statistics.median(times[name]) * 1000 for name in ("direct", "through"))
    return [
        ("time to the first of 20 events of a second, direct", f"{one:.1f} ms"),
        ("the same through `bedtape record`", f"{other:.1f} ms"),
    ]


@contextmanager
def _recording(recorder: Path, upstream: str, work: Path) -> Iterator[str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "any", "RUN_REAL_BEDROCK_TESTS": "1"}
    environment = {**os.environ, **keys, "BEDTAPE_STATE_DIR": str(work / "state")}
    command = [str(recorder), "record", "--to", str(work / "recorded"), "--upstream", upstream]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().partition("=")[2]
        process.terminate()


def _first_event(url: str) -> Callable[[], float]:
    session = boto3.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1")
    client = session.client("bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4"))
    body = json.loads(_request(1, 180))

    def call() -> float:
        began = time.perf_counter()
        events = iter(client.converse_stream(modelId=MODEL, **body)["stream"])
        next(events)
        took = time.perf_counter() - began
        for _ in events:
            pass
        return took

    return call


def main() -> None:
    work = Path(tempfile.mkdtemp(prefix="bedtape-bench-"))
    os.environ["BEDTAPE_CACHE_DIR"] = ""
    try:
        rows = starting(store.samples()) + loading(work) + answering(work) + recording(work)
    finally:
        shutil.rmtree(work)
    width = max(len(what) for what, _ in rows)
    for what, figure in rows:
        print(f"{what:<{width}}  {figure}")
    table = "\n".join(f"| {what} | {figure} |" for what, figure in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    PAGE.write_text(
        "# Performance\n\n"
        f"Written by `make bench` on {machine}; medians, measured in turns in one run. The machine was shared, so the ratios\n"
        "say more than the times.\n\n| what | figure |\n|---|---|\n" + table + "\n"
    )


if __name__ == "__main__":
    main()
