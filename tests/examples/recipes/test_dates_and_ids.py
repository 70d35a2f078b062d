"""Prompts with today's date and a new id: the recording answers on every day."""

import uuid
from datetime import date

import boto3
import pytest
from freezegun import freeze_time

from bedtape_replayer import Bedrock


def plan() -> str:
    prompt = f"Request {uuid.uuid4()}: today is {date.today()}. What is planned?"
    answer = boto3.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": prompt}]}],
    )
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


@pytest.mark.parametrize("day", ["2026-11-02", "2027-01-31"])
@pytest.mark.bedrock("plan")  # placeholders in pyproject.toml make the requests equal
def test_the_recording_answers_on_every_day(day: str, bedrock: Bedrock) -> None:
    with freeze_time(day):
        assert plan() == "A meeting at ten."
    bedrock.assert_all_played()


def test_a_rule_ignores_the_rest_of_the_prompt(bedrock: Bedrock) -> None:
    bedrock.respond("What is planned?", text="Nothing.")
    assert plan() == "Nothing."
    assert f"today is {date.today()}" in bedrock.calls[0].last_prompt
