"""A program that asks for what a rule answers."""

import boto3

client = boto3.client("bedrock-runtime")
answer = client.converse(
    modelId="us.amazon.nova-lite-v1:0",
    messages=[{"role": "user", "content": [{"text": "I want a refund."}]}],
)
assert answer["output"]["message"]["content"] == [{"text": "Which order?"}]
