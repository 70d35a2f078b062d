"""Asks each prompt once through a client with its default configuration: `ask.py CLIENT PROMPT...`.

It prints what the client answers, or the name of its error.
"""

import sys
from collections.abc import Callable
from typing import Any

import boto3
import openai
from anthropic import AnthropicBedrock, AnthropicBedrockMantle

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def converse(prompt: str) -> Any:
    return boto3.client("bedrock-runtime").converse(
        modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": prompt}]}]
    )["output"]["message"]["content"][0]["text"]


def message(client: Any, model: str) -> Callable[[str], Any]:
    return lambda prompt: (
        client.messages.create(
            model=model, max_tokens=99, messages=[{"role": "user", "content": prompt}]
        )
        .content[0]
        .text
    )


CLIENTS: dict[str, Callable[[], Callable[[str], Any]]] = {
    "boto3": lambda: converse,
    "AnthropicBedrock": lambda: message(AnthropicBedrock(), CLAUDE),
    "AnthropicBedrockMantle": lambda: message(
        AnthropicBedrockMantle(), "anthropic.claude-haiku-4-5"
    ),
    "openai": lambda: (
        lambda prompt: (
            openai.BedrockOpenAI()
            .responses.create(model="openai.gpt-oss-120b", input=prompt)
            .output_text
        )
    ),
}

client, *prompts = sys.argv[1:]
ask = CLIENTS[client]()
for prompt in prompts:
    try:
        print(ask(prompt))
    except Exception as error:  # noqa: BLE001 - the calls are counted, not the errors
        print(type(error).__name__)
