"""Rules, faults, history and assertions in tests that are being recorded, and
overlays over another server.
"""

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.answering.reply import build_reply
from support import WAIT, folders
from support.recorder import environment
from support.recordings import MODEL, answer, converse, path, prompt, stream
from support.upstream import Answer, Upstream, frames_of

_TYPE = "application/vnd.amazon.eventstream"
_TEST = f"""
import pytest

def ask(client, text):
    messages = [{{"role": "user", "content": [{{"text": text}}]}}]
    return client.converse(modelId="{MODEL}", messages=messages)["output"]["message"]["content"][0]["text"]

def test_it(bedrock):
    assert bedrock.recorded is RECORDED
    client = bedrock.client()
    bedrock.respond("chosen", "from a rule")
    bedrock.fault(error="ThrottlingException", times=1)
    assert ask(client, "a") == "one"  # after one retry
    assert ask(client, "chosen") == "from a rule"
    messages = [{{"role": "user", "content": [{{"text": "s"}}]}}]
    events = list(client.converse_stream(modelId="{MODEL}", messages=messages)["stream"])
    assert len(events) == COUNT
    assert [call.status for call in bedrock.calls] == [429, 200, 200, 200]
    assert bedrock.calls[-1].text == "1 2 3"
"""


def _frames() -> tuple[bytes, ...]:
    body = b"".join(
        piece.data for piece in build_reply(stream("s", ["1 ", "2 ", "3"]), bytes(16), 0).pieces
    )
    return tuple(frames_of(_TYPE, body))


FRAMES = _frames()


def _answers(**options: Any) -> list[Answer]:
    whole = Answer(path(), prompt("a"), frames=(json.dumps(answer("one")).encode(),))
    streamed = {
        "headers": (("Content-Type", _TYPE),),
        "frames": FRAMES,
        "streamed": True,
        **options,
    }
    return [whole, Answer(path("converse-stream"), prompt("s"), **streamed)]


def _run_test(upstream: Upstream, folder: Path, *options: str) -> str:
    """Runs test_made.py of the folder in a pytest of its own, which passes. Returns its output."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
    ]
    variables = environment(upstream, folder, AWS_DEFAULT_REGION="us-east-1")
    done = subprocess.run(
        [*command, *options, "test_made.py"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _record_with(recorder: Path, upstream: Upstream) -> tuple[str, str]:
    """The option of pytest that names the recorder."""
    return "-o", f"bedtape_record={recorder}/bedtape record --upstream {upstream.url}"


def test_a_test_that_is_recorded_has_rules_faults_history_and_assertions(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.add(*_answers())
    record = _record_with(recorder, upstream)
    for mode, recorded in (("once", True), ("none", False), ("all", True)):
        test = _TEST.replace("RECORDED", str(recorded)).replace("COUNT", str(len(FRAMES)))
        (tmp_path / "test_made.py").write_text(test)
        options = [f"--bedtape={mode}", *record] if recorded else []
        assert ("2 recorded" if recorded else "2 played") in _run_test(upstream, tmp_path, *options)
    assert not upstream.failures
    assert len(upstream.requests) == 4
    assert len(store.read([tmp_path / "cassettes"])[0].interactions) == 2


_RETRIEVAL = """
import json
import boto3

