"""Files mail: a model says whether it is spam, and a person looks at what
the model is unsure of.
"""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# The better one first; the cheaper one answers where that is dead.
MODELS = ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-lite-v1:0")
DEAD = ("ModelErrorException", "ResourceNotFoundException", "ServiceUnavailableException")
SURE = 0.8
# Standard mode backs off between attempts.
RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 3})


def file(mail: str) -> str:
    """Where a mail goes: inbox, spam or review."""
    label, confidence = read(
        ask(f'Please classify spam: answer {{"label", "confidence"}}.\n\n{mail}')
    )
    if confidence < SURE:
        return "review"
    return "spam" if label == "spam" else "inbox"


def ask(prompt: str) -> str:
    client = boto3.client("bedrock-runtime", config=RETRIES)
    for model in MODELS:
        try:
            answer = client.converse(
                modelId=model, messages=[{"role": "user", "content": [{"text": prompt}]}]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in DEAD or model == MODELS[-1]:
                raise
        else:
            return "".join(
                block.get("text", "") for block in answer["output"]["message"]["content"]
            )
    raise AssertionError("no models")


def read(answer: str) -> tuple[str, float]:
    """What the model said; what cannot be read is nothing to be sure of."""
    try:
        told = json.loads(answer[answer.find("{") : answer.rfind("}") + 1])
        label, confidence = told["label"], float(told["confidence"])
    except (ValueError, TypeError, KeyError):
        return "", 0.0
    return (label, confidence) if label in ("spam", "ham") else ("", 0.0)
