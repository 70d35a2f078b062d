"""What clients make of each fault, and how often they ask: boto3 in its default mode and in legacy
mode, and the AWS SDK for JavaScript over HTTP/2 and HTTP/1.1.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import boto3
import botocore.eventstream
import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.config import Config

from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.corruption import Corrupt
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.events import Drop, Insert, Repeat
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.quota import Quota
from bedtape_replayer.overlay.faults.reset import BreakOff
from bedtape_replayer.overlay.faults.semantic import Misanswer
from bedtape_replayer.overlay.faults.stall import Silence
from bedtape_replayer.overlay.faults.truncation import Truncate
from support import WAIT, authored
from support.client import until
from support.faulty import Faulty

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TEXTS = ["Hel", "lo"]
INTERACTIONS = (
    authored.converse(MODEL, "q", "Hello"),
    authored.converse_stream(MODEL, "q", TEXTS),
    authored.invoke(MODEL, "q", "Hello"),
    authored.invoke_stream(MODEL, "q", TEXTS),
)
START, STOP = "messageStart", "messageStop"
EVENTS = 6  # of the ConverseStream above


def faulty(*harms: FaultKind) -> Faulty:
    return Faulty(*INTERACTIONS, harms=harms)


# -- boto3 -----------------------------------------------------------------------------------------


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that botocore would have made between attempts."""
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    return pauses


@dataclass(frozen=True)
class Got:
    """What boto3 gave: the answer, the types of a stream's events, and what
    it raised in the end.
    """

    answer: dict[str, Any]
    events: tuple[str, ...] = ()
    error: Exception | None = None
    stop: str | None = None

    @property
    def code(self) -> str:
        return str(self.error.response["Error"]["Code"]) if hasattr(self.error, "response") else ""


Ask: TypeAlias = Callable[..., Got]


@pytest.fixture
def ask(aws: boto3.Session, slept: list[float]) -> Ask:
    """Calls an operation of a server with a client of its own, whose settings are
    botocore's but for what is given.

    silent_after: the number of events after which the client's timeout is short, because
    the server sends no more.
    """

    def ask(
        server: Faulty,
        operation: str = "converse",
        silent_after: int | None = None,
        **settings: Any,
    ) -> Got:
        config = Config(read_timeout=settings.pop("read_timeout", WAIT), **settings)
        with closing(
            aws.client("bedrock-runtime", endpoint_url=server.url, config=config)
        ) as client:
            try:
                answer = getattr(client, operation)(modelId=MODEL, **arguments(operation))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
                return Got({}, error=error)
            return drained(answer, silent_after)

    return ask


def arguments(operation: str) -> dict[str, Any]:
    return (
        {"body": json.dumps(authored.say("q"))}
        if operation.startswith("invoke")
        else authored.ask("q")
    )


def drained(answer: dict[str, Any], silent_after: int | None = None) -> Got:
    stream = answer.get("stream") or answer.get("body")
    if stream is None:
        return Got(answer, stop=answer.get("stopReason"))
    events: list[str] = []
    stop: str | None = None
    with closing(stream):
        try:
            if isinstance(stream, botocore.eventstream.EventStream):
                for event in stream:
                    events.append(next(iter(event)))
                    if len(events) == silent_after:
                        stream._raw_stream._connection.sock.settimeout(0.1)
                    stop = event.get(STOP, {}).get("stopReason", stop)
            else:
                answer["body"] = stream.read()
        except Exception as error:  # noqa: BLE001 - the same
            return Got(answer, tuple(events), error)
    return Got(answer, tuple(events), stop=stop)


LEGACY = {"retries": {"mode": "legacy"}}
RETRIED, ONCE = (5, 3), (1, 1)
# The failure; what boto3 names its class, and how often it asks in legacy and in its default mode,
# which is as often as JavaScript asks; JavaScript's name.
Row: TypeAlias = tuple[Failure, str, tuple[int, int], str]


