"""The AWS SDK for JavaScript reads the answers of rules for the services around the models."""

import json
from typing import Any

import pytest

from bedtape_replayer import Replayer
from support.javascript import HERE, run_script

AGENT = {"agentId": "ABCDEFGHIJ", "agentAliasId": "TSTALIASID", "sessionId": "one"}


def call(service: str, client: str, command: str, input: Any, **more: str) -> dict[str, Any]:  # noqa: A002
    return {
        "service": service,
        "client": client,
        "command": f"{command}Command",
        "input": input,
        **more,
    }


def test_every_service_is_read() -> None:
    if not (HERE / "node_modules" / "@aws-sdk" / "client-bedrock-agent-runtime").exists():
        pytest.skip(
            "the clients of Bedrock's services are not installed: `npm ci --prefix"
            " tests/clients/javascript`"
        )
    runtime = ("bedrock-agent-runtime", "BedrockAgentRuntimeClient")
    inputs = [{"nodeName": "In", "nodeOutputName": "document", "content": {"document": "flow"}}]
    flow = {"flowIdentifier": "ABCDEFGHIJ", "flowAliasIdentifier": "TSTALIASID", "inputs": inputs}
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/abc-1234567890"
    payload = json.dumps({"prompt": "runtime"}).encode()
    calls = [
        call(
            *runtime,
            "Retrieve",
            {"knowledgeBaseId": "KB00000001", "retrievalQuery": {"text": "hours"}},
        ),
        call(*runtime, "InvokeAgent", {**AGENT, "inputText": "agent"}, stream="completion"),
        call(*runtime, "InvokeFlow", flow, stream="responseStream"),
        call("bedrock-agent", "BedrockAgentClient", "GetAgent", {"agentId": "ABCDEFGHIJ"}),
        call("bedrock", "BedrockClient", "ListGuardrails", {}),
        call(
            *("bedrock-agentcore", "BedrockAgentCoreClient", "InvokeAgentRuntime"),
            {"agentRuntimeArn": arn, "payload": payload},
            body="response",
        ),
    ]
    with Replayer(()) as server:
        server.respond(
            "hours", passages=[{"text": "Nine to five.", "source": "s3://a/b", "score": 0.5}]
        )
        server.respond("agent", text="Hello.")
        server.respond(
            operation="InvokeFlow",
            events=[
                {
                    "flowOutputEvent": {
                        "nodeName": "Out",
                        "nodeType": "FlowOutputNode",
                        "content": {"document": "a"},
                    }
                },
                {"throttlingException": {"message": "Too fast."}},
            ],
        )
        server.respond(
            operation="GetAgent",
            output={"agent": {"agentName": "helper", "createdAt": "2026-01-02"}},
        )
        server.respond(operation="ListGuardrails", output={})
        server.respond("runtime", json={"answer": 1})
        lines = run_script("services.mjs", {"endpoint": server.url, "calls": calls}).splitlines()
        answers = [json.loads(line) for line in lines]
        assert [each.source for each in server.calls] == ["rule"] * len(calls)
    retrieved, agent, flowed, got, listed, ran = answers
    (passage,) = retrieved["output"]["retrievalResults"]
    assert (passage["content"]["text"], passage["location"]["s3Location"]) == (
        "Nine to five.",
        {"uri": "s3://a/b"},
    )
    assert agent["events"] == [{"chunk": {"bytes": "Hello."}}]
    assert agent["output"]["sessionId"] == "one"
    assert flowed["events"][0]["flowOutputEvent"]["content"] == {"document": "a"}
    assert flowed["events"][1]["error"] == "ThrottlingException"
    assert got["output"]["agent"]["createdAt"] == "2026-01-02T00:00:00.000Z"
    assert got["output"]["agent"]["agentId"] == "ABCDEFGHIJ"
    assert listed["output"] == {"guardrails": []}
    assert (ran["output"]["contentType"], ran["output"]["response"]) == (
        "application/json",
        '{"answer":1}',
    )


def test_the_services_of_control_planes_and_data_automation_are_read() -> None:
    control = ("bedrock-agentcore-control", "BedrockAgentCoreControlClient")
    automation = ("bedrock-data-automation", "BedrockDataAutomationClient")
    running = ("bedrock-data-automation-runtime", "BedrockDataAutomationRuntimeClient")
    missing = [
        service
        for service, _ in (control, automation, running)
        if not (HERE / "node_modules" / "@aws-sdk" / f"client-{service}").exists()
    ]
    if missing:
        pytest.skip(
            f"{', '.join(missing)}: not installed: `npm ci --prefix tests/clients/javascript`"
        )
    job = "arn:aws:bedrock:us-east-1:123456789012:data-automation-invocation/11111111-2222-4333-8444-555555555555"
    calls = [
        call(*control, "GetAgentRuntime", {"agentRuntimeId": "abc-1234567890"}),
        call(*automation, "ListBlueprints", {}),
        call(*running, "GetDataAutomationStatus", {"invocationArn": job}),
    ]
    with Replayer(()) as server:
        server.respond(
            operation="GetAgentRuntime", output={"agentRuntimeName": "helper", "status": "READY"}
        )
        server.respond(operation="ListBlueprints", output={"blueprints": []})
        server.respond(operation="GetDataAutomationStatus", output={"status": "Success"})
        lines = run_script("services.mjs", {"endpoint": server.url, "calls": calls}).splitlines()
        runtime, blueprints, status = (json.loads(line)["output"] for line in lines)
        assert [each.source for each in server.calls] == ["rule"] * len(calls)
    assert (runtime["agentRuntimeName"], runtime["status"]) == ("helper", "READY")
    assert blueprints == {"blueprints": []}
    assert status["status"] == "Success"
