"""What a verdict accuses of, and what not; times are said by hand.

Real clients are judged in `clients/test_verdict.py`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.model import Event, Events, exception_headers
from bedtape_replayer.history.retries.verdict import Finding, judge_retries
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.truncation import Truncate
from bedtape_replayer.overlay.schedule import Schedule
from support.examples import examples
from support.recordings import converse, prompt, stream
from support.scene import Scene, aws, stainless

THROTTLED = "ThrottlingException"
_TOOK = 0.001  # seconds that an answer takes here


def _kinds(scene: Scene) -> list[str]:
    return [finding.kind for finding in judge_retries(scene.calls)]


def _only(scene: Scene) -> Finding:
    [finding] = judge_retries(scene.calls)
    return finding


def _attempts(
    scene: Scene, name: str, waits: Iterable[float], at: float = 0.0, most: int | None = None
) -> None:
    """One SDK call whose attempts follow each other after these waits."""
    pauses = [0.0, *waits]
    for attempt, wait in enumerate(pauses, 1):
        at += wait
        scene.send(
            prompt(name), at=at, seconds=_TOOK, headers=aws(name, attempt, most or len(pauses))
        )
        at += _TOOK


def _hurry(scene: Scene, calls: int) -> None:
    """SDK calls that wait hardly at all between their attempts."""
    for number in range(calls):
        _attempts(scene, str(number), [0.002, 0.003], at=number)


def _throttled(**more: Any) -> Scene:
    scene = Scene()
    scene.fail(THROTTLED, **more)
    return scene


# -- no backoff ------------------------------------------------------------------------------------


def test_retries_without_a_wait_are_named() -> None:
    scene = _throttled()
    _hurry(scene, 3)
    finding = _only(scene)
    assert (finding.kind, [call.number for call in finding.calls]) == (
        "no_backoff",
        [2, 3, 5, 6, 8, 9],
    )
    assert "6 of 6 retries after throttling began within 20 ms" in finding.explanation


def test_one_slow_retry_does_not_hide_the_others() -> None:
    scene = _throttled()
    for number in range(4):
        _attempts(scene, str(number), [0.002, 0.003 if number else 0.4], at=number)
    assert _kinds(scene) == ["no_backoff"]


@pytest.mark.parametrize(
    ("error", "retry_after_ms", "calls"),
    [
        (THROTTLED, None, 1),  # jitter begins at 0, so it may be chance
        (THROTTLED, None, 2),
        # after other errors than throttling the SDKs draw from 50 ms
        ("InternalServerException", None, 5),
        (THROTTLED, 1, 5),  # who is told a time need not wait longer
    ],
)
def test_retries_without_a_wait_that_are_no_mistake(
    error: str, retry_after_ms: int | None, calls: int
) -> None:
    scene = Scene()
    scene.fail(error, retry_after_ms=retry_after_ms)
    _hurry(scene, calls)
    assert _kinds(scene) == []


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("calls", [3, 30, 500])
def test_jitter_as_the_sdks_draw_it_is_no_mistake(calls: int, scale: float) -> None:
    """Many clients each; the JavaScript SDK's older scale and that of the others."""
    chance = Random(calls)
    for _ in range(30 if calls < 500 else 2):
        scene = _throttled()
        for number in range(calls):
            waits = [chance.random() * scale * 2**n for n in range(2)]
            _attempts(scene, str(number), waits, at=number * 10)
        assert _kinds(scene) == []


def test_another_client_is_not_blamed() -> None:
    """Few waits of one, and many of another: the one with jitter has no part in it."""
    scene = _throttled()
    _hurry(scene, 3)
    for number in range(3):
        at = 100.0 + number
        scene.send(prompt(f"other {number}"), at=at, headers=stainless(0))
        scene.send(prompt(f"other {number}"), at=at + 0.5, headers=stainless(1))
    assert {call.user_agent for call in _only(scene).calls} == {"Boto3/1.44"}


