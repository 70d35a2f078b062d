"""moto in the same test: S3 from moto, Bedrock from bedtape."""

import boto3
from moto import mock_aws

from bedtape_replayer import Bedrock


def summarize(bucket: str, key: str) -> None:
    """Writes a summary of an object beside it."""
    store = boto3.client("s3")
    text = store.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    answer = boto3.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": f"Summarize: {text}"}]}],
    )
    summary = answer["output"]["message"]["content"][0]["text"]
    store.put_object(Bucket=bucket, Key=f"{key}.summary", Body=summary.encode())


@mock_aws
def test_the_summary_is_beside_the_object(bedrock: Bedrock) -> None:
    store = boto3.client("s3")
    store.create_bucket(Bucket="letters")
    store.put_object(Bucket="letters", Key="one", Body=b"Dear shop")
    bedrock.respond("Dear shop", text="A greeting.")
    summarize("letters", "one")
    assert store.get_object(Bucket="letters", Key="one.summary")["Body"].read() == b"A greeting."
