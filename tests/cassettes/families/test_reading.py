"""Requests and responses as content: over everything real, and over anything at all."""

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Prompt, Text, ToolUse, Turn, Usage
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.table import FAMILIES
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import (
    EMPTY,
    Body,
    Event,
    Events,
    Response,
    event_headers,
    exception_headers,
)
from bedtape_cassettes.operations import OPERATIONS
from support import contents
from support.corpus import Exchange, every, needs_corpus
from support.shapes import find_named_family

_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
_SPEAKING = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
_OPERATIONS = st.sampled_from([None, *sorted({operation.name for operation in OPERATIONS})])
_FAMILY = st.sampled_from([None, *(family.name for family in FAMILIES)])


def _answer(body: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, headers, Body("json", bodies.compact(body)))


def _stream(*chunks: Any) -> Response:
    events = [
        Event(0, event_headers("chunk"), bodies.seal_chunk(chunk), "bytes") for chunk in chunks
    ]
    return Response(200, (), Events.of(events))


# -- everything real -------------------------------------------------------------------------------


def _spoken() -> list[Exchange]:
    return [row for row in every() if row.operation in _SPEAKING and row.request_body]


@needs_corpus
@pytest.mark.corpus
def test_every_real_answer_and_request_is_understood() -> None:
    silent = []
    for row in _spoken():
        response = row.interaction().response
        asked = prompt_of(
            row.operation, row.model, row.request_body, family=find_named_family(row.model)
        )
        content = content_of(
            row.operation, row.model, response, family=find_named_family(row.model)
        )
        failed = row.status != 200 or b":exception-type" in row.response_body
        if not failed and (
            content is None or not (asked.turns or "image" in str(row.request_body))
        ):
            silent.append(str(row))
        if failed:
            assert content is None
    assert silent == []


@needs_corpus
@pytest.mark.corpus
def test_tokens_are_those_that_bedrock_counts_in_headers_and_metrics() -> None:
    compared = 0
    for row in _spoken():
        response = row.interaction().response
        usage = read_usage(row.operation, row.model, response, family=find_named_family(row.model))
        counted = _counted(response)
        if row.status != 200 or counted is None:
            continue
        assert usage is not None, str(row)
        assert usage.input == counted[0], str(row)
        # In Claude's streams with tools, Bedrock counts some 16 tokens less
        # than Claude itself does.
        tools = "claude" in row.model and row.stream and b"tool" in row.request_body
        assert 0 <= usage.output - counted[1] <= (50 if tools else 0), str(row)
        compared += 1
    assert compared > 800


def _counted(response: Response) -> tuple[int, int] | None:
    """What Bedrock itself counts, in and out."""
    if isinstance(response.body, Events):
        last = bodies.read_value(response.body.events[-1].form, response.body.events[-1].payload)
        metrics = last.get("amazon-bedrock-invocationMetrics") if isinstance(last, dict) else None
        return (metrics["inputTokenCount"], metrics["outputTokenCount"]) if metrics else None
    named = dict(response.headers)
    sent = named.get("x-amzn-bedrock-input-token-count")
    return (int(sent), int(named.get("x-amzn-bedrock-output-token-count", 0))) if sent else None


@needs_corpus
@pytest.mark.corpus
def test_every_tool_call_of_converse_is_found() -> None:
    calls = 0
    for row in _spoken():
        if row.operation == "Converse" and row.status == 200:
            blocks = json.loads(row.response_body)["output"]["message"]["content"]
            real = [
                (b["toolUse"]["toolUseId"], b["toolUse"]["input"]) for b in blocks if "toolUse" in b
            ]
            content = content_of("Converse", row.model, row.interaction().response)
            assert isinstance(content, Message)
            assert [(b.id, b.input) for b in content.blocks if isinstance(b, ToolUse)] == real
            calls += len(real)
    assert calls > 100


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
def test_whatever_else_is_in_the_corpus_does_not_raise() -> None:
    for row in every():
        interaction = row.interaction()
        prompt_of(interaction.operation, interaction.model, row.request_body)
        content_of(interaction.operation, interaction.model, interaction.response)
        read_usage(interaction.operation, interaction.model, interaction.response)


# -- anything at all -------------------------------------------------------------------------------


@given(
    _OPERATIONS, st.sampled_from([None, "", _CLAUDE, "amazon.nova-lite-v1:0"]), st.binary(), _FAMILY
)
def test_any_bytes_are_a_request(
    operation: str | None, model: str | None, body: bytes, family: str | None
) -> None:
    assert prompt_of(operation, model, body, family=family).text == "" or body


@given(_OPERATIONS, contents.REQUESTS, _FAMILY)
def test_any_json_is_a_request(
    operation: str | None, body: dict[str, Any], family: str | None
) -> None:
    try:
        data = bodies.compact(body)
    except ValueError:  # infinity
        return
    assert isinstance(prompt_of(operation, _CLAUDE, data, family=family), Prompt)


_ANSWER_WORDS = (
    "output message content text choices delta outputs generation generations results completion"
    " usage stopReason stop_reason finish_reason type index contentBlockDelta contentBlockStart"
    " messageStart message_start embedding embeddings images outputText prompt_token_count"
    " input_tokens amazon-bedrock-invocationMetrics id input tool_calls function arguments name"
    " reasoningContent completions data relevance_score response toolUse citations"
)
_ANSWER_MEMBERS = st.sampled_from(_ANSWER_WORDS.split())
_ANSWERS = st.recursive(
    contents.SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_ANSWER_MEMBERS | contents.WORDS, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_ANSWERS, st.sampled_from([family.name for family in FAMILIES]))
