"""A secret that a model writes in several deltas is found in the stream of every API."""

import json
from random import Random

import pytest

from bedtape_cassettes.families.content import Block, Message, Reasoning, Text, ToolUse
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.model import Body, Events, Interaction, Request
from bedtape_cassettes.redaction.walk import scan, scrub_interaction

SECRET = "sk-ant-api03-" + "Q7fK2xZp9LmN4vBs8TyR1wCd6HgJ3aEu5iOo0PqWrXnMkLjYhGt"
CLAUDE, OSS = "anthropic.claude-haiku-4-5-20251001-v1:0", "openai.gpt-oss-20b-1:0"
# The operation, the path, the model and the service.
STREAMS = (
    ("ConverseStream", f"/model/{CLAUDE}/converse-stream", CLAUDE, "bedrock-runtime"),
    (
        "InvokeModelWithResponseStream",
        f"/model/{CLAUDE}/invoke-with-response-stream",
        CLAUDE,
        "bedrock-runtime",
    ),
    (
        "InvokeModelWithResponseStream",
        f"/model/{OSS}/invoke-with-response-stream",
        OSS,
        "bedrock-runtime",
    ),
    ("ChatCompletions", "/openai/v1/chat/completions", OSS, "bedrock-runtime"),
    ("ChatCompletions", "/v1/chat/completions", OSS, "bedrock-mantle"),
    ("Responses", "/openai/v1/responses", "openai.gpt-5.4", "bedrock-mantle"),
    ("Responses", "/v1/responses", OSS, "bedrock-mantle"),
    ("Messages", "/anthropic/v1/messages", CLAUDE, "bedrock-mantle"),
)
BLOCKS: dict[str, tuple[Block, ...]] = {
    "text": (Text(f"The key is {SECRET} today."),),
    "reasoning": (Reasoning(f"The key is {SECRET} today."), Text("Done.")),
    "tools": (ToolUse("a", {"key": SECRET}), ToolUse("b", {"keys": [SECRET]})),
}


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("stream", STREAMS, ids=lambda row: f"{row[0]} {row[1]}")
def test_no_stream_keeps_the_secret(stream: tuple[str, str, str, str], kind: str) -> None:
    operation, path, model, service = stream
    body = json.dumps({"model": model, "messages": [], "input": "x", "stream": True}).encode()
    message = Message(BLOCKS[kind], "tool_use" if kind == "tools" else "end_turn")
    for seed in range(5):
        response = render(
            message,
            operation=operation,
            model=model,
            body=body,
            chance=Random(seed),
            service=service,
        )
        interaction = Interaction(
            operation, model, Request("POST", path, (), Body("json", body)), response, file="made"
        )
        assert scan(interaction)
        clean = scrub_interaction(interaction)
        assert not scan(clean)
        assert isinstance(clean.response.body, Events)
        assert len(clean.response.body.events) == len(response.body.events)  # type: ignore[union-attr]
        content = repr(content_of(operation, model, clean.response))
        assert "REDACTED" in content
        assert SECRET[16:28] not in content.replace("<reasoning>", "").replace("</reasoning>", "")
