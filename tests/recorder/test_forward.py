"""What the two modes do with requests: which hosts are opened, whose credentials go on,
what is refused on its way.
"""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import h2.events
import pytest

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import Frame
from bedtape_cassettes.storage import store
from bedtape_recorder import settings
from support import WAIT
from support.client import Http1
from support.company_proxy import CompanyProxy
from support.recorder import Running, command, environment
from support.recordings import answer, path, prompt
from support.upstream import BEARER_TOKEN, VPC_ENDPOINT, Answer, Upstream
from support.upstream.clients import RUNTIME, Streams, sign_headers
from support.upstream.sigv4 import STREAMING

Start = Callable[..., Running]
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
JSON = ("Content-Type", "application/json")


@pytest.fixture
def says_one(upstream: Upstream) -> Upstream:
    upstream.add(Answer(path(), prompt("a"), frames=(json.dumps(answer("one")).encode(),)))
    return upstream


def _asked(client: http.client.HTTPConnection, host: str, region: str = "us-east-1") -> int:
    client.request(
        "POST",
        path(),
        prompt("a"),
        dict(sign_headers(path(), prompt("a"), host=host, region=region)),
    )
    response = client.getresponse()
    response.read()
    return response.status


# -- forward ---------------------------------------------------------------------------------------


def test_forward_mode_asks_for_no_credentials(says_one: Upstream, start: Start) -> None:
    running = start("--mode", "forward", **NO_KEYS)
    with closing(running.tunnel(RUNTIME)) as client:
        assert _asked(client, RUNTIME) == 200
    assert not says_one.failures
    assert "recorded 1 interaction" in running.stop()


@pytest.mark.slow
def test_a_java_program_trusts_the_recorder(
    says_one: Upstream, recorder: Path, tmp_path: Path, mitmproxy_version: str
) -> None:
    """Java reads no PEM file, and sends no password to a proxy without TLS."""
    if shutil.which("java") is None:
        pytest.skip("java is not installed: install a JDK")
    if mitmproxy_version.startswith("11."):
        pytest.skip("cryptography of this mitmproxy writes no trust store for Java")
    source = Path(__file__).with_name("Client.java")
    headers = [f"{name}={value}" for name, value in sign_headers(path(), prompt("a"), host=RUNTIME)]
    program = ["java", str(source), f"https://{RUNTIME}{path()}", prompt("a").decode(), *headers]
    (tmp_path / "home").mkdir()
    environ = environment(says_one, tmp_path / "home", BEDTAPE_STATE_DIR=str(tmp_path / "a state"))
    recording = command(recorder, says_one, tmp_path / "tapes", "--mode", "forward")
    done = subprocess.run(
        [*recording, "--", *program], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 ")
    assert '"one"' in done.stdout
    assert "recorded 1 interaction" in done.stderr


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (RUNTIME, "us-east-1"),
        ("bedrock-runtime-fips.us-west-2.amazonaws.com", "us-west-2"),
        (VPC_ENDPOINT, "us-east-1"),
    ],
)
def test_bedrocks_hosts_are_recorded(
    host: str, region: str, says_one: Upstream, start: Start
) -> None:
    running = start("--mode", "forward")
    with closing(running.tunnel(host)) as client:
        assert _asked(client, host, region) == 200
    assert not says_one.failures
    assert says_one.requests[-1].host == host
    assert "recorded 1 interaction" in running.stop()


def test_the_upstreams_own_host_is_recorded(says_one: Upstream, start: Start) -> None:
    running = start("--mode", "forward")
    host = f"localhost:{says_one.port}"
    with closing(running.tunnel("localhost", says_one.port)) as client:
        assert _asked(client, host) == 200
    assert not says_one.failures
    assert "recorded 1 interaction" in running.stop()
    (cassette,) = store.read([running.to])
    assert cassette.interactions[0].request.path == path()


def test_another_port_of_the_upstreams_host_is_a_blind_tunnel(
    says_one: Upstream, start: Start
) -> None:
    with Upstream() as other:
        running = start("--mode", "forward")
        with closing(running.tunnel("localhost", other.port, ca=str(other.ca))) as client:
            client.request("GET", "/")
            assert client.getresponse().status == 403
        assert [request.target for request in other.requests] == ["/"]
    assert "recorded 0 interactions" in running.stop()


# -- reverse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bearer", [{}, {"AWS_BEARER_TOKEN_BEDROCK": BEARER_TOKEN}])
def test_a_placeholder_of_a_librarys_does_not_go_upstream(
    bearer: dict[str, str], says_one: Upstream, start: Start
) -> None:
    running = start(**bearer)
    headers = (JSON, ("X-Api-Key", "placeholder"))
    with Http1(running.url) as client:
        assert client.request("POST", path(), headers, prompt("a")).status == 200
    assert not says_one.failures
    assert says_one.requests[-1].header("x-api-key") is None


