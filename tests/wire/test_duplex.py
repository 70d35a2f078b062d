"""Bidirectional streams over real sockets: the answer begins with the head of the request,
whose end may never come.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import h2.errors
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.models.nova_sonic import Speech
from bedtape_cassettes.format.eventstream import FrameError
from bedtape_replayer import Replayer
from bedtape_replayer.answering.duplex.conversation import MOST_BYTES, Conversation
from bedtape_replayer.answering.duplex.inputs import InputReader
from bedtape_replayer.answering.duplex.turns import Cue, RuleScript, RuleTurn
from bedtape_replayer.answering.steps import Finish, Send, Start
from support import WAIT
from support.client import Http1, Http2, until
from support.duplex import (
    OPERATION,
    PATH,
    Duplex,
    audio_content,
    chunk,
    sign,
    text_content,
    tool_result,
    wrap,
)

both_versions = pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
START = {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024}}}
EVENTS = [{"completionStart": {}}, {"completionEnd": {"stopReason": "END_TURN"}}]


TURNS = [
    START,
    {"promptStart": {"promptName": "p"}},
    *text_content("USER", "one", "c1"),
    *text_content("USER", "two", "c2"),
    {"promptEnd": {"promptName": "p"}},
    {"sessionEnd": {}},
]


@pytest.fixture
def bedrock() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@both_versions
@pytest.mark.parametrize("begun", [True, False], ids=["after an event", "at the head"])
def test_a_miss_arrives_while_the_input_is_open(
    bedrock: Replayer, http2: bool, begun: bool
) -> None:
    with Duplex(bedrock.port, http2=http2) as client:
        if begun:
            client.send(START)
        client.read_all()
    assert client.status == 400
    assert "No recording answers" in json.loads(client.body)["message"]
    (call,) = bedrock.calls
    assert (call.operation, call.source, call.error) == (OPERATION, "miss", "CassetteMissException")


@both_versions
def test_an_error_of_a_rule_and_a_fault_arrive_at_the_head(bedrock: Replayer, http2: bool) -> None:
    bedrock.fail("ThrottlingException")
    bedrock.respond(operation=OPERATION, error="ModelNotReadyException")
    statuses = []
    for _ in range(2):
        with Duplex(bedrock.port, http2=http2) as client:
            client.read_all()
            statuses.append(client.status)
    assert statuses == [429, 429]
    assert [call.error for call in bedrock.calls] == [
        "ThrottlingException",
        "ModelNotReadyException",
    ]


@both_versions
def test_the_events_of_a_rule_arrive_while_the_input_is_open(
    bedrock: Replayer, http2: bool
) -> None:
    bedrock.respond(operation=OPERATION, events=[chunk(event) for event in EVENTS])
    with Duplex(bedrock.port, http2=http2) as client:
        client.send(START)
        assert [each["event"] for each in client.read_all()] == EVENTS


def test_a_connection_of_http2_stays_usable_after_an_early_answer(bedrock: Replayer) -> None:
    with Http2(bedrock.url) as client:
        stream = client._h2
        pseudo = [(":method", "POST"), (":scheme", "http"), (":path", PATH)]
        stream.send_headers(1, [*pseudo, (":authority", client.authority)])
        client._send()
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamReset) for event in events):
            events += client._receive()
        (reset,) = (event for event in events if isinstance(event, h2.events.StreamReset))
        assert reset.error_code == h2.errors.ErrorCodes.NO_ERROR
        assert any(isinstance(event, h2.events.StreamEnded) for event in events)
        assert client.request("GET", "/_bedtape/health").status == 200


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_complete_request_with_a_length_is_answered_too(
    bedrock: Replayer, client: type[Http1] | type[Http2]
) -> None:
    with client(bedrock.url) as connection:
        assert connection.request("POST", PATH, [("content-length", "1")], b"x").status == 400


@both_versions
def test_a_client_that_dies_in_the_middle_leaves_nothing_behind(
    bedrock: Replayer, http2: bool
) -> None:
    bedrock.respond(operation=OPERATION, events=[chunk(event) for event in EVENTS])
    bedrock.fault(stall={"after_events": 1})
    with Duplex(bedrock.port, http2=http2) as client:
        client.send(START)
        client.read_until(1)
    until(lambda: len(bedrock.calls) == 1)
    assert bedrock.calls[0].hung_up


# -- conversations of rules --------------------------------------------------------------------

SETUP = (
    START,
    {"promptStart": {"promptName": "p", "audioOutputConfiguration": {"voiceId": "matthew"}}},
    *text_content("SYSTEM", "You are kind."),
)
FINISH = ({"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}})
WEATHER = {"name": "weather", "input": {"city": "Oslo"}, "id": "t1"}
TEXT = ["contentStart", "textOutput", "contentEnd"]
SPEECH = ["contentStart", "audioOutput", "audioOutput", "contentEnd"]
TOOL = ["contentStart", "toolUse", "contentEnd"]


def read_names(events: list[Any]) -> list[str]:
    return [name for event in events for name in event["event"]]


@both_versions
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "bearer"])
def test_a_rule_holds_a_conversation(bedrock: Replayer, http2: bool, signed: bool) -> None:
    bedrock.respond(
        operation=OPERATION,
        conversation=[
            {"hears": "Hello?", "text": "Hi!", "silence_ms": 200},
            {"when": {"event": "audioInput", "nth": 3}, "tool": WEATHER},
            {
                "when": {"type": "TOOL", "event": "toolResult", "text_contains": "rain"},
                "text": "It rains.",
            },
        ],
    )
    with Duplex(bedrock.port, http2=http2, signed=signed) as client:
        client.send(*SETUP, *text_content("USER", "Hello?"))
        assert read_names(client.read_until(14)) == [
            "completionStart",
            *TEXT,
            *TEXT,
            *SPEECH,
            *TEXT,
        ]
        client.send(*audio_content(3))
        assert read_names(client.read_until(17)[14:]) == TOOL
        use = client.events[15]["event"]["toolUse"]
        assert (use["toolName"], use["toolUseId"], json.loads(use["content"])) == (
            "weather",
            "t1",
            {"city": "Oslo"},
        )
        client.send(*tool_result("t1", {"weather": "rain"}))
        assert read_names(client.read_until(23)[17:]) == [*TEXT, *TEXT]
        client.send(*FINISH)
        client.end()
        assert read_names(client.read_all()[23:]) == ["completionEnd"]
        assert client.errors == []
    (call,) = bedrock.calls
    assert (call.source, call.by, call.status, call.events, call.hung_up) == (
        "rule",
        "rule-1",
        200,
        24,
        False,
    )


def test_the_history_contains_both_directions(bedrock: Replayer) -> None:
    bedrock.respond(
        operation=OPERATION,
        conversation=[{"when": {"event": "audioInput", "nth": 3}, "text": "Hi!"}],
    )
    with Duplex(bedrock.port) as client:
        client.send(
            *SETUP,
            *audio_content(3),
            *text_content("USER", "My key is AKIAQYLPMN5HFIQR7XYA"),
            *FINISH,
        )
        client.end()
        client.read_all()
    (call,) = bedrock.calls
    events = call.json["events"]
    heard = next(each for each in events if "audioInput" in each["event"])
    assert (heard["count"], heard["bytes"]) == (3, 3 * 1024)
    assert heard["event"]["audioInput"]["audio"]["bytes"] == 1024
    assert "content" not in heard["event"]["audioInput"]
    assert [next(iter(each["event"])) for each in events] == [
        *("sessionStart", "promptStart", "contentStart", "textInput", "contentEnd"),
        *("contentStart", "audioInput", "contentEnd", "contentStart", "textInput", "contentEnd"),
        *("promptEnd", "sessionEnd"),
    ]
    assert "AKIAQYLPMN5HFIQR7XYA" not in call.body.decode(), "secrets are removed from what is kept"
    bedrock.assert_called(
        json_path={"events[0].event.sessionStart.inferenceConfiguration.maxTokens": 1024}
    )


def test_the_texts_of_both_sides_are_the_prompt_and_the_answer(bedrock: Replayer) -> None:
    asked = {"event": "textInput", "role": "USER"}
    bedrock.respond(
        operation=OPERATION,
        conversation=[
            {"when": asked, "hears": "Hello?", "text": "Hi!", "silence_ms": 100},
            {"when": asked, "tool": WEATHER},
            {"when": {"event": "toolResult"}, "text": " It rains."},
        ],
    )
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *text_content("USER", "Hello?"), *text_content("USER", "Does it rain?"))
        client.send(*tool_result("t1", {"weather": "rain"}), *FINISH)
        client.end()
        client.read_all()
    (call,) = bedrock.calls
    assert (call.system, call.text, call.max_tokens) == ("You are kind.", "Hi! It rains.", 1024)
    bedrock.assert_called(text_contains="Hello?", question_contains="Does it rain?", times=1)
    bedrock.assert_called(tool_result="t1", times=1)


@pytest.mark.parametrize("by", ["audio", "text"])
def test_a_user_who_speaks_or_writes_interrupts_the_model(by: str) -> None:
    with Replayer((), speed=1) as bedrock, ExitStack() as stack:
        bedrock.respond(
            operation=OPERATION, conversation=[{"text": "A story.", "silence_ms": 100_000}]
        )
        client = stack.enter_context(Duplex(bedrock.port))
        client.send(*SETUP, *text_content("USER", "Tell me!"))
        client.read_until(6)  # the model has begun to speak
        assert "audioOutput" in client.events[5]["event"]
        client.send(*audio_content(2, "b"))
        client.send(
            *(audio_content(1, loud=True) if by == "audio" else text_content("USER", "Stop!")),
            *FINISH,
        )
        client.end()
        *_, text, end, last = client.read_all()
    assert text["event"]["textOutput"]["content"] == '{ "interrupted" : true }'
    assert end["event"]["contentEnd"]["stopReason"] == "INTERRUPTED"
    assert end["event"]["contentEnd"]["type"] == "AUDIO"
    assert "completionEnd" in last["event"]
    assert len(client.events) < 100, "the rest of the story is not sent"


def test_a_client_that_dies_in_a_conversation_is_in_the_history(bedrock: Replayer) -> None:
    bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!"}])
    for http2 in (True, False):
        with Duplex(bedrock.port, http2=http2) as client:
            client.send(*SETUP, *text_content("USER", "Hello?"))
            client.read_until(7)
    until(lambda: len(bedrock.calls) == 2)
    assert [call.hung_up for call in bedrock.calls] == [True, True]
    assert all(b"Hello?" in call.body for call in bedrock.calls)
    assert not bedrock.engine.running


def test_an_event_of_a_conversation_is_corrupt(bedrock: Replayer) -> None:
    bedrock.fault(corrupt={"what": "message_crc", "event": 3})
    bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!"}])
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *text_content("USER", "Hello?"))
        client.end()
        with pytest.raises(FrameError):
            client.read_all()
        assert len(client.events) <= 2
    until(lambda: len(bedrock.calls) == 1)
    assert bedrock.calls[0].faults == ("fault-1",)


def test_a_fault_that_needs_the_complete_answer_does_not_count_a_conversation(
    bedrock: Replayer,
) -> None:
    bedrock.fault(misanswer="empty")
    bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!"}])
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *text_content("USER", "Hello?"))
        client.end()
        client.read_all()
    until(lambda: len(bedrock.calls) == 1)
    assert (bedrock.calls[0].faults, bedrock.calls[0].events) == ((), 8)
    assert len(bedrock.unused) == 1


WRONG = {
    "bytes that are no frames": b"x" * 100,
    "an envelope of no frame": sign(b"hello, this is no frame"),
    "a frame that is too large": sign(wrap({"event": {"textInput": {"content": "x" * 3_000_000}}})),
    "an event after the end": sign(b"") + sign(wrap({"event": START})),
}


@both_versions
@pytest.mark.parametrize("name", WRONG)
def test_input_that_is_no_event_stream_ends_with_an_exception(
    bedrock: Replayer, http2: bool, name: str
) -> None:
    bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!"}])
    with Duplex(bedrock.port, http2=http2) as client:
        client.send(START)
        client.write(WRONG[name])
        client.read_all()
    ((error, message),) = client.errors
    assert error == "validationException"
    assert "expected frames of an event stream" in message


def test_200_conversations_at_once_of_which_some_die(bedrock: Replayer) -> None:
    bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!"}, {"text": "Bye!"}])
    with ExitStack() as stack:
        clients = [stack.enter_context(Duplex(bedrock.port, http2=bool(n % 2))) for n in range(200)]
        for turn in (7, 13):
            for number, client in enumerate(clients):
                client.send(*SETUP[turn:], *text_content("USER", f"I am {number}"))
            for client in clients:
                assert len(client.read_until(turn)) == turn
        for number, client in enumerate(clients):
            if number % 5 == 0:
                client.close()
                continue
            client.end()
            assert read_names(client.read_all())[-1] == "completionEnd"
    until(lambda: len(bedrock.calls) == 200)
    calls = bedrock.calls
    assert all(call.body.count(b"I am ") == 2 for call in calls)
    assert [call.hung_up for call in calls].count(True) == 40
    assert {call.text for call in calls} == {"Hi!Bye!"}
    until(lambda: bedrock._running is not None and not bedrock._running.connections)


# -- parts of conversations --------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), max_size=60), st.booleans())
def test_every_split_of_the_input_gives_the_same_events(sizes: list[int], signed: bool) -> None:
    events = [
        wrap({"event": event}) for event in (*SETUP, *audio_content(2), *text_content("USER", "é"))
    ]
    data = b"".join(map(sign, events)) + sign(b"") if signed else b"".join(events)
    whole, pieces = InputReader().feed(data), []
    reader, at = InputReader(), 0
    for size in (*sizes, len(data)):
        pieces += reader.feed(data[at : at + size])
        at += size
    assert pieces == whole
    assert len(whole) == len(events)
    assert reader.ended == signed


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_of_a_client_end_a_conversation_in_order(pieces: list[bytes]) -> None:
    """Bytes that are no frames are an exception in the stream, and never an error of the server."""
    conversation = Conversation(RuleScript((RuleTurn(Cue(), Speech(pieces=("Hi!",))),), b""))
    for piece in pieces:
        conversation.receive(piece)
    conversation.end()
    steps = list(conversation.play())
    assert isinstance(steps[0], Start)
    assert isinstance(steps[-1], Finish)
    assert all(isinstance(step, Send) for step in steps[1:-1])


@pytest.mark.slow
def test_events_that_fill_the_memory_end_a_conversation() -> None:
    """The history keeps the client's events, so their size is limited. Audio is not kept."""
    audio, text = audio_content(1)[1]["audioInput"], "x" * 1_000_000
    sound = sign(wrap({"event": {"audioInput": {**audio, "content": text}}}))
    events = sign(wrap({"event": {"textInput": {"content": text}}}))
    conversation = Conversation(RuleScript((), b""))
    for _ in range(MOST_BYTES // len(text) + 1):
        conversation.receive(sound)
    assert not conversation.problem
    for _ in range(MOST_BYTES // len(text) + 1):
        conversation.receive(events)
    assert f"larger than {MOST_BYTES} bytes" in conversation.problem
    assert isinstance(list(conversation.play())[-1], Finish)


@both_versions
@pytest.mark.parametrize("together", [True, False], ids=["one write", "a write for each event"])
def test_turns_do_not_depend_on_how_quickly_the_client_sends(
    bedrock: Replayer, http2: bool, together: bool
) -> None:
    bedrock.respond(operation=OPERATION, conversation=[{"text": "hi"}, {"text": "two"}])
    with Duplex(bedrock.port, http2=http2) as client:
        for events in [TURNS] if together else [[event] for event in TURNS]:
            client.send(*events)
        client.end()
        names = [next(iter(event["event"])) for event in client.read_all()]
    assert names.count("textOutput") == 4  # each text is sent twice, first as a guess
    assert names[-1] == "completionEnd"


@both_versions
def test_events_that_arrive_with_a_cue_do_not_interrupt_its_turn(http2: bool) -> None:
    with Replayer((), speed=1.0) as bedrock:
        bedrock.respond(operation=OPERATION, conversation=[{"text": "hi"}, {"text": "two"}])
        with Duplex(bedrock.port, http2=http2) as client:
            client.write(b"".join(sign(wrap({"event": event})) for event in TURNS))
            client.end()
            names = [next(iter(event["event"])) for event in client.read_all()]
    assert names.count("textOutput") == 4


EMPTY = [b"Content-Length: 0\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]


@pytest.mark.parametrize("rest", EMPTY, ids=["length", "no length", "chunked"])
def test_a_complete_request_without_events_is_answered(bedrock: Replayer, rest: bytes) -> None:
    bedrock.respond(operation=OPERATION, conversation=[{"text": "hi"}])
    with socket.create_connection(("127.0.0.1", bedrock.port), timeout=WAIT) as line:
        line.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode() + rest
        )
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"0\r\n\r\n")


def test_bytes_after_a_framing_error_are_no_request(bedrock: Replayer) -> None:
    """Otherwise a request could contain another request, with a host of its own."""
    inner = b"GET /_bedtape/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", bedrock.port), timeout=WAIT) as line:
        line.sendall(head.encode() + inner)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 403")
