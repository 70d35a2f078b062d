"""Tests that ask real Bedrock, and so can be recorded."""

import boto3

QUESTION = {
    "modelId": "us.amazon.nova-lite-v1:0",
    "messages": [
        {
            "role": "user",
            "content": [{"text": "In one sentence: why do teams record their model calls?"}],
        }
    ],
    "inferenceConfig": {"maxTokens": 200, "temperature": 0},
}


def test_an_answer():
    answer = boto3.client("bedrock-runtime", region_name="us-east-1").converse(**QUESTION)
    assert answer["stopReason"] == "end_turn"


def test_a_stream():
    answer = boto3.client("bedrock-runtime", region_name="us-east-1").converse_stream(**QUESTION)
    assert [event for event in answer["stream"] if "messageStop" in event]
