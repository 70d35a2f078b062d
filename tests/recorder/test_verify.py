"""Asking again: what is asked, what is not, and what the command says and returns. The service is on loopback."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bedtape_cassettes.errors import CassetteMissing
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, Headers, Interaction
from bedtape_recorder import gate
from bedtape_recorder.errors import GateShut, RecorderError
from bedtape_recorder.settings import Settings
from bedtape_recorder.verify import Verdict, verify
from bedtape_replayer import Replayer
from support import folders
from support.recordings import answer, converse, path, prompt, recorded, stream

KEYS = {
    gate.VARIABLE: "1",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-west-1",
}
ARN = "arn:aws:bedrock:us-east-1:999988887777:inference-profile/x"


class Service:
    """Answers every request alike and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.headers: Headers = (("Content-Type", "application/json"),)
        self.body = bodies.compact(answer("Now"))
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                assert len(set(map(str.lower, self.headers))) == len(self.headers), "a header stands twice"
                named = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append((self.command, self.path, named, body))
                self.send_response(service.status)
                for name, value in service.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            do_GET = do_POST  # noqa: N815 - as http.server wants it

            def log_message(self, *arguments: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.upstream = ("http", "127.0.0.1", self._server.server_port)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def written(folder: Path, *interactions: Interaction, name: str = "a") -> Path:
    folders.write(folder, Cassette(name, interactions))
    return folder


def verdicts(folder: Path, upstream: tuple[str, str, int], **more: Any) -> list[Verdict]:
    return list(verify(Settings(folder, upstream=upstream, **more), KEYS))


def test_the_same_request_is_asked_again_and_signed(service: Service, tmp_path: Path) -> None:
    headers = (("Content-Type", "application/json"), ("X-Amzn-Bedrock-Trace", "ENABLED"))
    body = bodies.compact(answer("Then"))
    folder = written(tmp_path, recorded(prompt("é"), body, request_headers=headers))
    (verdict,) = verdicts(folder, service.upstream)
    assert (verdict.drifts, verdict.skipped) == ((), None)
    assert re.fullmatch(r"a/0001-converse-[0-9a-f]{8}\.yaml", verdict.file)
    ((method, url, named, asked),) = service.asked
    assert (method, url, json.loads(asked)) == ("POST", path(), json.loads(prompt("é")))
    assert named["host"] == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert named["x-amzn-bedrock-trace"] == "ENABLED"
    assert "/eu-west-1/bedrock/aws4_request" in named["authorization"]
    assert named["accept-encoding"] == "identity"


def test_every_service_has_its_own_host(service: Service, tmp_path: Path) -> None:
    models = recorded(b"", b"{}", url="/foundation-models?byProvider=a", method="GET", request_headers=())
    mantle = recorded(b"{}", b"{}", url="/openai/v1/responses")
    verdicts(written(tmp_path, models, mantle), service.upstream, region="us-west-2")
    (one, url, get, _), (_, _, post, _) = service.asked
    assert (one, url, get["host"]) == ("GET", "/foundation-models?byProvider=a", "bedrock.us-west-2.amazonaws.com")
    assert post["host"] == "bedrock-mantle.us-west-2.api.aws"
    assert "/us-west-2/bedrock-mantle/aws4_request" in post["authorization"]


def test_an_exact_recording_is_asked_with_a_new_signature_alone(service: Service, tmp_path: Path) -> None:
    old: Headers = (
        ("Authorization", "AWS4-HMAC-SHA256 Credential=OLD/20200101/us-east-1/bedrock/aws4_request, Signature=00"),
        ("X-Amz-Date", "20200101T000000Z"),
        ("X-Amz-Security-Token", "old"),
        ("host", "127.0.0.1:1"),
        ("content-length", "99"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Type", "application/json"),
    )
    exact = recorded(prompt("a"), bodies.compact(answer("b")), request_headers=old, exact=True)
    (verdict,) = verdicts(written(tmp_path, exact), service.upstream)
    assert verdict.drifts == ()
    ((_, _, named, asked),) = service.asked
    assert named["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert named["x-amz-date"] > "2020"
    assert "x-amz-security-token" not in named
    assert "transfer-encoding" not in named
    assert asked == prompt("a")


def test_drift_is_reported_of_the_file_it_is_in(service: Service, tmp_path: Path) -> None:
    folder = written(tmp_path, converse("a", "b"), stream("c", ["d"]))
    same, changed = verdicts(folder, service.upstream)
    assert same.drifts == ()
    assert changed.file.startswith("a/0002-")
    assert [drift.kind for drift in changed.drifts] == ["body"]


def bidirectional() -> Interaction:
    headers = (("Content-Type", bodies.EVENT_STREAM),)
    return recorded(b"", b"", url=path("invoke-with-bidirectional-stream"), headers=headers)


UNASKABLE = {
    "it is partial": replace(converse("a", "b"), partial=True),
    "a 429 comes when it comes": recorded(prompt("a"), b"{}", status=429),
    "a 503 comes when it comes": recorded(prompt("a"), b"{}", status=503),
    "both sides of a bidirectional stream would have to be there": bidirectional(),
    "StartAsyncInvoke can change something": recorded(b"{}", b"{}", url="/async-invoke"),
    "InvokeAgent can change something": recorded(b"{}", b"{}", url="/agents/a/agentAliases/b/sessions/c/text"),
    "InvokeInlineAgent can change something": recorded(b"{}", b"{}", url="/agents/a"),
    "DeleteResponse can change something": recorded(b"", b"{}", url="/v1/responses/a", method="DELETE"),
    "CancelResponse can change something": recorded(b"", b"{}", url="/openai/v1/responses/a/cancel"),
    "InvokeFlow can change something": recorded(b"{}", b"{}", url="/flows/a/aliases/b"),
}
# What a branch's cassette may contain to have it sent with somebody's credentials.
INVENTED = [
    recorded(b"{}", b"{}", url="/guardrails"),
    recorded(b"", b"{}", url="/guardrails/x", method="DELETE"),
    recorded(b"{}", b"{}", url=path(), method="PUT"),
    recorded(b"{}", b"{}", url="/guardrails/model/x/converse"),
    recorded(b"{}", b"{}", url="/model/../guardrails/x/converse"),
    recorded(b"{}", b"{}", url="//bedrock.us-east-1.amazonaws.com/guardrails"),
]
ACCOUNTS = [
    recorded(prompt("a"), b"{}", url=path(model=ARN)),
    recorded(prompt("a"), b"{}", url=f"/model/{ARN}/converse"),
    recorded(bodies.compact({"guardrail": ARN}), b"{}"),
    recorded(prompt("a"), b"{}", request_headers=(("x-amzn-bedrock-guardrailidentifier", ARN),)),
]


@pytest.mark.parametrize(
    ("interaction", "why"),
    [(i, why) for why, i in UNASKABLE.items()]
    + [(i, "it is no operation that bedtape knows") for i in INVENTED]
    + [(i, "its account id was redacted") for i in ACCOUNTS],
)
def test_what_cannot_be_asked_again_is_not(
    service: Service, tmp_path: Path, interaction: Interaction, why: str
) -> None:
    (verdict,) = verdicts(written(tmp_path, interaction), service.upstream)
    assert (verdict.drifts, verdict.skipped) == ((), why)
    assert service.asked == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_no_drift(service: Service, tmp_path: Path, status: int) -> None:
    service.status = status
    (verdict,) = verdicts(written(tmp_path, converse("a", "b")), service.upstream)
    assert (verdict.drifts, verdict.skipped) == ((), f"Bedrock is busy: {status}")


def test_a_service_that_is_not_there_is_said(tmp_path: Path) -> None:
    folder = written(tmp_path, converse("a", "b"))
    dead = ("http", "127.0.0.1", 1)
    (verdict,) = verdicts(folder, dead)
    assert verdict.drifts == ()
    assert verdict.skipped is not None
    assert "could not be sent again" in verdict.skipped


def test_one_cassette_by_its_name(service: Service, tmp_path: Path) -> None:
    written(tmp_path, converse("a", "b"), name="x/one")
    written(tmp_path, converse("c", "d"), name="x/two")
    (verdict,) = verdicts(tmp_path, service.upstream, name="x/two")
    assert verdict.file.startswith("x/two/")


def test_nothing_to_ask_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing):
        verify(Settings(tmp_path / "absent"), KEYS)
    with pytest.raises(RecorderError, match="found none in"):
        verify(Settings(tmp_path), KEYS)
    with pytest.raises(RecorderError, match="found none in"):
        verify(Settings(written(tmp_path, converse("a", "b")), name="other"), KEYS)


def test_a_shut_gate_refuses_before_the_first_verdict(tmp_path: Path) -> None:
    with pytest.raises(GateShut):
        verify(Settings(tmp_path / "absent"), {})


# -- the command -----------------------------------------------------------------------------------------------


def command(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    code = "from bedtape_cassettes.cli.main import main; main()"
    arguments = ["record", "--verify", "--to", str(folder), "--upstream", url]
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ})


def test_the_command_ends_with_0_where_nothing_drifted(tmp_path: Path) -> None:
    folder = written(tmp_path / "recorded", converse("a", "b"), stream("c", ["d", "e"]))
    now = written(tmp_path / "now", converse("a", "other words"), stream("c", ["in", "more", "pieces"]))
    with Replayer(now) as upstream:
        ended = command(folder, upstream.url)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert ended.stderr.splitlines()[-1] == "bedtape: asked 2 again: 0 drifted"


def test_the_command_ends_with_1_where_one_drifted(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "recorded", converse("a", "b"), converse("c", "d"), replace(converse("e", "f"), partial=True)
    )
    changed = {**answer("d"), "newField": 1}
    now = written(tmp_path / "now", converse("a", "b"), recorded(prompt("c"), bodies.compact(changed)))
    with Replayer(now) as upstream:
        ended = command(folder, upstream.url)
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert re.fullmatch(r"a/0002-converse-\w{8}\.yaml: field gained newField: recorded not there, now number", line)
    assert "not asked: it is partial" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "bedtape: asked 2 again: 1 drifted"


@pytest.mark.parametrize("url", ["nowhere", "http://127.0.0.1:port"])
def test_the_command_ends_with_2_where_it_cannot_begin(url: str, tmp_path: Path) -> None:
    ended = command(written(tmp_path, converse("a", "b")), url)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("bedtape: --upstream: expected a URL")