def test_a_clients_own_api_key_goes_upstream_and_no_further(
    says_one: Upstream, start: Start
) -> None:
    key = "ABSK" + "QmVkcm9ja0FQSUtleS0x" * 3
    running = start("--exact")
    headers = (JSON, ("X-Api-Key", key), ("X-Amz-Date", "20200101T000000Z"))
    with Http1(running.url) as client:
        client.request("POST", path(), headers, prompt("a"))
    (request,) = says_one.requests
    assert request.header("x-api-key") == key
    assert (request.header("authorization"), request.header("x-amz-date")) == (None, None)
    running.stop()
    assert all(key.encode() not in file.read_bytes() for file in running.to.rglob("*.yaml"))


def _data(events: list[h2.events.Event]) -> bytes:
    return b"".join(
        event.data or b"" for event in events if isinstance(event, h2.events.DataReceived)
    )


@pytest.mark.parametrize("broken", [b"\0\0\0\x08" + bytes(8), b"\xff" * 12, bytes(12)])
def test_a_client_that_sends_no_event_is_told_so_and_waits_for_nothing(
    broken: bytes, upstream: Upstream, start: Start
) -> None:
    running = start()
    url = f"{urlsplit(running.url).path}{path('invoke-with-bidirectional-stream')}"
    port = running.port
    headers = [
        ("Content-Type", "application/vnd.amazon.eventstream"),
        ("X-Amz-Content-SHA256", STREAMING),
    ]
    with Streams(
        socket.create_connection(("127.0.0.1", port), timeout=WAIT), f"127.0.0.1:{port}"
    ) as client:
        stream = client.begin(url, headers)
        client.h2.send_data(stream, eventstream.encode(Frame((), b"hello")))
        client.flush()
        assert _data(client.until(h2.events.DataReceived)) == b"hello"
        client.h2.send_data(stream, broken)
        client.flush()
        (refused,) = eventstream.decode_all(_data(client.until(h2.events.DataReceived)))
        client.h2.end_stream(stream)
        client.flush()
        client.until(h2.events.StreamEnded)
    assert (":message-type", "exception") in (refused.strings() or ())
    (failure,) = upstream.failures
    assert "an event is damaged" in failure.message
    assert "bedtape: a bidirectional stream was refused" in running.stop()


def test_behind_a_shut_gate_a_recorder_that_needs_no_keys_does_not_start(
    upstream: Upstream, start: Start
) -> None:
    with pytest.raises(AssertionError, match="costs money"):
        start("--mode", "forward", **NO_KEYS, **{settings.GATE: "0"})


# -- for those who run mitmproxy -------------------------------------------------------------------


def _mitmdump(
    recorder: Path, upstream: Upstream, home: Path, variables: dict[str, str]
) -> subprocess.Popen[str]:
    """mitmdump as a forward proxy with the addon."""
    told = [recorder / "bedtape", "record", "--print-addon"]
    script = subprocess.run(
        told, env=variables, capture_output=True, text=True, check=True
    ).stdout.strip()
    options = {
        "confdir": str(home / "conf"),
        "bedtape_to": str(home / "tapes"),
        "bedtape_upstream": upstream.url,
        "ssl_verify_upstream_trusted_ca": str(upstream.ca),
    }
    settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    command = [recorder / "mitmdump", "-s", script, *settings, "--mode", "regular@127.0.0.1:0"]
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _asked_through(port: int, ca: Path) -> int:
    trusting = ssl.create_default_context(cafile=str(ca))
    with closing(
        http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=WAIT)
    ) as client:
        client.set_tunnel(RUNTIME, 443)
        return _asked(client, RUNTIME)


def test_the_addon_in_a_forward_proxy_asks_for_no_credentials(
    recorder: Path, says_one: Upstream, tmp_path: Path
) -> None:
    with CompanyProxy(says_one.port) as company:
        behind = {"HTTPS_PROXY": f"http://{company.address}", "NO_PROXY": ""}
        with _mitmdump(
            recorder, says_one, tmp_path, environment(says_one, tmp_path, **NO_KEYS, **behind)
        ) as running:
            assert running.stdout is not None
            listening = next(line for line in running.stdout if "listening at" in line)
            port = int(listening.strip().rstrip(".").rpartition(":")[2])
            assert _asked_through(port, tmp_path / "conf" / "mitmproxy-ca-cert.pem") == 200
            running.send_signal(signal.SIGINT)
            running.stdout.read()
        assert company.targets == {f"localhost:{says_one.port}"}
    assert not says_one.failures
    assert len(store.read([tmp_path / "tapes"])[0].interactions) == 1


def test_the_addon_behind_a_shut_gate_ends_mitmdump(
    recorder: Path, says_one: Upstream, tmp_path: Path
) -> None:
    shut = environment(says_one, tmp_path, **NO_KEYS, **{settings.GATE: "0"})
    with _mitmdump(recorder, says_one, tmp_path, shut) as running:
        said, _ = running.communicate(timeout=WAIT)
    assert running.returncode == 1
    assert said.count("costs money: set RUN_REAL_BEDROCK_TESTS=1") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "tapes").exists()
