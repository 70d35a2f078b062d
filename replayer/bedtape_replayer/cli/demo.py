"""The command `bedtape demo`: the main job in one screen, with shipped cassettes and a real SDK."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bedtape_cassettes.storage.store import samples
from bedtape_replayer.server.thread import Replayer

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.client import BedrockRuntimeClient

_MODEL = "us.amazon.nova-lite-v1:0"
_QUESTION = "In one sentence: why do teams record their model calls?"
_OTHER_QUESTION = "In one sentence: why do teams guess?"


def demo() -> None:
    """Replay a sample cassette to boto3 and print what it sees: an answer, a stream, a miss."""
    with Replayer(samples()) as bedrock:
        print(f"bedtape: serving the shipped samples on {bedrock.url}, no AWS anywhere\n")
        client = _client(bedrock.url)
        _converse(client)
        _converse_stream(client)
        _miss(client)


def _client(url: str) -> BedrockRuntimeClient:
    import boto3  # takes 0.3 s: only this command needs it
    from botocore.config import Config

    session = boto3.Session(
        aws_access_key_id="bedtape-demo",
        aws_secret_access_key="any",  # noqa: S106
        region_name="us-east-1",
    )
    # A bearer token in the environment would win over the keys, and boto3
    # sends none over plain http.
    client: BedrockRuntimeClient = session.client(
        "bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4")
    )
    return client


def _converse(client: BedrockRuntimeClient) -> None:
    print(f"client.converse            {_MODEL}\n  user       {_QUESTION}")
    began = time.perf_counter()
    response = client.converse(
        modelId=_MODEL,
        messages=[{"role": "user", "content": [{"text": _QUESTION}]}],
        inferenceConfig={"maxTokens": 200, "temperature": 0},
    )
    took = (time.perf_counter() - began) * 1000
    print(f"  assistant  {response['output']['message']['content'][0]['text']}")
    usage = response["usage"]
    print(
        f"  {response['stopReason']}, {usage['inputTokens']} tokens in, {usage['outputTokens']}"
        f" out, {took:.1f} ms\n"
    )


def _converse_stream(client: BedrockRuntimeClient) -> None:
    print(f"client.converse_stream     {_MODEL}\n  user       {_QUESTION}")
    response = client.converse_stream(
        modelId=_MODEL,
        messages=[{"role": "user", "content": [{"text": _QUESTION}]}],
        inferenceConfig={"maxTokens": 200, "temperature": 0},
    )
    events = list(response["stream"])
    pieces = [
        event["contentBlockDelta"]["delta"].get("text", "")
        for event in events
        if "contentBlockDelta" in event
    ]
    print(f"  assistant  {'|'.join(pieces)}")
    print(
        f"  {len(events)} events, {' … '.join((next(iter(events[0])), next(iter(events[-1]))))}\n"
    )


def _miss(client: BedrockRuntimeClient) -> None:
    print(f"client.converse            {_MODEL}\n  user       {_OTHER_QUESTION}")
    try:
        client.converse(
            modelId=_MODEL, messages=[{"role": "user", "content": [{"text": _OTHER_QUESTION}]}]
        )
    except client.exceptions.ClientError as error:
        members = error.response["Error"]
        print(f"  {members['Code']}: " + members["Message"].replace("\n", "\n  "))
