"""Answers that do not reach their end: the client goes, or the service breaks off.

The recording can be replayed.
"""

import http.client
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from bedtape_cassettes.model import Body, Events
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support import WAIT
from support.commands import run
from support.recorder import Running
from support.recordings import MODEL, answer, path, prompt, stream, text_of
from support.upstream import Answer, Upstream, frames_of

Start = Callable[..., Running]
_TYPE = "application/vnd.amazon.eventstream"
_TEXTS = ["one ", "two ", "three"]


def _frames() -> tuple[bytes, ...]:
    from bedtape_replayer.answering.reply import build_reply

    body = b"".join(piece.data for piece in build_reply(stream("a", _TEXTS), bytes(16), 0).pieces)
    return tuple(frames_of(_TYPE, body))


FRAMES = _frames()


def _streams(**options: Any) -> Answer:
    values = {"headers": (("Content-Type", _TYPE),), "frames": FRAMES, "streamed": True, **options}
    return Answer(path("converse-stream"), prompt("a"), **values)


def _client(url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, signature_version="v4", read_timeout=WAIT)
    session = boto3.Session(
        aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1"
    )
    return session.client("bedrock-runtime", endpoint_url=url, config=config)


def _read(url: str, most: int = 100) -> tuple[list[str], str]:
    """The types of the first events, and how the stream ended for this client."""
    seen: list[str] = []
    with closing(_client(url)) as client:
        asked = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "a"}]}]}
        try:
            with closing(client.converse_stream(**asked)["stream"]) as events:
                for event in events:
                    seen.append(next(iter(event)))
                    if len(seen) == most:
                        return seen, "left"
        except Exception as error:  # noqa: BLE001 - how it ends for the client is what is compared
            return seen, type(error).__name__
    return seen, "end"


def _only(folder: Path) -> Any:
    (interaction,) = store.read([folder])[0].interactions
    return interaction


@pytest.mark.parametrize("stall", [(2,), (0, 2)])
def test_a_client_that_stops_early_leaves_a_whole_recording(
    stall: tuple[int, ...], upstream: Upstream, start: Start
) -> None:
    """The service holds the rest back until the client has gone, also before the first event."""
    upstream.add(_streams(stall_after=stall))
    running = start()
    for _ in stall[1:]:
        upstream.resume()
    assert _read(running.url, 2) == (["messageStart", "contentBlockDelta"], "left")
    upstream.resume()
    upstream.wait_for(lambda: upstream.sent[0].end == "whole")
    said = running.stop()
    assert "recorded 1 interaction" in said
    assert "cut" not in said
    interaction = _only(running.to)
    assert not interaction.partial
    assert isinstance(interaction.response.body, Events)
    assert len(interaction.response.body.events) == len(FRAMES)
    with Replayer(running.to) as bedrock:
        assert _read(bedrock.url) == _read(bedrock.url)
        assert len(_read(bedrock.url)[0]) == len(FRAMES)


def test_clients_that_give_up_before_the_answer_leave_whole_recordings(
    upstream: Upstream, start: Start
) -> None:
    texts = [f"late {number}" for number in range(20)]
    for text in texts:
        frames = (json.dumps(answer(text)).encode(),)
        upstream.add(Answer(path(), prompt(text), frames=frames, stall_before=True))
    running = start()
    url = urlsplit(running.url)
    clients = [http.client.HTTPConnection(str(url.hostname), url.port) for _ in texts]
    for client, text in zip(clients, texts, strict=True):
        headers = {"Content-Type": "application/json"}
        client.request("POST", f"{url.path}{path()}", prompt(text), headers)
    upstream.wait_for(lambda: len(upstream.sent) == len(texts))
    for client in clients:
        upstream.resume()
        client.close()
    upstream.wait_for(lambda: all(sent.end == "whole" for sent in upstream.sent))
    assert f"recorded {len(texts)} interactions" in running.stop()
    interactions = store.read([running.to])[0].interactions
    assert not any(interaction.partial for interaction in interactions)
    bodies = [each.response.body for each in interactions if isinstance(each.response.body, Body)]
    assert sorted(text_of(body.data) for body in bodies) == sorted(texts)


