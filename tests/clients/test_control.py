"""The control API over the wire, asked by what every language has: http.client,
HTTP/2, and fetch in Node.js.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from support import WAIT
from support.boto import boto3_client
from support.client import Http1, Http2
from support.folders import write
from support.recordings import MODEL, converse

JAVASCRIPT = Path(__file__).parent / "javascript"
JSON = {"content-type": "application/json"}


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    write(tmp_path, Cassette("recorded", (converse("hello", "from the cassette"),)))
    with Replayer(tmp_path) as running:
        yield running


def ask(
    bedrock: Replayer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    """What a plain client gets: the status, and the JSON."""
    connection = HTTPConnection("127.0.0.1", bedrock.port, timeout=WAIT)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, f"/_bedtape{path}", data, {**JSON, **headers})
        response = connection.getresponse()
        assert response.headers["content-type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def said(url: str, text: str) -> str:
    messages: Any = [{"role": "user", "content": [{"text": text}]}]
    client = boto3_client(url, retries={"total_max_attempts": 1})
    answer = client.converse(modelId=MODEL, messages=messages)
    return answer["output"]["message"]["content"][0]["text"]


def test_a_test_in_any_language(bedrock: Replayer) -> None:
    url, own = bedrock.session_url("tests/refund"), "/sessions/tests%2Frefund"
    rule = {"when": {"prompt_contains": "spam"}, "answer": {"text": "ham"}, "times": 1}
    assert ask(bedrock, "POST", f"{own}/rules", rule) == (
        200,
        {**rule, "name": "rule-1", "fired": 0},
    )
    assert (
        ask(bedrock, "POST", f"{own}/faults", {"error": "ThrottlingException", "times": 1})[0]
        == 200
    )
    with pytest.raises(ClientError, match="ThrottlingException"):
        said(url, "spam")
    assert said(url, "spam") == "ham"
    assert said(url, "hello") == "from the cassette"
    calls = ask(bedrock, "GET", f"{own}/calls")[1]["calls"]
    assert [(call["by"], call["error"]) for call in calls[:2]] == [
        ("fault-1", "ThrottlingException"),
        ("rule-1", None),
    ]
    assert calls[2]["source"] == "cassette"
    assert ask(bedrock, "POST", f"{own}/assert", {"called": {"times": 3}}) == (
        200,
        {"passed": True, "report": None},
    )
    assert ask(bedrock, "POST", f"{own}/reset")[1]["calls"] == 0
    assert ask(bedrock, "GET", f"{own}/overlay")[1] == {
        "seed": 0,
        "ids": "equal",
        "simulate": {},
        "rules": [],
        "faults": [],
    }


def test_to_ask_is_no_call(bedrock: Replayer) -> None:
    """Neither in a session's history, nor in its count of calls, nor as a session of its own."""
    for _ in range(3):
        ask(bedrock, "GET", "/health")
        ask(bedrock, "GET", "/sessions/nobody/calls")
        ask(bedrock, "GET", "/nosuch", **{"x-bedtape-session": "headers-name-one"})
    assert ask(bedrock, "GET", "/sessions") == (200, [])
    said(bedrock.url, "hello")
    assert [call.number for call in bedrock.calls] == [1]
    assert [session["name"] for session in ask(bedrock, "GET", "/sessions")[1]] == ["default"]


def test_other_paths_that_begin_so_are_calls_that_miss(bedrock: Replayer) -> None:
    with Http1(bedrock.url) as http:
        answer = http.request("GET", "/_other")
    assert (answer.status, answer.header("x-amzn-errortype")) == (400, "CassetteMissException")
    assert [call.path for call in bedrock.calls] == ["/_other"]


@pytest.mark.parametrize("client", [Http1, Http2])
def test_both_protocols(client: type[Http1] | type[Http2], bedrock: Replayer) -> None:
    with client(bedrock.url) as http:
        whole = http.request("GET", "/_bedtape/health")
        head = http.request("HEAD", "/_bedtape/health")
        after = http.request("GET", "/_bedtape/health")  # the connection is in step
        wrong = http.request("PUT", "/_bedtape/health")
    assert (whole.status, after.status, after.body) == (200, 200, whole.body)
    assert json.loads(whole.body)["cassettes"] == 1
    assert (head.status, head.body, head.header("content-length")) == (
        200,
        b"",
        str(len(whole.body)),
    )
    assert (wrong.status, wrong.header("allow")) == (405, "GET, HEAD")
    assert whole.header("cache-control") == "no-store"


@pytest.mark.parametrize("host", ["evil.com", "127.0.0.1.evil.com:80", "192.168.0.1"])
def test_a_foreign_host_is_refused_on_both_protocols(host: str, bedrock: Replayer) -> None:
    status, told = ask(bedrock, "POST", "/reset", Host=host)
    assert (status, told["error"].startswith(f"expected a Host on loopback, found '{host}'")) == (
        403,
        True,
    )
    with Http2(bedrock.url) as http:
        http.authority = host
        assert http.request("POST", "/_bedtape/reset").status == 403


def test_pages_of_other_sites_are_refused(bedrock: Replayer) -> None:
    """As a browser sends a form, or fetch without CORS: it reaches the server,
    and must do nothing there.
    """
    bedrock.respond(text="mine")
    page = {"Origin": "https://evil.com", "Content-Type": "text/plain"}
    assert ask(bedrock, "POST", "/reset", **page)[0] == 403
    assert ask(bedrock, "DELETE", "/sessions/default", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert said(bedrock.url, "hello") == "mine"


def test_fetch_in_node(bedrock: Replayer) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: it takes Node.js 20 or later")
    if not (JAVASCRIPT / "node_modules" / "@aws-sdk" / "client-bedrock-runtime").is_dir():
        pytest.skip("the AWS SDK for JavaScript is not installed: `make test`")
    told = json.dumps({"server": bedrock.url, "session": "tests/in node", "model": MODEL})
    command = [node, str(JAVASCRIPT / "control.mjs")]
    ended = subprocess.run(
        command, input=told, capture_output=True, encoding="utf-8", timeout=WAIT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    given = json.loads(ended.stdout)
    assert (given["rule"]["name"], given["fault"]["name"]) == ("rule-1", "fault-1")
    assert json.loads(given["said"]) == {"label": "spam"}
    assert [call["attempt"] for call in given["calls"]["calls"]] == [1, 2]
    assert {call["session"] for call in given["calls"]["calls"]} == {"tests/in node"}
    assert given["passed"] == {"status": 200, "passed": True, "report": None}
    assert given["failed"]["passed"] is False
    assert "Expected no call" in given["failed"]["report"]
    assert given["refused"]["status"] == 400
    assert [problem["where"] for problem in given["refused"]["problems"]] == ["when.turn", "answer"]
    assert given["gone"]["status"] == "ok"
