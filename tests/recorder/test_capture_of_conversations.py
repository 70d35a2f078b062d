"""`bedtape replay --upstream ... --capture` records conversations: both sides, into the cassette of
the session. A client that sends back the ids of the replayed model plays the recording.
"""

import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.format.bodies import read_chunk
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support import folders
from support.client import until
from support.duplex import MODEL, OPERATION, SETUP, Duplex, audio_content, text_content, tool_result
from support.javascript import run_script
from support.recorder import environment
from support.recordings import converse
from support.upstream import Upstream

pytestmark = pytest.mark.slow
USE = "tooluse_q7Zk2mWcT4uRb1XnVh9Lsg"
FINISH = [{"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}}]


def capture(
    recorder: Path, upstream: Upstream, here: Path, options: Sequence[str], steps: Sequence[Any]
) -> tuple[list[Any], Interaction]:
    """Hold a conversation with `bedtape replay --capture`. Return what the client got, and the
    recording.
    """
    folders.write(here / "cassettes", Cassette("there", (converse("b", "recorded"),)))
    process = subprocess.Popen(
        [str(recorder / "bedtape"), "replay", "--port", "0", "--capture", *options],
        env=environment(upstream, here, BEDTAPE_RECORD_UPSTREAM=upstream.url, PYTHONUNBUFFERED="1"),
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = f"{process.stdout.readline().split()[-1]}/s/talk"
        job = {"endpoint": url, "accessKeyId": "any", "model": MODEL, "steps": steps}
        lines = run_script("conversation.mjs", job).splitlines()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate()
    assert process.returncode == 0, told
    assert "recorded 1 interaction into 1 cassette" in told
    cassettes = {each.name: each.interactions for each in store.read([here / "cassettes"])}
    assert set(cassettes) == {"talk", "there"}
    (interaction,) = cassettes["talk"]
    return [json.loads(line)["event"] for line in lines], interaction


def make_steps(*groups: tuple[Sequence[Any], str, int]) -> list[Any]:
    """groups: events to send, and the name and the number of the events that follow."""
    steps: list[Any] = []
    for events, name, count in groups:
        steps += [{"send": {"event": event}} for event in events] + [{"await": name}] * count
    return [*steps, {"end": True}]


def test_a_conversation_with_another_server_is_captured_and_played(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    steps = make_steps(
        ([*SETUP, *audio_content(3)], "contentEnd", 1),
        (tool_result(USE, {"weather": "rain"}), "contentEnd", 2),
        (FINISH, "", 0),
    )
    with Replayer(()) as other:
        other.respond(
            operation=OPERATION,
            conversation=[
                {"tool": {"name": "weather", "id": USE}},
                {"when": {"event": "toolResult"}, "text": "It rains."},
            ],
        )
        got, recording = capture(recorder, upstream, tmp_path, ["--upstream", other.url], steps)
    assert recording.request.events is not None
    assert len(recording.request.events.events) == len(SETUP) + 5 + 3 + 2
    with Replayer(tmp_path / "cassettes") as bedrock, Duplex(bedrock.port) as client:
        client.send(*SETUP, *audio_content(3, "microphone", loud=True))
        use = client.read_until(4)[2]["event"]["toolUse"]["toolUseId"]
        assert use != USE, "ids in answers have a form that does not differ between recordings"
        client.send(*tool_result(use, {"weather": "rain"}), *FINISH)
        client.end()
        names = [next(iter(each["event"])) for each in client.read_all()]
        assert client.errors == []
        until(lambda: len(bedrock.calls) == 1)
        assert bedrock.calls[0].by == recording.file
    assert names == [next(iter(each)) for each in got]


def test_a_conversation_with_the_service_is_captured(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    """The stand-in for the service checks the signatures, and echoes each event."""
    events = [*text_content("USER", "Hello?"), *FINISH]
    steps = make_steps(*(([event], next(iter(event)), 1) for event in events))
    got, recording = capture(recorder, upstream, tmp_path, ["--upstream", "bedrock"], steps)
    assert got == events
    assert not upstream.failures
    assert recording.request.events is not None
    sent = [read_chunk(event.payload) for event in recording.request.events.events]
    assert sent == [{"event": event} for event in events]
