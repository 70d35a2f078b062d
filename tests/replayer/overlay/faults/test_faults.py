"""The seams of faults, and every kind as a document names it."""

from typing import Any

import pytest

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import problems
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.overlay.faults.base import (
    FaultKind,
    check_minimum,
    explain_no_stream,
    is_framed,
)
from bedtape_replayer.overlay.faults.corruption import Corrupt
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.events import Drop, Insert, Repeat, Swap
from bedtape_replayer.overlay.faults.kinds import KINDS
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.quota import Quota
from bedtape_replayer.overlay.faults.reset import BreakOff
from bedtape_replayer.overlay.faults.semantic import Misanswer
from bedtape_replayer.overlay.faults.stall import Silence
from bedtape_replayer.overlay.faults.truncation import Truncate
from support.faulty import call, make_context


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("error", "ThrottlingException", Refuse(Failure("ThrottlingException"))),
        ("http", {"status": 503, "text": "<html>"}, Refuse(Failure(status=503, body=b"<html>"))),
        ("http", {"status": 503}, Refuse(Failure(status=503, body=b""))),
        (
            "http",
            {"status": 500, "json": {"a": 1}, "headers": {"X-A": "b"}},
            Refuse(Failure(status=500, body=b'{"a":1}', headers=(("X-A", "b"),))),
        ),
        ("latency", {"first_byte_ms": 1, "jitter_ms": 2}, Delay(1, 0, 2)),
        ("stall", {}, Silence()),
        ("stall", {"after_events": 2}, Silence(2)),
        (
            "error_frame",
            {"code": "X", "message": "m", "after_events": 0},
            RaiseUnmodelled("X", "m", 0),
        ),
        ("truncate", {}, Truncate()),
        (
            "truncate",
            {"after_events": 1, "bytes_more": 2, "in_order": False},
            Truncate(1, 2, in_order=False),
        ),
        ("corrupt", {"what": "json", "event": 2}, Corrupt("json", 2)),
        ("drop", {"numbers": [1], "types": ["a"]}, Drop((1,), ("a",))),
        ("repeat", {"types": ["a"], "times": 2}, Repeat((), ("a",), 2)),
        ("swap", {"first": 1, "second": 2}, Swap(1, 2)),
        (
            "insert",
            {"type": "a", "payload": {"b": [1]}, "after_events": 0},
            Insert("a", {"b": [1]}, 0),
        ),
        ("reset", {}, BreakOff()),
        ("reset", {"after_events": 1, "bytes_more": 2, "code": 8}, BreakOff(1, 2, 8)),
        ("quota", {"requests_per_minute": 1, "tokens_per_minute": 2}, Quota(1, 2)),
        (
            "misanswer",
            {"what": "stop_sequence", "text": "a", "family": "llama"},
            Misanswer("stop_sequence", "a", "llama"),
        ),
    ],
)
def test_documents_name_every_harm(key: str, value: Any, kind: FaultKind) -> None:
    assert problems(value, KINDS[key].schema) == []
    assert KINDS[key].make({key: value}) == kind


def test_every_argument_can_be_named() -> None:
    """What a kind takes, a document can say: no argument is for Python alone."""
    kinds = {
        "latency": Delay,
        "stall": Silence,
        "truncate": Truncate,
        "corrupt": Corrupt,
        "drop": Drop,
    }
    kinds |= {"repeat": Repeat, "swap": Swap, "insert": Insert, "reset": BreakOff, "quota": Quota}
    for key, kind in {**kinds, "error_frame": RaiseUnmodelled}.items():
        assert set(KINDS[key].schema["properties"]) == set(kind.__dataclass_fields__), key


def test_what_stands_beside_an_errors_name() -> None:
    fault = {
        "error": "Other",
        "status": 418,
        "message": "m",
        "members": {"a": 1},
        "retry_after_ms": 5,
        "times": 1,
    }
    assert KINDS["error"].make(fault) == Refuse(Failure("Other", "m", 418, {"a": 1}, 5))


def test_an_error_after_events_is_in_the_stream() -> None:
    fault = {
        "error": "ModelStreamErrorException",
        "message": "m",
        "members": {"originalStatusCode": 500},
    }
    assert KINDS["error"].make({**fault, "after_events": 2}) == Raise(
        "ModelStreamErrorException", 2, "m", {"originalStatusCode": 500}
    )
    with pytest.raises(ValueError, match="status with after_events"):
        KINDS["error"].make({**fault, "after_events": 2, "status": 500})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("error", "NoSuchException"),
        ("http", {"status": 204}),
        ("latency", {"jitter_ms": 1}),
        ("latency", {"first_byte_ms": 1.0}),
        ("stall", {"after_events": 1.0}),
        ("error_frame", {"code": ""}),
        ("drop", {}),
        ("quota", {}),
        ("swap", {"first": 1, "second": 1}),
        ("misanswer", {"what": "empty", "text": "a"}),
    ],
)
def test_what_a_schema_cannot_say_is_refused_by_who_makes_it(key: str, value: Any) -> None:
    assert problems(value, KINDS[key].schema) == []
    with pytest.raises(ValueError, match="expected"):
        KINDS[key].make({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quota", {"requests_per_minute": 0}),
        ("latency", {"first": 1}),
        ("corrupt", {}),
        ("swap", {"first": 1}),
    ],
)
def test_what_a_schema_can_say_it_says(key: str, value: Any) -> None:
    assert problems(value, KINDS[key].schema)


def test_a_harm_that_overrides_nothing_does_nothing() -> None:
    kind, asked, now = FaultKind(), call(), make_context()
    response, reply = Failure(status=500).build_response(), Reply(200, (), (), streamed=False)
    assert kind.applies_to(asked)
    assert kind.find_problem(("Converse",)) is None
    assert kind.build_answer(asked, now) is None
    assert kind.on_response(response, asked, now) is response
    assert kind.on_reply(reply, asked, now) is reply
    assert kind.on_steps(reply, now) is None


@pytest.mark.parametrize(
    ("url", "body", "streamed", "framed"),
    [
        ("/model/m/converse-stream", {}, True, True),
        ("/model/m/invoke-with-response-stream", {}, True, True),
        ("/model/m/converse", {"stream": True}, False, False),
        ("/v1/chat/completions", {"stream": True}, True, False),
        ("/v1/chat/completions", {"stream": 1}, False, False),
        ("/anthropic/v1/messages", {}, False, False),
        ("/elsewhere", {"stream": True}, False, False),
    ],
)
def test_what_is_answered_with_a_stream(
    url: str, body: dict[str, Any], streamed: bool, framed: bool
) -> None:
    asked = Call("default", "POST", url, Head.of(()), compact(body))
    assert (asked.is_streamed, is_framed(asked)) == (streamed, framed)


def test_why_no_stream_is_there() -> None:
    assert explain_no_stream((), framed=True) is None
    assert explain_no_stream(("Converse", "InvokeAgent"), framed=True) is None
    assert explain_no_stream(("Messages",), framed=False) is None
    assert explain_no_stream(("Messages",), framed=True) == (
        "expected an operation that is answered with an event stream, found Messages"
    )


def test_numbers_that_are_none_are_not_checked() -> None:
    check_minimum(0, a=None, b=0)
    for wrong in (-1, 1.0, True):
        with pytest.raises(ValueError, match="expected some number as a whole number from 0"):
            check_minimum(0, some_number=wrong)  # type: ignore[arg-type]
