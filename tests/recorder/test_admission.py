"""The recorder signs and forwards for the program that it started, and for nobody else."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.addresses import CLIENT_VARIABLES
from support import WAIT
from support.client import Http1, Http2
from support.recorder import Running, command, environment
from support.recordings import answer, path, prompt
from support.upstream import Answer, Upstream
from support.upstream.clients import RUNTIME, sign_headers

Start = Callable[..., Running]
JSON = ("Content-Type", "application/json")


@pytest.fixture
def says_one(upstream: Upstream) -> Upstream:
    upstream.add(Answer(path(), prompt("a"), frames=(json.dumps(answer("one")).encode(),)))
    return upstream


def _post(running: Running, target: str, **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=WAIT)) as client:
        client.putrequest("POST", target, skip_host=True)
        named = {
            "Host": f"127.0.0.1:{running.port}",
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": "2",
            **named,
        }.items():
            client.putheader(name, value)
        client.endheaders(b"{}")
        response = client.getresponse()
        return response.status, response.read()


# -- reverse ---------------------------------------------------------------------------------------


def test_strangers_get_nothing_signed(says_one: Upstream, start: Start) -> None:
    running = start("--allow-host", "devbox.example")
    prefix = urlsplit(running.url).path
    assert len(prefix) >= 33
    for target, headers, expected in (
        (f"{prefix}{path()}", {"Host": "evil.example"}, "expected a Host on loopback"),
        (
            f"{prefix}{path()}",
            {"Origin": "https://evil.example"},
            "expected no page of another site",
        ),
        (f"{prefix}{path()}", {"Sec_Fetch_Site": "cross-site"}, "expected no page of another site"),
        (path(), {}, "this recording's own prefix"),
        (f"/{'0' * 32}{path()}", {}, "this recording's own prefix"),
        (f"/s/x{prefix}{path()}", {}, "this recording's own prefix"),
    ):
        status, told = _post(running, target, **headers)
        assert (status, expected in told.decode()) == (400, True), told
        assert prefix[1:].encode() not in told
    assert not says_one.requests
    with Http2(running.url) as client:  # a name in :authority counts as in Host
        client.authority = "evil.example"
        assert client.request("POST", f"{prefix}{path()}", (JSON,), prompt("a")).status == 400
    assert not says_one.requests
    with Http1(running.url) as other:
        for other.host in ("devbox.example:80", "localhost"):
            assert other.request("POST", path(), (JSON,), prompt("a")).status == 200
    assert not says_one.failures
    assert "recorded 2 interactions" in running.stop()


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/service/bedrock/guardrails"),
        ("DELETE", "/service/bedrock/guardrails/x"),
        # prepares an agent there, and asks one elsewhere
        ("POST", "/service/bedrock-agent/agents/x"),
        ("POST", "/guardrails/model/x/converse"),
        ("POST", "/model/../guardrails/x/converse"),
        ("POST", "/model/%2e%2e%2fguardrails/converse"),
    ],
)
def test_operations_that_are_unknown_are_sent_only_if_the_user_says_so(
    method: str, target: str, upstream: Upstream, start: Start
) -> None:
    upstream.add(Answer("/guardrails", b"{}", frames=(b"{}",)))
    running = start()
    with Http1(running.url) as client:
        refused = client.request(method, target, (JSON,), b"{}")
    assert (refused.status, refused.header("x-amzn-errortype")) == (400, "RecorderException")
    assert "--allow-unknown" in refused.body.decode()
    assert not upstream.requests


def test_unknown_operations_that_are_allowed(upstream: Upstream, start: Start) -> None:
    upstream.add(Answer("/guardrails", b"{}", frames=(b'{"guardrailId":"a"}',)))
    running = start("--allow-unknown")
    with Http1(running.url) as client:
        assert client.request("POST", "/service/bedrock/guardrails", (JSON,), b"{}").status == 200
    assert not upstream.failures


def test_every_endpoint_variable_has_the_prefix(start: Start) -> None:
    running = start()
    endpoints = {
        name: value for name, value in running.exports.items() if value.startswith("http://")
    }
    assert {
        name for name, variable in CLIENT_VARIABLES.items() if variable.default
    } <= endpoints.keys()
    assert all(value.startswith(running.url) for value in endpoints.values())


def test_a_program_keeps_its_own_credentials(
    recorder: Path, says_one: Upstream, tmp_path: Path
) -> None:
    code = "import os; print(os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY'])"
    run = subprocess.run(
        [*command(recorder, says_one, tmp_path / "tapes"), "--", sys.executable, "-c", code],
        env=environment(says_one, tmp_path),
        capture_output=True,
        text=True,
        check=False,  # it makes no call, so the exit code is 2
    )
    assert run.stdout.split() == [says_one.credentials.access_key, says_one.credentials.secret_key]


def test_secrets_go_nowhere_by_http(recorder: Path, upstream: Upstream, tmp_path: Path) -> None:
    """A session token, to a host that is not this machine: refused before the program runs."""
    sent = environment(upstream, tmp_path, AWS_SESSION_TOKEN="a-session-token")
    program = [sys.executable, "-c", "print('ran')"]
    run = subprocess.run(
        [
            recorder / "bedtape",
            "record",
            "--upstream",
            "http://bedrock.corp.example",
            "--",
            *program,
        ],
        env=sent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert "expected https:// to bedrock.corp.example" in run.stderr


@pytest.mark.parametrize(
    "key", ['upstream = "http://evil.example"', 'profile = "admin"', "allow-unknown = true"]
)
def test_a_repositorys_file_does_not_say_where_requests_go(
    key: str, recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "bedtape.toml").write_text(f"[record]\n{key}\n")
    run = subprocess.run(
        [recorder / "bedtape", "record", "--", sys.executable, "-c", "print('ran')"],
        cwd=tmp_path,
        env=environment(upstream, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    name = key.split()[0]
    assert f"bedtape.toml:2: expected no {name} in a file" in run.stderr
    assert f"BEDTAPE_RECORD_{name.upper().replace('-', '_')}" in run.stderr


# -- forward ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", [None, "bedtape:guessed", "any:any"])
def test_without_the_login_the_proxy_opens_no_tunnel(
    login: str | None, says_one: Upstream, start: Start
) -> None:
    running = start("--mode", "forward")
    proxy = urlsplit(running.exports["HTTPS_PROXY"])
    with (
        closing(running.tunnel(RUNTIME, login=login)) as client,
        pytest.raises(OSError, match="407"),
    ):
        client.request(
            "POST", path(), prompt("a"), dict(sign_headers(path(), prompt("a"), host=RUNTIME))
        )
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=WAIT)) as plain:
        plain.request("GET", f"http://{RUNTIME}/foundation-models")
        assert plain.getresponse().status == 407
    assert not says_one.requests
    assert "recorded 0 interactions" in running.stop()


def test_the_proxy_opens_tunnels_to_aws_and_to_hosts_that_the_user_names(start: Start) -> None:
    with Upstream() as other:
        refusing = start("--mode", "forward")
        for host in ("example.com", "127.0.0.1", "amazonaws.com.evil.example", "evilamazonaws.com"):
            with (
                closing(refusing.tunnel(host, other.port)) as client,
                pytest.raises(OSError, match="403"),
            ):
                client.request("GET", "/")
        running = start("--mode", "forward", "--allow-host", "127.0.0.1")
        with closing(running.tunnel("127.0.0.1", other.port, ca=str(other.ca))) as client:
            client.request("GET", "/")
            assert client.getresponse().status == 403  # the upstream's own word: it is not signed
        assert len(other.requests) == 1


def test_unknown_operations_are_refused_in_forward_mode_too(
    upstream: Upstream, start: Start
) -> None:
    running = start("--mode", "forward")
    host = "bedrock.us-east-1.amazonaws.com"
    with closing(running.tunnel(host)) as client:
        client.request(
            "POST", "/guardrails", b"{}", dict(sign_headers("/guardrails", b"{}", host=host))
        )
        assert client.getresponse().status == 400
    assert not upstream.requests
