"""Behind a company's proxy: read as boto3 reads the environment, gone through in every mode,
its password never shown.
"""

import http.client
import json
import ssl
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.httpsession import ProxyConfiguration

from bedtape_cassettes.model import Cassette
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import read_proxies
from support import WAIT, folders
from support.client import Http1
from support.commands import run_program
from support.company_proxy import CompanyProxy
from support.recorder import Running, command, environment
from support.recordings import MODEL, answer, converse, path, prompt
from support.upstream import Answer, Upstream

Start = Callable[..., Running]
PASSWORD = "s3cr3t&p@ss"
LOGIN = f"alice:{PASSWORD}"
QUOTED = "alice:s3cr3t%26p%40ss"
RUNTIME = "bedrock-runtime.us-east-1.amazonaws.com"

# -- what the environment says ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "scheme", "expected"),
    [
        ({"HTTPS_PROXY": "http://corp:3128"}, "https", ("http", "corp", 3128)),
        (
            {"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:2"},
            "https",
            ("http", "lower", 1),
        ),
        ({"https_proxy": "", "HTTPS_PROXY": "http://upper:2"}, "https", None),
        ({"HTTPS_PROXY": "corp:3128"}, "https", ("http", "corp", 3128)),
        ({"HTTPS_PROXY": "//corp:3128"}, "https", ("http", "corp", 3128)),
        ({"HTTPS_PROXY": "https://corp"}, "https", ("https", "corp", 443)),
        ({"HTTPS_PROXY": "http://corp/"}, "https", ("http", "corp", 80)),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "https", ("http", "::1", 3128)),
        ({"HTTP_PROXY": "http://corp:3128"}, "https", None),
        ({"HTTP_PROXY": "http://corp:3128"}, "http", ("http", "corp", 3128)),
        ({"HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "amazonaws.com"}, "https", None),
        (
            {"HTTPS_PROXY": "http://corp:3128", "no_proxy": "", "NO_PROXY": "*"},
            "https",
            ("http", "corp", 3128),
        ),
        ({}, "https", None),
    ],
)
def test_the_proxy_of_a_request(
    environ: dict[str, str], scheme: str, expected: tuple[str, str, int] | None
) -> None:
    proxy = read_proxies(environ).find_proxy(scheme, RUNTIME, 443)
    assert (proxy and (proxy.scheme, proxy.host, proxy.port)) == expected


EXCLUDED = [
    "",
    "*",
    "a.b",
    ".a.b",
    "A.b, c",
    "x.a.b:443",
    "a.b:443",
    "b",
    "xa.b",
    "127.0.0.1,localhost",
    ",",
    " ",
]


@pytest.mark.parametrize("excluded", EXCLUDED)
@pytest.mark.parametrize(
    "host", ["x.a.b", "X.A.B", "a.b", "ba.b", "c", "127.0.0.1", "localhost", RUNTIME]
)
def test_what_is_excluded_is_what_pythons_library_excludes(excluded: str, host: str) -> None:
    proxies = read_proxies({"HTTPS_PROXY": "http://corp:3128", "NO_PROXY": excluded})
    known: Any = urllib.request
    bypassed = known.proxy_bypass_environment(f"{host}:443", {"no": excluded})
    assert (proxies.find_proxy("https", host, 443) is None) == bool(bypassed)


@pytest.mark.parametrize("login", [QUOTED, "al%3Aice:x", None])
def test_a_password_is_sent_as_botocore_sends_it_and_never_shown(login: str | None) -> None:
    url = f"http://{login}@corp:3128" if login else "http://corp:3128"
    proxies = read_proxies({"HTTPS_PROXY": url})
    oracle = ProxyConfiguration({"https": url})
    wanted = oracle.proxy_headers_for(oracle.proxy_url_for(f"https://{RUNTIME}/")).get(
        "Proxy-Authorization"
    )
    assert proxies.find_authorization(("corp", 3128)) == wanted
    assert proxies.find_authorization(("other", 3128)) is None
    assert "ice" not in repr(proxies)


@pytest.mark.parametrize(
    ("login", "plain"),
    [("alice", "alice:"), ("alice:", "alice:"), ("alice:%C3%A9", "alice:\u00e9")],
)
def test_logins_that_botocore_does_not_send(login: str, plain: str) -> None:
    sent = read_proxies({"HTTPS_PROXY": f"http://{login}@corp:3128"}).find_authorization(
        ("corp", 3128)
    )
    assert sent == f"Basic {b64encode(plain.encode()).decode()}"


