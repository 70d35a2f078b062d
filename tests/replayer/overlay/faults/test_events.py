"""A stream's events other than they should be."""

from typing import Any

import pytest

from bedtape_cassettes.model import Events, Response
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.events import Drop, Insert, Repeat, Swap
from support.faulty import call, make_context
from support.recordings import converse, stream

RESPONSE = stream("s", ["x", "y"], at_ms=[10, 20, 30, 40, 50]).response
WHOLE = converse("a", "one").response
START, DELTA, STOP, END = "messageStart", "contentBlockDelta", "contentBlockStop", "messageStop"


def changed(kind: FaultKind, response: Response = RESPONSE) -> list[tuple[str | None, int, bytes]]:
    body = kind.on_response(response, call("converse-stream"), make_context()).body
    assert isinstance(body, Events)
    assert isinstance(response.body, Events)
    assert body.padded == response.body.padded
    return [(event.type, event.at_ms, event.payload) for event in body.events]


ALL = changed(FaultKind())


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (Drop((1,)), [1, 2, 3, 4]),
        (Drop((1, 5, 99)), [1, 2, 3]),
        (Drop(types=(DELTA,)), [0, 3, 4]),
        (Drop((1,), (DELTA, STOP)), [4]),
        (Drop((1, 2, 3, 4, 5)), []),
        (Repeat((2,)), [0, 1, 1, 2, 3, 4]),
        (Repeat((1,), (END,), times=2), [0, 0, 0, 1, 2, 3, 4, 4, 4]),
        (Repeat((99,)), [0, 1, 2, 3, 4]),
    ],
)
def test_which_events_are_left(kind: FaultKind, left: list[int]) -> None:
    assert changed(kind) == [ALL[number] for number in left]


def test_swapped_events_keep_the_times_of_their_places() -> None:
    swapped = changed(Swap(2, 4))
    assert [name for name, _, _ in swapped] == [START, STOP, DELTA, DELTA, END]
    assert [at for _, at, _ in swapped] == [10, 20, 30, 40, 50]
    assert (swapped[1][2], swapped[3][2]) == (ALL[3][2], ALL[1][2])
    assert changed(Swap(4, 2)) == swapped


def test_what_is_not_there_is_not_swapped() -> None:
    assert changed(Swap(1, 6)) == ALL


@pytest.mark.parametrize(("after", "at", "when"), [(0, 0, 0), (2, 2, 20), (5, 5, 50), (99, 5, 50)])
def test_an_event_is_inserted(after: int, at: int, when: int) -> None:
    events = changed(Insert("newer", {"a": 1}, after))
    assert events == [*ALL[:at], ("newer", when, b'{"a":1}'), *ALL[at:]]


@pytest.mark.parametrize("kind", [Drop((1,)), Repeat((1,)), Swap(1, 2), Insert("newer")])
def test_it_concerns_streams_alone(kind: FaultKind) -> None:
    assert kind.on_response(WHOLE, call(), make_context()) is WHOLE
    assert kind.applies_to(call("converse-stream"))
    assert not kind.applies_to(call("converse"))
    assert kind.find_problem(()) is None
    assert kind.find_problem(("Converse", "ConverseStream")) is None
    assert "found Converse, InvokeModel" in (kind.find_problem(("Converse", "InvokeModel")) or "")


def test_server_sent_events_have_numbers_and_types() -> None:
    for kind in (Drop((1,)), Drop(types=("response.created",)), Insert("newer")):
        assert kind.find_problem(("ChatCompletions",)) is None


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Drop, {}),
        (Drop, {"numbers": (0,)}),
        (Repeat, {}),
        (Repeat, {"numbers": (1,), "times": 0}),
        (Swap, {"first": 0, "second": 1}),
        (Swap, {"first": 2, "second": 2}),
        (Insert, {"type": ""}),
        (Insert, {"type": "x" * 32768}),
        (Insert, {"type": "x", "after_events": -1}),
    ],
)
def test_what_cannot_be_is_refused(kind: type[FaultKind], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        kind(**wrong)