_CLIENT_LEAVES_DURING_A_HOOK = """
from types import SimpleNamespace

from bedtape_recorder.proxy import install_changes, reading_on
from mitmproxy.proxy.layers import http
from mitmproxy.test import tflow

install_changes()
stream = object.__new__(http.HttpStream)
stream.stream_id, stream.context = 1, SimpleNamespace(client=None)
stream.client_state, stream.server_state = stream.state_done, stream.state_wait_for_response_headers
left = object.__new__(http.RequestProtocolError)  # mitmproxy's versions differ in its members
left.message = "Client disconnected."
stream._paused_event_queue = [left]
for seconds in (60, 0):
    stream.flow = tflow.tflow(resp=True)
    stream.flow.metadata["bedtape"] = SimpleNamespace(exchange=1)
    reading_on.seconds = seconds
    print(any(isinstance(each, http.HttpErrorHook) for each in stream.check_killed(True)))
"""


def test_a_client_that_leaves_during_a_hook_does_not_end_an_answer_that_is_read_on(
    recorder: Path,
) -> None:
    command = [recorder / "python", "-c", _CLIENT_LEAVES_DURING_A_HOOK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({"reset_after": 2}, "reset"),
        ({"cut_after": 2}, "closed"),
        ({"cut_after": 2, "cut_bytes": 9}, "closed"),
        ({"frames": (*FRAMES[:2], FRAMES[2][:20])}, "mid-frame"),
    ],
)
@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2", "http/1.1")])
def test_a_stream_that_the_service_breaks_off_is_replayed_so(
    options: dict[str, Any], ends: str, alpn: tuple[str, ...], recorder: Path, tmp_path: Path
) -> None:
    with (
        Upstream([_streams(**options)], alpn=alpn) as upstream,
        Running(recorder, upstream, tmp_path / "tapes", tmp_path) as running,
    ):
        live = _read(running.url)
        said = running.stop()
    assert "recorded 1 interaction" in said
    interaction = _only(running.to)
    assert (interaction.partial, interaction.response.ends) == (False, ends)
    assert f"ends: {ends}" in run("show", "default:1", "--in", str(running.to))
    with Replayer(running.to) as bedrock:
        assert _read(bedrock.url) == live
    assert live[0] == ["messageStart", "contentBlockDelta"]


def test_a_whole_body_that_the_service_breaks_off_is_replayed_so(
    upstream: Upstream, start: Start
) -> None:
    body = json.dumps(answer("a long answer")).encode()
    upstream.add(Answer(path(), prompt("a"), frames=(body[:20], body[20:]), cut_after=1))
    running = start()
    with pytest.raises(http.client.IncompleteRead):
        _post(running.url)
    running.stop()
    assert _only(running.to).response.ends == "closed"
    with Replayer(running.to) as bedrock, pytest.raises(http.client.IncompleteRead):
        _post(bedrock.url)


def _post(base: str) -> bytes:
    url = urlsplit(base)
    with closing(http.client.HTTPConnection(str(url.hostname), url.port)) as client:
        client.request(
            "POST", f"{url.path}{path()}", prompt("a"), {"Content-Type": "application/json"}
        )
        return client.getresponse().read()


def test_a_broken_answer_does_not_replace_a_whole_one(upstream: Upstream, start: Start) -> None:
    for options in ({}, {"reset_after": 2}):
        upstream.clear()
        upstream.add(_streams(**options))
        running = start("--record", "all")
        _read(running.url)
        running.stop()
    assert _only(running.to).response.ends is None


def test_trailers_are_left_out(recorder: Path, tmp_path: Path) -> None:
    with (
        Upstream([_streams(trailers=(("x-checksum", "1"),))], alpn=("http/1.1",)) as upstream,
        Running(recorder, upstream, tmp_path / "tapes", tmp_path) as running,
    ):
        assert len(_read(running.url)[0]) == len(FRAMES)
        assert "recorded 1 interaction" in running.stop()
    assert not _only(running.to).partial


def test_an_error_of_the_connection_is_one_for_the_client(upstream: Upstream, start: Start) -> None:
    """Not mitmproxy's page, which JavaScript reports as an unexpected token."""
    upstream.add(_streams(reset_before=True), Answer(path(), prompt("a"), reset_before=True))
    running = start()
    with pytest.raises(http.client.RemoteDisconnected):
        _post(running.url)
    assert _read(running.url) == ([], "ConnectionClosedError")
    said = running.stop()
    assert said.count("not recorded: POST") == 2
