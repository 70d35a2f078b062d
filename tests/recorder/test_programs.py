"""`bedtape record -- PROGRAM` with the clients of OpenAI and Anthropic.

The program sets nothing, and the recorder is in an environment of its own, as mitmproxy needs it.
"""

import sys
from pathlib import Path

import pytest

from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support.commands import run_program
from support.inference_apis import SAID, read_bytes, record
from support.recorder import command, environment
from support.upstream import BEARER_TOKEN, Answer, Upstream

PROGRAM = """
from anthropic import Anthropic
from openai import OpenAI

with OpenAI() as client:
    messages = [{"role": "user", "content": "Weather in Oslo?"}]
    whole = client.chat.completions.create(model="openai.gpt-oss-20b", messages=messages)
    print(whole.choices[0].message.content)
    pieces = client.chat.completions.create(model="openai.gpt-oss-20b", messages=messages, stream=True)
    print("".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices))
    print(client.responses.create(model="openai.gpt-oss-20b", input="Weather in Oslo?").output_text)
with Anthropic() as client:
    message = client.messages.create(model="anthropic.claude-haiku-4-5", max_tokens=99, messages=messages)
    print(message.content[0].text)
"""
SERVICES = {
    "bedrock-runtime": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "bedrock-mantle": "https://bedrock-mantle.us-east-1.api.aws",
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_program_is_recorded_as_it_is(
    recorder: Path, upstream: Upstream, tmp_path: Path, service: str
) -> None:
    """The user has set the base URLs and a Bedrock API key, as the program
    needs them without bedtape.
    """
    for name, path, stream in (
        ("Chat Completions", "/openai/v1/chat/completions", False),
        ("Chat Completions", "/openai/v1/chat/completions", True),
        ("Responses of gpt-oss", "/openai/v1/responses", False),
        ("Messages", "/anthropic/v1/messages", False),
    ):
        response = record(name, stream=stream).response
        upstream.add(
            Answer(path, headers=response.headers, frames=(read_bytes(response),), streamed=stream)
        )
    base = SERVICES[service]
    own = {"OPENAI_BASE_URL": f"{base}/openai/v1", "ANTHROPIC_BASE_URL": f"{base}/anthropic"}
    keys = {"OPENAI_API_KEY": BEARER_TOKEN, "ANTHROPIC_API_KEY": BEARER_TOKEN}
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    tapes = tmp_path / "tapes"
    recording = command(recorder, upstream, tapes)
    done = run_program(
        [*recording, "--", sys.executable, program], environment(upstream, tmp_path, **own, **keys)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [SAID] * 4
    assert not upstream.failures
    assert {request.host.split(":")[0] for request in upstream.requests} == {
        base.removeprefix("https://")
    }
    (cassette,) = store.read([tapes])
    kept = service if service == "bedrock-runtime" else None
    assert [(each.operation, each.service) for each in cassette.interactions] == [
        ("ChatCompletions", kept),
        ("ChatCompletions", kept),
        ("Responses", kept),
        ("Messages", kept),
    ]
    assert BEARER_TOKEN.encode() not in b"".join(
        file.read_bytes() for file in tapes.rglob("*.yaml")
    )
    with Replayer(tapes) as bedrock:
        replayed = run_program(
            [sys.executable, program],
            {**environment(upstream, tmp_path), **keys, **_point(own, bedrock.url)},
        )
    assert (replayed.returncode, replayed.stdout) == (0, done.stdout), replayed.stderr


def _point(own: dict[str, str], url: str) -> dict[str, str]:
    return {name: url + "/" + value.split("/", 3)[3] for name, value in own.items()}
