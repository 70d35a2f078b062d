"""Converse and ConverseStream: what is written is read again, and botocore understands it."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.parsers import create_parser
from botocore.session import get_session
from hypothesis import given

from bedtape_cassettes.families.content import (
    Citation,
    CitedText,
    Embeddings,
    Image,
    Message,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.models.converse import CONVERSE
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events
from support import contents

_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_MESSAGES = contents.messages(
    contents.TEXTS,
    contents.TOOL_USES,
    contents.SIGNED,
    contents.REDACTED,
    contents.CITED,
    contents.IMAGES,
)


@given(_MESSAGES)
def test_a_whole_answer_is_read_again(message: Message) -> None:
    assert CONVERSE.read(
        CONVERSE.render(message, contents.model_request(CONVERSE, _MODEL))
    ) == replace(message, usage=None)


@given(_MESSAGES)
def test_a_stream_is_gathered_again(message: Message) -> None:
    assert CONVERSE.stream is not None
    assert CONVERSE.gather is not None
    assert CONVERSE.gather(
        list(CONVERSE.stream(message, contents.model_request(CONVERSE, _MODEL)))
    ) == replace(message, usage=None)


@given(contents.REQUESTS)
def test_any_request_is_read(body: dict[str, Any]) -> None:
    CONVERSE.prompt(body)


def test_a_request_says_what_it_says() -> None:
    call = {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Rome"}}}
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "warm"}, {"json": {"c": 30}}]}}
    prompt = CONVERSE.prompt(
        {
            "system": [{"text": "Be brief."}, {"guardContent": {"text": {"text": "Be kind."}}}],
            "messages": [
                {"role": "user", "content": [{"text": "Hot?"}, {"image": {}}]},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ],
            "toolConfig": {"tools": [{"toolSpec": {"name": "weather"}}, {"cachePoint": {}}]},
            "inferenceConfig": {
                "maxTokens": 9,
                "temperature": 0.5,
                "topP": 0,
                "stopSequences": ["."],
            },
        }
    )
    assert prompt.system == "Be brief.\nBe kind."
    assert prompt.turns == (
        Turn("user", "Hot?"),
        Turn("assistant", "", calls=(ToolUse("weather", {"city": "Rome"}, "t1"),)),
        Turn("user", "", results=(ToolResult("t1", 'warm\n{"c": 30}'),)),
    )
    assert (prompt.tools, prompt.max_tokens, prompt.temperature) == (("weather",), 9, 0.5)
    assert (prompt.top_p, prompt.stop_sequences) == (0, (".",))


# -- botocore as the judge -------------------------------------------------------------------------

_SERVICE = get_session().get_service_model("bedrock-runtime")


class _Raw:
    """A body of which everything was received, as botocore's stream wants it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> list[bytes]:
        return [self._data]


def _understood(message: Message, operation: str, body: dict[str, Any] | None = None) -> Any:
    made = render(
        message,
        operation=operation,
        model=_MODEL,
        body=bodies.compact(body or {}),
        chance=Random(1),
    )
    shape = _SERVICE.operation_model(operation).output_shape
    assert shape is not None
    if isinstance(made.body, Body):
        raw = {"status_code": 200, "headers": dict(made.headers), "body": made.body.data}
        return create_parser("rest-json").parse(raw, shape)
    assert isinstance(made.body, Events)
    wire = b"".join(bodies.wire(event, made.body.padded, Random(2)) for event in made.body.events)
    parser = create_parser("rest-json")._event_stream_parser
    return list(EventStream(_Raw(wire), shape.members["stream"], parser, operation))


_EVERYTHING = Message(
    (
        Reasoning("Let me think.", "sig"),
        Reasoning(redacted=b"hidden"),
        Text("Rome is warm."),
        CitedText(
            "It is 30 degrees.",
            (Citation("30 degrees", "report"), Citation("x", origin="https://example.com")),
        ),
        ToolUse("weather", {"city": "Rome"}),
        Image(b"\x89PNG"),
    ),
    "tool_use",
    usage=Usage(10, 20, 30, 40),
)


