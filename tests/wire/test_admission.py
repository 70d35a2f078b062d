"""Requests of web pages and for foreign names are refused on every path, and
leave no trace in a history.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from support import WAIT, folders
from support.client import Http1, Http2
from support.recordings import converse, path, prompt

JSON = ("Content-Type", "application/json")
PATHS = [
    ("POST", path(), prompt("a")),
    ("GET", "/_bedtape/health", b""),
    ("GET", "/_bedtape/", b""),
]


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    folders.write(tmp_path, Cassette("a", (converse("a", "one"),)))
    with Replayer(tmp_path) as server:
        yield server


def _status(
    bedrock: Replayer, method: str, target: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", bedrock.port, timeout=WAIT)) as client:
        client.putrequest(method, target, skip_host=True)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            client.putheader(name, value)
        client.endheaders(body or None)
        response = client.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize(("method", "target", "body"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost", "Origin": "https://evil.example"},
        {"Host": "localhost", "Origin": "null"},
        {"Host": "localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_strangers_are_refused(
    method: str, target: str, body: bytes, headers: dict[str, str], bedrock: Replayer
) -> None:
    # accepted before and after, so that no refusal depends on what is remembered
    for sent, wanted in (
        ({"Host": "localhost"}, 200),
        (headers, 403),
        ({"Host": "localhost"}, 200),
    ):
        status, told = _status(bedrock, method, target, body, sent)
        assert status == wanted
    status, told = _status(bedrock, method, target, body, headers)
    assert json.loads(told)["error"].startswith("expected ")
    assert len(bedrock.calls) == (2 if method == "POST" else 0)


def test_a_refused_head_request_leaves_the_connection_usable(bedrock: Replayer) -> None:
    with Http1(bedrock.url) as client:
        refused = client.request("HEAD", "/_bedtape/", (("Origin", "https://evil.example"),))
        assert (refused.status, refused.body) == (403, b"")
        assert client.request("POST", path(), (JSON,), prompt("a")).status == 200


def test_over_http2_too(bedrock: Replayer) -> None:
    with Http2(bedrock.url) as client:
        assert (
            client.request(
                "POST", path(), (JSON, ("Origin", "https://evil.example")), prompt("a")
            ).status
            == 403
        )
        assert client.request("POST", path(), (JSON,), prompt("a")).status == 200
        client.authority = "evil.example"
        assert client.request("POST", path(), (JSON,), prompt("a")).status == 403
    assert len(bedrock.calls) == 1


def test_the_servers_own_page_may_ask(bedrock: Replayer) -> None:
    headers = {"Host": f"localhost:{bedrock.port}", "Origin": f"http://localhost:{bedrock.port}"}
    assert (
        _status(
            bedrock, "GET", "/_bedtape/health", b"", headers | {"Sec-Fetch-Site": "same-origin"}
        )[0]
        == 200
    )


def test_a_server_for_other_machines_accepts_every_name_and_has_no_control_api(
    tmp_path: Path,
) -> None:
    folders.write(tmp_path, Cassette("a", (converse("a", "one"),)))
    with Replayer(tmp_path, host="0.0.0.0") as bedrock:
        for host in ("bedtape:4566", "localhost"):
            assert _status(bedrock, "POST", path(), prompt("a"), {"Host": host})[0] == 200
            assert _status(bedrock, "GET", "/_bedtape/health", b"", {"Host": host})[0] == 200
            assert _status(bedrock, "POST", "/_bedtape/reset", b"", {"Host": host})[0] == 403
        page = {"Host": "bedtape:4566", "Origin": "https://evil.example"}
        assert _status(bedrock, "POST", path(), prompt("a"), page)[0] == 403
