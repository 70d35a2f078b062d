"""Recording what real SDKs and large loads say: they see through the recorder what they see without it."""

import json
import shutil
import signal
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from anthropic import AnthropicBedrock, DefaultHttpxClient

from bedtape_cassettes.model import Body
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support import authored, sdk
from support.client import Http1
from support.recorder import Running, environment
from support.recordings import MODEL, answer, path, prompt
from support.upstream import Answer, Upstream, answer_of

Start = Callable[..., Running]
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
_JAVASCRIPT = Path(__file__).parents[1] / "clients" / "javascript"


@pytest.fixture
def javascript() -> Callable[..., list[dict[str, Any]]]:
    node = shutil.which("node")
    if node is None or not (_JAVASCRIPT / "node_modules" / "@aws-sdk").is_dir():
        pytest.skip("the AWS SDK for JavaScript is not installed: it needs Node.js 20 or later and `make test`")

    def run(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        told = json.dumps({"concurrency": 4, "jobs": jobs})
        command = [node, str(_JAVASCRIPT / "client.mjs")]
        ended = subprocess.run(command, input=told, capture_output=True, encoding="utf-8", timeout=100, check=True)
        return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda result: int(result["index"]))

    return run


def _job(endpoint: str, handler: str, operation: str, text: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {
        "endpoint": endpoint,
        "handler": handler,
        "operation": operation,
        "input": {"modelId": MODEL, "messages": messages},
    }


def _answer_of(interaction: Any, **options: Any) -> Answer:
    """The upstream's answer as Bedrock would have given it when this was recorded."""
    return answer_of(sdk.of_interaction("", interaction), **options)


def test_the_javascript_sdk_sees_every_event_over_both_handlers(
    upstream: Upstream, start: Start, javascript: Callable[..., list[dict[str, Any]]]
) -> None:
    """By default it speaks HTTP/2 and sends GOAWAY with the stream still to come: the shims must carry it to the end."""
    texts = [str(number) for number in range(20)]
    upstream.add(_answer_of(authored.converse_stream(MODEL, "count", texts), delays=0.01))
    upstream.add(_answer_of(authored.converse(MODEL, "say", "said")))
    running = start("--record", "new")
    kinds = [(handler, operation) for handler in ("default", "http1") for operation in ("ConverseStream", "Converse")]
    jobs = [_job(running.url, h, o, "count" if o == "ConverseStream" else "say") for h, o in kinds]
    through = javascript(jobs)
    assert not upstream.failures
    for result, (_, operation) in zip(through, kinds, strict=True):
        assert result.get("error") is None
        if operation == "ConverseStream":
            said = [e["contentBlockDelta"]["delta"]["text"] for e in result["events"] if "contentBlockDelta" in e]
            assert said == texts
            assert "metadata" in result["events"][-1]
    running.stop()
    with Replayer(running.to) as bedrock:
        again = javascript([job | {"endpoint": bedrock.url} for job in jobs])
    assert [(r["output"], r.get("events")) for r in again] == [(r["output"], r.get("events")) for r in through]


def test_a_bidirectional_stream_is_signed_again_event_by_event(upstream: Upstream, start: Start) -> None:
    """The upstream checks the chain of signatures; each event goes out only when the one before was echoed."""
    node = shutil.which("node")
    if node is None or not (_JAVASCRIPT / "node_modules" / "@aws-sdk").is_dir():
        pytest.skip("the AWS SDK for JavaScript is not installed: it needs Node.js 20 or later and `make test`")
    running = start()
    ended = subprocess.run(
        [node, "bidirectional.mjs", "any"],
        env={"UPSTREAM": running.url},
        cwd=_JAVASCRIPT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert ended.stdout.split() == ['"one"', '"two"', '"three"']
    assert not upstream.failures
    assert "recorded 1 interaction" in running.stop()


def test_anthropics_client_sees_what_was_said(upstream: Upstream, start: Start) -> None:
    upstream.add(_answer_of(authored.invoke(CLAUDE, "hello", "Hello to you."), request=None))
    upstream.add(_answer_of(authored.invoke_stream(CLAUDE, "hello", ["Hel", "lo ", "to you."]), request=None))
    running = start()

    def ask(url: str) -> tuple[str, str]:
        with AnthropicBedrock(
            base_url=url, aws_access_key="any", aws_secret_key="any", aws_region="us-east-1"
        ) as client:
            asked: dict[str, Any] = {"model": CLAUDE, **authored.say("hello")}
            whole = client.messages.create(**asked).content[0].text
            with client.messages.stream(**asked) as stream:
                return whole, stream.get_final_text()

    assert ask(running.url) == ("Hello to you.", "Hello to you.")
    assert not upstream.failures
    running.stop()
    with Replayer(running.to) as bedrock:
        assert ask(bedrock.url) == ("Hello to you.", "Hello to you.")


def test_anthropics_client_through_the_forward_proxy(upstream: Upstream, start: Start) -> None:
    """Its own endpoint, its own signature: only a proxy and a certificate are told to it."""
    upstream.add(_answer_of(authored.invoke(CLAUDE, "hello", "Hello to you."), request=None))
    running = start("--mode", "forward")
    trusted = ssl.create_default_context(cafile=running.exports["AWS_CA_BUNDLE"])
    keys = upstream.credentials
    with AnthropicBedrock(
        aws_access_key=keys.access_key,
        aws_secret_key=keys.secret_key,
        aws_region="us-east-1",
        http_client=DefaultHttpxClient(proxy=running.exports["HTTPS_PROXY"], verify=trusted, trust_env=False),
    ) as client:
        said = client.messages.create(model=CLAUDE, **authored.say("hello")).content[0]
    assert said.type == "text"
    assert said.text == "Hello to you."
    assert not upstream.failures
    assert "recorded 1 interaction" in running.stop()


def test_a_body_of_twenty_megabytes_passes_both_ways(upstream: Upstream, start: Start) -> None:
    """What a document of 15 MB becomes in base64."""
    document = b64encode(bytes(range(256)) * 60_000).decode()
    body = json.dumps({"document": document}).encode()
    upstream.add(Answer(path("invoke"), None, frames=(body,)))
    running = start()
    with Http1(running.url) as client:
        got = client.request("POST", path("invoke"), (("Content-Type", "application/json"),), body)
    assert (got.status, got.body) == (200, body)
    running.stop()
    (interaction,) = store.read([running.to])[0].interactions
    assert isinstance(interaction.response.body, Body)
    assert json.loads(interaction.response.body.data) == {"document": document}
    assert json.loads(interaction.request.body.data) == {"document": document}


def test_two_hundred_streams_at_a_time(upstream: Upstream, start: Start) -> None:
    pieces = [str(number) for number in range(10)]
    upstream.add(
        *(_answer_of(authored.converse_stream(MODEL, f"n{n}", [f"{n}:", *pieces]), delays=0.05) for n in range(200))
    )
    running = start()

    def ask(number: int) -> bytes:
        with Http1(running.url) as client:
            return client.request("POST", path("converse-stream"), (), prompt(f"n{number}")).body

    with ThreadPoolExecutor(200) as pool:
        bodies = list(pool.map(ask, range(200)))
    assert all(f'"text":"{number}:"'.encode() in body for number, body in enumerate(bodies))
    assert all(b"metadata" in body for body in bodies)
    assert "recorded 200 interactions" in running.stop()
    assert not any(interaction.partial for interaction in store.read([running.to])[0].interactions)


def test_the_addon_for_those_who_run_mitmproxy(recorder: Path, upstream: Upstream, tmp_path: Path) -> None:
    upstream.add(Answer(path(), prompt("a"), frames=(json.dumps(answer("one")).encode(),)))
    variables = environment(upstream, tmp_path)
    script = subprocess.run(
        [recorder / "bedtape", "record", "--print-addon"], env=variables, capture_output=True, text=True, check=True
    )
    options = {
        "connection_strategy": "lazy",
        "confdir": str(tmp_path / "conf"),
        "bedtape_to": str(tmp_path / "tapes"),
        "bedtape_upstream": upstream.url,
        "bedtape_prefix": "chosen",
    }
    options |= {"ssl_verify_upstream_trusted_ca": str(upstream.ca)}
    told = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    mode = "reverse:https://bedrock-runtime.us-east-1.amazonaws.com@127.0.0.1:0"
    command = [recorder / "mitmdump", "-s", script.stdout.strip(), *told, "--mode", mode]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        port = _listening(running)
        with Http1(f"http://127.0.0.1:{port}/chosen") as client:
            assert client.request("POST", path(), (("Content-Type", "application/json"),), prompt("a")).status == 200
        running.send_signal(signal.SIGINT)
        running.stdout.read()
        assert running.wait(60) == 0
    assert len(store.read([tmp_path / "tapes"])[0].interactions) == 1
    assert not upstream.failures


def _listening(running: subprocess.Popen[str]) -> int:
    assert running.stdout is not None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (line := running.stdout.readline()):
        if "listening at" in line:
            return int(line.strip().rstrip(".").rpartition(":")[2])
    raise AssertionError("mitmdump did not listen")
