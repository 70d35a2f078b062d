"""Structured output: the model must call a tool, and its input is the result."""

from typing import Any

import boto3
import pytest

from bedtape_replayer import Bedrock

SCHEMA: Any = {
    "type": "object",
    "properties": {"label": {"enum": ["spam", "inbox"]}, "confidence": {"type": "number"}},
    "required": ["label", "confidence"],
}


def classify(mail: str) -> str:
    """Returns the label. Raises ValueError if the answer does not fit the schema."""
    answer = boto3.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": f"Classify: {mail}"}]}],
        toolConfig={
            "tools": [{"toolSpec": {"name": "file", "inputSchema": {"json": SCHEMA}}}],
            "toolChoice": {"tool": {"name": "file"}},
        },
    )
    content = answer["output"]["message"]["content"]
    value = next((block["toolUse"]["input"] for block in content if "toolUse" in block), {})
    if value.get("label") not in SCHEMA["properties"]["label"]["enum"]:
        raise ValueError(f"expected a label, found {value}")
    label: str = value["label"]
    return label


def test_the_input_of_the_tool_is_the_result(bedrock: Bedrock) -> None:
    bedrock.respond("watches", json={"label": "spam", "confidence": 0.9})
    assert classify("cheap watches") == "spam"


def test_a_label_that_the_schema_does_not_have(bedrock: Bedrock) -> None:
    bedrock.respond(json={"label": "advertisement", "confidence": 0.9})
    with pytest.raises(ValueError, match="expected a label"):
        classify("cheap watches")


def test_an_answer_that_is_cut(bedrock: Bedrock) -> None:
    bedrock.respond(json={"label": "spam", "confidence": 0.9})
    bedrock.fault(misanswer="max_tokens")
    with pytest.raises(ValueError, match="expected a label"):
        classify("cheap watches")