# -- retries of what cannot succeed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("ValidationException", None, True),
        ("AccessDeniedException", None, True),
        ("ResourceNotFoundException", None, True),
        ("ModelErrorException", None, True),
        ("UnrecognizedClientException", None, True),
        (THROTTLED, None, False),
        (THROTTLED, 400, False),
        ("ModelTimeoutException", None, False),  # 408: Anthropic's client retries it
        ("ExpiredTokenException", None, False),  # with new credentials
        ("InvalidSignatureException", None, False),  # with a clock that is set
        ("ServiceUnavailableException", None, False),
        (None, 404, True),
        (None, 409, False),
    ],
)
def test_what_must_not_be_retried(error: str | None, status: int | None, expected: bool) -> None:
    scene = Scene()
    scene.fail(error, status=status)
    _attempts(scene, "a", [0.5])
    assert _kinds(scene) == (["retried_what_it_must_not"] if expected else [])


def test_a_retry_of_what_must_not_be_is_shown_with_its_reason() -> None:
    scene = Scene()
    scene.fail("ValidationException")
    scene.send(prompt("x"), headers=stainless(0))
    scene.send(prompt("x"), at=1.0, headers=stainless(1))
    finding = _only(scene)
    assert [call.number for call in finding.calls] == [1, 2]
    assert "attempt 2 sent the same request after 400 ValidationException" in finding.explanation
    assert json.loads(json.dumps(finding.as_json()))["calls"] == [1, 2]
    assert str(finding).startswith("retried_what_it_must_not (calls 1, 2): attempt 2")


@pytest.mark.parametrize("error", ["ValidationException", THROTTLED])
@pytest.mark.parametrize("connection", [1, 2])
def test_an_attempt_over_another_connection_proves_nothing(error: str, connection: int) -> None:
    """The client may have lost the first connection, and have read nothing of the answer."""
    scene = Scene()
    scene.fail(error, retry_after_ms=9000)
    scene.send(prompt("x"), headers=aws("a", 1, 2), connection=1)
    scene.send(prompt("x"), at=1.0, headers=aws("a", 2, 2), connection=connection)
    assert bool(_kinds(scene)) == (connection == 1)


def test_a_server_may_ask_for_a_retry() -> None:
    scene = Scene()
    scene.fail("ValidationException", headers=(("x-should-retry", "true"),))
    scene.send(prompt("x"), headers=stainless(0))
    scene.send(prompt("x"), at=1.0, headers=stainless(1))
    assert _kinds(scene) == []


def test_asking_again_by_a_new_call_is_no_retry() -> None:
    scene = Scene()
    scene.fail("ValidationException")
    for number in range(3):
        scene.send(prompt("x"), at=number, headers=aws(str(number), 1))
    assert _kinds(scene) == []


# -- retry-after -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_ms", "waited", "expected"),
    [
        (1000, 0.2, True),
        (1000, 0.999, False),  # a timer's inexactness
        (1000, 1.5, False),
        (60_000, 4.0, True),
        (60_000, 5.1, False),  # AWS's SDKs wait 5 s more than their backoff at most
        (20, 0.001, False),
    ],
)
def test_aws_clients_wait_as_long_as_they_are_told(
    asked_ms: int, waited: float, expected: bool
) -> None:
    scene = _throttled(retry_after_ms=asked_ms)
    _attempts(scene, "a", [waited])
    assert _kinds(scene) == (["ignored_retry_after"] if expected else [])


@pytest.mark.parametrize(
    ("headers", "waited", "expected"),
    [
        ({"retry-after": "2"}, 0.5, True),
        ({"retry-after": "2"}, 2.0, False),
        ({"retry-after-ms": "1500"}, 0.5, True),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, False),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.5, False),
        ({"retry-after": "-1"}, 0.5, False),
        ({"retry-after": "60"}, 0.5, True),
        ({"retry-after": "61"}, 0.5, False),  # older clients do not wait as long
        ({"retry-after-ms": "60001"}, 0.5, False),
        ({"x-amz-retry-after": "9000"}, 0.5, False),  # they do not know AWS's own
    ],
)
def test_other_clients_are_held_to_their_own_headers(
    headers: dict[str, str], waited: float, expected: bool
) -> None:
    scene = _throttled(headers=tuple(headers.items()))
    scene.send(prompt("x"), seconds=_TOOK, headers=stainless(0))
    scene.send(prompt("x"), at=_TOOK + waited, headers=stainless(1))
    assert _kinds(scene) == (["ignored_retry_after"] if expected else [])


