"""Which calls a layer is about."""

from typing import Any

import pytest

from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.when import ANY, When
from support.calls import CLAUDE, call, head

TOOL = {"toolSpec": {"name": "weather", "inputSchema": {"json": {}}}}
RESULT = {"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "sunny"}]}}
USE = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {}}}


def asking() -> Call:
    return call(
        "First question",
        "An answer",
        "Is it sunny?",
        system=[{"text": "You are terse."}],
        inferenceConfig={"temperature": 0.5, "maxTokens": 10},
        toolConfig={"tools": [TOOL]},
        session="tests/one",
        number=3,
        headers=head(amz_sdk_request="attempt=2; max=3", x_tenant="acme"),
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"operation": ("Converse",)}, True),
        ({"operation": ("InvokeModel", "Converse")}, True),
        ({"operation": ("ConverseStream",)}, False),
        ({"model": CLAUDE}, True),
        ({"model": "anthropic.claude-haiku-*"}, True),  # without the inference profile
        ({"model": "us.*"}, True),
        ({"model": "*nova*"}, False),
        ({"prompt_contains": "sunny"}, True),
        ({"prompt_contains": "Sunny"}, False),
        ({"prompt_contains": "First"}, False),  # the last user message only
        ({"prompt_regex": r"sunny\?$"}, True),
        ({"prompt_regex": "^sunny"}, False),
        ({"prompt_equals": "Is it sunny?"}, True),
        ({"prompt_equals": "Is it sunny"}, False),
        ({"text_contains": "First"}, True),
        ({"text_contains": "terse"}, True),
        ({"text_contains": "verbose"}, False),
        ({"text_regex": "An? answer"}, True),
        ({"system_contains": "terse"}, True),
        ({"system_contains": "sunny"}, False),
        ({"system_regex": "t.rse"}, True),
        ({"tool_offered": "weather"}, True),
        ({"tool_offered": "clock"}, False),
        ({"tool_result": "*"}, False),
        ({"json_path": {"inferenceConfig.temperature": 0.5}}, True),
        ({"json_path": {"$.messages[*].role": "assistant"}}, True),
        ({"json_path": {"inferenceConfig.temperature": 1}}, False),
        ({"json_path": {"inferenceConfig.topP": None}}, False),
        ({"turn": 2}, True),
        ({"turn": 1}, False),
        ({"attempt": 2}, True),
        ({"attempt": 1}, False),
        ({"call": 3}, True),
        ({"call": 1}, False),
        ({"header": {"x-tenant": "ac*"}}, True),
        ({"header": {"x-tenant": "other"}}, False),
        ({"header": {"x-gone": "*"}}, True),  # a header that is not there is empty
        ({"header": {"x-gone": "?*"}}, False),
        ({"session": "tests/*"}, True),
        ({"session": "other"}, False),
        ({"access_key": "AKID*"}, True),
        ({"access_key": "bedtape-*"}, False),
        ({"model": "*claude*", "prompt_contains": "sunny", "attempt": 2}, True),
        ({"model": "*claude*", "prompt_contains": "rainy", "attempt": 2}, False),
    ],
)
def test_all_that_is_named_must_hold(condition: dict[str, Any], expected: bool) -> None:
    assert When(**condition).matches(asking()) is expected


def test_tool_results_are_known_by_id_and_name() -> None:
    told = call(
        messages=[{"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}]
    )
    assert When(tool_result="*").matches(told)
    assert When(tool_result="tooluse_1").matches(told)
    assert When(tool_result="weather").matches(told)
    assert not When(tool_result="clock").matches(told)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"null", b'"text"', b"{", b'{"messages": 1}']
)
def test_any_body_can_be_asked_about(body: bytes) -> None:
    odd = Call("s", "POST", "/model/x/converse", head(), body)
    assert ANY.matches(odd)
    assert not When(prompt_contains="a").matches(odd)
    assert not When(json_path={"messages.0.role": "user"}).matches(odd)
    assert When(turn=0).matches(odd) is False or odd.prompt.turn == 0


def test_paths_of_nobody_have_no_model() -> None:
    odd = Call("s", "GET", "/favicon.ico", head(), b"")
    assert not When(model="*").matches(odd)
    assert not When(operation=("Converse",)).matches(odd)
    assert ANY.matches(odd)
