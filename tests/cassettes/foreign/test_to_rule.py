"""Fixtures that answer by conditions: as an overlay that its reader takes, and that a
served client is answered by.
"""

import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.foreign.exchange import Rule
from bedtape_cassettes.foreign.import_file import ImportResult, import_file
from bedtape_cassettes.foreign.import_formats import ForeignInvalid
from bedtape_cassettes.foreign.to_rule import render_overlay
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_schema import LARGEST_COUNT
from bedtape_cassettes.model import event_headers
from bedtape_cassettes.redaction.scrub import read_patterns
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.overlay.document import read
from support.examples import examples

STREAM = b"".join(
    eventstream.encode_strings(event_headers("chunk"), bodies.seal_chunk({"generation": text}))
    for text in ("a", "b")
)


def taken(document: Any) -> tuple[ImportResult, list[dict[str, Any]]]:
    """What was found, and its rules as an overlay file that was written, checked by its
    reader, and parsed by PyYAML.
    """
    imported = import_file(json.dumps(document).encode())
    data = render_overlay(imported.rules)
    assert len(read(data, "x.overlay.yaml").rules) == len(imported.rules)
    return imported, yaml.safe_load(data)["rules"]


# -- aimock ----------------------------------------------------------------------------------------


def fixtures(*given: tuple[dict[str, Any], dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "fixtures": [{"match": match, "response": response, **more} for match, response in given]
    }


@pytest.mark.parametrize(
    ("match", "when"),
    [
        ({}, None),
        ({"userMessage": "hello"}, {"prompt_contains": "hello"}),
        ({"inputText": "hello", "endpoint": "embedding"}, {"prompt_contains": "hello"}),
        ({"systemMessage": "be kind"}, {"system_contains": "be kind"}),
        ({"systemMessage": ["a.b", "c"]}, {"system_regex": r"(?s)(?=.*a\.b)(?=.*c)"}),
        ({"toolName": "weather"}, {"tool_offered": "weather"}),
        ({"toolCallId": "call_1", "endpoint": "chat"}, {"tool_result": "call_1"}),
        ({"hasToolResult": True, "turnIndex": 1}, {"tool_result": "*", "turn": 2}),
        ({"model": "amazon.nova-lite-v1:0"}, {"model": "amazon.nova-lite-v1:0"}),
        ({"model": "a[b]*"}, {"model": "a[[]b][*]"}),
    ],
)
def test_aimock_conditions(match: dict[str, Any], when: dict[str, Any] | None) -> None:
    imported, (rule,) = taken(fixtures((match, {"content": "hi"})))
    assert imported.format == "aimock"
    assert rule.get("when") == when
    assert rule["answer"] == {"text": "hi"}


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ({"content": {"a": 1}}, {"json": {"a": 1}}),
        ({"content": "x", "finishReason": "length"}, {"text": "x", "stop_reason": "max_tokens"}),
        ({"content": ""}, {"text": ""}),
        (
            {
                "toolCalls": [
                    {"name": "f", "arguments": '{"x":1}', "id": "t1"},
                    {"name": "g", "arguments": {"y": 2}},
                ]
            },
            {
                "tool": [
                    {"name": "f", "input": {"x": 1}, "id": "t1"},
                    {"name": "g", "input": {"y": 2}},
                ]
            },
        ),
        ({"content": "x", "reasoning": "hm"}, {"text": "x", "reasoning": "hm"}),
        (
            {"content": "x", "reasoning": "hm", "reasoningSignature": "s"},
            {"text": "x", "reasoning": {"text": "hm", "signature": "s"}},
        ),
        (
            {
                "blocks": [
                    {"type": "toolCall", "name": "f", "arguments": "{}"},
                    {"type": "text", "text": "x"},
                ],
                "reasoning": "r",
            },
            {"blocks": [{"reasoning": "r"}, {"tool": {"name": "f", "input": {}}}, {"text": "x"}]},
        ),
        (
            {
                "content": "x",
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
                "id": "i",
            },
            {"text": "x", "usage": {"input": 3, "output": 4}},
        ),
        ({"embedding": [0.5, 1]}, {"embedding": [0.5, 1]}),
        (
            {"error": {"message": "slow down", "type": "rate_limit"}, "status": 429},
            {"error": "ThrottlingException", "status": 429, "message": "slow down"},
        ),
        (
            {"error": {"message": "no"}},
            {"error": "InternalServerException", "status": 500, "message": "no"},
        ),
    ],
)
def test_aimock_answers(response: dict[str, Any], answer: dict[str, Any]) -> None:
    _, (rule,) = taken(fixtures(({"userMessage": "a"}, response)))
    assert rule["answer"] == answer