def test_botocore_understands_a_whole_answer() -> None:
    answer = _understood(_EVERYTHING, "Converse")
    blocks = answer["output"]["message"]["content"]
    assert [next(iter(block)) for block in blocks] == [
        "reasoningContent",
        "reasoningContent",
        "text",
        "citationsContent",
        "toolUse",
        "image",
    ]
    assert blocks[1]["reasoningContent"]["redactedContent"] == b"hidden"
    assert blocks[3]["citationsContent"]["citations"][1]["source"] == "https://example.com"
    assert blocks[4]["toolUse"]["input"] == {"city": "Rome"}
    assert blocks[5]["image"] == {"format": "png", "source": {"bytes": b"\x89PNG"}}
    assert (answer["stopReason"], answer["usage"]["totalTokens"]) == ("tool_use", 100)
    assert answer["usage"]["cacheDetails"] == [{"ttl": "5m", "inputTokens": 40}]


def test_botocore_understands_a_stream() -> None:
    events = _understood(_EVERYTHING, "ConverseStream")
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    assert not any("SDK_UNKNOWN_MEMBER" in str(event) for event in events)
    assert (
        "".join(d["delta"]["text"] for d in deltas if d["contentBlockIndex"] == 2)
        == "Rome is warm."
    )
    assert (
        "".join(d["delta"]["toolUse"]["input"] for d in deltas if d["contentBlockIndex"] == 4)
        == '{"city":"Rome"}'
    )
    starts = [
        event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event
    ]
    assert [next(iter(start)) for start in starts] == ["toolUse", "image"]
    assert list(events[-2]) == ["messageStop"]
    assert events[-1]["metadata"]["usage"]["cacheWriteInputTokens"] == 40


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_speed_and_price_are_told_to_those_who_asked(operation: str) -> None:
    asked = {"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "flex"}}
    for body in (asked, {}):
        answer = _understood(Message((Text("a"),)), operation, body)
        told = answer if operation == "Converse" else answer[-1]["metadata"]
        assert {key: told[key] for key in asked if key in told} == body


# -- what stands in no body ------------------------------------------------------------------------


def test_a_guardrail_that_stopped_the_question_costs_nothing() -> None:
    answer = _understood(Message((Text("No."),), "guardrail_intervened"), "Converse")
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] == 0


def test_tokens_are_made_up_from_the_length() -> None:
    answer = _understood(
        Message((Text("a" * 400),)), "Converse", {"messages": [{"content": [{"text": "b" * 4000}]}]}
    )
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (1000, 100)


def test_only_newer_claude_types_its_tool_use() -> None:
    message = Message((ToolUse("weather", {}),), "tool_use")
    typed = {
        model: "type" in str(CONVERSE.render(message, contents.model_request(CONVERSE, model)))
        for model in (_MODEL, "us.anthropic.claude-3-haiku-20240307-v1:0", "amazon.nova-lite-v1:0")
    }
    assert list(typed.values()) == [True, False, False]


def test_equal_chance_gives_equal_answers_and_another_gives_another() -> None:
    message = Message((Text("word " * 40), ToolUse("weather", {})))
    assert CONVERSE.stream is not None
    same, again, other = (
        list(CONVERSE.stream(message, contents.model_request(CONVERSE, _MODEL, seed=seed)))
        for seed in (1, 1, 2)
    )
    assert same == again != other


def test_other_content_is_refused() -> None:
    with pytest.raises(RenderError, match=r"answer with text, .*found Embeddings"):
        CONVERSE.render(Embeddings(), contents.model_request(CONVERSE, _MODEL))


@pytest.mark.parametrize("body", [{}, {"output": 1}, {"completion": "x"}])
def test_another_family_is_not_read(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"output\.message"):
        CONVERSE.read(body)
    assert CONVERSE.gather is not None
    with pytest.raises(ValueError, match="messageStart"):
        CONVERSE.gather([body])


