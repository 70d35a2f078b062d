"""No file is opened on a request's path: with every `open` failing, all kinds of
requests get the same answers.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedtape_cassettes.config.options import without_settings
from bedtape_cassettes.model import Cassette
from bedtape_replayer.api.inspector.page import read_files
from bedtape_replayer.api.session_routes import ROUTES
from support.client import Http1, Http2
from support.event_stream import EventReader
from support.folders import write
from support.recordings import converse, path, prompt, stream

# Files fail to open from the moment on at which the flag exists. The watcher of cassettes opens no
# file unless one changed.
_SERVER = """
import errno, os, sys
flag = sys.argv.pop(1)
def hook(event, arguments):
    if event == "open" and os.path.exists(flag):
        print("opened:", arguments[0], file=sys.stderr, flush=True)
        raise OSError(errno.EMFILE, "Too many open files")
sys.addaudithook(hook)
from bedtape_replayer.engine import checks
prepare = checks.prepare
def prepare_and_tell():
    prepare()
    print("prepared", flush=True)
checks.prepare = prepare_and_tell
from bedtape_cassettes.cli.main import main
main()
"""
JSON = (("Content-Type", "application/json"),)
AGENT = "/agents/AGENT12345/agentAliases/ALIAS12345/sessions/s/text"


@pytest.fixture
def url(tmp_path: Path, environment: dict[str, str]) -> Iterator[str]:
    write(
        tmp_path / "cassettes",
        Cassette("one", (converse("hi", "there"), stream("hi", ["th", "ere"]))),
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _SERVER,
            tmp_path / "flag",
            "replay",
            tmp_path / "cassettes",
            "--port",
            "0",
        ],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().rpartition(" ")[2].strip()
    assert process.stdout.readline() == "prepared\n"
    (tmp_path / "flag").touch()
    yield url
    (tmp_path / "flag").unlink()
    process.terminate()
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert "opened" not in said, said
    assert "Error" not in said, said


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**without_settings(os.environ), "BEDTAPE_CACHE_DIR": str(tmp_path / "cache")}


@pytest.mark.slow
@pytest.mark.parametrize("client", [Http1, Http2])
def test_no_request_opens_a_file(url: str, client: type[Http1] | type[Http2]) -> None:
    with client(url) as connection:

        def ask(where: str, body: bytes | dict[str, object] = b"", method: str = "POST") -> int:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            return connection.request(method, where, JSON, data).status

        # recordings and misses
        assert ask(path(), prompt("hi")) == 200
        assert ask(path("converse-stream"), prompt("hi")) == 200
        assert ask(path(), prompt("unknown")) == 400
        assert ask("/model/unknown/invoke", b"{}") == 400
        # with an UnknownOperationException, as Bedrock answers
        assert ask("/nothing", method="GET") == 200
        # rules, faults and validation, for each service with a model
        session = "/_bedtape/sessions/s"
        assert ask(f"{session}/rules", {"answer": {"text": "hello"}}) == 200
        slow: dict[str, object] = {
            "when": {"prompt_contains": "slow"},
            "error": "ThrottlingException",
        }
        assert ask(f"{session}/faults", slow) == 200
        for operation in ("converse", "converse-stream"):
            assert ask(f"/s/s{path(operation)}", prompt("anything")) == 200
            assert ask(f"/s/s{path(operation)}", prompt("slow")) == 429
            assert ask(f"/s/s{path(operation)}", {"messages": 5}) == 400
        assert (
            ask("/s/s/openai/v1/chat/completions", {"model": "openai.gpt-oss-20b", "messages": []})
            == 200
        )
        assert ask(f"/s/s{AGENT}", {}) in (200, 400)
        assert ask("/s/s/guardrails", method="GET") in (200, 400)
        # the control API and the inspector
        for route in ROUTES:
            if route.method == "GET" and route.media == "application/json":
                where = route.path.format(session="default", cassette="one", call=1, file="one")
                assert ask(where, method="GET") == (
                    403 if route.name == "recordingText" else 200
                ), where
        with EventReader(int(url.rpartition(":")[2])) as reader:
            reader.until("ready")
        for page in (
            "",
            *(f"inspector/{name}" for name in read_files() if not name.endswith("html")),
        ):
            assert ask(f"/_bedtape/{page}", method="GET") == 200, page
        assert ask("/_bedtape/inspector/sessions/default/calls/1", method="GET") == 200
        assert ask("/_bedtape/sessions/default/assert", {"called": {}}) == 200
        assert ask("/_fakecloud/health", method="GET") == 200
        assert ask("/_bedtape/clock", {"advance": 1}) == 200
        assert ask("/_bedtape/reset") == 200