def named(attempts: tuple[int, int], *names: str, boto: str = "") -> dict[str, Row]:
    return {name: (Failure(name), boto or name, attempts, name) for name in names}


THROTTLING, QUOTA, HTML = (
    "ThrottlingException",
    "ServiceQuotaExceededException",
    (("content-type", "text/html"),),
)
OVERLOADED = (
    THROTTLING,
    "ServiceUnavailableException",
    "InternalServerException",
    "ModelNotReadyException",
)
REFUSED = ("AccessDeniedException", "ResourceNotFoundException", "ValidationException")
MODELS = ("ModelErrorException", "ModelTimeoutException")
OF_THE_SERVICE = ("ConflictException", "ModelStreamErrorException", QUOTA)  # and not of Converse
SIGNATURES = (
    "IncompleteSignature",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "UnrecognizedClientException",
)
ROWS: dict[str, Row] = {
    **named(RETRIED, *OVERLOADED),
    **named(ONCE, *REFUSED, *MODELS, *OF_THE_SERVICE),
    **named(ONCE, *SIGNATURES, boto="ClientError"),
    "throttling as 400": (Failure(THROTTLING, status=400), THROTTLING, RETRIED, THROTTLING),
    "quota as 429": (Failure(QUOTA, status=429), QUOTA, RETRIED, QUOTA),
    "timeout": (
        Failure("RequestTimeoutException", status=408),
        "ClientError",
        (1, 3),
        "RequestTimeoutException",
    ),
    "429 alone": (Failure(status=429), "ClientError", RETRIED, "Unknown"),
    "502 alone": (Failure(status=502), "ClientError", RETRIED, "Unknown"),
    "504 alone": (Failure(status=504), "ClientError", RETRIED, "Unknown"),
    "HTML": (
        Failure(status=503, body=b"<html>", headers=HTML),
        "ClientError",
        RETRIED,
        "SyntaxError",
    ),
}
rows = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
both_modes = pytest.mark.parametrize(
    ("settings", "mode"), [(LEGACY, 0), ({}, 1)], ids=["legacy", "default"]
)


@rows
@both_modes
def test_errors(row: Row, settings: dict[str, Any], mode: int, ask: Ask) -> None:
    failure, name, attempts, _ = row
    with faulty(Refuse(failure)) as server:
        got = ask(server, **settings)
    assert type(got.error).__name__ == name
    assert got.code == (failure.error or str(failure.status))
    assert len(server.seen) == attempts[mode]
    assert ("reached max retries" in str(got.error)) == (attempts[mode] > 1)


@pytest.mark.parametrize(
    "operation", ["converse_stream", "invoke_model", "invoke_model_with_response_stream"]
)
def test_errors_of_other_operations(operation: str, ask: Ask) -> None:
    with faulty(Refuse(Failure("ThrottlingException"))) as server:
        got = ask(server, operation)
    assert type(got.error).__name__ == "ThrottlingException"
    assert len(server.seen) == 3


@both_modes
def test_a_quota_as_429_of_an_operation_that_models_it(
    settings: dict[str, Any], mode: int, ask: Ask
) -> None:
    with faulty(Refuse(Failure("ServiceQuotaExceededException", status=429))) as server:
        got = ask(server, "invoke_model", **settings)
    assert type(got.error).__name__ == "ServiceQuotaExceededException"
    assert len(server.seen) == (5, 1)[mode]


def test_an_error_that_is_told_in_full(ask: Ask) -> None:
    failure = Failure(
        "ModelErrorException", "It broke.", members={"originalStatusCode": 503, "resourceName": "r"}
    )
    with faulty(Refuse(failure)) as server:
        got = ask(server)
    assert (
        str(got.error)
        == "An error occurred (ModelErrorException) when calling the Converse operation: It broke."
    )
    told = getattr(got.error, "response", {})
    assert (told["originalStatusCode"], told["resourceName"]) == (503, "r")
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_the_pause_that_a_server_asks_for(ask: Ask, slept: list[float]) -> None:
    """Botocore's own, by chance at most 1 s and then 2 s, is only taken where it is longer."""
    with faulty(Refuse(Failure("ThrottlingException", retry_after_ms=1234))) as server:
        ask(server)
    assert slept[0] == 1.234
    assert 1.234 <= slept[1] <= 2


