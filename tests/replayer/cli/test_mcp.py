"""`bedtape mcp` over stdio, with the client of the library mcp, beside a server that replays."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.api.session_routes import ROUTES
from bedtape_replayer.cli.mcp import TOOLS, describe_tool
from support import WAIT
from support.boto import boto3_client

needs_mcp = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None, reason="mcp is not installed: `make test` installs it"
)
CODE = "from bedtape_cassettes.cli.main import main; main()"
# A process of its own, because the library warns of its own deprecations.
CLIENT = """
import asyncio, json, os, sys
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

async def main():
    code, url, calls = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    arguments = ["-c", code, "mcp", "--url", url]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        results = [await client.call_tool(name, given) for name, given in calls]
    answers = [[not result.is_error, result.content[0].text] for result in results]
    print(json.dumps({"tools": [tool.name for tool in tools], "answers": answers}))

asyncio.run(main())
"""


def _use(url: str, calls: Sequence[tuple[str, dict[str, Any]]], **environ: str) -> dict[str, Any]:
    command = [sys.executable, "-c", CLIENT, CODE, url, json.dumps(calls)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=WAIT,
        env={**os.environ, **environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _answers(url: str, *calls: tuple[str, dict[str, Any]], **environ: str) -> list[Any]:
    """The answers of the tools as JSON, or as text if they are errors."""
    answers = _use(url, calls, **environ)["answers"]
    return [json.loads(text) if done else text for done, text in answers]


@needs_mcp
@pytest.mark.slow
def test_an_agent_finds_a_miss_adds_a_rule_and_a_fault_and_sees_their_calls(tmp_path: Path) -> None:
    with Replayer(store.samples()) as server:
        session = server.session("agent one")
        with pytest.raises(Exception, match="No recording answers"):
            _ask(session.url, "unknown")
        misses, rule, fault = _answers(
            server.url,
            ("list_misses", {"session": "agent one"}),
            ("add_rule", {"session": "agent one", "body": {"answer": {"text": "known"}}}),
            (
                "add_fault",
                {"session": "agent one", "body": {"error": "ThrottlingException", "times": 1}},
            ),
        )
        assert [call["number"] for call in misses["calls"]] == [1]
        assert "No recording answers" in misses["calls"][0]["miss"]
        assert (rule["name"], fault["name"]) == ("rule-1", "fault-1")
        assert _ask(session.url, "unknown") == "known"  # boto3 tries again after the fault
        calls, call, layers, asserted, removed, unused, sessions = _answers(
            server.url,
            ("list_calls", {"session": "agent one", "prompt_contains": "unknown", "limit": 2}),
            ("explain_call", {"session": "agent one", "call": 1}),
            ("list_layers", {"session": "agent one"}),
            ("assert_calls", {"session": "agent one", "body": {"called": {"times": 3}}}),
            ("remove_layer", {"session": "agent one", "layer": "rule-1"}),
            ("list_unused", {"session": "agent one"}),
            ("list_sessions", {}),
        )
        assert [each["status"] for each in calls["calls"]] == [429, 200]
        assert call["source"] == "miss"
        assert layers["rules"][0]["fired"] == 1
        assert asserted == {"passed": True, "report": None}
        assert (removed, unused) == ({"status": "ok"}, [])
        assert "agent one" in [each["name"] for each in sessions]
        cassettes, shown = _answers(
            server.url, ("list_cassettes", {}), ("show_cassette", {"cassette": "hello"})
        )
        assert "hello" in [each["name"] for each in cassettes]
        assert shown[0]["request"]["method"] == "POST"


def _ask(url: str, text: str) -> str:
    client = boto3_client(url)
    messages = [{"role": "user", "content": [{"text": text}]}]
    answer = client.converse(modelId="us.amazon.nova-lite-v1:0", messages=messages)
    result: str = answer["output"]["message"]["content"][0]["text"]
    return result


@needs_mcp
@pytest.mark.slow
def test_what_is_wrong_is_an_error_that_contains_the_fix() -> None:
    calls = [
        ("add_rule", {"body": {"anwser": {"text": "x"}}}),
        ("add_rule", {}),
        ("list_calls", {"limt": 1}),
        ("no_such_tool", {}),
        ("accept_call", {"call": 1, "body": {"cassette": "hello"}}),
    ]
    with Replayer(()) as server:
        answers = _use(server.url, calls)["answers"]
        address = server.url
    assert [done for done, _ in answers] == [False] * 5
    expected = ("anwser", "missing: ['body']", "unknown: ['limt']", "expected one of", "error")
    assert all(part in text for part, (_, text) in zip(expected, answers, strict=True)), answers
    (stopped,) = _answers(address, ("list_sessions", {}))
    assert "no server answers at 127.0.0.1" in stopped
    assert "start bedtape replay" in stopped


@needs_mcp
@pytest.mark.slow
def test_the_token_of_the_server_is_needed(tmp_path: Path) -> None:
    token = "a-token-of-16-characters"
    command = [sys.executable, "-c", CODE, "replay", "--port", "0", "--control-token", token]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().rpartition(" ")[2].strip()
            (refused,) = _answers(url, ("list_sessions", {}), BEDTAPE_CONTROL_TOKEN="")
            (listed,) = _answers(url, ("list_sessions", {}), BEDTAPE_CONTROL_TOKEN=token)
        finally:
            server.terminate()
    assert "expected the control token" in refused
    assert isinstance(listed, list)


@pytest.mark.parametrize(
    "url", ["http://bedrock.example:4566", "https://127.0.0.1:4566", "127.0.0.1", "http://[", ""]
)
def test_only_a_server_of_this_machine_is_used(url: str) -> None:
    command = [sys.executable, "-c", CODE, "mcp", f"--url={url or 'file:///x'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 2
    assert "expected http:// and a server on this machine" in done.stderr


def test_without_the_library_the_message_contains_the_extra(tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ImportError")
    environ = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    command = [sys.executable, "-c", CODE, "mcp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert (done.returncode, "pip install 'bedtape[mcp]'" in done.stderr) == (2, True)


def test_each_tool_is_a_route_and_its_description_is_short() -> None:
    """An agent reads all descriptions at the beginning of each conversation."""
    names = {route.name for route in ROUTES}
    assert {tool.route for tool in TOOLS} <= names
    described = [describe_tool(tool) for tool in TOOLS]
    assert len({each["name"] for each in described}) == len(TOOLS)
    assert len(json.dumps(described)) < 30_000
    for tool, each in zip(TOOLS, described, strict=True):
        route = next(route for route in ROUTES if route.name == tool.route)
        assert bool(tool.body) is (route.takes is not None), tool.name
        assert each["inputSchema"]["required"] == [
            name for name in ("call", "cassette", "layer") if f"{{{name}}}" in route.path
        ] + (["body"] if tool.body else [])
