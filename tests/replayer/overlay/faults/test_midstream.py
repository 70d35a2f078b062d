"""Errors in the middle of a stream, as botocore's own event stream reads them."""

from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from bedtape_cassettes.failures import FAILURES
from bedtape_replayer.answering.reply import Reply, build_reply
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from support.faulty import call, make_context
from support.recordings import converse, stream

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
STREAM = build_reply(stream("s", ["x", "y"]), b"key", 0)
WHOLE = build_reply(converse("a", "one"), b"key", 0)


def read(
    reply: Reply, operation: str = "ConverseStream"
) -> tuple[list[str], EventStreamError | None]:
    """The types of the events that botocore gives, and the error that it raises after them."""
    data = b"".join(piece.data for piece in reply.pieces)
    raw: Any = SimpleNamespace(stream=lambda: iter([data]), close=lambda: None)
    shape = SERVICE.operation_model(operation).get_event_stream_output()
    # what a client's responses are parsed with
    parser = create_parser(SERVICE.protocol)._event_stream_parser
    events: list[str] = []
    try:
        events.extend(next(iter(event)) for event in EventStream(raw, shape, parser, operation))
    except EventStreamError as error:
        return events, error
    return events, None


def harmed(kind: FaultKind, reply: Reply = STREAM) -> Reply:
    return kind.on_reply(reply, call("converse-stream"), make_context())


TYPES, _ = read(STREAM)


@pytest.mark.parametrize("events", [0, 1, 3, len(TYPES), 99])
@pytest.mark.parametrize("kind", [Raise, RaiseUnmodelled])
def test_after_so_many_events_an_error_is_raised(
    kind: type[Raise] | type[RaiseUnmodelled], events: int
) -> None:
    types, error = read(harmed(kind("ThrottlingException", after_events=events)))
    assert types == TYPES[:events]
    assert error is not None


def test_without_a_fault_nothing_is_raised() -> None:
    assert read(STREAM) == (TYPES, None)
    assert len(TYPES) == 5


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (operation, name)
        for name, known in FAILURES.items()
        for operation in known.streams
        if operation in SERVICE.operation_names
    ],
)
def test_each_exception_of_each_operation_is_told_by_its_code(operation: str, name: str) -> None:
    _, error = read(harmed(Raise(name, 0, "it broke")), operation)
    assert error is not None
    assert error.response["Error"] == {"Code": name[0].lower() + name[1:], "Message": "it broke"}


def test_an_error_frame_has_the_code_and_message_it_is_given() -> None:
    _, error = read(harmed(RaiseUnmodelled("Some.Code", "it broke")))
    assert error is not None
    assert error.response["Error"] == {"Code": "Some.Code", "Message": "it broke"}


def test_members_stand_beside_the_message() -> None:
    kind = Raise(
        "ModelStreamErrorException", 0, "m", {"originalStatusCode": 500, "originalMessage": "o"}
    )
    [piece] = harmed(kind).pieces
    assert b'{"message":"m","originalStatusCode":500,"originalMessage":"o"}' in piece.data


def test_it_comes_when_the_last_event_before_it_does() -> None:
    timed = build_reply(stream("s", ["x", "y"], at_ms=[10, 20, 30, 40, 50]), b"key", 0)
    assert [piece.at_ms for piece in harmed(Raise("ThrottlingException", 2), timed).pieces] == [
        10,
        20,
        20,
    ]


def test_what_is_no_event_stream_stays_as_it_is() -> None:
    assert harmed(Raise("ThrottlingException"), WHOLE) is WHOLE
    assert harmed(RaiseUnmodelled("X"), WHOLE) is WHOLE


def test_it_concerns_the_operations_whose_streams_have_it() -> None:
    timeout = Raise("ModelTimeoutException")
    assert timeout.applies_to(call("invoke-with-response-stream"))
    assert not timeout.applies_to(call("converse-stream"))
    assert RaiseUnmodelled("X").applies_to(call("converse-stream"))
    assert not RaiseUnmodelled("X").applies_to(call("converse"))


def test_a_fault_for_operations_without_it_is_a_mistake() -> None:
    timeout = Raise("ModelTimeoutException")
    assert timeout.find_problem(()) is None
    assert timeout.find_problem(("ConverseStream", "InvokeModelWithResponseStream")) is None
    assert "not of Converse, ConverseStream" in (
        timeout.find_problem(("Converse", "ConverseStream")) or ""
    )
    assert "found Converse" in (RaiseUnmodelled("X").find_problem(("Converse",)) or "")
    assert RaiseUnmodelled("X").find_problem(("ConverseStream",)) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"error": "throttlingException"}, "expected an exception that streams have"),
        ({"error": "ModelErrorException"}, "ThrottlingException"),
        ({"error": "ThrottlingException", "after_events": -1}, "after events"),
        (
            {"error": "ThrottlingException", "members": {"reason": 1}},
            "expected nothing beside the message",
        ),
        (
            {"error": "ModelStreamErrorException", "members": {"reason": 1}},
            "originalMessage and originalStatusCode",
        ),
    ],
)
def test_an_exception_that_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Raise(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"code": ""}, {"code": "x" * 32768}, {"code": "x", "message": "é" * 16384}]
)
def test_an_error_frame_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        RaiseUnmodelled(**wrong)
