"""What every framework's tests have: the fixture `bedrock` as a user has it,
and the clients' verdict.

These tests are run by `make test-matrix`, each file in an environment of its own, which names the
file: here they are not collected, for no one environment holds all frameworks.
"""

import gc
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from bedtape_replayer import Bedrock
from support.troubles import TROUBLES

collect_ignore_glob = ["test_*.py"]

# LiteLLM fetches a list of prices when it is imported, before any fixture could forbid it.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# As AWS's guide tells users of OpenAI's and Anthropic's clients.
os.environ["OPENAI_BASE_URL"] = "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"
os.environ["ANTHROPIC_BASE_URL"] = "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic"
# Frameworks that tell their makers how they are used.
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
for _name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "OTEL_SDK_DISABLED"):
    os.environ[_name] = "true" if _name.startswith("OTEL") else "false"


Trouble: TypeAlias = Callable[..., None]


@pytest.fixture(
    params=[
        ("amazon.titan-embed-text-v2:0", 1024),
        ("cohere.embed-v4:0", 1536),
        ("amazon.nova-2-multimodal-embeddings-v1:0", 3072),
    ],
    ids=["titan", "cohere", "nova"],
)
def embedding_model(request: pytest.FixtureRequest) -> tuple[str, int]:
    """A model for embeddings of each family, and the dimension of its vectors."""
    model: tuple[str, int] = request.param
    return model


@pytest.fixture(params=TROUBLES)
def trouble(bedrock: Bedrock, request: pytest.FixtureRequest) -> Trouble:
    """Makes each call twice in trouble, because a second call with the same request is no retry.

    A call may raise. In the end, the default configuration of the client must
    have done nothing wrong.
    """

    def call_in_trouble(*calls: Callable[[], object]) -> None:
        # A client leaves a broken stream to the collector, which closes it. If the collector runs
        # while httpcore holds the lock of its pool, closing waits for this lock for ever.
        gc.disable()
        try:
            for call in calls:
                for fault in TROUBLES[request.param]:
                    bedrock.fault(**fault)
                for _ in range(2):
                    with suppress(Exception):
                        call()
        finally:
            gc.enable()
            gc.collect()
        # A reset can reach the client after a complete answer. Its next call then fails on the
        # connection, and is not sent.
        assert len(bedrock.calls) >= len(calls)

    bedrock.respond(
        text="Cassettes replay the same answer every time, so a failing test means a change."
    )
    return call_in_trouble


@pytest.fixture
def bedrock(bedrock: Bedrock) -> Iterator[Bedrock]:
    """The plugin's fixture, with nothing set by hand. No client may have done wrong in the end."""
    yield bedrock
    assert bedrock.verdict == ()


RunProgram: TypeAlias = Callable[[Callable[[], str]], str]
_RULE = "bedtape-overlay: 1\nrules: [{answer: {text: It rains in Oslo.}}]\n"


@pytest.fixture
def run_program(tmp_path: Path) -> RunProgram:
    """Runs a function of the test's file as a program under `bedtape run`, and returns the
    last line of its output.

    The answer to every call is "It rains in Oslo."
    """

    def run(function: Callable[[], str]) -> str:
        (tmp_path / "overlay.yaml").write_text(_RULE)
        program = (
            f"import {Path(inspect.getfile(function)).stem} as file;"
            f" print(file.{function.__name__}())"
        )
        bedtape = [
            sys.executable,
            "-c",
            "from bedtape_cassettes.cli.main import main; main()",
            "run",
        ]
        command = [*bedtape, "--overlay", "overlay.yaml", "--", sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]  # frameworks may print before it

    return run
