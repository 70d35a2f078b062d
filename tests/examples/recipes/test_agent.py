"""An agent with a tool, which streams its answer."""

from collections.abc import Iterator
from typing import Any

import boto3

from bedtape_replayer import Bedrock

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_order",
                "inputSchema": {
                    "json": {"type": "object", "properties": {"order": {"type": "string"}}}
                },
            }
        }
    ]
}


def get_order(order: str) -> str:
    return f"{order} is on its way"


def run(question: str) -> Iterator[str]:
    """Yields the pieces of the answer, after the calls of the tool."""
    client = boto3.client("bedrock-runtime")
    messages: list[Any] = [{"role": "user", "content": [{"text": question}]}]
    while True:
        answer = client.converse(modelId=MODEL, messages=messages, toolConfig=TOOLS)
        if answer["stopReason"] != "tool_use":
            break
        uses = [b["toolUse"] for b in answer["output"]["message"]["content"] if "toolUse" in b]
        results = [
            {"toolUseId": use["toolUseId"], "content": [{"text": get_order(**use["input"])}]}
            for use in uses
        ]
        messages += [
            answer["output"]["message"],
            {"role": "user", "content": [{"toolResult": result} for result in results]},
        ]
    stream = client.converse_stream(modelId=MODEL, messages=messages, toolConfig=TOOLS)["stream"]
    complete = False
    for event in stream:
        if text := event.get("contentBlockDelta", {}).get("delta", {}).get("text"):
            yield text
        complete = complete or "messageStop" in event
    if not complete:  # boto3 raises no error for a stream that ends early
        yield " [the answer was cut]"


def test_the_tool_is_called_and_the_answer_is_streamed(bedrock: Bedrock) -> None:
    bedrock.respond("Where is B4?", tool={"name": "get_order", "input": {"order": "B4"}})
    bedrock.respond(tool_result="get_order", pieces=["It is ", "on its way."])
    assert list(run("Where is B4?")) == ["It is ", "on its way."]
    bedrock.assert_sequence(
        [{"stop_reason": "tool_use"}, {"operation": "Converse"}, {"operation": "ConverseStream"}]
    )
    assert bedrock.calls[1].tool_results[0].text == "B4 is on its way"


def test_a_stream_that_breaks(bedrock: Bedrock) -> None:
    bedrock.respond(pieces=["It is ", "on its way."])
    bedrock.fault(truncate={"after_events": 2}, operation="ConverseStream")
    assert list(run("Where is B4?")) == ["It is ", " [the answer was cut]"]
