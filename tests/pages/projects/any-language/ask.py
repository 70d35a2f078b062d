"""Asks what nobody recorded, and prints what the server says to that."""

import boto3

client = boto3.client("bedrock-runtime")
try:
    client.converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": "In one sentence: why do teams guess?"}]}],
    )
except client.exceptions.ClientError as error:
    print(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}")
