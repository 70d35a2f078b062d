"""Which calls are attempts of one SDK call."""

import pytest

from bedtape_replayer.history.invocations import group_invocations
from support.recordings import converse, prompt, stream
from support.scene import Scene, aws, stainless


def _numbers(scene: Scene) -> list[list[int]]:
    return [
        [record.number for record in invocation.attempts]
        for invocation in group_invocations(scene.calls)
    ]


def _throttled() -> Scene:
    scene = Scene()
    scene.fail("ThrottlingException")
    return scene


def test_attempts_share_their_invocation_id() -> None:
    scene = Scene()
    for at, (invocation, attempt) in enumerate([("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]):
        scene.send(prompt("Hello"), at=at, headers=aws(invocation, attempt))
    assert _numbers(scene) == [[1, 3, 5], [2, 4]]
    first, second = group_invocations(scene.calls)
    assert (first.id, first.attempt_count, second.id, second.attempt_count) == ("a", 3, "b", 2)
    assert [(one.number, retry.number) for one, retry in first.retries] == [(1, 3), (3, 5)]


def test_the_clock_of_another_server_may_be_late() -> None:
    """Two servers answered the attempts of one call."""
    scene = Scene()
    for at, attempt in ((1.0, 1), (0.999, 2), (1.5, 3)):
        scene.send(prompt("Hello"), at=at, headers=aws("a", attempt))
    assert _numbers(scene) == [[1, 2, 3]]


def test_retry_counts_go_on_where_the_same_request_failed() -> None:
    scene = _throttled()
    for at, (text, count) in enumerate(
        [("x", 0), ("y", 0), ("x", 1), ("x", 0), ("y", 1), ("x", 2)]
    ):
        scene.send(prompt(text), at=at, headers=stainless(count))
    assert _numbers(scene) == [[1, 3, 6], [2, 5], [4]]


def test_the_oldest_failure_is_retried_first() -> None:
    """Of the same requests at the same time nobody knows which is which; so each has the
    longest wait that can be.
    """
    scene = _throttled()
    for at, count in ((0.0, 0), (0.5, 0), (0.6, 1), (1.6, 1)):
        scene.send(prompt("x"), at=at, headers=stainless(count))
    assert _numbers(scene) == [[1, 3], [2, 4]]


def test_an_answer_that_is_not_over_is_not_retried() -> None:
    scene = Scene()
    scene.send(prompt("x"), at=0.0, seconds=5.0, headers=stainless(0))
    scene.send(prompt("x"), at=1.0, headers=stainless(1))
    assert _numbers(scene) == [[1], [2]]


@pytest.mark.parametrize("first", ["ValidationException", None])
def test_a_call_ends_with_a_success_or_a_final_error(first: str | None) -> None:
    """A later call with the same request is another call, whose own failure is retried."""
    scene = Scene(converse("x", "fine"))
    if first is not None:
        scene.fail(first, times=1)
    scene.send(prompt("x"), at=0, headers=stainless(0))
    scene.fail("ThrottlingException", times=1)
    for at, count in ((1, 0), (2, 1)):
        scene.send(prompt("x"), at=at, headers=stainless(count))
    assert _numbers(scene) == [[1], [2, 3]]


@pytest.mark.parametrize(
    ("told", "expected"),
    [("true", [[1, 3], [2]]), ("false", [[1], [2, 3]]), ("other", [[1], [2, 3]])],
)
def test_an_answer_can_say_whether_it_is_final(told: str, expected: list[list[int]]) -> None:
    scene = Scene()
    scene.fail("ValidationException", headers=(("x-should-retry", told),), times=1)
    scene.fail("ValidationException" if told == "true" else "ThrottlingException")
    for at, count in enumerate((0, 0, 1)):
        scene.send(prompt("x"), at=at, headers=stainless(count))
    assert _numbers(scene) == expected


@pytest.mark.parametrize(("sent", "expected"), [(0, [[1, 3], [2]]), (3, [[1], [2, 3]])])
def test_a_client_that_stopped_reading_a_stream_does_not_retry(
    sent: int, expected: list[list[int]]
) -> None:
    """It retries an answer that came too late."""
    scene = Scene(stream("x", ["Once", " upon"]))
    scene.send(
        prompt("x"), headers=stainless(0), operation="converse-stream", complete=False, sent=sent
    )
    scene.fail("ThrottlingException", times=1)
    for at, count in ((1, 0), (2, 1)):
        scene.send(prompt("x"), at=at, headers=stainless(count), operation="converse-stream")
    assert _numbers(scene) == expected


def test_a_repeated_invocation_id_is_another_call() -> None:
    """A test can replace `uuid4`. The numbers of the attempts begin again."""
    scene = Scene()
    for at, attempt in enumerate((1, 1, 2, 1, 2, 3)):
        scene.send(prompt("x"), at=at, headers=aws("same", attempt))
    assert _numbers(scene) == [[1], [2, 3], [4, 5, 6]]


def test_calls_without_either_are_on_their_own() -> None:
    scene = Scene()
    for at in range(3):
        scene.send(prompt("x"), at=at)
    assert _numbers(scene) == [[1], [2], [3]]
    assert [invocation.attempt_count for invocation in group_invocations(scene.calls)] == [1, 1, 1]


def test_a_forgotten_attempt_leaves_a_gap() -> None:
    scene = Scene()
    for at, attempt in ((0.0, 1), (2.0, 3), (4.0, 4)):
        scene.send(prompt("x"), at=at, headers=aws("a", attempt))
    [invocation] = group_invocations(scene.calls)
    assert [(one.attempt, retry.attempt) for one, retry in invocation.retries] == [(3, 4)]
    assert invocation.attempt_count == 4
