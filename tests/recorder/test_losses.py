"""No recording is lost: with two recorders on one folder, and with a full disk."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.model import Body
from bedtape_cassettes.storage import store
from support.client import Http1
from support.recorder import Running, command, environment
from support.recordings import answer, path, prompt
from support.upstream import Answer, Upstream

Start = Callable[..., Running]
JSON = (("Content-Type", "application/json"),)


def _says(text: str, said: str) -> Answer:
    return Answer(path(), prompt(text), frames=(json.dumps(answer(said)).encode(),))


def _ask(running: Running, text: str) -> None:
    with Http1(running.url) as client:
        assert client.request("POST", path(), JSON, prompt(text)).status == 200


def _recorded(folder: Path) -> set[str]:
    bodies = [i.response.body for cassette in store.read([folder]) for i in cassette.interactions]
    return {
        json.loads(b.data)["output"]["message"]["content"][0]["text"]
        for b in bodies
        if isinstance(b, Body)
    }


# -- two recorders on one folder -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["new", "all"])
def test_two_recorders_keep_what_both_recorded(mode: str, upstream: Upstream, start: Start) -> None:
    upstream.add(*(_says(text, text) for text in "abc"))
    before = start("--record", "all")
    for text in "ac":
        _ask(before, text)
    before.stop()
    one, other = start("--record", mode), start("--record", mode)
    for running in (one, other):
        _ask(running, "c")
    _ask(one, "a")
    _ask(other, "b")
    for running in (one, other):
        assert "journal" not in running.stop()
        assert running.process.returncode == 0
    assert _recorded(one.to) == set("abc")


def test_two_recorders_that_end_at_the_same_time(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "a"), _says("b", "b"))
    both = [start("--record", "new"), start("--record", "new")]
    for running, text in zip(both, "ab", strict=True):
        _ask(running, text)
    for running in both:
        running.process.send_signal(signal.SIGINT)
    for running in both:
        running.wait()
        assert running.process.returncode == 0
    assert _recorded(both[0].to) == {"a", "b"}


@pytest.mark.parametrize("how", ["new", "all"])
def test_once_replaces_nothing_and_keeps_its_journal(
    how: str, upstream: Upstream, start: Start
) -> None:
    upstream.add(*(_says(text, text) for text in "ab"))
    one, other = start(), start()
    _ask(one, "a")
    _ask(other, "b")
    assert "recorded 1 interaction" in one.stop()
    said = other.stop()
    assert other.process.returncode == 2
    assert "expected no cassette, because of --record once" in said
    assert "the journal is kept: " in said
    assert _recorded(one.to) == {"a"}
    assert "recorded 1 interaction" in other.recover("--record", how)
    assert _recorded(one.to) == {"a", "b"}
    assert "nothing to recover" in other.recover()


# -- a full disk -----------------------------------------------------------------------------------

_PROGRAM = """
import http.client, os, sys
from urllib.parse import urlsplit
url = urlsplit(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"])
for body in sys.argv[2:]:
    client = http.client.HTTPConnection(url.hostname, url.port)
    client.request("POST", url.path + sys.argv[1], body, {"Content-Type": "application/json"})
    response = client.getresponse()
    response.read()
    print(response.status, response.getheader("x-amzn-errortype"))
"""


def test_after_a_failed_write_nothing_is_sent_and_the_recorder_says_what_is_missing(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    """The limit of the system on a file's size makes the write fail in the
    middle of the second answer.
    """
    upstream.add(*(_says(text, text * 40_000) for text in "abcd"))
    texts = [prompt(text).decode() for text in "abcd"]
    program = [
        *command(recorder, upstream, tmp_path / "tapes"),
        "--",
        sys.executable,
        "-c",
        _PROGRAM,
        path(),
        *texts,
    ]
    run = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; exec {shlex.join(program)}"],
        env=environment(upstream, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == ["200 None", "200 None", *["400 RecorderException"] * 2], (
        run.stderr
    )
    assert len(upstream.requests) == 2
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith("(File too large): 1 answer missing")
    assert "damaged" not in run.stderr
    whole = [
        i
        for cassette in store.read([tmp_path / "tapes"])
        for i in cassette.interactions
        if not i.partial
    ]
    assert [json.loads(i.request.body.data) for i in whole] == [json.loads(prompt("a"))]


def test_a_bidirectional_stream_is_not_begun_either(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.add(_says("a", "a" * 80_000))
    code = _PROGRAM + (
        'client.request("POST", url.path + "/model/x/invoke-with-bidirectional-stream", b"")\n'
        'print(client.getresponse().getheader("x-amzn-errortype"))\n'
    )
    program = [
        *command(recorder, upstream, tmp_path / "tapes"),
        "--",
        sys.executable,
        "-c",
        code,
        path(),
    ]
    run = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; exec {shlex.join([*program, prompt('a').decode()])}"],
        env=environment(upstream, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == ["200 None", "RecorderException"], run.stderr
    assert (len(upstream.requests), run.returncode) == (1, 2)
