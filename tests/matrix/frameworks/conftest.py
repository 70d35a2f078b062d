"""What every framework's tests have: the fixture `bedrock` as a user has it, and the clients' verdict.

These tests are run by `make test-matrix`, each file in an environment of its own, which names the file: here they are
not collected, for no one environment holds all frameworks.
"""

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
from bedtape_replayer.overlay.keywords import FaultDict

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


# What can go wrong, as the faults of one test.
TROUBLES: dict[str, list[FaultDict]] = {
    "throttled": [{"error": "ThrottlingException", "times": 2}],
    "told to wait": [{"error": "ThrottlingException", "times": 1, "retry_after_ms": 800}],
    "unavailable": [{"error": "ServiceUnavailableException", "times": 1}],
    "timed out": [{"error": "ModelTimeoutException", "times": 1}],
    "refused, then throttled": [
        {"error": "ValidationException", "times": 1},
        {"error": "ThrottlingException", "times": 1},
    ],
    "throttled in a stream": [{"error": "ThrottlingException", "after_events": 4, "times": 1}],
    "truncated": [{"truncate": {"after_events": 4}, "times": 1}],
    "reset": [{"reset": {"after_events": 4}, "times": 1}],
}
Trouble: TypeAlias = Callable[..., None]


@pytest.fixture(params=TROUBLES)
def trouble(bedrock: Bedrock, request: pytest.FixtureRequest) -> Trouble:
    """Makes each call twice in trouble, because a second call with the same request is no retry.

    A call may raise. In the end, the default configuration of the client must have done nothing wrong.
    """

    def call_in_trouble(*calls: Callable[[], object]) -> None:
        for call in calls:
            for fault in TROUBLES[request.param]:
                bedrock.fault(**fault)
            for _ in range(2):
                with suppress(Exception):
                    call()
        assert len(bedrock.calls) >= 2 * len(calls)

    bedrock.respond(text="Cassettes replay the same answer every time, so a failing test means a change.")
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
    """Runs a function of the test's file as a program under `bedtape run`, and returns the last line of its output.

    The answer to every call is "It rains in Oslo."
    """

    def run(function: Callable[[], str]) -> str:
        (tmp_path / "overlay.yaml").write_text(_RULE)
        program = f"import {Path(inspect.getfile(function)).stem} as file; print(file.{function.__name__}())"
        bedtape = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "run"]
        command = [*bedtape, "--overlay", "overlay.yaml", "--", sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]  # frameworks may print before it

    return run