def test_a_quota_lets_through_what_it_has(ask: Ask, slept: list[float]) -> None:
    with faulty(Quota(requests_per_minute=2)) as server:
        assert [type(ask(server).error).__name__ for _ in range(3)] == [
            "NoneType",
            "NoneType",
            "ThrottlingException",
        ]
        assert len(slept) == 2
        assert all(
            5 <= pause <= 7 for pause in slept
        )  # 60 were told; botocore takes at most 5 more than its own 1 and 2
        server.engine.clock.advance(60)
        assert ask(server).error is None


@both_modes
def test_a_reset_before_the_head(settings: dict[str, Any], mode: int, ask: Ask) -> None:
    with faulty(BreakOff()) as server:
        got = ask(server, **settings)
    assert type(got.error) is botocore.exceptions.ConnectionClosedError
    assert len(server.seen) == (5, 3)[mode]


@both_modes
def test_no_answer_at_all(settings: dict[str, Any], mode: int, ask: Ask) -> None:
    with faulty(Silence()) as server:
        got = ask(server, read_timeout=0.1, **settings)
        until(lambda: len(server.seen) == (5, 3)[mode])
    assert type(got.error) is botocore.exceptions.ReadTimeoutError
    assert [outcome.complete for outcome in server.seen] == [False] * (5, 3)[mode]


def test_a_late_answer_is_an_answer(ask: Ask) -> None:
    with faulty(Delay(50, 20)) as server:
        assert ask(server).answer["stopReason"] == "end_turn"
        assert len(ask(server, "converse_stream").events) == EVENTS
    assert [outcome.complete for outcome in server.seen] == [True, True]


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_an_answer_that_is_cut_short(operation: str, ask: Ask) -> None:
    with faulty(Misanswer("max_tokens")) as server:
        got = ask(server, operation)
    assert got.error is None
    assert got.stop == "max_tokens"


def test_an_answer_that_a_fault_cannot_happen_to(ask: Ask) -> None:
    """Its text calls no tool, so none can be called wrongly: the test is told, and the
    client does not ask again.
    """
    with faulty(Misanswer("malformed_tool_use")) as server:
        got = ask(server)
    assert got.code == "OverlayException"
    assert "calls no tool" in str(got.error)
    assert len(server.seen) == 1


def test_invalid_json_is_taken_for_an_empty_answer(ask: Ask) -> None:
    with faulty(Corrupt("json")) as server:
        got = ask(server)
        assert got.error is None
        assert "output" not in got.answer
        with pytest.raises(ValueError):
            json.loads(ask(server, "invoke_model").answer["body"])
    assert len(server.seen) == 2


def test_a_body_shorter_than_promised(ask: Ask) -> None:
    with faulty(Truncate(0, 10, in_order=False)) as server:
        got = ask(server)
        assert got.error is None
        assert "output" not in got.answer
        assert type(ask(server, "invoke_model").error) is botocore.exceptions.ResponseStreamingError
    assert len(server.seen) == 2


# -- boto3, in the middle of a stream --------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("converse_stream", "ThrottlingException"),
        ("converse_stream", "ModelStreamErrorException"),
        ("invoke_model_with_response_stream", "ModelTimeoutException"),
    ],
)
def test_an_exception_in_a_stream(operation: str, error: str, ask: Ask) -> None:
    with faulty(Raise(error, 2, "It broke.")) as server:
        got = ask(server, operation)
    assert len(got.events) == 2
    assert type(got.error) is botocore.exceptions.EventStreamError
    assert got.code == error[0].lower() + error[1:]
    assert str(got.error).endswith(": It broke.")
    assert len(server.seen) == 1