def test_it(bedrock):
    results = [{"content": {"text": "Falcons eat mice."}, "score": 0.9}]
    bedrock.respond(operation="Retrieve", raw={"json": {"retrievalResults": results}})
    agent = boto3.client("bedrock-agent-runtime", region_name="us-east-1")  # the endpoint is in the environment
    (passage,) = agent.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": "falcons"})["retrievalResults"]
    content = passage["content"]["text"] + " What do they eat?"
    body = {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": content}]}
    answer = bedrock.client().invoke_model(modelId="MODEL", body=json.dumps(body))
    assert json.loads(answer["body"].read())["content"][0]["text"] == "Mice."
    assert [call.operation for call in bedrock.calls] == ["Retrieve", "InvokeModel"]
"""


def test_a_chosen_passage_and_a_recorded_answer_of_claude(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    """The rule answers the knowledge base, which is never asked; Claude is
    recorded, and then played.
    """
    model = "anthropic.claude-3-haiku-20240307-v1:0"
    message = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Mice."}],
    }
    upstream.add(Answer(path("invoke", model), frames=(json.dumps(message).encode(),)))
    (tmp_path / "test_made.py").write_text(_RETRIEVAL.replace("MODEL", model))
    record = _record_with(recorder, upstream)
    assert "1 recorded" in _run_test(upstream, tmp_path, "--bedtape=once", *record)
    assert "1 played" in _run_test(upstream, tmp_path)
    assert not upstream.failures
    assert len(upstream.requests) == 1
    (cassette,) = store.read([tmp_path / "cassettes"])
    assert [interaction.operation for interaction in cassette.interactions] == ["InvokeModel"]


# -- bedtape replay over real Bedrock --------------------------------------------------------------


def _replay(
    recorder: Path, variables: dict[str, str], here: Path, *options: str
) -> subprocess.Popen[str]:
    command = [
        str(recorder / "bedtape"),
        "replay",
        "--port",
        "0",
        "--upstream",
        "bedrock",
        *options,
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=variables, cwd=here, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("capture", [True, False])
def test_replay_asks_bedrock_and_captures_into_the_cassette_of_the_session(
    capture: bool, recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.add(*_answers())
    folders.write(tmp_path / "cassettes", Cassette("there", (converse("b", "recorded"),)))
    variables = environment(
        upstream, tmp_path, BEDTAPE_RECORD_UPSTREAM=upstream.url, PYTHONUNBUFFERED="1"
    )
    options = ("--capture", "--placeholder", "unused") if capture else ()
    with _replay(recorder, variables, tmp_path, *options) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for key, text, said in (
            ("any", "b", "recorded"),
            ("any", "a", "one"),
            ("bedtape-weather", "a", "one"),
        ):
            with closing(_client(url, upstream, key)) as client:
                answered = client.converse(
                    modelId=MODEL, messages=[{"role": "user", "content": [{"text": text}]}]
                )
                assert answered["output"]["message"]["content"][0]["text"] == said
        with closing(_client(f"{url}/s/streams", upstream, "any")) as client:
            assert _read(client) == (["messageStart", *_read(client)[0][1:]], "end")
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate()
    assert process.returncode == 0, told
    assert not upstream.failures
    assert not any(request.header("x-bedtape-session") for request in upstream.requests)
    counts = {
        cassette.name: len(cassette.interactions)
        for cassette in store.read([tmp_path / "cassettes"])
    }
    assert counts == {"there": 1} | ({"default": 1, "weather": 1, "streams": 2} if capture else {})
    assert ("recorded 4 interactions into 3 cassettes" in told) is capture


@pytest.mark.parametrize(
    ("options", "gate", "reason"),
    [
        ((), "0", "RUN_REAL_BEDROCK_TESTS=1"),
        (("--host", "0.0.0.0"), "1", "--host: expected loopback"),
        (("--upstream", "bedrok"), "1", "--upstream: expected bedrock, or a URL"),
    ],
)
def test_replay_does_not_ask_bedrock_without_the_gate_or_for_other_machines(
    options: tuple[str, ...],
    gate: str,
    reason: str,
    recorder: Path,
    upstream: Upstream,
    tmp_path: Path,
) -> None:
    variables = environment(upstream, tmp_path, RUN_REAL_BEDROCK_TESTS=gate)
    with _replay(recorder, variables, tmp_path, *options) as process:
        _, told = process.communicate()
    assert process.returncode == 2
    assert told.startswith("bedtape: ")
    assert reason in told


# -- overlays over another server ------------------------------------------------------------------


def _client(url: str, upstream: Upstream, key: str | None = None) -> Any:
    config = Config(retries={"total_max_attempts": 1}, signature_version="v4", read_timeout=WAIT)
    keys = upstream.credentials
    session = boto3.Session(
        aws_access_key_id=key or keys.access_key, aws_secret_access_key=keys.secret_key
    )
    return session.client(
        "bedrock-runtime", endpoint_url=url, region_name="us-east-1", config=config
    )


def _read(client: Any) -> tuple[list[str], str]:
    seen: list[str] = []
    try:
        messages = [{"role": "user", "content": [{"text": "s"}]}]
        with closing(client.converse_stream(modelId=MODEL, messages=messages)["stream"]) as events:
            for event in events:
                seen.append(next(iter(event)))
    except Exception as error:  # noqa: BLE001 - how it ends for the client is what is compared
        return seen, type(error).__name__
    return seen, "end"


def test_a_stream_of_another_server_passes_event_by_event() -> None:
    with Upstream(_answers(stall_after=(1, 2)), tls=False) as other, Replayer(()) as bedrock:
        bedrock.run(lambda: setattr(bedrock.engine, "upstream", other.url))
        with closing(_client(bedrock.url, other)) as client:
            messages = [{"role": "user", "content": [{"text": "s"}]}]
            events = iter(client.converse_stream(modelId=MODEL, messages=messages)["stream"])
            # the other server sends the next event when this client has the one before
            for _ in range(2):
                assert next(events)
                other.resume()
            assert len(list(events)) == len(FRAMES) - 2
        (call,) = bedrock.calls
        assert (call.source, call.text, call.events) == ("upstream", "1 2 3", len(FRAMES))


LIVE: list[dict[str, Any]] = [
    {"reset": {"after_events": 2}},
    {"truncate": {"after_events": 0, "bytes_more": 5, "in_order": False}},
    {"truncate": {"after_events": 2}},
    {
        "error": "ModelStreamErrorException",
        "after_events": 2,
        "members": {"originalStatusCode": 500},
    },
    {"error_frame": {"code": "InternalFailure", "message": "broken", "after_events": 2}},
]
FAULTS: list[dict[str, Any]] = [
    *LIVE,
    {"error": "ThrottlingException", "after_events": 99},
    {"latency": {"first_byte_ms": 1, "between_ms": 1, "jitter_ms": 1}},
    {"drop": {"types": ["contentBlockStop"], "numbers": [1]}},
    {"repeat": {"numbers": [2], "times": 2}},
    {"insert": {"type": "messageStop", "payload": {"stopReason": "end_turn"}, "after_events": 2}},
    {"insert": {"type": "messageStop", "payload": {"stopReason": "end_turn"}, "after_events": 99}},
    {"swap": {"first": 2, "second": 3}},
    {"misanswer": "empty"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: json.dumps(fault)[:40])
def test_faults_change_the_answer_of_another_server_as_they_change_a_recording(
    fault: dict[str, Any], tmp_path: Path
) -> None:
    folders.write(tmp_path, Cassette("it", (stream("s", ["1 ", "2 ", "3"]),)))
    seen = []
    with (
        Upstream(_answers(), tls=False) as other,
        Replayer(()) as live,
        Replayer(tmp_path) as recorded,
    ):
        live.run(lambda: setattr(live.engine, "upstream", other.url))
        for bedrock in (live, recorded):
            bedrock.fault(**fault)
            with closing(_client(bedrock.url, other)) as client:
                events = _read(client)
            (call,) = bedrock.calls
            seen.append((events, call.faults, call.error, call.cut, call.sent_text, call.events))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("fault", LIVE, ids=lambda fault: json.dumps(fault)[:40])
def test_a_fault_acts_while_the_other_server_still_sends(fault: dict[str, Any]) -> None:
    """The other server sends two events, and the rest never."""
    with Upstream(_answers(stall_after=(2,)), tls=False) as other, Replayer(()) as bedrock:
        bedrock.run(lambda: setattr(bedrock.engine, "upstream", other.url))
        bedrock.fault(
            **fault | ({"truncate": {"after_events": 2}} if "bytes_more" in str(fault) else {})
        )
        with closing(_client(bedrock.url, other)) as client:
            events, _ = _read(client)
            assert len(events) == 2


def test_a_server_that_breaks_off_or_is_absent_breaks_off_for_the_client() -> None:
    with Upstream(_answers(reset_after=2), tls=False) as other, Replayer(()) as bedrock:
        bedrock.run(lambda: setattr(bedrock.engine, "upstream", other.url))
        with closing(_client(bedrock.url, other)) as client:
            events, how = _read(client)
            assert (len(events), how == "end") == (2, False)
            bedrock.run(lambda: setattr(bedrock.engine, "upstream", "http://127.0.0.1:1"))
            assert _read(client) == ([], "ConnectionClosedError")
