"""One request to each of the five inference APIs, streamed or not, as its SDK sends it, and
one form of all answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Any

import boto3
from anthropic import Anthropic
from botocore.config import Config
from openai import OpenAI

CLAUDE, NOVA, OSS = (
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.amazon.nova-lite-v1:0",
    "openai.gpt-oss-20b",
)
_KEYS = {
    "aws_access_key_id": "bedtape",
    "aws_secret_access_key": "bedtape",
    "region_name": "us-east-1",
}


# Parameters of InvokeModel that are headers.
_HEADERS = ("guardrailIdentifier", "guardrailVersion", "trace")


@dataclass(frozen=True)
class Asked:
    """A request. system: texts, each with whether a cache mark follows it. turns: the
    texts of user and assistant.
    """

    turns: Sequence[str] = ("hello",)
    system: Sequence[tuple[str, bool]] = ()
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    lifetime: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """An answer: its text, its stop reason in the API's words, its token counts
    (None if it counts none).
    """

    text: str
    stop: str | None
    input: int | None = None
    output: int | None = None
    read: int | None = None
    write: int | None = None


def ask(api: str, url: str, asked: Asked, *, stream: bool, model: str | None = None) -> Told:
    """Send the request with a client of its own, which is closed.

    api: a key of `APIS`. Raises the errors of the SDK.
    """
    open_client, send = APIS[api]
    with open_client(url) as client:
        return send(client, asked, stream, model)


def _open_boto3(url: str) -> AbstractContextManager[Any]:
    config = Config(retries={"total_max_attempts": 1})
    return closing(boto3.client("bedrock-runtime", endpoint_url=url, config=config, **_KEYS))


def _open_anthropic(url: str) -> AbstractContextManager[Any]:
    return Anthropic(base_url=f"{url}/anthropic", api_key="x", max_retries=0)


def _open_openai(url: str) -> AbstractContextManager[Any]:
    return OpenAI(base_url=f"{url}/openai/v1", api_key="x", max_retries=0)


def _converse(client: Any, asked: Asked, stream: bool, model: str | None) -> Told:
    mark = {
        "cachePoint": {"type": "default", **({"ttl": asked.lifetime} if asked.lifetime else {})}
    }
    system = [
        block
        for text, marked in asked.system
        for block in ({"text": text}, *([mark] if marked else []))
    ]
    config: dict[str, Any] = {"stopSequences": list(asked.stop)} if asked.stop else {}
    if asked.max_tokens is not None:
        config["maxTokens"] = asked.max_tokens
    request: dict[str, Any] = {
        "modelId": model or CLAUDE,
        "messages": [
            {"role": "assistant" if number % 2 else "user", "content": [{"text": text}]}
            for number, text in enumerate(asked.turns)
        ],
        **({"system": system} if system else {}),
        **({"inferenceConfig": config} if config else {}),
        **asked.more,
    }
    if not stream:
        answer = client.converse(**request)
        text = "".join(block.get("text", "") for block in answer["output"]["message"]["content"])
        return Told(text, answer["stopReason"], *_read_usage(answer["usage"]))
    events = list(client.converse_stream(**request)["stream"])
    text = "".join(
        e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e
    )
    stop = next(e["messageStop"]["stopReason"] for e in events if "messageStop" in e)
    return Told(text, stop, *_read_usage(events[-1]["metadata"]["usage"]))


def _read_usage(usage: dict[str, int]) -> tuple[int | None, ...]:
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    return tuple(usage.get(name) for name in names)


def _messages_body(asked: Asked) -> dict[str, Any]:
    mark = {
        "cache_control": {
            "type": "ephemeral",
            **({"ttl": asked.lifetime} if asked.lifetime else {}),
        }
    }
    return {
        "max_tokens": asked.max_tokens or 4096,
        "messages": [
            {"role": "assistant" if number % 2 else "user", "content": text}
            for number, text in enumerate(asked.turns)
        ],
        **(
            {
                "system": [
                    {"type": "text", "text": text, **(mark if marked else {})}
                    for text, marked in asked.system
                ]
            }
            if asked.system
            else {}
        ),
        **({"stop_sequences": list(asked.stop)} if asked.stop else {}),
        **asked.more,
    }


def _read_message(answer: dict[str, Any]) -> Told:
    usage = answer["usage"]
    return Told(
        "".join(block.get("text", "") for block in answer["content"]),
        answer["stop_reason"],
        usage["input_tokens"],
        usage["output_tokens"],
        usage.get("cache_read_input_tokens"),
        usage.get("cache_creation_input_tokens"),
    )


def _gather_messages(events: Sequence[dict[str, Any]]) -> Told:
    begun = next(e["message"] for e in events if e["type"] == "message_start")
    ended = next(e for e in events if e["type"] == "message_delta")
    text = "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
    usage = {
        **begun["usage"],
        **{key: value for key, value in ended["usage"].items() if value is not None},
    }
    return _read_message(
        {"content": [{"text": text}], "stop_reason": ended["delta"]["stop_reason"], "usage": usage}
    )


def _invoke(client: Any, asked: Asked, stream: bool, model: str | None) -> Told:
    members = {"anthropic_version": "bedrock-2023-05-31", **_messages_body(asked)}
    headers = {name: members.pop(name) for name in _HEADERS if name in members}
    request = {"modelId": model or CLAUDE, "body": json.dumps(members), **headers}
    if not stream:
        return _read_message(json.loads(client.invoke_model(**request)["body"].read()))
    events = client.invoke_model_with_response_stream(**request)["body"]
    return _gather_messages([json.loads(event["chunk"]["bytes"]) for event in events])


def _messages(client: Any, asked: Asked, stream: bool, model: str | None) -> Told:
    body = {"model": model or "anthropic.claude-sonnet-4-5", **_messages_body(asked)}
    if not stream:
        return _read_message(client.messages.create(**body).model_dump())
    with client.messages.create(**body, stream=True) as events:
        return _gather_messages([event.model_dump() for event in events])


def _chat(client: Any, asked: Asked, stream: bool, model: str | None) -> Told:
    body: dict[str, Any] = {
        "model": model or OSS,
        "messages": [
            *({"role": "system", "content": text} for text, _ in asked.system),
            *(
                {"role": "assistant" if number % 2 else "user", "content": text}
                for number, text in enumerate(asked.turns)
            ),
        ],
        **({"stop": list(asked.stop)} if asked.stop else {}),
        **({"max_tokens": asked.max_tokens} if asked.max_tokens else {}),
        **asked.more,
    }
    if not stream:
        answer = client.chat.completions.create(**body)
        choice = answer.choices[0]
        return Told(choice.message.content or "", choice.finish_reason, *_read_chat(answer.usage))
    chunks = list(
        client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    stop = next(choice.finish_reason for choice in choices if choice.finish_reason)
    return Told(text, stop, *_read_chat(chunks[-1].usage))


def _read_chat(usage: Any) -> tuple[int | None, ...]:
    details = usage.prompt_tokens_details
    read = details.cached_tokens if details else None
    write = (
        (details.model_extra or {}).get(
            "cache_write_tokens", getattr(details, "cache_write_tokens", None)
        )
        if details
        else None
    )
    return usage.prompt_tokens, usage.completion_tokens, read, write


def _responses(client: Any, asked: Asked, stream: bool, model: str | None) -> Told:
    body: dict[str, Any] = {
        "model": model or OSS,
        "input": [
            {"role": "assistant" if number % 2 else "user", "content": text}
            for number, text in enumerate(asked.turns)
        ],
        **({"instructions": "".join(text for text, _ in asked.system)} if asked.system else {}),
        **({"max_output_tokens": asked.max_tokens} if asked.max_tokens else {}),
        **asked.more,
    }
    if stream:
        *_, last = client.responses.create(**body, stream=True)
        answer = last.response
    else:
        answer = client.responses.create(**body)
    details = answer.usage.input_tokens_details
    stop = answer.incomplete_details.reason if answer.incomplete_details else answer.status
    write = (details.model_extra or {}).get(
        "cache_write_tokens", getattr(details, "cache_write_tokens", None)
    )
    return Told(
        answer.output_text,
        stop,
        answer.usage.input_tokens,
        answer.usage.output_tokens,
        details.cached_tokens,
        write,
    )


APIS: dict[
    str,
    tuple[
        Callable[[str], AbstractContextManager[Any]], Callable[[Any, Asked, bool, str | None], Told]
    ],
] = {
    "Converse": (_open_boto3, _converse),
    "InvokeModel": (_open_boto3, _invoke),
    "Chat Completions": (_open_openai, _chat),
    "Responses": (_open_openai, _responses),
    "Messages": (_open_anthropic, _messages),
}
# Every API, whole and streamed.
FORMS = [(api, stream) for api in APIS for stream in (False, True)]


def name_form(form: object) -> str:
    """The id of a test."""
    return form if isinstance(form, str) else "streamed" if form else "whole"
