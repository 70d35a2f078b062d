"""The AWS SDK for Go reads the answers of rules for the services around the
models, in the program in `go`.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bedtape_cassettes.addresses import isolate_environment
from bedtape_replayer import Replayer

HERE = Path(__file__).parent / "go"


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the first run compiles the clients, which takes a minute of CPU
def test_the_sdk_for_go_reads_rules() -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: install Go 1.24 or later")
    environ = {**os.environ, "GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    with Replayer(()) as server:
        server.respond("hours", passages=[{"text": "Nine to five.", "source": "s3://a/b"}])
        server.respond("agent", text="Hello.")
        server.respond("runtime", json={"answer": 1})
        server.respond(operation="ListGuardrails", output={"guardrails": []})
        server.respond(operation="GetAgent", output={"agent": {"agentName": "helper"}})
        server.respond(operation="GetAgentRuntime", output={"agentRuntimeName": "helper"})
        command = [go, "test", "-count=1", "./..."]
        pointed = isolate_environment(environ, server.url)
        ended = subprocess.run(
            command, cwd=HERE, env=pointed, capture_output=True, text=True, check=False
        )
        output = ended.stdout + ended.stderr
        if re.search(
            "module lookup disabled by GOPROXY=off|requires go >= |module requires Go ", output
        ):
            pytest.skip("the SDK for Go is not downloaded, or needs a newer Go: `make go`")
        assert ended.returncode == 0, output
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
