"""What every framework's tests have: a session of its own, and the environment that points unmodified code at it.

These tests are run by `make test-matrix`, each file in an environment of its own, which names the file: here they are
not collected, for no one environment holds all frameworks.
"""

import os
from collections.abc import Iterator

import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session

collect_ignore_glob = ["test_*.py"]

# LiteLLM fetches a list of prices when it is imported, before any fixture could forbid it.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# Frameworks that tell their makers how they are used.
for _name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "OTEL_SDK_DISABLED"):
    os.environ[_name] = "true" if _name.startswith("OTEL") else "false"


@pytest.fixture(scope="session")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session that the environment points at, as a user's would. No client may have done wrong in the end."""
    session = server.session(request.node.name)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    for name in ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_BEDROCK_RUNTIME_ENDPOINT", "ANTHROPIC_BEDROCK_BASE_URL"):
        monkeypatch.setenv(name, session.url)
    yield session
    assert session.verdict == ()
    assert not [str(call) for call in session.calls if call.source == "miss"]
