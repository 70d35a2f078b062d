"""Recording what real SDKs and large loads say: they see through the recorder
what they see without it.
"""

import fcntl
import json
import os
import pty
import shutil
import signal
import ssl
import struct
import subprocess
import termios
import wave
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import boto3
import pytest
from anthropic import AnthropicBedrock, DefaultHttpxClient
from botocore.config import Config
from botocore.exceptions import ClientError

from bedtape_cassettes.model import Body, Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support import WAIT, authored, folders, sdk
from support.client import Http1
from support.duplex import audio_content, text_content, tool_result
from support.javascript import run_script
from support.recorder import Running, environment
from support.recordings import MODEL, answer, converse, path, prompt
from support.upstream import Answer, Upstream, answer_of

Start = Callable[..., Running]
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
_JAVASCRIPT = Path(__file__).parents[1] / "clients" / "javascript"


@pytest.fixture
def javascript() -> Callable[..., list[dict[str, Any]]]:
    node = shutil.which("node")
    if node is None or not (_JAVASCRIPT / "node_modules" / "@aws-sdk").is_dir():
        pytest.skip(
            "the AWS SDK for JavaScript is not installed: it needs Node.js 20 or later and `make"
            " test`"
        )

    def run(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        told = json.dumps({"concurrency": 4, "jobs": jobs})
        command = [node, str(_JAVASCRIPT / "client.mjs")]
        ended = subprocess.run(
            command, input=told, capture_output=True, encoding="utf-8", timeout=WAIT, check=True
        )
        return sorted(
            map(json.loads, ended.stdout.splitlines()), key=lambda result: int(result["index"])
        )

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
    """By default it speaks HTTP/2 and sends GOAWAY with the stream still to come: the shims
    must carry it to the end.
    """
    texts = [str(number) for number in range(20)]
    upstream.add(_answer_of(authored.converse_stream(MODEL, "count", texts), delays=0.01))
    upstream.add(_answer_of(authored.converse(MODEL, "say", "said")))
    running = start("--record", "new")
    kinds = [
        (handler, operation)
        for handler in ("default", "http1")
        for operation in ("ConverseStream", "Converse")
    ]
    jobs = [_job(running.url, h, o, "count" if o == "ConverseStream" else "say") for h, o in kinds]
    through = javascript(jobs)
    assert not upstream.failures
    for result, (_, operation) in zip(through, kinds, strict=True):
        assert result.get("error") is None
        if operation == "ConverseStream":
            said = [
                e["contentBlockDelta"]["delta"]["text"]
                for e in result["events"]
                if "contentBlockDelta" in e
            ]
            assert said == texts
            assert "metadata" in result["events"][-1]
    running.stop()
    with Replayer(running.to) as bedrock:
        again = javascript([job | {"endpoint": bedrock.url} for job in jobs])
    assert [(r["output"], r.get("events")) for r in again] == [
        (r["output"], r.get("events")) for r in through
    ]


def test_operations_that_share_a_path_are_recorded_apart(upstream: Upstream, start: Start) -> None:
    """X-Amz-Target decides the operation, so that it stays in the recording,
    which `check` accepts.
    """
    unchecked = Config(parameter_validation=False, ignore_configured_endpoint_urls=True)
    keys = {"aws_access_key_id": upstream.credentials.access_key, "aws_secret_access_key": "x"}

    def tag(url: str, operation: str) -> Any:
        endpoint = f"{url}/service/bedrock-data-automation-runtime"
        session = boto3.Session(region_name="us-east-1", **keys)
        client = session.client(
            "bedrock-data-automation-runtime", endpoint_url=endpoint, config=unchecked
        )
        return getattr(client, operation)(resourceARN="arn:aws:bedrock:us-east-1:123456789012:x/y")

    body = json.dumps({"resourceARN": "arn:aws:bedrock:us-east-1:123456789012:x/y"}).encode()
    upstream.add(Answer("/", body, frames=(b'{"tags":[{"key":"k","value":"v"}]}',)))
    running = start("--allow-unknown")
    assert tag(running.url, "list_tags_for_resource")["tags"] == [{"key": "k", "value": "v"}]
    assert not upstream.failures
    running.stop()
    check = subprocess.run(
        [running.recorder / "bedtape", "cassette", "check", "--in", running.to], check=False
    )
    assert check.returncode == 0
    with Replayer(running.to) as bedrock:
        assert tag(bedrock.url, "list_tags_for_resource")["tags"] == [{"key": "k", "value": "v"}]
        with pytest.raises(ClientError, match="x-amz-target: recorded"):
            tag(bedrock.url, "untag_resource")


def test_a_bidirectional_stream_is_signed_again_event_by_event(
    upstream: Upstream, start: Start
) -> None:
    """The upstream checks the chain of signatures; each event goes out only when
    the one before was echoed.
    """
    node = shutil.which("node")
    if node is None or not (_JAVASCRIPT / "node_modules" / "@aws-sdk").is_dir():
        pytest.skip(
            "the AWS SDK for JavaScript is not installed: it needs Node.js 20 or later and `make"
            " test`"
        )
    running = start()
    ended = subprocess.run(
        [node, "bidirectional.mjs", "any"],
        env={"UPSTREAM": running.url},
        cwd=_JAVASCRIPT,
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT,
        check=True,
    )
    assert ended.stdout.split() == ['"one"', '"two"', '"three"']
    assert not upstream.failures
    assert "recorded 1 interaction" in running.stop()


def test_a_recorder_records_a_conversation_that_another_server_asks_for(
    upstream: Upstream, start: Start
) -> None:
    """As with `--upstream`: it signs again, and the bytes pass over HTTP/1.1."""
    running = start()
    events = [{"event": event} for event in text_content("USER", "Hello?")]
    steps = [[{"send": each}, {"await": next(iter(each["event"]))}] for each in events]
    job = {"model": "amazon.nova-sonic-v1:0", "steps": [*chain(*steps), {"end": True}]}
    with Replayer(()) as bedrock:
        bedrock.engine.upstream = running.url
        key = {"endpoint": bedrock.url, "accessKeyId": "any"}
        lines = run_script("conversation.mjs", job | key).splitlines()
        assert [json.loads(line) for line in lines] == events
        (call,) = bedrock.calls
        assert (call.source, call.events) == ("upstream", 3)
    assert not upstream.failures
    assert "recorded 1 interaction" in running.stop()


@pytest.mark.parametrize("audio", [False, True], ids=["without audio", "with audio"])
def test_a_recorded_conversation_plays_event_for_event(
    upstream: Upstream, start: Start, *, audio: bool
) -> None:
    """The stand-in for the service echoes each event, audio too."""
    running = start(*["--audio"] * audio)
    events = [
        {"event": event}
        for event in (
            {"promptStart": {"promptName": "p"}},
            *text_content("USER", "My key is AKIAQYLPMN5HFIQR7XYA."),
            *audio_content(20, loud=True),
            *tool_result("t1", {"weather": "rain"}),
        )
    ]
    steps: list[dict[str, Any]] = []
    for event in events:
        steps += [{"send": event}, {"await": next(iter(event["event"]))}]
    job = {"model": "amazon.nova-sonic-v1:0", "steps": [*steps, {"end": True}]}

    def talk(url: str) -> list[Any]:
        key = {"endpoint": url, "accessKeyId": "any"}
        return [json.loads(line) for line in run_script("conversation.mjs", job | key).splitlines()]

    assert talk(running.url) == events
    assert "recorded 1 interaction" in running.stop()
    (file,) = running.to.rglob("*.yaml")
    text = file.read_text()
    assert text.startswith("bedtape: 2\n")
    assert "AKIAQYLPMN5HFIQR7XYA" not in text
    request = text[: text.index("response:")]
    assert "digest" in request
    assert request.count("audioInput") == 20
    assert "/3//f/9//3" not in request, "the audio of the client is not in the file"
    files = list(running.to.rglob("*.wav"))
    assert [file.name in request for file in files] == [True] * audio
    for each in files:
        with wave.open(str(each)) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (16_000, 1)
            assert sound.readframes(sound.getnframes()) == b"\xff\x7f" * 512 * 20
    with Replayer(running.to) as bedrock:
        names = [next(iter(each["event"])) for each in talk(bedrock.url)]
        assert names == [next(iter(each["event"])) for each in events]
        (call,) = bedrock.calls
        assert (call.source, call.hung_up) == ("cassette", False)


def test_anthropics_client_sees_what_was_said(upstream: Upstream, start: Start) -> None:
    upstream.add(_answer_of(authored.invoke(CLAUDE, "hello", "Hello to you."), request=None))
    upstream.add(
        _answer_of(authored.invoke_stream(CLAUDE, "hello", ["Hel", "lo ", "to you."]), request=None)
    )
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
        http_client=DefaultHttpxClient(
            proxy=running.exports["HTTPS_PROXY"], verify=trusted, trust_env=False
        ),
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
        *(
            _answer_of(authored.converse_stream(MODEL, f"n{n}", [f"{n}:", *pieces]), delays=0.05)
            for n in range(200)
        )
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


# Writes the port to a pipe, because each tool prints it in its own way.
_PORT_SCRIPT = """
import os
from mitmproxy import ctx

def running():
    (address, *_), = [server.listen_addrs for server in ctx.master.addons.get("proxyserver").servers]
    with open(os.environ["PORT_PIPE"], "w") as pipe:
        pipe.write(str(address[1]))
"""
# The tools of mitmproxy, the options that they need without a user, and the signal that ends each.
_TOOLS: dict[str, tuple[list[str], signal.Signals]] = {
    "mitmdump": ([], signal.SIGINT),
    "mitmweb": (["--no-web-open-browser", "--web-port", "0"], signal.SIGINT),
    "mitmproxy": ([], signal.SIGTERM),
}


def _run_addon(
    recorder: Path, upstream: Upstream, folder: Path, tool: str = "mitmdump", **changed: str
) -> str:
    """Record one request with a tool of mitmproxy, in a terminal. Return its output."""
    upstream.add(Answer(path(), frames=(json.dumps(answer("the Falcon and the Osprey")).encode(),)))
    variables = environment(upstream, folder)
    (folder / "bedtape.toml").write_text('redact = ["Falcon"]\n[record]\nname = "from-the-file"\n')
    script = subprocess.run(
        [recorder / "bedtape", "record", "--print-addon"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    options = {
        "confdir": str(folder / "conf"),
        "bedtape_to": str(folder / "tapes"),
        "bedtape_upstream": upstream.url,
        "bedtape_prefix": "chosen",
        "bedtape_exact": "true",
        "ssl_verify_upstream_trusted_ca": str(upstream.ca),
        **changed,
    }
    told = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    mode = "reverse:https://bedrock-runtime.us-east-1.amazonaws.com@127.0.0.1:0"
    port_script, pipe = folder / "port.py", folder / "port"
    port_script.write_text(_PORT_SCRIPT)
    os.mkfifo(pipe)
    more, ending = _TOOLS[tool]
    command = [
        recorder / tool,
        "-s",
        script.stdout.strip(),
        "-s",
        port_script,
        *told,
        *more,
        "--mode",
        mode,
    ]
    variables |= {"PORT_PIPE": str(pipe), "TERM": "xterm"}
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("4H", 40, 200, 0, 0))
    with subprocess.Popen(
        command,
        env=variables,
        cwd=folder,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    ) as running:
        os.close(inner)
        with ThreadPoolExecutor(1) as pool:
            output = pool.submit(_read_terminal, terminal)
            port = pipe.read_text()
            with Http1(f"http://127.0.0.1:{port}/chosen") as client:
                sent = prompt("about the Falcon")
                assert (
                    client.request(
                        "POST", path(), (("Content-Type", "application/json"),), sent
                    ).status
                    == 200
                )
            running.send_signal(ending)
            assert running.wait(WAIT) == 0
            return output.result(WAIT)


def _read_terminal(terminal: int) -> str:
    """Read until the program has closed its side, which Linux reports as an error."""
    data = b""
    with suppress(OSError):
        while piece := os.read(terminal, 65536):
            data += piece
    os.close(terminal)
    return data.decode(errors="replace").replace("\r\n", "\n")


def test_the_addon_lists_recordings_that_were_not_requested(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    folders.write(tmp_path / "tapes", Cassette("from-the-file", (converse("old", "one"),)))
    said = _run_addon(recorder, upstream, tmp_path, bedtape_record="new")
    assert "1 recording beside new ones was not requested" in said
    assert "rm from-the-file/0001-converse-" in said


@pytest.mark.parametrize("tool", _TOOLS)
def test_the_addon_for_those_who_run_mitmproxy(
    recorder: Path, upstream: Upstream, tmp_path: Path, tool: str
) -> None:
    said = _run_addon(recorder, upstream, tmp_path, tool)
    assert "recorded 1 interaction into 1 cassette" in said
    (cassette,) = store.read([tmp_path / "tapes"])
    assert (cassette.name, cassette.interactions[0].exact) == ("from-the-file", True)
    written = b"".join(file.read_bytes() for file in (tmp_path / "tapes").rglob("*.yaml"))
    assert b"Falcon" not in written
    assert b"Osprey" in written
    assert not upstream.failures
