"""AgentCore: a program that calls an agent on AgentCore Runtime, which sends events."""

import json
from collections.abc import Iterator
from typing import Any

import boto3

from bedtape_replayer import Bedrock

AGENT = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/helper-1234567890"


def ask(question: str) -> Iterator[Any]:
    """Yields the events of the agent."""
    answer = boto3.client("bedrock-agentcore").invoke_agent_runtime(
        agentRuntimeArn=AGENT, payload=json.dumps({"prompt": question})
    )
    for line in answer["response"].iter_lines():
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def test_the_events_of_the_agent(bedrock: Bedrock) -> None:
    events = [{"step": "search"}, {"answer": "At nine."}]
    bedrock.respond("open", server_sent=events, operation="InvokeAgentRuntime")
    assert list(ask("When do you open?")) == events
    bedrock.assert_called("When do you open?", operation="InvokeAgentRuntime", times=1)
