"""What every framework's tests have: the fixture `bedrock` as a user has it, and the clients' verdict.

These tests are run by `make test-matrix`, each file in an environment of its own, which names the file: here they are
not collected, for no one environment holds all frameworks.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeAlias

import pytest

from bedtape_replayer import Bedrock
from bedtape_replayer.overlay.keywords import FaultDict

collect_ignore_glob = ["test_*.py"]

# LiteLLM fetches a list of prices when it is imported, before any fixture could forbid it.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# Frameworks that tell their makers how they are used.
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