def test_an_exception_that_is_not_in_the_stream_does_not_happen(ask: Ask) -> None:
    with faulty(Raise("ModelTimeoutException")) as server:
        assert ask(server, "converse_stream").error is None
    assert server.seen[0].answer.faults == ()


def test_an_error_frame_in_a_stream(ask: Ask) -> None:
    with faulty(RaiseUnmodelled("Odd", "It broke.")) as server:
        got = ask(server, "converse_stream")
    assert (got.events, type(got.error), got.code) == (
        (START,),
        botocore.exceptions.EventStreamError,
        "Odd",
    )


@pytest.mark.parametrize(("more", "events"), [(0, 2), (20, 2)])
def test_a_stream_that_ends_too_early_is_taken_for_a_whole_one(
    more: int, events: int, ask: Ask
) -> None:
    """Silently, between frames and inside one: the events that are missing are all that tells."""
    with faulty(Truncate(2, more)) as server:
        got = ask(server, "converse_stream")
    assert (len(got.events), got.error) == (events, None)


@pytest.mark.parametrize(
    ("harm", "error", "said"),
    [
        (
            Truncate(2, in_order=False),
            urllib3.exceptions.ProtocolError,
            "Response ended prematurely",
        ),
        (
            Truncate(2, 20, in_order=False),
            urllib3.exceptions.ProtocolError,
            "Response ended prematurely",
        ),
        (BreakOff(2), urllib3.exceptions.ProtocolError, "ConnectionResetError"),
        (BreakOff(2, 20), urllib3.exceptions.ProtocolError, "ConnectionResetError"),
        (Corrupt("message_crc", 3), botocore.eventstream.ChecksumMismatch, "Checksum mismatch"),
        (Corrupt("prelude_crc", 3), botocore.eventstream.ChecksumMismatch, "Checksum mismatch"),
        (Silence(2), urllib3.exceptions.ReadTimeoutError, "Read timed out"),
    ],
)
def test_a_stream_that_breaks(harm: FaultKind, error: type[Exception], said: str, ask: Ask) -> None:
    with faulty(harm) as server:
        got = ask(server, "converse_stream", silent_after=2 if isinstance(harm, Silence) else None)
    assert len(got.events) == 2
    assert type(got.error) is error
    assert said in str(got.error)
    assert len(server.seen) == 1


def test_malformed_json_in_an_event_is_taken_for_an_empty_one(ask: Ask) -> None:
    with faulty(Corrupt("json", 2)) as server:
        got = ask(server, "converse_stream")
    assert len(got.events) == EVENTS
    assert got.error is None


def test_other_events_than_there_should_be(ask: Ask) -> None:
    with faulty(
        Drop(types=("contentBlockDelta",)), Repeat((1,)), Insert("somethingNew", {"a": 1}, 0)
    ) as server:
        got = ask(server, "converse_stream")
    assert got.events == (START, START, "contentBlockStop", STOP, "metadata")
    assert got.error is None


# -- JavaScript ------------------------------------------------------------------------------------

HERE = Path(__file__).parent / "javascript"
Result: TypeAlias = dict[str, Any]
Node: TypeAlias = Callable[[str, object], str]
both_handlers = pytest.mark.parametrize("handler", ["default", "http1"])