def test_any_json_is_an_answer_or_none(body: Any, family: str) -> None:
    operation = "Converse" if family == "converse" else "InvokeModel"
    content_of(operation, None, _answer(body), family=family)
    read_usage(operation, None, _answer(body), family=family)


@given(st.lists(_ANSWERS, max_size=3), st.sampled_from([family.name for family in FAMILIES]))
def test_any_chunks_are_an_answer_or_none(chunks: list[Any], family: str) -> None:
    operation = "ConverseStream" if family == "converse" else "InvokeModelWithResponseStream"
    content_of(operation, None, _stream(*chunks), family=family)


# -- special cases ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        _answer({"message": "no"}, 400),
        _answer({"message": "no"}),
        _answer([1]),
        Response(200, (), EMPTY),
        Response(200, (), Body("base64", b"\xff")),
        Response(200, (), Events.of([])),
    ],
)
def test_what_is_no_answer_is_none(response: Response) -> None:
    assert content_of("InvokeModel", _CLAUDE, response) is None
    assert content_of("InvokeModel", "someone.new-v1", response) is None
    assert content_of("Retrieve", None, response) is None
    assert read_usage("InvokeModel", _CLAUDE, response) is None


@pytest.mark.parametrize("operation", ["ConverseStream", "InvokeModelWithResponseStream"])
def test_a_stream_that_broke_off_is_none(operation: str) -> None:
    whole = render(
        Message((Text("Hey"),)), operation=operation, model=_CLAUDE, body=b"{}", chance=Random(0)
    )
    assert isinstance(whole.body, Events)
    broken = Event(0, exception_headers("throttlingException"), b'{"message":"Slow down."}', "json")
    cut = Response(200, (), Events.of([*whole.body.events[:2], broken]))
    assert content_of(operation, _CLAUDE, whole) is not None
    assert content_of(operation, _CLAUDE, cut) is None


def test_tokens_of_an_unknown_family_are_in_the_headers_or_metrics() -> None:
    headers = (
        ("x-amzn-bedrock-input-token-count", "3"),
        ("x-amzn-bedrock-output-token-count", "4"),
    )
    assert read_usage("InvokeModel", "someone.new-v1", _answer({}, headers=headers)) == Usage(3, 4)
    metrics = {"inputTokenCount": 3, "outputTokenCount": 4, "cacheReadInputTokenCount": 5}
    assert read_usage(
        "InvokeModelWithResponseStream",
        "someone.new-v1",
        _stream({"amazon-bedrock-invocationMetrics": metrics}),
    ) == Usage(3, 4, 5)


def test_a_guardrails_mark_is_the_stop_reason() -> None:
    body = {"content": [{"type": "text", "text": "No."}], "stop_reason": "end_turn"}
    marked = _answer({**body, "amazon-bedrock-guardrailAction": "INTERVENED"})
    unmarked = _answer({**body, "amazon-bedrock-guardrailAction": "NONE"})
    assert content_of("InvokeModel", _CLAUDE, marked) == Message(
        (Text("No."),), "guardrail_intervened"
    )
    assert content_of("InvokeModel", _CLAUDE, unmarked) == Message((Text("No."),), "end_turn")


_NATIVE = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (
            "CountTokens",
            {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}},
        ),
        (
            "CountTokens",
            {"input": {"invokeModel": {"body": b64encode(bodies.compact(_NATIVE)).decode()}}},
        ),
        ("ApplyGuardrail", {"source": "INPUT", "content": [{"text": {"text": "Hi"}}]}),
        ("Messages", {"model": "anthropic.claude-haiku-4-5", **_NATIVE}),
        ("ChatCompletions", {"model": "openai.gpt-oss-120b", **_NATIVE}),
        ("Responses", {"model": "openai.gpt-oss-120b", "input": "Hi"}),
        (
            "Responses",
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        ),
    ],
)
def test_other_front_doors_ask_the_same(operation: str, body: dict[str, Any]) -> None:
    prompt = prompt_of(operation, _CLAUDE, bodies.compact(body))
    assert (prompt.turns, prompt.last) == ((Turn("user", "Hi"),), "Hi")


def test_the_front_doors_answer_in_their_families_form() -> None:
    chat = {
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hey"},
            }
        ]
    }
    message = {
        "type": "message",
        "content": [{"type": "text", "text": "Hey"}],
        "stop_reason": "end_turn",
    }
    for operation, body in (("ChatCompletions", chat), ("Messages", message)):
        assert content_of(operation, None, _answer(body)) == Message((Text("Hey"),))


def test_server_sent_events_are_read_as_chunks_are() -> None:
    lines = [
        {
            "type": "message_start",
            "message": {"content": [], "usage": {"input_tokens": 1, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hey"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 2},
        },
    ]
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (str(x["type"]).encode(), bodies.compact(x)) for x in lines
    )
    response = Response(200, (), bodies.read_pieces(data))
    assert content_of("Messages", None, response) == Message((Text("Hey"),), usage=Usage(1, 2))