def test_aimock_sequences_are_one_rule_with_answers() -> None:
    imported, rules = taken(
        fixtures(
            ({"userMessage": "a", "sequenceIndex": 1}, {"content": "two"}),
            ({"userMessage": "b"}, {"content": "other"}),
            ({"userMessage": "a", "sequenceIndex": 0}, {"content": "one"}),
            ({"userMessage": "a"}, {"content": "ever after"}),
            ({"userMessage": "c", "sequenceIndex": 3}, {"content": "late"}),
        )
    )
    assert rules == [
        {
            "when": {"prompt_contains": "a"},
            "answers": [{"text": "one"}, {"text": "two"}],
            "times": 2,
        },
        {"when": {"prompt_contains": "a"}, "answer": {"text": "ever after"}},
        {"when": {"prompt_contains": "b"}, "answer": {"text": "other"}},
    ]
    assert [(skipped.number, skipped.damaged) for skipped in imported.skipped] == [(5, False)]


def test_aimock_with_a_tools_result_comes_before_without() -> None:
    imported, rules = taken(
        fixtures(
            (
                {"userMessage": "a", "hasToolResult": False},
                {"toolCalls": [{"name": "f", "arguments": "{}"}]},
            ),
            ({"userMessage": "a", "hasToolResult": True}, {"content": "done"}),
        )
    )
    assert [rule["when"] for rule in rules] == [
        {"prompt_contains": "a", "tool_result": "*"},
        {"prompt_contains": "a"},
    ]
    assert any("hasToolResult: false is left out" in remark for remark in imported.remarks())


@pytest.mark.parametrize(
    ("match", "response", "named"),
    [
        ({"toolResultContains": "x"}, {"content": "a"}, "toolResultContains"),
        ({"responseFormat": "json_object"}, {"content": "a"}, "responseFormat"),
        ({"endpoint": "speech"}, {"content": "a"}, "endpoint"),
        ({}, {"audio": "x"}, "audio"),
        ({}, {"content": "a", "redactedThinking": ["x"]}, "redactedThinking"),
        ({}, {"content": "a", "finishReason": "odd"}, "finishReason"),
        ({}, {"toolCalls": [{"name": "f"}]}, "name and arguments"),
        ({}, {"finishReason": "stop"}, "content, toolCalls or blocks"),
        ({}, {"error": {}, "status": 200}, "an error's status"),
    ],
)
def test_what_no_rule_can_say_is_named(
    match: dict[str, Any], response: dict[str, Any], named: str
) -> None:
    imported, rules = taken(
        fixtures((match, response), ({"userMessage": "sound"}, {"content": "b"}))
    )
    assert [rule["answer"] for rule in rules] == [{"text": "b"}]
    assert named in imported.skipped[0].reason


def test_aimocks_timing_is_left_out_aloud() -> None:
    imported, _ = taken(fixtures(({}, {"content": "a"}), latency=5, chunkSize=2))
    assert any("left out: chunkSize, latency" in remark for remark in imported.remarks())


# -- MockServer ------------------------------------------------------------------------------------


