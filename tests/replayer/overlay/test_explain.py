"""Why a layer did not answer: one line a layer, with the first condition
that the call does not meet.
"""

import json
from dataclasses import fields
from typing import Any

import pytest

from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.document import parse_fault, parse_rule
from bedtape_replayer.overlay.explain import compare_conditions, explain
from bedtape_replayer.overlay.schedule import Counter
from bedtape_replayer.overlay.when import When

BODY = {
    "system": [{"text": "be brief"}],
    "messages": [
        {"role": "user", "content": [{"text": "the order again"}, {"document": {"name": "terms"}}]}
    ],
    "toolConfig": {"tools": [{"toolSpec": {"name": "search"}}]},
    "inferenceConfig": {"maxTokens": 7},
}
HEAD = Head(
    b"\r\nx-team: blue\r\nAuthorization: AWS4-HMAC-SHA256"
    b" Credential=AKID/20261129/us-east-1/bedrock/aws4_request\r\n"
)
CALL = Call(
    "s-1", "POST", "/model/amazon.nova-lite-v1%3A0/converse", HEAD, json.dumps(BODY).encode(), 4
)
# A condition that the call does not meet, and what is said of it.
CONDITIONS: dict[str, tuple[Any, str]] = {
    "operation": ("InvokeModel", 'operation expected "InvokeModel", found "Converse"'),
    "model": ("*claude*", 'model expected "*claude*", found "amazon.nova-lite-v1:0"'),
    "prompt_contains": ("refund", 'prompt_contains expected "refund", found "the order again"'),
    "prompt_regex": ("^order", 'prompt_regex expected "^order", found "the order again"'),
    "prompt_equals": ("order", 'prompt_equals expected "order", found "the order again"'),
    "question_contains": ("refund", 'question_contains expected "refund", found "the order again"'),
    "question_regex": ("^order", 'question_regex expected "^order", found "the order again"'),
    "question_equals": ("order", 'question_equals expected "order", found "the order again"'),
    "text_contains": (
        "refund",
        'text_contains expected "refund", found "be brief\nthe order again"',
    ),
    "text_regex": ("refund", 'text_regex expected "refund", found "be brief\nthe order again"'),
    "document_contains": ("refund", 'document_contains expected "refund", found "terms"'),
    "document_regex": ("refund", 'document_regex expected "refund", found "terms"'),
    "system_contains": ("long", 'system_contains expected "long", found "be brief"'),
    "system_regex": ("long", 'system_regex expected "long", found "be brief"'),
    "tool_offered": ("buy", 'tool_offered expected "buy", found "search"'),
    "tool_result": ("buy", 'tool_result expected "buy", found none'),
    "json_path": (
        {"inferenceConfig.maxTokens": 5},
        (
            "json_path expected {'inferenceConfig.maxTokens': 5}, found"
            " {'inferenceConfig.maxTokens': 7}"
        ),
    ),
    "turn": (2, "turn expected 2, found 1"),
    "attempt": (2, "attempt expected 2, found 1"),
    "call": (1, "call expected 1, found 4"),
    "header": ({"x-team": "red"}, "header expected {'x-team': 'red'}, found {'x-team': 'blue'}"),
    "session": ("other", 'session expected "other", found "s-1"'),
    "any_of": (
        [{"turn": 2}, {"model": "*nova*", "attempt": 3}],
        "any_of: turn expected 2, found 1; attempt expected 3, found 1",
    ),
    "none_of": (
        [{"turn": 2}, {"model": "*nova*"}],
        "none_of[1]: the call meets all of its conditions",
    ),
    "access_key": ("ASIA*", 'access_key expected "ASIA*", found "AKID"'),
}


def test_every_condition_is_explained() -> None:
    assert CONDITIONS.keys() == {field.name for field in fields(When) if field.init}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_first_condition_that_fails(name: str) -> None:
    value, line = CONDITIONS[name]
    rule = parse_rule({"when": {name: value}, "answer": {"text": "a"}}, lambda kind: f"{kind}-1")
    assert explain(rule, CALL, Counter()) == f"rule-1: {line}"
    fault = parse_fault(
        {"when": {name: value}, "error": "ThrottlingException"}, lambda kind: f"{kind}-1"
    )
    assert explain(fault, CALL, Counter()) == f"fault-1: {line}"


@pytest.mark.parametrize(
    ("schedule", "matched", "fired", "line"),
    [
        ({"times": 1}, 1, 1, "used up, times=1"),
        ({"after": 2}, 1, 0, "skipped the first matching calls, after=2"),
        ({"every": 3}, 2, 1, "skipped this matching call, every=3"),
        ({"probability": 0.5}, 2, 1, "not drawn, probability=0.5"),
        ({}, 1, 0, "its function returned None"),
    ],
)
def test_the_schedule_is_explained(
    schedule: dict[str, Any], matched: int, fired: int, line: str
) -> None:
    rule = parse_rule({"answer": {"text": "a"}, **schedule}, lambda kind: f"{kind}-1")
    counter = Counter()
    counter.matched, counter.fired = matched, fired
    assert explain(rule, CALL, counter) == f"rule-1: {line}"


def test_long_values_are_shortened() -> None:
    rule = parse_rule(
        {"when": {"prompt_contains": "x" * 500}, "answer": {"text": "a"}}, lambda kind: f"{kind}-1"
    )
    assert len(explain(rule, CALL, Counter())) < 160


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_is_compared_whether_it_is_met_or_not(name: str) -> None:
    rule = parse_rule(
        {"when": {"operation": "Converse", name: CONDITIONS[name][0]}, "answer": {"text": "a"}}, str
    )
    rows = {row[0]: row for row in compare_conditions(rule.when, CALL)}
    assert rows.keys() == {"operation", name}
    assert rows[name][3] is False
    assert rows[name][2] != "" or name in ("any_of", "none_of")
    if name != "operation":
        assert rows["operation"] == ("operation", '"Converse"', '"Converse"', True)
