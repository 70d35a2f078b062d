"""gpt-oss and those like it: reasoning inline in tags, calls whole in one delta."""

import re
from dataclasses import replace
from typing import Any

import pytest

from bedtape_cassettes.families.content import Message, Reasoning, Text, ToolUse, Usage
from bedtape_cassettes.families.models.openai import OPENAI
from bedtape_cassettes.families.table import family_of
from support.messages import model_request, render_chunks

MODEL = "us.openai.gpt-oss-120b-1:0"
REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hi"}]}
COUNTS = {**REQUEST, "stream_options": {"include_usage": True}}
THOUGHT, CALL, TEXT = Reasoning("Hm, hm."), ToolUse("add", {"a": 2}, "one"), Text("Hi, you.")


def test_a_whole_answer() -> None:
    message = Message((THOUGHT, CALL, TEXT), "tool_use", usage=Usage(7, 2, 3, 4))
    made: Any = OPENAI.render(message, model_request(OPENAI, MODEL, REQUEST))
    assert list(made) == ["choices", "created", "id", "model", "object", "service_tier", "usage"]
    assert made["choices"] == [
        {
            "finish_reason": "tool_calls",
            "index": 0,
            "logprobs": None,
            "message": {
                "content": "<reasoning>Hm, hm.</reasoning>Hi, you.",
                "refusal": None,
                "role": "assistant",
                "tool_calls": [
                    {
                        "function": {"arguments": '{"a":2}', "name": "add"},
                        "id": "one",
                        "type": "function",
                    }
                ],
            },
        }
    ]
    assert made["model"] == "openai.gpt-oss-120b-1:0"
    assert list(made["usage"].items()) == [
        ("completion_tokens", 2),
        ("prompt_tokens", 14),
        ("total_tokens", 16),
    ]


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (MODEL, r"chatcmpl-tool-[0-9a-f]{32}"),
        ("qwen.qwen3-32b-v1:0", r"chatcmpl-tool-[0-9a-f]{32}"),
        ("moonshotai.kimi-k2.5", r"functions\.add:[01]"),
    ],
)
def test_ids_of_calls_are_made_where_none_is_given(model: str, form: str) -> None:
    message = Message((ToolUse("add", {}), ToolUse("add", {})), "tool_use")
    made: Any = OPENAI.render(message, model_request(OPENAI, model, REQUEST))
    ids = [call["id"] for call in made["choices"][0]["message"]["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(form, each) for each in ids)
    assert made["choices"][0]["message"]["content"] is None


def test_each_delta_of_reasoning_has_its_own_tags() -> None:
    deltas = [
        chunk["choices"][0]["delta"]["content"]
        for chunk in render_chunks(
            OPENAI, MODEL, REQUEST, Message((Reasoning("Hm. " * 300), Text("Hi.")))
        )[1:-1]
    ]
    assert len(deltas) > 3
    assert all(re.fullmatch("<reasoning>[^<]+</reasoning>", delta) for delta in deltas[:-1])
    assert deltas[-1] == "Hi."


def test_a_stream_says_blocks_in_their_order_and_they_are_read_so() -> None:
    """As recorded: an empty text goes between a call and a text that follows it."""
    message = Message((THOUGHT, CALL, TEXT), "tool_use", usage=Usage(7, 2))
    made = render_chunks(OPENAI, MODEL, COUNTS, message)
    assert [list(chunk["choices"][0]["delta"]) for chunk in made[:-1]][:4] == [
        ["content", "role"],
        ["content"],
        ["tool_calls"],
        ["content"],
    ]
    assert made[3]["choices"][0]["delta"] == {"content": ""}
    assert made[-1]["choices"] == []
    assert made[-1]["usage"] == {"completion_tokens": 2, "prompt_tokens": 7, "total_tokens": 9}
    assert OPENAI.gather is not None
    assert OPENAI.gather(made) == replace(message, usage=None)


def test_without_stream_options_nothing_counts_but_bedrocks_metrics() -> None:
    made = render_chunks(OPENAI, MODEL, REQUEST, Message((TEXT,)))
    assert not [chunk for chunk in made if "usage" in chunk]
    assert made[-1]["choices"] == [{"delta": {}, "finish_reason": "stop", "index": 0}]


@pytest.mark.parametrize(
    "model",
    [
        "openai.gpt-oss-20b-1:0",
        "us.qwen.qwen3-coder-480b-a35b-v1:0",
        "moonshot.kimi-k2-thinking",
        "minimax.minimax-m2",
        "zai.glm-4.6",
        "google.gemma-3-27b-it",
        "nvidia.nemotron-nano-12b-v2",
        "deepseek.v3-v1:0",
        "deepseek.v3.2",
        "mistral.ministral-3-8b-instruct",
        "mistral.magistral-small-2509",
        "mistral.voxtral-small-24b-2507",
        "mistral.mistral-large-3-675b-instruct",
    ],
)
def test_models_that_speak_it(model: str) -> None:
    assert family_of("InvokeModel", model) is OPENAI
