"""The AWS SDK for Go reads the answers of rules for the services around the
models, in the program in `go`.
"""

import os
from pathlib import Path

import pytest

from bedtape_cassettes.addresses import isolate_environment
from bedtape_replayer import Replayer
from support.toolchains import GO_TEST, compiles, run_offline

HERE = Path(__file__).parent / "go"


@pytest.mark.slow
@compiles
def test_the_sdk_for_go_reads_rules() -> None:
    with Replayer(()) as server:
        server.respond("hours", passages=[{"text": "Nine to five.", "source": "s3://a/b"}])
        server.respond("agent", text="Hello.")
        server.respond("runtime", json={"answer": 1})
        server.respond(operation="ListGuardrails", output={"guardrails": []})
        server.respond(operation="GetAgent", output={"agent": {"agentName": "helper"}})
        server.respond(operation="GetAgentRuntime", output={"agentRuntimeName": "helper"})
        ended = run_offline(GO_TEST, HERE, isolate_environment(os.environ, server.url))
        assert ended.returncode == 0, ended.stdout + ended.stderr
        called = sorted(str(call.operation) for call in server.calls)
    around = [
        "GetAgent",
        "GetAgentRuntime",
        "InvokeAgent",
        "InvokeAgentRuntime",
        "ListGuardrails",
        "Retrieve",
    ]
    assert called == around