def expectation(
    request: dict[str, Any], response: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    said = response or {"statusCode": 200, "body": {"type": "JSON", "json": {"a": 1}}}
    return {"id": "x", "httpRequest": {"method": "POST", **request}, "httpResponse": said, **more}


@pytest.mark.parametrize(
    ("request_", "when"),
    [
        ({"path": "/model/m.n-v1%3A0/converse"}, {"operation": "Converse", "model": "m.n-v1:0"}),
        ({"path": "/model/.*/converse-stream"}, {"operation": "ConverseStream"}),
        (
            {"path": r"/model/anthropic\..*/invoke"},
            {"operation": "InvokeModel", "model": "anthropic.*"},
        ),
        ({"path": "/model/[^/]+/invoke"}, {"operation": "InvokeModel"}),
        ({"path": "/model/.*"}, None),
        ({}, None),
        (
            {"path": "/model/m/converse", "headers": {"x-a": ["b"]}},
            {"operation": "Converse", "model": "m", "header": {"x-a": "b"}},
        ),
        (
            {"body": {"type": "JSON", "json": {"a": {"b": 1, "c": [2]}, "d": {}}}},
            {"json_path": {"a.b": 1, "a.c": [2], "d": {}}},
        ),
        (
            {"body": {"type": "JSON", "json": '{"a":{"b":1}}', "matchType": "STRICT"}},
            {"json_path": {"a": {"b": 1}}},
        ),
        ({"body": {"a": 1}}, {"json_path": {"a": 1}}),
        ({"body": '{"a":1}'}, {"json_path": {"a": 1}}),
        (
            {"body": {"type": "STRING", "string": "hello", "subString": True}},
            {"text_contains": "hello"},
        ),
        ({"body": {"type": "REGEX", "regex": ".*hel+o.*"}}, {"text_regex": "hel+o"}),
    ],
)
def test_mockserver_conditions(request_: dict[str, Any], when: dict[str, Any] | None) -> None:
    imported, (rule,) = taken([expectation(request_)])
    assert imported.format == "mockserver"
    assert rule.get("when") == when
    assert rule["answer"] == {"raw": {"json": {"a": 1}}}


@pytest.mark.parametrize(
    ("response", "raw"),
    [
        ({"body": "plain"}, {"text": "plain"}),
        (
            {"statusCode": 429, "body": {"message": "no"}},
            {"json": {"message": "no"}, "status": 429},
        ),
        ({"body": {"type": "BINARY", "base64Bytes": "AP8="}}, {"base64": "AP8="}),
        (
            {
                "headers": {
                    "Content-Type": ["application/vnd.amazon.eventstream"],
                    "Set-Cookie": ["a=b"],
                    "Date": ["x"],
                },
                "body": {"type": "BINARY", "base64Bytes": b64encode(STREAM).decode()},
            },
            {
                "chunks": [{"generation": "a"}, {"generation": "b"}],
                "headers": {"content-type": "application/vnd.amazon.eventstream"},
            },
        ),
    ],
)
def test_mockserver_answers(response: dict[str, Any], raw: dict[str, Any]) -> None:
    _, (rule,) = taken(expectation({"path": "/model/m/invoke"}, response))
    assert rule["answer"] == {"raw": raw}


def test_mockserver_times_and_priorities() -> None:
    low = expectation({}, {"body": "low"}, times={"unlimited": True})
    high = expectation(
        {}, {"body": "high"}, priority=10, times={"remainingTimes": 2, "unlimited": False}
    )
    _, rules = taken([low, high])
    assert rules == [
        {"answer": {"raw": {"text": "high"}}, "times": 2},
        {"answer": {"raw": {"text": "low"}}},
    ]


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (expectation({"path": "/model/(a|b)/converse"}), "the path"),
        (expectation({"path": "/v1/other"}), "not Bedrock's"),
        (expectation({"body": {"type": "JSON_PATH", "jsonPath": "$.a[?(@.b)]"}}), "JSON_PATH"),
        (expectation({"body": {"not": True, "type": "STRING", "string": "a"}}), "must not"),
        (expectation({"queryStringParameters": {"a": ["b"]}}), "queryStringParameters"),
        (expectation({"headers": {"!x": ["y"]}}), "header"),
        (
            {"httpRequest": {"path": "/model/m/converse"}, "httpError": {"dropConnection": True}},
            "httpResponse",
        ),
    ],
)
def test_what_mockserver_says_and_no_rule_can(entry: dict[str, Any], named: str) -> None:
    imported, rules = taken([entry, expectation({"path": "/model/m/converse"})])
    assert len(rules) == 1
    assert named in imported.skipped[0].reason
    assert not imported.is_damaged


# -- WireMock --------------------------------------------------------------------------------------


