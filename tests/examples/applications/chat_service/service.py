"""A chat service: an agent loop that streams its answer as server-sent events, with
tools and a second model.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
FALLBACK = "us.amazon.nova-lite-v1:0"
BUSY = ("ThrottlingException", "ServiceUnavailableException")
MAX_TURNS = 4
STOCK = {"blue mug": 12, "red mug": 0}

app = FastAPI()


class Question(BaseModel):
    question: str


@app.post("/chat")
def chat(asked: Question) -> StreamingResponse:
    return StreamingResponse(_events(asked.question), media_type="text/event-stream")


def _events(question: str) -> Iterator[str]:
    try:
        for text in run_agent(question):
            yield f"data: {json.dumps({'text': text})}\n\n"
        yield "event: done\ndata: {}\n\n"
    except EventStreamError as error:
        yield f"event: broken\ndata: {json.dumps({'error': error.response['Error']['Code']})}\n\n"


def run_agent(question: str) -> Iterator[str]:
    """Yields text while the model speaks. Calls the tool that the model asks for, and goes on."""
    messages: list[Any] = [{"role": "user", "content": [{"text": question}]}]
    for _ in range(MAX_TURNS):
        content: list[Any] = []
        yield from _speak(messages, content)
        uses = [block["toolUse"] for block in content if "toolUse" in block]
        if not uses:
            return
        results = [
            {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"json": _call(use)}]}}
            for use in uses
        ]
        messages += [
            {"role": "assistant", "content": content},
            {"role": "user", "content": results},
        ]
    yield "I could not find out."


def _call(use: Any) -> Any:
    return {"in_stock": STOCK.get(use["input"]["item"], 0)}


def _speak(messages: list[Any], content: list[Any]) -> Iterator[str]:
    """Yields the text of one answer, and adds its blocks to `content`."""
    for event in _open(messages)["stream"]:
        match event:
            case {"contentBlockStart": {"start": {"toolUse": use}}}:
                content.append({"toolUse": {**use, "input": ""}})
            case {"contentBlockDelta": {"delta": {"text": text}}}:
                if not content or "text" not in content[-1]:
                    content.append({"text": ""})
                content[-1]["text"] += text
                yield text
            case {"contentBlockDelta": {"delta": {"toolUse": {"input": part}}}}:
                content[-1]["toolUse"]["input"] += part
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")


def _open(messages: list[Any]) -> Any:
    try:
        return _client().converse_stream(modelId=MODEL, **_request(messages))
    except ClientError as error:
        if error.response["Error"]["Code"] not in BUSY:
            raise
        return _client().converse_stream(modelId=FALLBACK, **_request(messages))


def _request(messages: list[Any]) -> dict[str, Any]:
    item = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
    tool = {
        "name": "get_stock",
        "description": "How many of an item there are.",
        "inputSchema": {"json": item},
    }
    return {
        "messages": messages,
        "system": [{"text": "You work in a shop. Answer in one sentence."}],
        "toolConfig": {"tools": [{"toolSpec": tool}]},
    }


@cache
def _client() -> Any:
    return boto3.client(
        "bedrock-runtime", config=Config(retries={"mode": "standard", "total_max_attempts": 2})
    )
