"""Assertions on calls: what passes, and what a failure tells whoever has to fix it."""

from typing import Any

import pytest

from bedtape_replayer.history.assertions import (
    CallsMismatch,
    assert_all_played,
    assert_called,
    assert_not_called,
    assert_sequence,
)
from bedtape_replayer.history.calls import Calls, ConditionInvalid
from bedtape_replayer.history.history import History
from support.recordings import converse, path, prompt
from support.scene import Scene, aws

_CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"


def _asked(*prompts: str) -> Calls:
    scene = Scene()
    for at, text in enumerate(prompts):
        scene.send(prompt(text), at=at)
    return scene.calls


def _failure(asserting: Any, *arguments: Any, **named: Any) -> CallsMismatch:
    with pytest.raises(CallsMismatch) as raised:
        asserting(*arguments, **named)
    assert isinstance(raised.value, AssertionError)
    assert len(str(raised.value).splitlines()) <= 30, "more than a screen"
    return raised.value


@pytest.mark.parametrize(
    ("numbers", "passes"),
    [
        ({}, True),
        ({"times": 2}, True),
        ({"times": 1}, False),
        ({"times": 3}, False),
        ({"times": 0}, False),
        ({"at_least": 2}, True),
        ({"at_least": 3}, False),
        ({"at_most": 2}, True),
        ({"at_most": 1}, False),
        ({"at_least": 1, "at_most": 2}, True),
        ({"at_least": 0, "at_most": 1}, False),
    ],
)
def test_how_often(numbers: dict[str, int], passes: bool) -> None:
    calls = _asked("yes 1", "no", "yes 2")
    if passes:
        assert [call.number for call in assert_called(calls, prompt_contains="yes", **numbers)] == [
            1,
            3,
        ]
    else:
        assert "found 2 of 3 calls" in str(
            _failure(assert_called, calls, prompt_contains="yes", **numbers)
        )


def test_at_most_may_be_none_at_all() -> None:
    assert len(assert_called(_asked("no"), at_most=1, prompt_contains="yes")) == 0


@pytest.mark.parametrize(
    "numbers",
    [
        {"times": 1, "at_least": 1},
        {"at_least": 2, "at_most": 1},
        {"times": -1},
        {"times": "2"},
        {"at_least": True},
        {"at_most": 1.5},
    ],
)
def test_numbers_that_cannot_be_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ConditionInvalid):
        assert_called(_asked("x"), **numbers)


def test_a_failure_shows_the_nearest_call_and_how_it_differs() -> None:
    scene = Scene()
    scene.send({**_body("Summarise the red book"), "inferenceConfig": {"temperature": 0.5}})
    scene.send(_body("Tell me a joke"), url=path("converse", _CLAUDE))
    error = _failure(
        assert_called, scene.calls, prompt_contains="the blue book", model="*nova*", temperature=0
    )
    assert str(error).splitlines() == [
        (
            'Expected at least 1 call with prompt_contains="the blue book", model="*nova*",'
            " temperature=0, found 0 of 2 calls."
        ),
        "Nearest: call 1: Converse of us.amazon.nova-lite-v1:0 -> 400 CassetteMissException",
        '  prompt_contains: expected "the blue book", found "Summarise the red book"',
        "  temperature: expected 0, found 0.5",
        f"Next: call 2: Converse of {_CLAUDE} -> 400 CassetteMissException",
        '  prompt_contains: expected "the blue book", found "Tell me a joke"',
        f'  model: expected "*nova*", found "{_CLAUDE}"',
        "  temperature: expected 0, found null",
    ]
    near = error.nearest[0]
    assert (near.record.number, [each.field for each in near.differences]) == (
        1,
        ["prompt_contains", "temperature"],
    )