def stub(
    request: dict[str, Any], response: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    said = response or {"status": 200, "jsonBody": {"a": 1}}
    return {"request": {"method": "POST", **request}, "response": said, **more}


@pytest.mark.parametrize(
    ("request_", "when"),
    [
        ({"urlPathPattern": "/model/.*/converse"}, {"operation": "Converse"}),
        ({"urlPathTemplate": "/model/{id}/invoke"}, {"operation": "InvokeModel"}),
        ({"urlPath": "/model/m/converse"}, {"operation": "Converse", "model": "m"}),
        (
            {
                "url": "/model/m/converse",
                "bodyPatterns": [{"equalToJson": {"a": {"b": 1}}, "ignoreExtraElements": True}],
            },
            {"operation": "Converse", "model": "m", "json_path": {"a.b": 1}},
        ),
        (
            {
                "urlPath": "/model/m/converse",
                "headers": {"X-A": {"contains": "b"}},
                "bodyPatterns": [
                    {"matchesJsonPath": {"expression": "$.a.b", "equalTo": "c"}},
                    {"matchesJsonPath": {"expression": "$.d[0]", "equalTo": "e"}},
                    {"contains": "hello"},
                    {"matches": ".*h.*"},
                ],
            },
            {
                "operation": "Converse",
                "model": "m",
                "header": {"X-A": "*b*"},
                "json_path": {"$.a.b": "c", "$.d[0]": "e"},
                "text_contains": "hello",
                "text_regex": "h",
            },
        ),
    ],
)
def test_wiremock_conditions(request_: dict[str, Any], when: dict[str, Any]) -> None:
    imported, (rule,) = taken(stub(request_))
    assert imported.format == "wiremock"
    assert not imported.interactions
    assert rule == {"when": when, "answer": {"raw": {"json": {"a": 1}}}}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (
            stub({"urlPath": "/model/m/converse"}, {"fault": "EMPTY_RESPONSE", "status": 200}),
            "a fault",
        ),
        (
            stub({"urlPath": "/model/m/converse"}, {"status": 200, "bodyFileName": "b.json"}),
            "b.json",
        ),
        (
            stub(
                {"urlPath": "/model/m/converse"},
                {"status": 200, "transformers": ["response-template"]},
            ),
            "template",
        ),
        (
            stub({"urlPath": "/model/m/converse"}, requiredScenarioState="two", scenarioName="s"),
            "scenario",
        ),
        (
            stub({"urlPath": "/model/m/converse", "bodyPatterns": [{"matchesXPath": "//a"}]}),
            "matchesXPath",
        ),
        (stub({"urlPath": "/model/m/converse", "headers": {"a": {"matches": "b+"}}}), "header"),
        (stub({"urlPath": "/other"}), "not Bedrock's"),
        (stub({"urlPath": "/model/m/converse"}, {"status": 204}), "may have a body, found 204"),
    ],
)
def test_what_wiremock_says_and_no_rule_can(entry: dict[str, Any], named: str) -> None:
    imported, rules = taken({"mappings": [entry, stub({"urlPath": "/model/m/converse"})]})
    assert len(rules) == 1
    assert named in imported.skipped[0].reason


def test_wiremock_recordings_of_one_scenario_come_in_its_order() -> None:
    """WireMock lists the latest first."""
    patterns = [{"equalToJson": '{"a":1}'}]

    def recorded(text: str, **more: Any) -> dict[str, Any]:
        answer = {
            "status": 200,
            "body": json.dumps({"text": text}),
            "headers": {"Content-Type": "application/json"},
        }
        return stub({"url": "/model/m/invoke", "bodyPatterns": patterns}, answer, **more)

    imported = import_file(
        json.dumps(
            {
                "mappings": [
                    recorded("third", scenarioName="s", requiredScenarioState="s-3"),
                    recorded("second", scenarioName="s", requiredScenarioState="s-2"),
                    recorded("first", scenarioName="s", requiredScenarioState="Started"),
                ]
            }
        ).encode()
    )
    said = [json.loads(i.response.body.data)["text"] for i in imported.interactions]  # type: ignore[union-attr]
    assert said == ["first", "second", "third"]


# -- served ----------------------------------------------------------------------------------------