def test_all_that_cannot_be_used_is_refused_at_once_and_not_shown() -> None:
    environ = {
        "https_proxy": f"socks5://{QUOTED}@corp:1080",
        "HTTP_PROXY": f"http://{QUOTED}@corp:port",
    }
    with pytest.raises(RecorderError) as refused:
        read_proxies(environ)
    one, other = str(refused.value).splitlines()
    assert one.startswith(
        "HTTP_PROXY: expected http://HOST:PORT or https://HOST:PORT, found one that begins with"
        " http"
    )
    assert other.startswith("https_proxy: expected http://HOST:PORT")
    assert other.endswith("found one that begins with socks5://; fix or unset it")
    assert "s3cr3t" not in str(refused.value)


# -- going through it ------------------------------------------------------------------------------


@pytest.fixture
def company(upstream: Upstream) -> Iterator[CompanyProxy]:
    with CompanyProxy(upstream.port, LOGIN) as server:
        yield server


def _behind(company: CompanyProxy, login: str = QUOTED, no_proxy: str = "") -> dict[str, str]:
    url = f"http://{login}@{company.address}"
    return {"HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": no_proxy, "no_proxy": no_proxy}


def _says(text: str, said: str) -> Answer:
    return Answer(path(), prompt(text), frames=(json.dumps(answer(said)).encode(),))


def _ask(url: str, text: str) -> str:
    with Http1(url) as client:
        response = client.request(
            "POST", path(), (("Content-Type", "application/json"),), prompt(text)
        )
    assert response.status == 200, response.body
    return str(json.loads(response.body)["output"]["message"]["content"][0]["text"])


def _ask_forward(running: Running, upstream: Upstream, text: str, **more: Any) -> str:
    session = boto3.Session(
        aws_access_key_id=upstream.credentials.access_key,
        aws_secret_access_key=upstream.credentials.secret_key,
        region_name="us-east-1",
    )
    config = Config(
        proxies={"https": running.exports["HTTPS_PROXY"]}, retries={"total_max_attempts": 1}
    )
    bundle = running.exports["AWS_CA_BUNDLE"]
    with closing(session.client("bedrock-runtime", config=config, verify=bundle, **more)) as client:
        messages: Any = [{"role": "user", "content": [{"text": text}]}]
        reply: Any = client.converse(modelId=MODEL, messages=messages)
    return str(reply["output"]["message"]["content"][0]["text"])


def _holds_no_login(folder: Path, *said: str) -> None:
    kept = [
        file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "mitmproxy" not in file.name
    ]
    assert kept
    for private in (PASSWORD, QUOTED, "s3cr3t", b64encode(LOGIN.encode()).decode()):
        assert all(private.encode() not in data for data in kept)
        assert all(private not in words for words in said)


def test_reverse_mode_goes_through_the_proxy(
    upstream: Upstream, company: CompanyProxy, start: Start, tmp_path: Path
) -> None:
    upstream.add(_says("a", "one"), _says("b", "two"))
    running = start("--exact", **_behind(company))
    assert [_ask(running.url, text) for text in "ab"] == ["one", "two"]
    assert company.targets == {f"localhost:{upstream.port}"}
    assert not upstream.failures
    (journal,) = (tmp_path / "home").rglob("*.journal")
    before = journal.read_text(errors="replace")
    said = running.stop()
    assert "recorded 2 interactions" in said
    _holds_no_login(tmp_path, before, said, *running.told, *running.exports.values())


def test_reverse_mode_over_tls_asks_for_the_upstreams_own_name(
    upstream: Upstream, company: CompanyProxy, start: Start, tmp_path: Path
) -> None:
    upstream.add(_says("a", "one"))
    running = start(**_behind(company))
    ca = next((tmp_path / "home").rglob("mitmproxy-ca-cert.pem"))
    trusting = ssl.create_default_context(cafile=str(ca))
    with closing(
        http.client.HTTPSConnection("localhost", running.port, context=trusting)
    ) as client:
        client.request(
            "POST",
            f"{urlsplit(running.url).path}{path()}",
            prompt("a"),
            {"Content-Type": "application/json"},
        )
        assert client.getresponse().status == 200
    assert company.targets == {f"localhost:{upstream.port}"}


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_a_host_that_is_excluded_is_asked_directly(
    mode: str, upstream: Upstream, company: CompanyProxy, start: Start
) -> None:
    upstream.add(_says("a", "one"))
    running = start("--mode", mode, **_behind(company, no_proxy="elsewhere,localhost"))
    said = _ask(running.url, "a") if mode == "reverse" else _ask_forward(running, upstream, "a")
    assert (said, company.asked) == ("one", [])
    assert "recorded 1 interaction" in running.stop()


