"""A team's server: tests that share a server over HTTP, each with a session of its own.

TEAM_SERVER is the URL of the server. Without it, the tests start a server of their own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import boto3
import pytest

Send = Callable[[str, str, object], Any]


def answer(question: str) -> str:
    """The program that is tested."""
    message: dict[str, Any] = {"role": "user", "content": [{"text": question}]}
    client = boto3.client("bedrock-runtime")
    output = client.converse(modelId="us.amazon.nova-lite-v1:0", messages=[message])["output"]
    return str(output["message"]["content"][0]["text"])


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of the team's server."""
    if url := os.environ.get("TEAM_SERVER"):
        yield url
        return
    command = [Path(sys.executable).with_name("bedtape"), "replay", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def session(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Send]:
    """A session of the server. boto3 uses it, and the test adds rules and asserts with it."""
    name = quote(request.node.name, safe="")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"{server}/s/{name}")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def send(method: str, path: str, value: object = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        url = f"{server}/_bedtape/sessions/{name}{path}"
        with urlopen(Request(url, data, method=method)) as reply:
            return json.load(reply)

    yield send
    summary = send("GET", "/summary")
    send("DELETE", "")
    assert not summary["problems"], "\n".join(summary["problems"])


@pytest.mark.parametrize("city", ["Oslo", "Rome"])
def test_each_test_has_its_own_rules(session: Send, city: str) -> None:
    session("POST", "/rules", {"answer": {"text": f"It rains in {city}."}})
    assert answer("How is the weather?") == f"It rains in {city}."
    called = {"called": {"prompt_contains": "weather", "times": 1}}
    assert session("POST", "/assert", called)["passed"]


def test_a_throttled_call_is_sent_again(session: Send) -> None:
    session("POST", "/faults", {"error": "ThrottlingException", "times": 1})
    session("POST", "/rules", {"answer": {"text": "Sunny."}})
    assert answer("How is the weather?") == "Sunny."