def test_blocks_of_bedrocks_own_tools_are_passed_over() -> None:
    message = {
        "content": [
            {"toolUse": {"type": "server_tool_use"}},
            {"toolResult": {}},
            {"text": "a"},
            {"new": 1},
        ]
    }
    assert CONVERSE.read({"output": {"message": message}}) == Message((Text("a"),))
    assert CONVERSE.gather is not None
    start = {"toolUse": {"name": "grounding", "type": "server_tool_use"}}
    chunks: list[Any] = [
        {"messageStart": {}},
        {"contentBlockStart": {"contentBlockIndex": 0, "start": start}},
        {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": {}}}},
        {
            "contentBlockDelta": {
                "contentBlockIndex": 1,
                "delta": {"toolResult": [{"text": "[HIDDEN]"}]},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"text": "a"}}},
    ]
    assert CONVERSE.gather(chunks) == Message((Text("a"),))


def test_a_cut_tool_call_keeps_its_text() -> None:
    assert CONVERSE.gather is not None
    chunks: list[Any] = [
        {"messageStart": {}},
        {
            "contentBlockStart": {
                "contentBlockIndex": 0,
                "start": {"toolUse": {"name": "t", "toolUseId": "i"}},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": '{"ci'}}}},
    ]
    assert CONVERSE.gather(chunks).blocks == (ToolUse("t", '{"ci', "i"),)


@pytest.mark.parametrize(
    "system",
    ["Be brief.", [{"text": "Be brief."}], ["x", {"text": "Be brief."}, {"cachePoint": {}}]],
)
def test_forms_of_system_prompts(system: Any) -> None:
    assert CONVERSE.prompt({"system": system}).system == "Be brief."


@pytest.mark.parametrize(
    ("model", "first", "several"),
    [
        ("us.amazon.nova-lite-v1:0", '{"city":"Oslo and Rome"}', False),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "", True),
        ("cohere.command-r-plus-v1:0", "{", True),
    ],
)
def test_the_arguments_of_a_tool_come_as_the_model_cuts_them(
    model: str, first: str, several: bool
) -> None:
    """As recorded: Nova in one delta, Claude after an empty one, Cohere in several."""
    message = Message((ToolUse("weather", {"city": "Oslo and Rome"}),), "tool_use")
    response = render(
        message, operation="ConverseStream", model=model, body=b"{}", chance=Random(1)
    )
    assert isinstance(response.body, Events)
    payloads = [
        bodies.parse(event.payload)
        for event in response.body.events
        if event.type == "contentBlockDelta"
    ]
    deltas: list[str] = [payload["delta"]["toolUse"]["input"] for payload in payloads]  # type: ignore[index, call-overload]
    assert deltas[0].startswith(first)
    assert "".join(deltas) == '{"city":"Oslo and Rome"}'
    assert (len(deltas) > 1) is several


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
@pytest.mark.parametrize(
    ("body", "lifetime"),
    [
        ({"system": [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]}, "1h"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"text": "a"}, {"cachePoint": {"type": "default"}}],
                    }
                ]
            },
            "5m",
        ),
        ({"toolConfig": {"tools": [{"cachePoint": {"type": "default"}}]}}, "5m"),
        ({}, None),
    ],
    ids=["system", "message", "tools", "no cache point"],
)
def test_cached_tokens_are_counted_if_the_request_has_a_cache_point(
    operation: str, body: dict[str, Any], lifetime: str | None
) -> None:
    def read_usage(usage: Usage) -> dict[str, Any]:
        message = Message((Text("Hello."),), usage=usage)
        asked = bodies.compact(body)
        rendered = render(
            message,
            operation=operation,
            model="amazon.nova-lite-v1:0",
            body=asked,
            chance=Random(1),
        ).body
        value: Any = bodies.parse(
            rendered.events[-1].payload if isinstance(rendered, Events) else rendered.data
        )
        return dict(value["usage"])

    twins = {
        "cacheReadInputTokenCount",
        "cacheReadInputTokens",
        "cacheWriteInputTokenCount",
        "cacheWriteInputTokens",
    }
    plain, written = read_usage(Usage(7, 2)), read_usage(Usage(7, 2, 0, 5))
    assert (plain.keys() & twins) == (twins if lifetime else set())
    assert "cacheDetails" not in plain
    assert written["cacheDetails"] == [{"inputTokens": 5, "ttl": lifetime or "5m"}]
    assert plain["serverToolUsage"] == {}