@pytest.fixture(scope="module")
def node() -> Node:
    """Runs a script of the javascript folder with JSON to read, and gives what it prints."""
    path = shutil.which("node")
    if path is None or not (HERE / "node_modules" / "@aws-sdk" / "client-bedrock-runtime").is_dir():
        pytest.skip(
            "the AWS SDK for JavaScript is not installed: `make test`, or `npm ci` in"
            " tests/clients/javascript"
        )

    def run(script: str, told: object) -> str:
        command = [path, str(HERE / script)]
        ended = subprocess.run(
            command,
            input=json.dumps(told),
            capture_output=True,
            encoding="utf-8",
            timeout=WAIT,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def asked(server: Faulty, operation: str, handler: str) -> dict[str, Any]:
    return {
        "endpoint": server.url,
        "handler": handler,
        "operation": operation,
        "input": {"modelId": MODEL, **authored.ask("q")},
    }


def results(node: Node, jobs: list[dict[str, Any]]) -> list[Result]:
    lines = map(json.loads, node("client.mjs", {"concurrency": 8, "jobs": jobs}).splitlines())
    return sorted(lines, key=lambda result: int(result["index"]))


@dataclass(frozen=True)
class GotJs:
    """What the SDK gave, and how many requests the server saw."""

    result: Result
    seen: int

    @property
    def events(self) -> list[str]:
        return [next(iter(event)) for event in self.result["events"]]

    @property
    def error(self) -> str | None:
        error = self.result.get("error")
        return None if error is None else str(error["name"])

    @property
    def message(self) -> str:
        return str(self.result["error"]["message"])


def told(
    node: Node, harms: dict[str, tuple[FaultKind, ...]], operation: str, handler: str
) -> dict[str, GotJs]:
    """What the SDK makes of each, all in one process: it takes long to start."""
    with ExitStack() as stack:
        servers = [stack.enter_context(faulty(*some)) for some in harms.values()]
        got = results(node, [asked(server, operation, handler) for server in servers])
    return {
        name: GotJs(result, len(s.seen))
        for name, result, s in zip(harms, got, servers, strict=True)
    }


@both_handlers
def test_errors_in_javascript(handler: str, node: Node) -> None:
    """The pause that it is asked for is a millisecond: its own would be up to three seconds."""
    harms: dict[str, tuple[FaultKind, ...]] = {
        name: (Refuse(replace(failure, retry_after_ms=1)),) for name, (failure, *_) in ROWS.items()
    }
    got = told(node, harms, "Converse", handler)
    expected = {name: (error, attempts[1]) for name, (_, _, attempts, error) in ROWS.items()}
    assert {name: (one.error, one.seen) for name, one in got.items()} == expected


@both_handlers
def test_answers_that_break_in_javascript(handler: str, node: Node) -> None:
    http1 = handler == "http1"
    harms: dict[str, tuple[FaultKind, ...]] = {
        "reset": (BreakOff(),),
        "internal error": (BreakOff(code=2),),
        "refused": (BreakOff(code=7),),
        "cancelled": (BreakOff(code=8),),
        "not JSON": (Corrupt("json"),),
        "short": (Truncate(0, 10),),
        "shorter than promised": (Truncate(0, 10, in_order=False),),
    }
    got = told(node, harms, "Converse", handler)
    # Which of the two a TCP reset is over HTTP/2, is chance.
    assert got["reset"].error in (("TimeoutError",) if http1 else ("TimeoutError", "Error"))
    assert {name: one.seen for name, one in got.items()} == {
        "reset": 3,
        "internal error": 3 if http1 else 1,  # HTTP/1.1 knows TCP's reset only
        "refused": 3,
        "cancelled": 3,
        "not JSON": 1,
        "short": 1,
        "shorter than promised": 3 if http1 else 1,
    }
    assert (got["not JSON"].error, got["short"].error) == ("SyntaxError", "SyntaxError")
    assert got["shorter than promised"].error == ("Error" if http1 else "SyntaxError")
    if not http1:
        for name, code in (
            ("internal error", "NGHTTP2_INTERNAL_ERROR"),
            ("refused", "NGHTTP2_REFUSED_STREAM"),
        ):
            assert got[name].message == f"Stream closed with error code {code}"
        assert got["cancelled"].message == "Unexpected error: http2 request did not get a response"


TRUNCATED = "Truncated event message received."
# What comes after the second event: the end (None) or the message's beginning, of
# HTTP/2 and of HTTP/1.1.
BREAKS: dict[str, tuple[FaultKind, str | None, str | None]] = {
    "exception": (Raise("ThrottlingException", 2, "It broke."), "It broke.", "It broke."),
    "error frame": (RaiseUnmodelled("Odd", "It broke.", 2), "It broke.", "It broke."),
    "end between frames": (Truncate(2), None, None),
    "end inside a frame": (Truncate(2, 20), TRUNCATED, TRUNCATED),
    "no terminator": (Truncate(2, in_order=False), None, "aborted"),
    "no terminator, inside a frame": (Truncate(2, 20, in_order=False), TRUNCATED, "aborted"),
    "TCP reset": (BreakOff(2), None, "aborted"),
    "TCP reset inside a frame": (BreakOff(2, 20), TRUNCATED, "aborted"),
    "RST_STREAM cancel": (BreakOff(2, 0, 8), None, "aborted"),
    "RST_STREAM cancel inside a frame": (BreakOff(2, 20, 8), TRUNCATED, "aborted"),
    "RST_STREAM internal error": (
        BreakOff(2, 0, 2),
        "Stream closed with error code NGHTTP2_INTERNAL_ERROR",
        "aborted",
    ),
    "message checksum": (
        Corrupt("message_crc", 3),
        "The message checksum (",
        "The message checksum (",
    ),
    "prelude checksum": (
        Corrupt("prelude_crc", 3),
        "The prelude checksum ",
        "The prelude checksum ",
    ),
    "malformed JSON": (Corrupt("json", 3), "Expected ", "Expected "),
}


@both_handlers
def test_streams_that_break_in_javascript(handler: str, node: Node) -> None:
    """None is asked for again.

    Over HTTP/2, many a break is taken for the end; a TCP reset may also be told, by chance.
    """
    got = told(
        node, {name: (harm,) for name, (harm, _, _) in BREAKS.items()}, "ConverseStream", handler
    )
    for name, one in got.items():
        expected = BREAKS[name][2 if handler == "http1" else 1]
        assert (one.events, one.seen) == ([START, "contentBlockDelta"], 1), name
        if (
            handler != "http1"
            and name.startswith("TCP reset")
            and one.error is not None
            and "ECONNRESET" in one.message
        ):
            continue
        assert (one.error is None) == (expected is None), name
        if expected is not None:
            assert one.message.startswith(expected), name
    assert got["exception"].error == "ThrottlingException"
    assert got["error frame"].error == "Odd"


@both_handlers
def test_streams_that_are_only_odd_in_javascript(handler: str, node: Node) -> None:
    harms: dict[str, tuple[FaultKind, ...]] = {
        "late": (Delay(50, 20),),
        "other events": (
            Drop(types=("contentBlockDelta",)),
            Repeat((1,)),
            Insert("somethingNew", {"a": 1}, 0),
        ),
    }
    got = told(node, harms, "ConverseStream", handler)
    assert len(got["late"].events) == EVENTS
    assert got["other events"].events == [START, START, "contentBlockStop", STOP, "metadata"]
    assert {one.error for one in got.values()} == {None}


@both_handlers
def test_no_answer_at_all_in_javascript(handler: str, node: Node) -> None:
    with faulty(Silence()) as server:
        job = {**asked(server, "Converse", handler), "requestTimeout": 200}
        [result] = json.loads(node("patience.mjs", [job]))
    assert (result["error"]["name"], result["error"]["attempts"]) == ("TimeoutError", 3)
    # a slow client takes a request back before it is sent
    assert not any(outcome.complete for outcome in server.seen)


def test_a_stalled_stream_in_javascript(node: Node) -> None:
    """Over HTTP/2 it is taken for the end; over HTTP/1.1 this SDK would wait for ever."""
    with faulty(Silence(2)) as server:
        job = {**asked(server, "ConverseStream", "default"), "silentAfter": 2}
        [result] = json.loads(node("patience.mjs", [job]))
        until(lambda: bool(server.seen))
    assert [next(iter(event)) for event in result["events"]] == [START, "contentBlockDelta"]
    assert "error" not in result
    assert [outcome.complete for outcome in server.seen] == [False]
