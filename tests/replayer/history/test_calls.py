"""Calls are looked through in the words in which rules say `when`, and by what came of them."""

from typing import Any

import pytest

from bedtape_replayer.history.calls import Calls, ConditionInvalid
from support.recordings import converse, path, prompt
from support.scene import Scene, aws

_CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
_TOOLS = [{"toolSpec": {"name": name, "inputSchema": {"json": {}}}} for name in ("weather", "time")]


@pytest.fixture
def calls() -> Calls:
    """Three calls: a recording answered the first, a fault the second, nothing the third."""
    scene = Scene(converse("Hello", "Hi"))
    scene.send(prompt("Hello"), headers=[*aws("a", 1), ("x-note", "one")])
    scene.fail("ThrottlingException", times=1)
    body: dict[str, Any] = {
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "How is the weather?"}]}],
        "inferenceConfig": {"temperature": 0.5, "maxTokens": 64, "stopSequences": ["END"]},
        "toolConfig": {"tools": _TOOLS},
    }
    scene.send(body, url=path("converse", _CLAUDE))
    scene.send(body, operation="converse-stream")
    return scene.calls


def _numbers(calls: Calls) -> list[int]:
    return [call.number for call in calls]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"operation": "Converse"}, [1, 2]),
        ({"operation": ("Converse", "ConverseStream")}, [1, 2, 3]),
        ({"model": "*claude*"}, [2]),
        ({"prompt_contains": "weather"}, [2, 3]),
        ({"prompt_regex": "^H.*o$"}, [1]),
        ({"system_contains": "brief"}, [2, 3]),
        ({"tool_offered": "time"}, [2, 3]),
        ({"json_path": {"inferenceConfig.maxTokens": 64}}, [2, 3]),
        ({"call": 2}, [2]),
        ({"header": {"X-Note": "o*"}}, [1]),
        ({"session": "def*"}, [1, 2, 3]),
        ({"status": 200}, [1]),
        ({"error": "ThrottlingException"}, [2]),
        ({"error": None}, [1]),
        ({"source": "miss"}, [3]),
        ({"by": "fault-1"}, [2]),
        ({"fault": "fault-1"}, []),  # it answered, and harmed no other's answer
        ({"stop_reason": "end_turn"}, [1]),
        ({"hung_up": False}, [1, 2, 3]),
        ({"http_version": "HTTP/1.1"}, []),
        ({"user_agent_contains": "Boto3"}, [1]),
        ({"invocation_id": "a"}, [1]),
        ({"system": "Be brief."}, [2, 3]),
        ({"system": "Be"}, []),
        ({"temperature": 0.5}, [2, 3]),
        ({"temperature": None, "top_p": None}, [1]),
        ({"max_tokens": 64, "model": "*nova*"}, [3]),
        ({"stop_sequences": ["END"]}, [2, 3]),
        ({"tools": ["time", "weather"]}, [2, 3]),
        ({"tools": []}, [1]),
        ({"tools": "time"}, []),
    ],
)
def test_all_conditions_must_hold(
    calls: Calls, conditions: dict[str, Any], expected: list[int]
) -> None:
    assert _numbers(calls.filter(**conditions)) == expected


def test_attempts_are_those_of_a_whole_sdk_call() -> None:
    """Each SDK call that took so many is there once: as its last attempt."""
    scene = Scene()
    for at, (invocation, attempt) in enumerate(
        [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("c", 1), ("c", 2)]
    ):
        scene.send(prompt(invocation), at=at, headers=aws(invocation, attempt))
    assert [_numbers(scene.calls.filter(attempts=n)) for n in (1, 2, 3, 4)] == [[2], [6], [4], []]
    assert _numbers(scene.calls.filter(attempt=1)) == [1, 2, 5]
    assert _numbers(scene.calls.filter(attempts=3, prompt_contains="a")) == [4]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"promt_contains": "x"}, "did you mean prompt_contains"),
        ({"zzz": 1}, "known are operation, model"),
        ({"operation": "converse"}, "Converse"),
        ({"prompt_contains": 5}, "prompt_contains: expected a string, found 5"),
        ({"prompt_contains": b"x"}, "found b'x'"),
        ({"model": None}, "model: .* found None"),
        ({"prompt_regex": "("}, "prompt_regex"),
        ({"turn": 0}, "turn"),
        ({"json_path": {"a..b": 1}}, "json_path"),
        ({"header": {"a": 1}}, "header"),
        ({"tools": 5}, "tools: expected a string or a list of strings, found 5"),
    ],
)
def test_what_is_no_condition_is_refused(
    calls: Calls, conditions: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConditionInvalid, match=said):
        calls.filter(**conditions)


def test_no_calls_refuse_what_is_no_condition_too() -> None:
    with pytest.raises(ConditionInvalid):
        Calls().filter(promt_contains="x")


def test_calls_are_a_sequence(calls: Calls) -> None:
    assert (len(calls), calls[0].number, calls[-1].number) == (3, 1, 3)
    assert isinstance(calls[1:], Calls)
    assert _numbers(calls[1:]) == [2, 3]
    assert calls[0] in calls
    assert calls == calls.filter()
