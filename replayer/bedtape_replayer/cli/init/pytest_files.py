"""The first test of a project with pytest: a recorded answer, and a chosen one with faults."""

from __future__ import annotations

NAME = "test_bedrock.py"

TEST = '''\
"""Bedrock's answers, from cassettes and from rules: no network, no keys, the same every time."""

import boto3
import pytest

from bedtape_replayer import Bedrock


def ask(question: str) -> str:
    """Your own code stands here: it calls Bedrock as it always does."""
    client = boto3.client("bedrock-runtime")
    answer = client.converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": question}]}],
        inferenceConfig={"maxTokens": 200, "temperature": 0},
    )
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


@pytest.mark.bedrock("hello")  # the cassette of this name in the folder cassettes, beside this file
def test_a_recorded_answer_is_played(bedrock: Bedrock) -> None:
    answer = ask("In one sentence: why do teams record their model calls?")
    assert answer.startswith("Because a recorded answer is the same every time")


def test_throttled_twice_it_is_asked_again(bedrock: Bedrock) -> None:
    bedrock.fast_retries()  # the SDK retries without waiting
    bedrock.respond("classify spam", text="spam")
    bedrock.fail("ThrottlingException", times=2)
    assert ask("classify spam: cheap watches") == "spam"
    bedrock.assert_called("cheap watches", times=3)
'''