def test_boto3_is_not_held_to_a_header_that_it_does_not_read() -> None:
    scene = _throttled(headers=(("retry-after", "7"),))
    _attempts(scene, "a", [0.5])
    assert _kinds(scene) == []


def test_the_retry_mode_that_reads_no_header_is_not_held_to_it() -> None:
    """It is the default of boto3 before 1.44."""
    scene = _throttled(retry_after_ms=2000)
    for attempt in (1, 2):
        headers = dict(aws("a", attempt, 2)) | {"user-agent": "Boto3/1.40.61 cfg/retry-mode#legacy"}
        scene.send(prompt("x"), at=attempt, headers=headers.items())
    assert _kinds(scene) == []


def test_what_was_ignored_is_said() -> None:
    scene = _throttled(retry_after_ms=2000)
    _attempts(scene, "a", [0.25])
    said = _only(scene).explanation
    assert "attempt 2 began 0.250 s after an answer whose x-amz-retry-after is 2 s" in said


# -- storms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attempts", "expected"), [(5, False), (10, False), (11, True)])
def test_too_many_attempts(attempts: int, expected: bool) -> None:
    scene = _throttled()
    _attempts(scene, "a", [2.0] * (attempts - 1))
    assert _kinds(scene) == (["retry_storm"] if expected else [])


def _hammer(scene: Scene, times: int, every: float, body: bytes = prompt("x")) -> None:
    for number in range(times):
        scene.send(body, at=number * every, seconds=_TOOK)


@pytest.mark.parametrize(
    ("times", "every", "expected"),
    [(10, 0.1, True), (9, 0.1, False), (30, 2.0, False), (10, 0.0, False)],
)
def test_new_calls_for_the_same_after_each_failure(
    times: int, every: float, expected: bool
) -> None:
    """Many at the same moment are no retries of each other."""
    scene = _throttled()
    _hammer(scene, times, every)
    assert _kinds(scene) == (["retry_storm"] if expected else [])


def test_a_storm_is_shown_whole() -> None:
    scene = _throttled()
    _hammer(scene, 12, 0.1)
    finding = _only(scene)
    assert len(finding.calls) == 12
    assert (
        "12 SDK calls sent the same request, each after the one before had failed"
        in finding.explanation
    )


def test_success_ends_a_run() -> None:
    scene = Scene(converse("x", "fine"))
    scene.fail(THROTTLED, times=6)
    _hammer(scene, 7, 0.1)
    scene.fail(THROTTLED, times=6)
    _hammer(scene, 6, 0.1)
    assert _kinds(scene) == []


def test_different_errors_and_different_requests_are_no_storm() -> None:
    """A test of many errors asks the same each time; one of many inputs gets
    the same error each time.
    """
    scene = Scene()
    for number in range(20):
        scene.fail(THROTTLED if number % 2 else "InternalServerException", times=1)
    _hammer(scene, 20, 0.1)
    scene.fail(THROTTLED)
    for number in range(20):
        scene.send(prompt(str(number)), at=10 + number * 0.1)
    assert _kinds(scene) == []


def test_a_missing_recording_is_no_fault_of_the_client() -> None:
    scene = Scene()
    _hammer(scene, 50, 0.1)
    assert _kinds(scene) == []


