"""`--upstream` asks another server for a conversation: both directions pass while it is held."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bedtape_replayer import Replayer
from support.client import until
from support.duplex import OPERATION, SETUP, Duplex, audio_content, text_content

both_versions = pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
STORY = {"text": "Once upon a time.", "silence_ms": 60_000}


@contextmanager
def serve(*turns: object) -> Iterator[tuple[Replayer, Replayer]]:
    """A server, and the server that it asks, which has the turns."""
    with Replayer(()) as other, Replayer(()) as bedrock:
        other.respond(operation=OPERATION, conversation=turns)
        bedrock.engine.upstream = other.url
        yield other, bedrock


def read_until(client: Duplex, name: str) -> None:
    while not any(name in each["event"] for each in client.events):
        client.read()


@both_versions
def test_both_directions_pass_while_the_conversation_is_held(http2: bool) -> None:
    with (
        serve({"text": "Hi!"}, {"text": "Bye!"}) as (other, bedrock),
        Duplex(bedrock.port, http2=http2) as client,
    ):
        client.send(*SETUP, *audio_content(3))
        assert len(client.read_until(7)) == 7  # the input is open
        client.send(*text_content("USER", "Goodbye"))
        client.end()
        events = client.read_all()
        until(lambda: bedrock.calls and other.calls)
        (call,), (asked,) = bedrock.calls, other.calls
        texts = [e["event"]["textOutput"]["content"] for e in events if "textOutput" in e["event"]]
        assert texts == ["Hi!", "Hi!", "Bye!", "Bye!"]
        assert (call.source, call.hung_up, call.events) == ("upstream", False, len(events))
        sent = [each["event"] for each in call.json["events"]]
        assert sent == [each["event"] for each in asked.json["events"]]
        assert len(sent) == 11


@both_versions
def test_a_client_that_dies_ends_the_conversation_with_the_other_server(http2: bool) -> None:
    before = set(threading.enumerate())
    with serve(STORY) as (other, bedrock):
        mine = set(threading.enumerate())
        with Duplex(bedrock.port, http2=http2) as client:
            client.send(*SETUP, *audio_content(3))
            read_until(client, "audioOutput")
        until(lambda: len(bedrock.calls) == len(other.calls) == 1)
        assert bedrock.calls[0].hung_up
        assert other.calls[0].hung_up
        until(lambda: set(threading.enumerate()) <= mine)
    until(lambda: set(threading.enumerate()) <= before)


@both_versions
def test_an_error_and_a_broken_conversation_of_the_other_server_arrive(http2: bool) -> None:
    with serve(STORY) as (other, bedrock):
        other.fault(error="ThrottlingException", times=1)
        with Duplex(bedrock.port, http2=http2) as client:
            client.send(*SETUP)
            client.read_all()
            assert client.status == 429
        other.fault(reset={"after_events": 4})
        with Duplex(bedrock.port, http2=http2) as client:
            client.send(*SETUP, *audio_content(3))
            assert len(client.read_all()) == 4
        until(lambda: len(bedrock.calls) == 2)
        assert bedrock.calls[1].events == 4


def test_faults_change_the_answer_and_leave_the_input_alone() -> None:
    with serve({"text": "Hi!"}) as (other, bedrock):
        bedrock.fault(drop={"types": ["audioInput"]}, direction="input")
        bedrock.fail("ModelStreamErrorException", after_events=2)
        with Duplex(bedrock.port) as client:
            client.send(*SETUP, *audio_content(3))
            assert len(client.read_all()) == 2
            assert client.errors[0][0] == "modelStreamErrorException"
        until(lambda: bedrock.calls and other.calls)
        assert len(other.calls[0].json["events"]) == 8


def test_another_server_that_does_not_answer_ends_the_connection() -> None:
    with Replayer(()) as bedrock:
        bedrock.engine.upstream = "http://127.0.0.1:1"
        with Duplex(bedrock.port) as client:
            client.send(*SETUP)
            client.read_all()
            assert client.status == 0