def test_fixtures_answer_a_real_client(tmp_path: Path) -> None:
    """An aimock fixture and a MockServer expectation, asked through boto3 as
    the mocks would have been.
    """
    imported = import_file(
        json.dumps(
            fixtures(
                (
                    {"userMessage": "weather", "sequenceIndex": 0},
                    {"toolCalls": [{"name": "f", "arguments": '{"x":1}'}]},
                ),
                ({"userMessage": "weather", "sequenceIndex": 1}, {"content": "It rains."}),
            )
        ).encode()
    )
    said = {
        "statusCode": 429,
        "headers": {"x-amzn-errortype": ["ThrottlingException"]},
        "body": {"message": "slow"},
    }
    found_too = import_file(json.dumps(expectation({"path": "/model/other/.*"}, said)).encode())
    assert not found_too.rules  # which operation it is about, no rule can say
    found_too = import_file(
        json.dumps(expectation({"path": "/model/other/converse"}, said)).encode()
    )
    overlay = tmp_path / "x.overlay.yaml"
    overlay.write_bytes(render_overlay([*imported.rules, *found_too.rules]))
    shutil.copytree(store.samples(), tmp_path / "cassettes")
    with Replayer(tmp_path / "cassettes", overlay=overlay) as replayer:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=replayer.url,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )
        ask = {"messages": [{"role": "user", "content": [{"text": "the weather?"}]}]}
        first = client.converse(modelId="amazon.nova-lite-v1:0", **ask)
        assert first["output"]["message"]["content"][0]["toolUse"]["input"] == {"x": 1}
        second = client.converse(modelId="amazon.nova-lite-v1:0", **ask)
        assert second["output"]["message"]["content"] == [{"text": "It rains."}]
        ask["messages"][0]["content"] = [{"text": "hello"}]
        with pytest.raises(client.exceptions.ThrottlingException, match="slow"):
            client.converse(modelId="other", **ask)


# -- whatever the file -----------------------------------------------------------------------------


def test_secrets_do_not_get_into_overlays() -> None:
    imported = import_file(
        json.dumps(fixtures(({}, {"content": "AKIAABCDEFGHIJKLMNOP of customer-7"}))).encode()
    )
    data = render_overlay(imported.rules, read_patterns([r"customer-\d"]))
    assert yaml.safe_load(data)["rules"][0]["answer"]["text"] == "AKIAIOSFODNN7EXAMPLE of REDACTED"
    token = "ghp_" + "a1B2" * 9
    assert token.encode() not in render_overlay([Rule({"answer": {"text": token}})])


@pytest.mark.parametrize("count", [LARGEST_COUNT - 1, LARGEST_COUNT, LARGEST_COUNT + 1, 10**400])
def test_a_count_that_no_rule_can_have_breaks_no_import(count: int) -> None:
    """`taken` reads the overlay. A condition that needs such a count makes no rule."""
    said = {"statusCode": 200, "body": {"message": "x"}}
    taken(expectation({"path": "/model/m/converse"}, said, times={"remainingTimes": count}))
    for match, usage in (({"userMessage": "a"}, count), ({"turnIndex": count}, 1)):
        document = fixtures((match, {"content": "x", "usage": {"input_tokens": usage}}))
        if import_file(json.dumps(document).encode()).rules:
            taken(document)


_SOUND: list[Any] = [
    fixtures(
        ({"userMessage": "a", "sequenceIndex": 0}, {"content": "x", "usage": {"input_tokens": 1}}),
        latency=1,
    ),
    [
        expectation(
            {"path": "/model/.*/converse", "body": {"type": "JSON", "json": {"a": 1}}},
            times={"remainingTimes": 1},
        )
    ],
    {
        "mappings": [
            stub(
                {
                    "urlPath": "/model/m/converse",
                    "bodyPatterns": [{"contains": "a"}],
                    "headers": {"a": {"equalTo": "b"}},
                }
            )
        ]
    },
]
_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(300),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, len(_SOUND) - 1), st.data())
def test_no_fixture_breaks_the_import(which: int, data: st.DataObject) -> None:
    """A value put in place of another: an overlay that its reader takes, or a refusal."""
    document = json.loads(json.dumps(_SOUND[which]))
    holder, key = data.draw(st.sampled_from(list(_places(document))))
    holder[key] = data.draw(_VALUES)
    try:
        imported = import_file(json.dumps(document).encode())
    except ForeignInvalid:
        return
    assert imported.rules or imported.skipped or not _entries(document)
    if imported.rules:
        try:
            overlay = render_overlay(imported.rules)
        except ValueError:  # half a surrogate pair: YAML cannot hold it
            return
        assert read(overlay, "x")


def _entries(document: Any) -> Any:
    return (
        document
        if isinstance(document, list)
        else next((v for v in document.values() if isinstance(v, list)), [1])
    )


def _places(value: Any) -> Any:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)