# -- giving up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "attempts", "most", "expected"),
    [
        (THROTTLED, None, 1, 3, True),
        (THROTTLED, None, 2, 3, True),
        (THROTTLED, None, 3, 3, False),
        (THROTTLED, None, 1, 1, False),
        ("ServiceUnavailableException", None, 1, 3, True),
        ("InternalServerException", None, 1, 3, True),
        ("InternalServerException", 400, 1, 3, False),
        ("ModelErrorException", None, 1, 3, False),
        ("ValidationException", None, 1, 3, False),
    ],
)
def test_giving_up_early(
    error: str, status: int | None, attempts: int, most: int, expected: bool
) -> None:
    scene = Scene()
    scene.fail(error, status=status)
    _attempts(scene, "a", [1.0] * (attempts - 1), most=most)
    assert _kinds(scene) == (["gave_up_early"] if expected else [])


def test_who_does_not_say_how_often_it_tries_is_not_held_to_it() -> None:
    """boto3's legacy mode says it from its second attempt on."""
    scene = _throttled()
    scene.send(prompt("x"), headers=aws("a", 1, None))
    scene.send(prompt("y"), headers=stainless(0))
    scene.send(prompt("z"))
    assert _kinds(scene) == []


def test_a_used_up_retry_quota_is_no_early_end() -> None:
    """After a hundred failures the SDKs themselves stop retrying."""
    scene = _throttled()
    for number in range(40):
        _attempts(scene, f"first {number}", [1.0, 2.0], at=number * 10)
    _attempts(scene, "last", [], at=1000, most=3)
    assert _kinds(scene) == []


def test_success_and_hanging_up_are_no_giving_up() -> None:
    scene = Scene(converse("x", "fine"))
    scene.send(prompt("x"), headers=aws("a", 1))
    scene.fail(THROTTLED)
    scene.send(prompt("x"), headers=aws("b", 1), complete=False)
    assert _kinds(scene) == []


# -- truncated streams -----------------------------------------------------------------------------


def _chat(*texts: str) -> dict[str, Any]:
    turns = [
        {"role": role, "content": [{"text": text}]}
        for role, text in zip(("user", "assistant") * 2, texts, strict=False)
    ]
    return {"messages": turns}


def _truncated(*later: Sequence[str], harm: FaultKind | None = None) -> Scene:
    """The first answer is cut; the others are not."""
    scene = Scene(stream("Hello", ["Once", " upon", " a time"]))
    scene.add_fault(harm or Truncate(after_events=3), Schedule(times=1))
    scene.send(_chat("Hello"), operation="converse-stream", headers=aws("a", 1))
    for number, texts in enumerate(later, 1):
        scene.send(
            _chat(*texts), at=number, operation="converse-stream", headers=aws(f"later {number}", 1)
        )
    return scene


def test_a_part_that_is_quoted_as_the_whole_was_accepted() -> None:
    finding = _only(_truncated(["Hello", "Once upon", "Go on"]))
    assert (finding.kind, finding.group) == ("accepted_truncated_stream", "a")
    assert [call.number for call in finding.calls] == [1, 2]
    assert "cut after 3 events, and call 2 sends the partial text back" in finding.explanation


@pytest.mark.parametrize(
    "later",
    [
        [],
        [["Something else"]],  # it may have told its user
        [["Hello"]],  # asked again
        [["Hello"], ["Hello", "Once upon", "Go on"]],
        [["Hello", "Once upon a time", "Go on"]],
        [["Hello", "No idea", "Go on"]],
    ],
)
def test_without_proof_nobody_is_accused_of_accepting(later: list[list[str]]) -> None:
    assert _kinds(_truncated(*later)) == []


ENDS: list[FaultKind] = [Raise(THROTTLED, after_events=3), RaiseUnmodelled("Slow", after_events=3)]


@pytest.mark.parametrize("harm", ENDS)
def test_an_error_in_a_stream_ends_the_answer(harm: FaultKind) -> None:
    finding = _only(_truncated(["Hello", "Once upon", "Go on"], harm=harm))
    assert (finding.kind, [call.number for call in finding.calls]) == (
        "ignored_stream_error",
        [1, 2],
    )
    assert "call 2 sends the partial text back" in finding.explanation


