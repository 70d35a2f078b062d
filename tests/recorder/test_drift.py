"""Drift: each kind is reported exactly and alone, and what is wording, chance or time is none."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.model import Ending, Headers, Interaction, event_headers, exception_headers
from bedtape_recorder.drift.comparison import Drift, find_drifts
from support.calls import CLAUDE
from support.corpus import every, needs_corpus
from support.recordings import answer, path, prompt, record_interaction

JSON: Headers = (("Content-Type", "application/json"), ("x-amzn-RequestId", "a"))
STREAM: Headers = (("Content-Type", "application/vnd.amazon.eventstream"),)
SSE: Headers = (("Content-Type", "text/event-stream"),)
Rows = list[tuple[str, Any]]


def plain(
    value: Any, *, status: int = 200, headers: Headers = JSON, exact: bool = False
) -> Interaction:
    data = value if isinstance(value, bytes) else bodies.compact(value)
    return record_interaction(prompt("a"), data, status=status, headers=headers, exact=exact)


def invoked(value: Any) -> Interaction:
    return record_interaction(
        b"{}", bodies.compact(value), url=path("invoke", CLAUDE), headers=JSON
    )


def error(status: int, kind: str, message: str = "no") -> Interaction:
    return plain({"message": message}, status=status, headers=(*JSON, ("x-amzn-ErrorType", kind)))


ROWS: Rows = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one"}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "two"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"metrics": {"latencyMs": 5}, "usage": {"inputTokens": 1, "outputTokens": 2}}),
]
CHUNKS = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"invocationLatency": 1}},
]


def streamed(rows: Rows, *more: bytes) -> Interaction:
    frames = [
        eventstream.encode_strings(event_headers(name), bodies.compact({**value, "p": "abc"}))
        for name, value in rows
    ]
    return record_interaction(
        prompt("a"), b"".join([*frames, *more]), url=path("converse-stream"), headers=STREAM
    )


def chunked(values: list[Any]) -> Interaction:
    frames = [
        eventstream.encode_strings(event_headers("chunk"), bodies.seal_chunk(value))
        for value in values
    ]
    return record_interaction(
        prompt("a"),
        b"".join(frames),
        url=path("invoke-with-response-stream", CLAUDE),
        headers=STREAM,
    )


def pieced(values: list[Any], *, named: bool) -> Interaction:
    lines = [
        (f"event: {v['type']}\n".encode() if named else b"") + bodies.seal_data(v) for v in values
    ]
    return record_interaction(
        b"{}", b"".join([*lines, b"data: [DONE]\n\n"]), url="/v1/responses", headers=SSE
    )


def waiting(interaction: Interaction, milliseconds: int) -> Interaction:
    return replace(interaction, response=replace(interaction.response, after_ms=milliseconds))


def ending(interaction: Interaction, ends: Ending) -> Interaction:
    return replace(interaction, response=replace(interaction.response, ends=ends))


def changed(value: Any, change: Callable[[Any], object]) -> Any:
    after = copy.deepcopy(value)
    change(after)
    return after


def _set(*keys: Any, to: Any) -> Callable[[Any], object]:
    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


def _drop(*keys: Any) -> Callable[[Any], object]:
    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        del value[keys[-1]]

    return change


ANSWER = answer("Hi")
LIFE = "This model version has reached the end of its life."
DENIED = eventstream.encode_strings(exception_headers("accessDeniedException"), b'{"message":"no"}')
THROTTLED = eventstream.encode_strings(
    exception_headers("throttlingException"), b'{"message":"slow down"}'
)
SHORT_ORDER = "messageStart → contentBlockDelta text → contentBlockStop → messageStop → metadata"

DRIFTS: dict[str, tuple[Interaction, Interaction, Drift]] = {
    "a field gained": (
        plain(ANSWER),
        plain(changed(ANSWER, _set("usage", "cacheReadInputTokens", to=0))),
        Drift("field gained", "usage.cacheReadInputTokens", "not there", "number"),
    ),
    "a field lost": (
        plain(ANSWER),
        plain(changed(ANSWER, _drop("usage", "totalTokens"))),
        Drift("field lost", "usage.totalTokens", "number", "not there"),
    ),
    "a type": (
        plain(ANSWER),
        plain(changed(ANSWER, _set("usage", "totalTokens", to="2"))),
        Drift("type", "usage.totalTokens", "number", "text"),
    ),
    "a field of every item": (
        plain({"a": [{"b": 1}, {"b": 2}]}),
        plain({"a": [{"b": 1, "c": None}, {"b": 2, "c": None}]}),
        Drift("field gained", "a[].c", "not there", "null"),
    ),
    "a stop reason": (
        plain(ANSWER),
        plain(changed(ANSWER, _set("stopReason", to="max_tokens"))),
        Drift("stop reason", "", "end_turn", "max_tokens"),
    ),
    "a header gained": (
        plain(ANSWER),
        plain(ANSWER, headers=(*JSON, ("X-Amzn-New", "1"))),
        Drift("header gained", "x-amzn-new", "not there", "there"),
    ),
    "a header lost": (
        plain(ANSWER, headers=(*JSON, ("x-amzn-old", "1"))),
        plain(ANSWER),
        Drift("header lost", "x-amzn-old", "there", "not there"),
    ),
    "a content type": (
        plain(ANSWER),
        plain(ANSWER, headers=(("content-type", "application/x-amz-json-1.1"),)),
        Drift("content type", "", "application/json", "application/x-amz-json-1.1"),
    ),
    "an error type": (
        error(400, "ValidationException:http://internal.amazon.com/"),
        error(400, "ModelErrorException"),
        Drift("error type", "", "ValidationException", "ModelErrorException"),
    ),
    "a status": (plain(ANSWER), error(409, "ConflictException"), Drift("status", "", "200", "409 ConflictException")),
    "a permission": (
        plain(ANSWER),
        error(403, "AccessDeniedException"),
        Drift("missing permission", "", "an answer", "403 AccessDeniedException"),
    ),
    "a permission in a stream": (
        streamed(ROWS),
        streamed(ROWS[:2], DENIED),
        Drift("missing permission", "", "an answer", "200 AccessDeniedException"),
    ),
    "an error text": (
        error(400, "ValidationException", "3 of 2"),
        error(400, "ValidationException", "4 is too many"),
        Drift("error text", "", "… of …", "… is too many"),
    ),
    "a content block": (
        plain(ANSWER),
        plain(changed(ANSWER, lambda value: value["output"]["message"]["content"].append({"text": "b"}))),
        Drift("content blocks", "", "Text", "Text, Text"),
    ),
    "a cut stream": (
        streamed(ROWS),
        ending(streamed(ROWS[:2]), "mid-frame"),
        Drift("cut stream", "", "complete", "mid-frame"),
    ),
    "a slow answer": (
        waiting(plain(ANSWER), 900),
        waiting(plain(ANSWER), 12_000),
        Drift("latency", "", "under 1 s", "under 30 s"),
    ),
    "an error no more": (error(400, "ValidationException"), plain(ANSWER), Drift("status", "", "400", "200")),
    "a retired model": (
        plain(ANSWER),
        error(404, "ResourceNotFoundException", LIFE),
        Drift("model retired", "", "an answer", bodies.compact({"message": LIFE}).decode()),
    ),
    "a retired model of a stream": (
        streamed(ROWS),
        error(400, "ValidationException", LIFE),
        Drift("model retired", "", "an answer", bodies.compact({"message": LIFE}).decode()),
    ),
    "no stream any more": (streamed(ROWS), plain(ANSWER), Drift("body", "", "a stream", "no stream")),
    "a stream now": (plain(ANSWER), streamed(ROWS), Drift("body", "", "no stream", "a stream")),
    "an event's order": (
        streamed(ROWS),
        streamed([*ROWS[:3], ROWS[4], ROWS[3], ROWS[5]]),
        Drift(
            "event order", "", SHORT_ORDER,
            "messageStart → contentBlockDelta text → messageStop → contentBlockStop → metadata",
        ),
    ),
    "a field of an event": (
        streamed(ROWS),
        streamed(changed(ROWS, _set(0, 1, "conversationId", to="x"))),
        Drift("field gained", "messageStart: conversationId", "not there", "text"),
    ),
    "a field of an event lost": (
        streamed(ROWS),
        streamed(changed(ROWS, _drop(5, 1, "metrics", "latencyMs"))),
        Drift("field lost", "metadata: metrics.latencyMs", "number", "not there"),
    ),
    "a stop reason of a stream": (
        streamed(ROWS),
        streamed(changed(ROWS, _set(4, 1, "stopReason", to="guardrail_intervened"))),
        Drift("stop reason", "", "end_turn", "guardrail_intervened"),
    ),
    "a field of a chunk": (
        chunked(CHUNKS),
        chunked(changed(CHUNKS, _set(0, "message", "usage", "cache_creation", to={}))),
        Drift("field gained", "chunk message_start: message.usage.cache_creation", "not there", "mapping"),
    ),
    "a stop reason of a chunk": (
        chunked(CHUNKS),
        chunked(changed(CHUNKS, _set(2, "delta", "stop_reason", to="max_tokens"))),
        Drift("stop reason", "", "end_turn", "max_tokens"),
    ),
    "a field of a server-sent event": (
        pieced(CHUNKS, named=False),
        pieced(changed(CHUNKS, _drop(1, "index")), named=False),
        Drift("field lost", "data content_block_delta text_delta: index", "number", "not there"),
    ),
    "a field of a named server-sent event": (
        pieced(CHUNKS, named=True),
        pieced(changed(CHUNKS, _drop(1, "index")), named=True),
        Drift("field lost", "data content_block_delta text_delta: index", "number", "not there"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "drift"), DRIFTS.values(), ids=DRIFTS)
def test_a_drift_is_reported_exactly_and_alone(
    before: Interaction, after: Interaction, drift: Drift
) -> None:
    assert find_drifts(before, after) == [drift]
    assert find_drifts(before, before) == []
    assert find_drifts(after, after) == []


def test_an_exception_in_the_middle_is_an_order_and_a_shape() -> None:
    drifts = find_drifts(streamed(ROWS), streamed(ROWS, THROTTLED))
    assert [drift.kind for drift in drifts] == ["event order", "field gained"]
    assert drifts[0].now == f"{SHORT_ORDER} → throttlingException"


def test_several_drifts_are_all_reported() -> None:
    after = changed(changed(ANSWER, _set("stopReason", to="x")), _drop("metrics"))
    drifts = find_drifts(plain(ANSWER), plain(after, headers=(*JSON, ("x-new", "1"))))
    assert [(drift.kind, drift.where) for drift in drifts] == [
        ("header gained", "x-new"),
        ("field lost", "metrics"),
        ("field lost", "metrics.latencyMs"),
        ("stop reason", ""),
    ]


def _tool(arguments: Any) -> dict[str, Any]:
    return {
        "output": {
            "message": {
                "content": [
                    {"toolUse": {"toolUseId": "tooluse_1", "name": "a", "input": arguments}}
                ]
            }
        }
    }


LONGER: Rows = [
    ROWS[0],
    *[
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}})
        for word in "abcdefg"
    ],
    *ROWS[3:],
]
SAME: dict[str, tuple[Interaction, Interaction]] = {
    "wording": (plain(ANSWER), plain(answer("Something else, and much longer"))),
    "token counts and latencies": (
        plain(ANSWER),
        plain(
            changed(
                changed(ANSWER, _set("usage", "inputTokens", to=999)),
                _set("metrics", "latencyMs", to=12345.5),
            )
        ),
    ),
    "ids": (plain({"id": "msg_1", "created": 1}), plain({"id": "msg_2", "created": 2})),
    "header values": (
        plain(ANSWER, headers=(*JSON, ("X-Amzn-Bedrock-Invocation-Latency", "1"))),
        plain(ANSWER, headers=(*JSON, ("x-amzn-bedrock-invocation-latency", "222"))),
    ),
    "the connection's headers, kept exactly": (
        plain(ANSWER, headers=(*JSON, ("Connection", "keep-alive"), ("Date", "a")), exact=True),
        plain(ANSWER, headers=(JSON[0], ("Transfer-Encoding", "chunked")), exact=True),
    ),
    "how many items": (plain({"a": [{"b": 1}]}), plain({"a": [{"b": 1}, {"b": 2}, {"b": 3}]})),
    "numbers": (plain({"a": 1}), plain({"a": 1.5})),
    "error messages": (
        error(400, "ValidationException", "at 9"),
        error(400, "ValidationException:x", "at 12"),
    ),
    "the same class of latency": (waiting(plain(ANSWER), 200), waiting(plain(ANSWER), 900)),
    "less than twice the time": (waiting(plain(ANSWER), 900), waiting(plain(ANSWER), 1500)),
    "a time that was not recorded": (plain(ANSWER), waiting(plain(ANSWER), 9000)),
    "the arguments of a tool": (
        plain(_tool({"city": "Rome"})),
        plain(_tool({"place": {"city": ["Paris"]}})),
    ),
    "the arguments of a tool, Anthropic's": (
        invoked({"content": [{"type": "tool_use", "input": {"a": 1}}]}),
        invoked({"content": [{"type": "tool_use", "input": {"b": "c"}}]}),
    ),
    "how many pieces": (streamed(ROWS), streamed(LONGER)),
    "how many chunks": (chunked(CHUNKS), chunked([CHUNKS[0], *CHUNKS[1:2] * 9, *CHUNKS[2:]])),
    "pings": (
        chunked(CHUNKS),
        chunked([CHUNKS[0], {"type": "ping"}, CHUNKS[1], {"type": "ping"}, *CHUNKS[2:]]),
    ),
    "times": (
        plain(ANSWER),
        replace(plain(ANSWER), response=replace(plain(ANSWER).response, after_ms=999)),
    ),
    "text that is no JSON": (plain(b"<html>a</html>"), plain(b"<html>b, longer</html>")),
    "no body": (plain(b""), plain(b"")),
}


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME)
def test_what_is_no_drift(before: Interaction, after: Interaction) -> None:
    assert find_drifts(before, after) == []
    assert find_drifts(after, before) == []


def test_an_input_that_is_no_tools_is_a_shape() -> None:
    drifts = find_drifts(plain({"input": {"a": 1}}), plain({"input": {"b": 1}}))
    assert [(drift.kind, drift.where) for drift in drifts] == [
        ("field lost", "input.a"),
        ("field gained", "input.b"),
    ]


def test_a_drift_says_where_and_what() -> None:
    assert (
        str(Drift("type", "usage.totalTokens", "number", "text"))
        == "type usage.totalTokens: recorded number, now text"
    )
    assert str(Drift("status", "", "200", "400 X")) == "status: recorded 200, now 400 X"


@pytest.mark.corpus
@needs_corpus
def test_no_exchange_of_the_corpus_drifts_from_itself() -> None:
    for number, exchange in enumerate(every()):
        interaction = exchange.interaction(exact=bool(number % 2))
        assert find_drifts(interaction, interaction) == [], exchange
