"""Instructor: a boto3 client and Anthropic's, patched to answer with models of Pydantic's."""

from collections.abc import Callable

import boto3
import instructor
import pytest
from pydantic import BaseModel, field_validator

from bedtape_replayer.engine.session import Session

MODELS = {
    "claude": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "nova": "us.amazon.nova-lite-v1:0",
}


class Label(BaseModel):
    """What a mail is."""

    label: str

    @field_validator("label")
    @classmethod
    def _known(cls, label: str) -> str:
        if label not in ("spam", "ham"):
            raise ValueError("a mail is spam or ham")
        return label


@pytest.mark.parametrize("which", MODELS)
def test_structured(which: str, bedrock: Session) -> None:
    """By a tool that the model has to call."""
    bedrock.respond("offer", tool={"name": "Label", "input": {"label": "spam"}})
    client = instructor.from_provider(
        f"bedrock/{MODELS[which]}", mode=instructor.Mode.BEDROCK_TOOLS
    )
    label = client.create(messages=[{"role": "user", "content": "an offer"}], response_model=Label)
    assert label.label == "spam"
    bedrock.assert_called("offer", times=1, operation="Converse", tools=["Label"])


@pytest.mark.parametrize("which", MODELS)
def test_json(which: str, bedrock: Session) -> None:
    """By the schema in the system prompt, and JSON as text."""
    bedrock.respond("offer", json={"label": "ham"})
    client = instructor.from_bedrock(
        boto3.client("bedrock-runtime"), mode=instructor.Mode.BEDROCK_JSON
    )
    messages = [{"role": "user", "content": [{"text": "an offer"}]}]
    label = client.create(modelId=MODELS[which], messages=messages, response_model=Label)
    assert label.label == "ham"
    (call,) = bedrock.calls
    assert "label" in call.system


@pytest.mark.parametrize("which", ["claude", "nova"])
def test_reasks(which: str, bedrock: Session) -> None:
    """What does not validate is asked again, with what was wrong; that is
    what such a test is for.
    """
    calling = ({"name": "Label", "input": {"label": label}} for label in ("cake", "spam"))
    bedrock.respond(answers=[{"tool": call} for call in calling])
    client = instructor.from_provider(
        f"bedrock/{MODELS[which]}", mode=instructor.Mode.BEDROCK_TOOLS
    )
    spam = client.create(
        messages=[{"role": "user", "content": "an offer"}], response_model=Label, max_retries=2
    )
    assert spam.label == "spam"
    assert "a mail is spam or ham" in bedrock.calls[1].body.decode()


def test_retries(bedrock: Session) -> None:
    bedrock.respond(tool={"name": "Label", "input": {"label": "spam"}})
    bedrock.fail("ThrottlingException", times=1, retry_after_ms=1)
    client = instructor.from_provider(
        f"bedrock/{MODELS['claude']}", mode=instructor.Mode.BEDROCK_TOOLS
    )
    assert (
        client.create(
            messages=[{"role": "user", "content": "an offer"}], response_model=Label
        ).label
        == "spam"
    )
    assert [(call.status, call.attempt) for call in bedrock.calls] == [(429, 1), (200, 2)]


def test_trouble(trouble: Callable[..., None]) -> None:
    client = instructor.from_provider(
        f"bedrock/{MODELS['claude']}", mode=instructor.Mode.BEDROCK_TOOLS
    )
    trouble(
        lambda: client.create(
            messages=[{"role": "user", "content": "an offer"}], response_model=Label
        )
    )