@pytest.mark.parametrize(
    "later",
    [
        [],
        [["Something else"]],  # it may have told its user
        [["Hello"]],  # asked again
        [["Hello", "Once upon"]],  # asked to continue
        [["Hello", "I am sorry.", "Go on"]],
    ],
)
@pytest.mark.parametrize("harm", [*ENDS, Truncate(after_events=3)])
def test_a_client_that_handles_the_end_of_a_stream_is_not_named(
    harm: FaultKind, later: list[list[str]]
) -> None:
    assert _kinds(_truncated(*later, harm=harm)) == []


def test_a_recorded_error_in_a_stream_counts_too() -> None:
    recorded = stream("Hello", ["Once", " upon", " a time"])
    assert isinstance(recorded.response.body, Events)
    frame = Event(0, exception_headers("throttlingException"), b'{"message":"Slow down."}', "json")
    events = Events.of([*recorded.response.body.events[:3], frame])
    scene = Scene(replace(recorded, response=replace(recorded.response, body=events)))
    for at, texts in enumerate((["Hello"], ["Hello", "Once upon", "Go on"])):
        scene.send(_chat(*texts), at=at, operation="converse-stream", headers=aws(str(at), 1))
    assert _kinds(scene) == ["ignored_stream_error"]


# -- text that comes twice -------------------------------------------------------------------------


def _interrupted(harm: FaultKind, **first: Any) -> Scene:
    """The first attempt of one SDK call gets a part of a stream; the second gets all of it."""
    scene = Scene(stream("Hello", ["Once", " upon", " a time"]))
    scene.add_fault(harm, Schedule(times=1))
    scene.send(_chat("Hello"), operation="converse-stream", headers=aws("a", 1), **first)
    scene.send(_chat("Hello"), at=1, operation="converse-stream", headers=aws("a", 2))
    return scene


@pytest.mark.parametrize(
    "harm", [*ENDS, Truncate(after_events=3), Truncate(after_events=2, bytes_more=30)]
)
def test_a_retry_after_a_part_of_the_text_is_named(harm: FaultKind) -> None:
    finding = _only(_interrupted(harm))
    assert (finding.kind, finding.group) == ("delivered_text_twice", "a")
    count = 4 if harm == Truncate(after_events=2, bytes_more=30) else 9
    assert (
        f"attempt 2 sent the request again after {count} characters of the answer"
        in finding.explanation
    )


def test_a_client_that_hung_up_after_a_part_of_the_text_is_named() -> None:
    assert _kinds(_interrupted(FaultKind(), complete=False, sent=3)) == ["delivered_text_twice"]


@pytest.mark.parametrize(
    "harm", [Raise(THROTTLED, after_events=1), Truncate(after_events=1), Refuse(Failure(THROTTLED))]
)
def test_a_retry_before_the_first_text_is_no_mistake(harm: FaultKind) -> None:
    assert _kinds(_interrupted(harm)) == []


def test_a_whole_stream_may_be_quoted_in_part() -> None:
    scene = Scene(stream("Hello", ["Once", " upon", " a time"]))
    scene.add_fault(FaultKind())  # such as one that makes it slow
    scene.send(_chat("Hello"), operation="converse-stream")
    scene.send(_chat("Hello", "Once upon", "Go on"), at=1, operation="converse-stream")
    assert _kinds(scene) == []


# -- all of it -------------------------------------------------------------------------------------


def test_nothing_happened() -> None:
    assert judge_retries(()) == ()


@settings(derandomize=True, max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.3, 20.0]), st.sampled_from("ab"), st.booleans()),
        max_size=20,
    ),
    st.integers(0, 5),
)
def test_a_verdict_does_not_depend_on_the_order_in_which_calls_ended(
    sent: list[tuple[float, str, bool]], turned: int
) -> None:
    scene, at = _throttled(times=8), 0.0
    for number, (wait, text, counted) in enumerate(sent):
        at += wait + 0.01
        headers = stainless(number % 2) if counted else aws(text, number % 4 + 1)
        scene.send(prompt(text), at=at, headers=headers)
    calls = list(scene.calls)
    turned = turned % max(1, len(calls))
    assert set(judge_retries(calls)) == set(judge_retries(calls[turned:] + calls[:turned]))