def _body(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


def test_the_nearest_shares_the_most_words() -> None:
    calls = _asked("the weather in Oslo", "something else", "another thing")
    assert (
        _failure(assert_called, calls, prompt_contains="weather in Rome").nearest[0].record.number
        == 1
    )


def test_no_calls_at_all_is_said() -> None:
    assert "this session received no calls" in str(
        _failure(assert_called, Calls(), prompt_contains="x")
    )


def test_what_was_not_to_be_called_is_shown() -> None:
    calls = _asked("yes", "no")
    assert_not_called(calls, prompt_contains="maybe")
    assert "call 1: Converse" in str(_failure(assert_not_called, calls, prompt_contains="yes"))
    assert "found 2 of 2 calls" in str(_failure(assert_not_called, calls))


def test_sdk_calls_are_counted_by_attempts() -> None:
    scene = Scene()
    for at, attempt in enumerate((1, 2, 3)):
        scene.send(prompt("x"), at=at, headers=aws("a", attempt))
    assert_called(scene.calls, times=3, prompt_contains="x")
    assert_called(scene.calls, times=1, attempts=3)
    assert "attempts: expected 2, found 3" in str(_failure(assert_called, scene.calls, attempts=2))


def test_forgotten_calls_are_said() -> None:
    scene = Scene()
    scene.session.history = History(limit=2)
    for at, text in enumerate("abcde"):
        scene.send(prompt(text), at=at)
    error = _failure(assert_called, scene.calls, prompt_contains="a")
    assert "3 older calls were forgotten" in str(error)
    assert error.forgotten == 3
    assert "3 older calls were forgotten" in str(
        _failure(assert_not_called, scene.calls, prompt_contains="e")
    )


def test_a_report_is_a_screen_at_most() -> None:
    """However many calls there are, and however long what they say."""
    calls = _asked(*("word " * 5000 + str(number) for number in range(60)))
    report = str(_failure(assert_called, calls, times=7, prompt_contains="word"))
    assert "… and 50 more" in report
    report = str(
        _failure(
            assert_called, calls, prompt_contains="nothing " * 500, temperature=1, tools=["a" * 999]
        )
    )
    assert max(map(len, report.splitlines())) < 600


# -- sequences -------------------------------------------------------------------------------------


def _steps(*prompts: str) -> list[dict[str, str]]:
    return [{"prompt_contains": text} for text in prompts]


@pytest.mark.parametrize(
    ("wanted", "gaps", "consecutive"),
    [
        ("abc", True, True),
        ("ac", True, False),
        ("aa", True, True),
        ("ca", True, True),
        ("cab", True, False),
        ("ab", True, True),
        ("ba", True, False),
        ("cc", False, False),
        ("bb", True, False),
        ("abcab", True, False),
        ("x", False, False),
        ("", True, True),
    ],
)
def test_steps_in_order(wanted: str, gaps: bool, consecutive: bool) -> None:
    calls = _asked("a", "b", "c", "a", "a", "b")
    for passes, option in ((gaps, False), (consecutive, True)):
        if passes:
            matches = assert_sequence(calls, _steps(*wanted), consecutive=option)
            assert [call.last_prompt for call in matches] == list(wanted)
        else:
            _failure(assert_sequence, calls, _steps(*wanted), consecutive=option)


def test_a_sequence_that_breaks_off_says_where() -> None:
    error = _failure(
        assert_sequence, _asked("first", "third", "second"), _steps("first", "second", "third")
    )
    assert str(error).splitlines() == [
        "Expected 3 calls in order, found 2.",
        "  1. call 1: Converse of us.amazon.nova-lite-v1:0 -> 400 CassetteMissException",
        "  2. call 3: Converse of us.amazon.nova-lite-v1:0 -> 400 CassetteMissException",
        'No later call is number 3: prompt_contains="third"',
    ]
    error = _failure(assert_sequence, _asked("a", "x", "b"), _steps("a", "b"), consecutive=True)
    assert 'No next call is number 2: prompt_contains="b"' in str(error)
    assert [near.record.number for near in error.nearest] == [2]


def test_a_sequence_refuses_what_is_no_condition() -> None:
    with pytest.raises(ConditionInvalid, match="did you mean model"):
        assert_sequence(_asked("a"), [{"prompt_contains": "zzz"}, {"modle": "x"}])


# -- recordings ------------------------------------------------------------------------------------


def test_every_recording_was_asked_for() -> None:
    scene = Scene(converse("a", "1"), converse("b", "2"), converse("b", "3"))
    index = scene.session.index(scene.engine.library)
    scene.send(prompt("b"))
    report = str(_failure(assert_all_played, scene.session.find_unplayed(index)))
    assert report.splitlines()[0] == "Expected every recording to be played, found 2 unplayed:"
    assert report.count("Converse of us.amazon.nova-lite-v1:0") == 2
    scene.send(prompt("b"))
    scene.send(prompt("a"))
    assert_all_played(scene.session.find_unplayed(index))
