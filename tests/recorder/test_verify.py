"""Asking again: what is asked, what is not, and what the command says and returns.

The service is on loopback.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Lock, Thread
from typing import Any

import pytest

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, Headers, Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.assign import assign, parse_assignments
from bedtape_recorder import settings
from bedtape_recorder.drift.findings import Verdict
from bedtape_recorder.drift.plan import Plan
from bedtape_recorder.errors import GateError
from bedtape_recorder.settings import Settings
from bedtape_recorder.verify import verify
from bedtape_replayer import Replayer
from support import folders
from support.inference_apis import APIS, COUNTS, MESSAGES, name_case, read_bytes, record
from support.recordings import answer, converse, path, prompt, record_interaction, stream

KEYS = {
    settings.GATE: "1",
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
        self.wait: Callable[[], object] = lambda: None
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                assert len(set(map(str.lower, self.headers))) == len(self.headers), (
                    "a header stands twice"
                )
                named = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append((self.command, self.path, named, body))
                service.wait()
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
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
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
    folder = written(tmp_path, record_interaction(prompt("é"), body, request_headers=headers))
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
    models = record_interaction(
        b"", b"{}", url="/foundation-models?byProvider=a", method="GET", request_headers=()
    )
    mantle = record_interaction(b"{}", b"{}", url="/openai/v1/responses")
    verdicts(written(tmp_path, models, mantle), service.upstream, region="us-west-2")
    (_, _, post, _), (one, url, get, _) = sorted(service.asked, reverse=True)
    assert (one, url, get["host"]) == (
        "GET",
        "/foundation-models?byProvider=a",
        "bedrock.us-west-2.amazonaws.com",
    )
    assert post["host"] == "bedrock-mantle.us-west-2.api.aws"
    assert "/us-west-2/bedrock-mantle/aws4_request" in post["authorization"]


@pytest.mark.parametrize("bearer", [False, True], ids=["keys", "bearer"])
@pytest.mark.parametrize(
    ("name", "stream"), [*MESSAGES, *COUNTS], ids=map(name_case, [*MESSAGES, *COUNTS])
)
def test_every_inference_api_is_asked_again(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    stream: bool,
    bearer: bool,
) -> None:
    """Other words are no drift, and another stop reason is."""
    folder, host = written(tmp_path, record(name, stream=stream)), APIS[name][2]
    environ = {**KEYS, "AWS_BEARER_TOKEN_BEDROCK": "the-key"} if bearer else KEYS
    same = record(name, stream=stream, text="It snows in Oslo, and nobody is surprised at that.")
    changes = [(same, set())]
    if (name, stream) in MESSAGES:
        stopped = assign(same, parse_assignments(["stop_reason=max_tokens"])).interaction
        changes.append((stopped, {"stop reason"}))
    for now, kinds in changes:
        service.headers, service.body = now.response.headers, read_bytes(now.response)
        (verdict,) = verify(Settings(folder, upstream=service.upstream), environ)
        assert verdict.skipped is None
        assert {drift.kind for drift in verdict.drifts} >= kinds
        assert bool(verdict.drifts) == bool(kinds), verdict.drifts
    _, path, named, _ = service.asked[0]
    assert path == record(name, stream=stream).request.path
    assert named["host"].startswith(f"{host}.eu-west-1.")
    scope = "bedrock-mantle" if host == MANTLE else "bedrock"
    assert ("Bearer the-key" if bearer else f"/eu-west-1/{scope}/aws4_request") in named[
        "authorization"
    ]


def test_an_exact_recording_is_asked_with_a_new_signature_alone(
    service: Service, tmp_path: Path
) -> None:
    old: Headers = (
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=OLD/20200101/us-east-1/bedrock/aws4_request, Signature=00",
        ),
        ("X-Amz-Date", "20200101T000000Z"),
        ("X-Amz-Security-Token", "old"),
        ("host", "127.0.0.1:1"),
        ("content-length", "99"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Type", "application/json"),
    )
    exact = record_interaction(
        prompt("a"), bodies.compact(answer("b")), request_headers=old, exact=True
    )
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
    return record_interaction(
        b"", b"", url=path("invoke-with-bidirectional-stream"), headers=headers
    )


UNASKABLE = {
    "it is partial": replace(converse("a", "b"), partial=True),
    "its status 429 depends on the load of the service": record_interaction(
        prompt("a"), b"{}", status=429
    ),
    "its status 503 depends on the load of the service": record_interaction(
        prompt("a"), b"{}", status=503
    ),
    "bedtape cannot send a bidirectional stream again": bidirectional(),
    "StartAsyncInvoke can change something; to send it: --operation StartAsyncInvoke": (
        record_interaction(b"{}", b"{}", url="/async-invoke")
    ),
    "InvokeAgent can change something; to send it: --operation InvokeAgent": record_interaction(
        b"{}", b"{}", url="/agents/a/agentAliases/b/sessions/c/text"
    ),
    "InvokeInlineAgent can change something; to send it: --operation InvokeInlineAgent": (
        record_interaction(b"{}", b"{}", url="/agents/a")
    ),
    "DeleteResponse can change something; to send it: --operation DeleteResponse": (
        record_interaction(b"", b"{}", url="/v1/responses/a", method="DELETE")
    ),
    "CancelResponse can change something; to send it: --operation CancelResponse": (
        record_interaction(b"", b"{}", url="/openai/v1/responses/a/cancel")
    ),
    "InvokeFlow can change something; to send it: --operation InvokeFlow": record_interaction(
        b"{}", b"{}", url="/flows/a/aliases/b"
    ),
}
# What a branch's cassette may contain to have it sent with somebody's credentials.
INVENTED = [
    record_interaction(b"{}", b"{}", url="/guardrails"),
    record_interaction(b"", b"{}", url="/guardrails/x", method="DELETE"),
    record_interaction(b"{}", b"{}", url=path(), method="PUT"),
    record_interaction(b"{}", b"{}", url="/guardrails/model/x/converse"),
    record_interaction(b"{}", b"{}", url="/model/../guardrails/x/converse"),
    record_interaction(b"{}", b"{}", url="//bedrock.us-east-1.amazonaws.com/guardrails"),
]
ACCOUNTS = [
    record_interaction(prompt("a"), b"{}", url=path(model=ARN)),
    record_interaction(prompt("a"), b"{}", url=f"/model/{ARN}/converse"),
    record_interaction(bodies.compact({"guardrail": ARN}), b"{}"),
    record_interaction(
        prompt("a"), b"{}", request_headers=(("x-amzn-bedrock-guardrailidentifier", ARN),)
    ),
]


@pytest.mark.parametrize(
    ("interaction", "why"),
    [(i, why) for why, i in UNASKABLE.items()]
    + [(i, "bedtape does not know its operation") for i in INVENTED]
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
    with pytest.raises(CassetteError, match="found none in"):
        verify(Settings(tmp_path), KEYS)
    with pytest.raises(CassetteError, match="found none in"):
        verify(Settings(written(tmp_path, converse("a", "b")), name="other"), KEYS)


def test_a_shut_gate_refuses_before_the_first_verdict(tmp_path: Path) -> None:
    with pytest.raises(GateError):
        verify(Settings(tmp_path / "absent"), {})


# -- the command -----------------------------------------------------------------------------------


def command(folder: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    code = "from bedtape_cassettes.cli.main import main; main()"
    arguments = ["record", "--verify", "--to", str(folder), "--upstream", url, *more]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ}
    )


def test_the_command_ends_with_0_where_nothing_drifted(tmp_path: Path) -> None:
    folder = written(tmp_path / "recorded", converse("a", "b"), stream("c", ["d", "e"]))
    now = written(
        tmp_path / "now", converse("a", "other words"), stream("c", ["in", "more", "pieces"])
    )
    with Replayer(now) as upstream:
        ended = command(folder, upstream.url)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert ended.stderr.splitlines()[-1] == "bedtape: sent 2 again (2 tokens): no findings"


def test_the_command_ends_with_1_where_one_drifted(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "recorded",
        converse("a", "b"),
        converse("c", "d"),
        replace(converse("e", "f"), partial=True),
    )
    changed = {**answer("d"), "newField": 1}
    now = written(
        tmp_path / "now",
        converse("a", "b"),
        record_interaction(prompt("c"), bodies.compact(changed)),
    )
    with Replayer(now) as upstream:
        ended = command(folder, upstream.url)
    assert ended.returncode == 1, ended.stderr
    cause, files, entry = ended.stdout.splitlines()
    assert cause == "added: field gained newField: recorded not there, now number"
    assert re.fullmatch(r"  1 recording: a/0002-converse-\w{8}\.yaml", files)
    assert entry.endswith(": field gained: newField")
    assert "not compared: it is partial" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "bedtape: sent 2 again (4 tokens): 1 finding (1 added)"


@pytest.mark.parametrize("url", ["nowhere", "http://127.0.0.1:port"])
def test_the_command_ends_with_2_where_it_cannot_begin(url: str, tmp_path: Path) -> None:
    ended = command(written(tmp_path, converse("a", "b")), url)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("bedtape: --upstream: expected a URL")


# -- what is sent, and where -----------------------------------------------------------------------


def test_each_recording_is_sent_to_its_own_region(service: Service, tmp_path: Path) -> None:
    here, there = converse("a", "b"), replace(converse("c", "d"), region="ap-south-1")
    verdicts(written(tmp_path, here, there), service.upstream)
    assert sorted(named["host"] for _, _, named, _ in service.asked) == [
        "bedrock-runtime.ap-south-1.amazonaws.com",
        "bedrock-runtime.eu-west-1.amazonaws.com",
    ]
    assert all(
        f"/{named['host'].split('.')[1]}/" in named["authorization"]
        for _, _, named, _ in service.asked
    )


@pytest.mark.parametrize("service_name", [None, RUNTIME, MANTLE])
@pytest.mark.parametrize(
    "url", ["/openai/v1/responses", "/openai/v1/chat/completions", "/anthropic/v1/messages"]
)
def test_each_recording_is_sent_to_its_own_service(
    service: Service, tmp_path: Path, url: str, service_name: str | None
) -> None:
    """Two services have these APIs. Recordings of earlier versions have no service."""
    verdicts(
        written(tmp_path, replace(record_interaction(b"{}", b"{}", url=url), service=service_name)),
        service.upstream,
    )
    ((_, _, named, _),) = service.asked
    chosen = service_name or MANTLE
    assert named["host"].startswith(f"{chosen}.eu-west-1.")
    assert f"/eu-west-1/{'bedrock' if chosen == RUNTIME else MANTLE}/" in named["authorization"]


def test_a_cassette_does_not_choose_the_service_of_an_operation_of_aws(
    service: Service, tmp_path: Path
) -> None:
    """A cassette comes with a branch, and the path of an operation may be another
    operation of another service.
    """
    verdicts(written(tmp_path, replace(converse("a", "b"), service=MANTLE)), service.upstream)
    ((_, _, named, _),) = service.asked
    assert named["host"].startswith(f"{RUNTIME}.")


def test_an_operation_that_acts_is_sent_if_it_is_named(service: Service, tmp_path: Path) -> None:
    flow = record_interaction(b"{}", b"{}", url="/flows/a/aliases/b")
    settings = Settings(written(tmp_path, flow), upstream=service.upstream)
    (verdict,) = verify(settings, KEYS, plan=Plan(operations=["InvokeFlow"]))
    assert verdict.skipped is None
    assert len(service.asked) == 1


def test_sending_stops_at_the_budget(service: Service, tmp_path: Path) -> None:
    """Each answer takes two tokens, as its recording did."""
    folder = written(tmp_path, *(converse(text, "b") for text in "abcde"))
    report = verify(Settings(folder, upstream=service.upstream), KEYS, plan=Plan(budget=5))
    skipped = [verdict.skipped for verdict in report if verdict.skipped]
    assert (len(service.asked), skipped) == (2, ["the budget of 5 tokens is used up"] * 3)


def test_as_many_requests_as_allowed_are_under_way(service: Service, tmp_path: Path) -> None:
    """Three at a time: a fourth would be counted, and fewer would wait for each other forever."""
    barrier, lock, counts = Barrier(3), Lock(), [0, 0]

    def wait() -> None:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        barrier.wait(300)
        with lock:
            counts[0] -= 1

    service.wait = wait
    folder = written(tmp_path, *(converse(text, "b") for text in "abcdef"))
    report = verify(Settings(folder, upstream=service.upstream), KEYS, plan=Plan(concurrency=3))
    assert [verdict.skipped for verdict in report] == [None] * 6
    assert counts == [0, 3]


def test_fips_is_asked_again_at_fips_endpoints(service: Service, tmp_path: Path) -> None:
    folder = written(tmp_path, replace(converse("a", "b"), region="us-west-2"))
    settings = Settings(folder, upstream=service.upstream)
    (verdict,) = verify(settings, {**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"})
    assert verdict.skipped is None
    ((_, _, named, _),) = service.asked
    assert named["host"] == f"{RUNTIME}-fips.us-west-2.amazonaws.com"


def test_accept_writes_the_new_answers_and_the_next_run_finds_nothing(
    service: Service, tmp_path: Path
) -> None:
    folder = written(tmp_path / "recorded", converse("a", "b"), converse("c", "d"))
    now = {**answer("new"), "newField": 1}
    played = written(
        tmp_path / "now", record_interaction(prompt("a"), bodies.compact(now)), converse("c", "d")
    )
    with Replayer(played) as upstream:
        first = command(folder, upstream.url, "--accept")
        again = command(folder, upstream.url)
    assert first.returncode == 0, first.stderr
    assert "interactions: 1 changed" in first.stdout
    assert (again.returncode, again.stdout) == (0, ""), again.stderr
    (cassette,) = store.read([folder])
    assert b"newField" in cassette.interactions[0].response.body.data  # type: ignore[union-attr]


def test_an_allow_list_ends_with_0_and_a_report_is_json(tmp_path: Path) -> None:
    folder = written(tmp_path / "recorded", converse("a", "b"))
    changed = {**answer("b"), "newField": 1}
    (tmp_path / "allowed").write_text("field gained: new*\n")
    with Replayer(
        written(tmp_path / "now", record_interaction(prompt("a"), bodies.compact(changed)))
    ) as upstream:
        ended = command(
            folder, upstream.url, "--allow-list", str(tmp_path / "allowed"), "--format", "json"
        )
    assert ended.returncode == 0, ended.stderr
    (finding,) = json.loads(ended.stdout)["findings"]
    assert (finding["kind"], finding["allowed"]) == ("field gained", True)


def test_the_options_of_the_command_choose_what_is_sent_and_how_it_is_printed(
    tmp_path: Path,
) -> None:
    """One of two models, an operation by its name, a budget and JUnit XML."""
    flow = record_interaction(b"{}", b"{}", url="/flows/a/aliases/b")
    folder = written(tmp_path / "recorded", converse("a", "b"), converse("c", "d"), flow)
    with Replayer(folder) as upstream:
        sample = command(folder, upstream.url, "--sample", "1")
        named = command(folder, upstream.url, "--select", "a:3", "--operation", "InvokeFlow")
        spent = command(
            folder, upstream.url, "--budget", "2", "--concurrency", "1", "--format", "junit"
        )
    assert sample.stderr.splitlines()[-1].startswith("bedtape: sent 1 again")
    assert named.stderr.splitlines()[-1].startswith("bedtape: sent 1 again")
    assert [each.returncode for each in (sample, named, spent)] == [0, 0, 0]
    assert "the budget of 2 tokens is used up" in spent.stdout
    assert spent.stdout.lstrip().startswith("<")
