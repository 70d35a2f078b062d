"""Jamba: OpenAI's chat with usage in every chunk, and Bedrock's metrics in a chunk of their own."""

import re
from typing import Any

import pytest

from bedtape_cassettes.families.content import Message, Text, ToolUse, Usage
from bedtape_cassettes.families.models.jamba import JAMBA
from support.messages import model_request, payloads, render_chunks

MODEL = "us.ai21.jamba-1-5-mini-v1:0"
REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hi"}]}


def test_a_whole_answer() -> None:
    made: Any = JAMBA.render(
        Message((Text("Hi."),), usage=Usage(7, 2)), model_request(JAMBA, MODEL, REQUEST)
    )
    assert list(made) == ["id", "choices", "usage", "meta", "model"]
    message = {"role": "assistant", "content": "Hi.", "tool_calls": None}
    assert made["choices"] == [{"index": 0, "message": message, "finish_reason": "stop"}]
    assert made["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (MODEL, "jamba-1.5-mini"),
        ("ai21.jamba-1-5-large-v1:0", "jamba-1.5-large"),
        ("ai21.jamba-instruct-v1:0", "jamba-instruct"),
    ],
)
def test_it_calls_itself_by_its_own_name(model: str, name: str) -> None:
    assert (
        JAMBA.render(Message((Text("Hi."),)), model_request(JAMBA, model, REQUEST))["model"] == name
    )


@pytest.mark.parametrize(("stop", "token"), [("end_turn", 518), ("max_tokens", None)])
def test_every_chunk_counts_and_the_last_says_why(stop: str, token: int | None) -> None:
    made = render_chunks(
        JAMBA, MODEL, REQUEST, Message((Text("Hi, all of you."),), stop, usage=Usage(7, 99))
    )
    assert [chunk["usage"]["completion_tokens"] for chunk in made] == [*range(len(made) - 1), 99]
    assert made[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {chunk["choices"][0]["finish_reason"] for chunk in made[:-1]} == {None}
    assert made[-1]["choices"][0]["stop_reason"] == token
    assert "requestDurationMillis" in made[-1]["meta"]


def test_metrics_stand_alone() -> None:
    *_, last = payloads(MODEL, REQUEST, Message((Text("Hi."),), usage=Usage(7, 2)))
    assert list(last) == ["amazon-bedrock-invocationMetrics"]
    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 2


def test_ids_of_calls_are_made_where_none_is_given() -> None:
    made: Any = JAMBA.render(
        Message((ToolUse("add", {"a": 2}),), "tool_use"), model_request(JAMBA, MODEL, REQUEST)
    )
    (call,) = made["choices"][0]["message"]["tool_calls"]
    assert re.fullmatch("chatcmpl-tool-[0-9a-f]{32}", call["id"])
    assert call["function"] == {"name": "add", "arguments": '{"a":2}'}
    assert made["choices"][0]["finish_reason"] == "tool_calls"
