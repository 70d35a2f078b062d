"""OpenAI's, Anthropic's and Vercel's clients for JavaScript read what rules answer: texts,
streams, tools and errors.
"""

import json
from typing import Any

import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from support.javascript import run_script
from support.troubles import TROUBLES

# The clients of apis.mjs, with the operations that they call: whole, and streamed.
CLIENTS = {
    "openai chat": ("ChatCompletions", "ChatCompletions"),
    "openai responses": ("Responses", "Responses"),
    "openai bedrock chat": ("ChatCompletions", "ChatCompletions"),
    "openai bedrock responses": ("Responses", "Responses"),
    "anthropic messages": ("Messages", "Messages"),
    "anthropic mantle messages": ("Messages", "Messages"),
    "vercel converse": ("Converse", "ConverseStream"),
    "vercel mantle chat": ("ChatCompletions", "ChatCompletions"),
    "vercel mantle responses": ("Responses", "Responses"),
    "vercel openai chat": ("ChatCompletions", "ChatCompletions"),
    "vercel openai responses": ("Responses", "Responses"),
}
SAID = "It rains in Oslo, and the wind blows all day."
CODES = {
    "openai": ("rate_limit_exceeded", "rate_limit_error"),
    "anthropic": (None, "rate_limit_error"),
}


def ask_all(bedrock: Session, *, stream: bool) -> dict[str, Any]:
    """The result of every client."""
    jobs = [{"client": client, "url": bedrock.url, "stream": stream} for client in CLIENTS]
    return dict(zip(CLIENTS, json.loads(run_script("apis.mjs", jobs)), strict=True))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_texts(bedrock: Session, stream: bool) -> None:
    bedrock.respond("Oslo", text=SAID)
    for client, result in ask_all(bedrock, stream=stream).items():
        assert result["error"] is None, client
        assert result["text"] == SAID, client
        assert not stream or ("".join(result["pieces"]) == SAID and len(result["pieces"]) > 1), (
            client
        )
    assert sorted(str(call.operation) for call in bedrock.calls) == sorted(
        operations[stream] for operations in CLIENTS.values()
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tools(bedrock: Session, stream: bool) -> None:
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    for client, result in ask_all(bedrock, stream=stream).items():
        assert result["error"] is None, client
        assert result["tools"] == [{"name": "weather", "input": {"city": "Oslo"}}], client
    assert {call.tools for call in bedrock.calls} == {("weather",)}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_errors(bedrock: Session, stream: bool) -> None:
    bedrock.fail("ThrottlingException", message="Slow down.", times=99)
    for client, result in ask_all(bedrock, stream=stream).items():
        error = result["error"]
        assert "Slow down." in error["message"], client
        assert error["status"] == 429, client
        vendor = client.partition(" ")[0]
        assert vendor not in CODES or (error.get("code"), error.get("type")) == CODES[vendor], (
            client
        )
    assert len(bedrock.calls) == len(CLIENTS)


def test_an_error_in_the_middle_of_a_stream(bedrock: Session) -> None:
    bedrock.respond("Oslo", text=SAID)
    bedrock.fail("ThrottlingException", message="Slow down.", after_events=4, times=99)
    for client, result in ask_all(bedrock, stream=True).items():
        assert "Slow down." in json.dumps(result["error"]), client
    assert {call.error for call in bedrock.calls} == {"ThrottlingException"}


@pytest.mark.slow
@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_default_retries_are_no_mistakes(server: Replayer, name: str, stream: bool) -> None:
    """Each client calls twice, because a second call with the same request is no retry."""
    sessions = {client: server.session(f"{client}, {name}, {stream}") for client in CLIENTS}
    for session in sessions.values():
        session.respond(text=SAID)
        for fault in TROUBLES[name]:
            session.fault(**fault)
    jobs = [
        {"client": client, "url": sessions[client].url, "stream": stream, "calls": 2}
        for client in CLIENTS
    ]
    results = dict(zip(CLIENTS, json.loads(run_script("apis.mjs", jobs)), strict=True))
    for client, session in sessions.items():
        assert session.verdict == (), client
        assert results[client]["text"] == SAID or session.calls[-1].error, (client, results[client])
