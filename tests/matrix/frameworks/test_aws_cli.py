"""The AWS CLI, as a program. It has no commands for operations that stream."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_replayer import Bedrock

MODELS = {
    "claude": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "us.amazon.nova-lite-v1:0",
}
TEXT = ("--query", "output.message.content[0].text", "--output", "text")


def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "awscli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read_output(*arguments: str) -> str:
    """Runs a command that must succeed, and returns its output."""
    done = aws(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def converse(model: str, prompt: str, *more: str) -> tuple[str, ...]:
    messages = json.dumps([{"role": "user", "content": [{"text": prompt}]}])
    return ("bedrock-runtime", "converse", "--model-id", model, "--messages", messages, *more)


@pytest.mark.parametrize("which", MODELS)
def test_chat(which: str, bedrock: Bedrock) -> None:
    bedrock.respond("the weather", text="It rains in Oslo.")
    assert read_output(*converse(MODELS[which], "the weather", *TEXT)) == "It rains in Oslo."
    bedrock.assert_called("the weather", times=1, operation="Converse")


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Bedrock) -> None:
    bedrock.respond("the weather", tool={"name": "get_weather", "input": {"city": "Oslo"}})
    schema = {"json": {"type": "object", "properties": {"city": {"type": "string"}}}}
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": schema}}]}
    offer = ("--tool-config", json.dumps(tools))
    answer = json.loads(read_output(*converse(MODELS[which], "the weather", *offer)))
    assert answer["stopReason"] == "tool_use"
    (block,) = answer["output"]["message"]["content"]
    assert block["toolUse"]["input"] == {"city": "Oslo"}
    bedrock.assert_called("the weather", times=1, tools=["get_weather"])


def test_invoke(bedrock: Bedrock, tmp_path: Path) -> None:
    bedrock.respond("the weather", text="It rains in Oslo.")
    request = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "the weather"}],
    }
    answer = _invoke(MODELS["claude"], request, tmp_path)
    assert answer["content"] == [{"type": "text", "text": "It rains in Oslo."}]


def test_embeddings(bedrock: Bedrock, tmp_path: Path) -> None:
    bedrock.respond("Oslo", embedding=[0.25, 0.5])
    answer = _invoke("amazon.titan-embed-text-v2:0", {"inputText": "Oslo"}, tmp_path)
    assert answer["embedding"] == [0.25, 0.5]


def _invoke(model: str, request: object, folder: Path) -> dict[str, object]:
    (folder / "request.json").write_text(json.dumps(request))
    body = ("--body", f"fileb://{folder}/request.json", str(folder / "answer.json"))
    read_output("bedrock-runtime", "invoke-model", "--model-id", model, *body)
    answer: dict[str, object] = json.loads((folder / "answer.json").read_text())
    return answer


def test_retrieve(bedrock: Bedrock) -> None:
    bedrock.respond("the weather", passages=[{"text": "It rains in Oslo."}])
    query = ("--knowledge-base-id", "KB12345678", "--retrieval-query", '{"text": "the weather"}')
    answer = json.loads(read_output("bedrock-agent-runtime", "retrieve", *query))
    assert [each["content"]["text"] for each in answer["retrievalResults"]] == ["It rains in Oslo."]


def test_retries(bedrock: Bedrock) -> None:
    bedrock.respond("the weather", text="It rains in Oslo.")
    bedrock.fail("ThrottlingException", times=1)
    assert read_output(*converse(MODELS["nova"], "the weather", *TEXT)) == "It rains in Oslo."
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


def test_errors(bedrock: Bedrock) -> None:
    """The CLI prints the error's name, and returns another code than 0 after one call."""
    bedrock.fail("ValidationException")
    done = aws(*converse(MODELS["nova"], "the weather"))
    assert done.returncode != 0
    assert "(ValidationException) when calling the Converse operation" in done.stderr
    assert [call.status for call in bedrock.calls] == [400]


def ask() -> str:
    return read_output(*converse(MODELS["nova"], "Where does it rain?", *TEXT))


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask) == "It rains in Oslo."
