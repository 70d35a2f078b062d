"""A program that asks what the samples have recorded."""

import boto3

QUESTION = "In one sentence: why do teams record their model calls?"

client = boto3.client("bedrock-runtime")
answer = client.converse(
    modelId="us.amazon.nova-lite-v1:0",
    messages=[{"role": "user", "content": [{"text": QUESTION}]}],
    inferenceConfig={"maxTokens": 200, "temperature": 0},
)
assert answer["output"]["message"]["content"][0]["text"]
