"""What botocore's models say of requests and answers."""

import pytest

from bedtape_cassettes.families.shared.service_models import load_operation
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import OPERATIONS
from bedtape_cassettes.suites.checks import Drift
from bedtape_cassettes.suites.service_model import (
    find_answer_drift,
    find_event_drift,
    find_request_drift,
)

RUNTIME = "bedrock-runtime"


@pytest.mark.parametrize(
    ("body", "drift"),
    [
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, []),
        (
            {"messages": [{"role": "user", "content": [{"text": "a"}], "cachePoint": None}]},
            [("messages[*].cachePoint is not known", False)],
        ),
        ({"messages": [{"content": [{"text": "a"}]}]}, [("Missing required parameter", True)]),
        ({"messages": "a"}, [("Invalid type", True)]),
        (
            {"inferenceConfig": {"temperature": "hot"}, "old": 1},
            [("old is not known", False), ("Invalid type", True)],
        ),
        ([], [("expected an object", True)]),
    ],
)
def test_requests_are_held_against_the_input(
    body: JsonValue, drift: list[tuple[str, bool]]
) -> None:
    findings = find_request_drift(RUNTIME, "Converse", body)
    assert len(findings) == len(drift), findings
    assert all(
        part in one.message and one.certain == known
        for one, (part, known) in zip(findings, drift, strict=True)
    )


def test_answers_may_lack_what_clients_do_without() -> None:
    body: JsonValue = {
        "output": {"message": {"role": "assistant", "content": []}},
        "usage": {"inputTokens": 1.0},
        "more": 1,
    }
    told = find_answer_drift(RUNTIME, "Converse", body)
    assert Drift("more is not known", certain=False) in told
    assert told
    assert not any(drift.certain for drift in told)
    assert any(drift.certain for drift in find_answer_drift(RUNTIME, "Converse", {"stopReason": 7}))


def test_events_are_held_against_their_own_shape() -> None:
    assert (
        find_event_drift(RUNTIME, "ConverseStream", "messageStop", {"stopReason": "end_turn"}) == []
    )
    assert find_event_drift(RUNTIME, "ConverseStream", "messageStop", {"stopReason": 1})[0].certain
    assert not find_event_drift(RUNTIME, "ConverseStream", "newEvent", {})[0].certain
    assert (
        find_event_drift(RUNTIME, "InvokeModelWithResponseStream", "chunk", {"bytes": "e30="}) == []
    )


def test_bodies_that_no_model_describes_are_not_judged() -> None:
    assert find_request_drift(RUNTIME, "InvokeModel", {"anything": 1}) == []
    assert find_request_drift("bedrock-mantle", "Responses", {"anything": 1}) == []
    assert load_operation("bedrock-mantle", "Responses") is None


def test_every_operation_of_aws_is_known() -> None:
    assert all(
        load_operation(op.service, op.name) for op in OPERATIONS if op.service != "bedrock-mantle"
    )