def test_forward_mode_goes_through_the_proxy(
    upstream: Upstream, company: CompanyProxy, start: Start, tmp_path: Path
) -> None:
    upstream.add(_says("a", "one"))
    running = start("--mode", "forward", **_behind(company))
    assert _ask_forward(running, upstream, "a") == "one"
    assert company.targets == {f"localhost:{upstream.port}"}
    assert not upstream.failures
    said = running.stop()
    assert "recorded 1 interaction" in said
    _holds_no_login(tmp_path, said, *running.told, *running.exports.values())


def test_what_forward_mode_does_not_record_goes_through_the_proxy_too(
    upstream: Upstream, company: CompanyProxy, start: Start
) -> None:
    """A blind tunnel: the other end's own certificate is seen."""
    running = start("--mode", "forward", **_behind(company))
    with closing(running.tunnel("s3.us-east-1.amazonaws.com", ca=str(upstream.ca))) as client:
        client.request("POST", "/bucket", b"x")
        assert client.getresponse().status == 403  # the upstream's own word: it is not signed
    assert upstream.requests[-1].target == "/bucket"
    assert company.targets == {"s3.us-east-1.amazonaws.com:443"}
    assert "recorded 0 interactions" in running.stop()


def test_a_proxy_that_refuses_is_no_answer_of_bedrocks(
    upstream: Upstream, company: CompanyProxy, start: Start, tmp_path: Path
) -> None:
    running = start(**_behind(company, login="alice:s3cr3t-and-wrong"))
    with Http1(running.url) as client, pytest.raises(http.client.RemoteDisconnected):
        client.request("POST", path(), (("Content-Type", "application/json"),), prompt("a"))
    said = running.stop()
    assert "407" in said
    assert "recorded 0 interactions" in said
    assert "s3cr3t" not in said
    assert company.asked != []
    assert upstream.requests == []


def test_without_an_upstream_bedrocks_own_host_is_asked_for(
    recorder: Path, upstream: Upstream, company: CompanyProxy, tmp_path: Path
) -> None:
    """No name is looked up here: the proxy does that."""
    upstream.add(_says("a", "one"))
    code = (
        "import json, os, urllib.request as u\n"
        "request = u.Request(os.environ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] + "
        f"{path()!r}, {prompt('a')!r}, {{'Content-Type': 'application/json'}})\n"
        "print(json.load(u.urlopen(request))['stopReason'])\n"
    )
    ended = run_program(
        [
            recorder / "bedtape",
            "record",
            "--to",
            tmp_path / "tapes",
            "--",
            sys.executable,
            "-c",
            code,
        ],
        environment(upstream, tmp_path, **_behind(company)),
    )
    assert (ended.returncode, ended.stdout) == (0, "end_turn\n"), ended.stderr
    assert company.targets == {f"{RUNTIME}:443"}
    assert not upstream.failures


def _verified(
    recorder: Path, upstream: Upstream, tapes: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    return run_program(
        command(recorder, upstream, tapes, "--verify"), environment(upstream, tapes.parent, **more)
    )


def test_verify_goes_through_the_proxy(
    recorder: Path, upstream: Upstream, company: CompanyProxy, tmp_path: Path
) -> None:
    upstream.add(_says("a", "other"))
    folders.write(tmp_path / "tapes", Cassette("a", (converse("a", "one"),)))
    ended = _verified(recorder, upstream, tmp_path / "tapes", **_behind(company))
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert company.targets == {f"localhost:{upstream.port}"}
    asked = len(company.asked)
    ended = _verified(
        recorder, upstream, tmp_path / "tapes", **_behind(company, no_proxy="localhost")
    )
    assert (ended.returncode, ended.stdout, len(company.asked)) == (0, "", asked), ended.stderr
    ended = _verified(
        recorder, upstream, tmp_path / "tapes", **_behind(company, login="alice:s3cr3t-and-wrong")
    )
    assert ended.returncode == 2
    assert "could not be sent again" in ended.stderr
    assert "s3cr3t" not in ended.stderr + ended.stdout


def test_a_proxy_that_cannot_be_used_is_one_line(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    variables = environment(
        upstream, tmp_path, HTTPS_PROXY="socks5://u:s3cr3t@corp:1080", https_proxy="socks5://corp"
    )
    told = command(recorder, upstream, tmp_path / "tapes")
    ended = subprocess.run(
        told, env=variables, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("bedtape: https_proxy: expected http://HOST:PORT")
