"""The server of `--upstream` holds a conversation that no recording fits, from its beginning."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.keywords import SpeechDict
from support.client import until
from support.duplex import OPERATION, SETUP, Duplex, audio_content, record, text_content
from support.folders import write

both_versions = pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
SPOKEN = audio_content(3)
ASKED, ASKED_OTHER = text_content("USER", "Hello?"), text_content("USER", "Goodbye?")
ANSWER = [{"textOutput": {"content": "As recorded."}}, {"contentEnd": {"stopReason": "END_TURN"}}]
TURN: SpeechDict = {"when": {"event": "textInput", "role": "USER"}, "text": "By another."}
STORY: SpeechDict = {"when": {"event": "textInput"}, "text": "A story.", "silence_ms": 300_000}
RECORDING = record(
    [
        *((0, "in", event) for event in (*SETUP, *SPOKEN, *ASKED)),
        *((10, "out", event) for event in ANSWER),
        *((20, "in", event) for event in ASKED),
        *((30, "out", event) for event in ANSWER),
    ]
)


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    write(tmp_path / "cassettes", Cassette("talk", (RECORDING,)))
    return tmp_path / "cassettes"


@contextmanager
def serve(cassettes: Path, *, strict: bool = False) -> Iterator[tuple[Replayer, Replayer]]:
    """A server that asks another one, and the other one, whose model answers a text."""
    with ExitStack() as stack:
        other = stack.enter_context(Replayer(()))
        bedrock = stack.enter_context(Replayer(cassettes, strict=strict))
        other.respond(operation=OPERATION, conversation=[TURN] * 9)
        bedrock.engine.upstream = other.url
        yield other, bedrock


def find_call(server: Replayer) -> Record:
    """The call of the server, when it is over."""
    until(lambda: bool(server.calls))
    (call,) = server.calls
    return call


def read_names(call: Record) -> list[str]:
    """The names of what the client has sent. Events of audio are one each."""
    value: Any = call.json
    return [next(iter(each["event"])) for each in value["events"]]


@both_versions
@pytest.mark.parametrize("same", [0, len(SETUP), len(SETUP) + len(SPOKEN)])
def test_the_other_server_gets_all_events_if_no_recording_fits(
    cassettes: Path, http2: bool, same: int
) -> None:
    """same: the number of events of the client that are as recorded."""
    common = [*SETUP, *SPOKEN][:same]
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port, http2=http2) as client:
        client.send(*common)
        client.send(*ASKED_OTHER)
        assert len(client.read_until(7)) == 7  # the input is open
        client.send(*ASKED)
        client.end()
        assert [len(client.read_all()), client.errors] == [14, []]
        call, asked = find_call(bedrock), find_call(other)
        with pytest.raises(AssertionError, match="talk/"):
            bedrock.assert_all_played()
        assert (call.source, call.by, call.hung_up, call.events) == (
            "upstream",
            other.url,
            False,
            14,
        )
        sent = [next(iter(each)) for each in (*common, *ASKED_OTHER, *ASKED)]
        assert len(read_names(call)) == len(sent) - 2 * sent.count("audioInput") // 3
        assert read_names(asked) == read_names(call)


@both_versions
def test_a_recording_that_fits_is_played(cassettes: Path, http2: bool) -> None:
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port, http2=http2) as client:
        client.send(*SETUP, *SPOKEN, *ASKED, *ASKED)
        client.end()
        assert len(client.read_all()) == len(ANSWER) * 2
        assert find_call(bedrock).source == "cassette"
        assert not other.calls


def test_after_the_first_turn_an_event_out_of_turn_is_a_miss(cassettes: Path) -> None:
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port) as client:
        client.send(*SETUP, *SPOKEN, *ASKED)
        client.read_until(len(ANSWER))
        client.send(*ASKED_OTHER)
        client.read_all()
        assert "Goodbye?" in client.errors[0][1]
        assert find_call(bedrock).source == "miss"
        assert not other.calls


def test_a_recording_that_strict_playback_has_played_is_none(cassettes: Path) -> None:
    with serve(cassettes, strict=True) as (other, bedrock):
        for _ in range(2):
            with Duplex(bedrock.port) as client:
                client.send(*SETUP, *SPOKEN, *ASKED, *ASKED)
                client.end()
                client.read_all()
            assert client.errors == []
        until(lambda: len(bedrock.calls) == 2)
        assert [call.source for call in bedrock.calls] == ["cassette", "upstream"]
        assert len(other.calls) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_an_input_that_ends_early_goes_to_the_other_server(cassettes: Path, count: int) -> None:
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port) as client:
        client.send(*SETUP[:count])
        client.end()
        client.read_all()
        assert client.errors == []
        assert find_call(bedrock).source == "upstream"
        assert len(read_names(find_call(other))) == count


def test_an_error_of_the_other_server_is_an_exception_event(cassettes: Path) -> None:
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port) as client:
        other.fault(error="ThrottlingException", message="Too many.")
        client.send(*ASKED_OTHER)
        client.read_all()
        assert client.errors == [("throttlingException", "Too many.")]
        assert find_call(bedrock).source == "upstream"


def test_an_answer_that_breaks_off_breaks_off(cassettes: Path) -> None:
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port) as client:
        other.fault(reset={"after_events": 4})
        client.send(*ASKED_OTHER)
        assert len(client.read_all()) == 4
        assert find_call(bedrock).source == "upstream"


def test_another_server_that_does_not_answer_ends_the_conversation(cassettes: Path) -> None:
    with Replayer(cassettes) as bedrock:
        bedrock.engine.upstream = "http://127.0.0.1:1"
        with Duplex(bedrock.port) as client:
            client.send(*ASKED_OTHER)
            assert client.read_all() == []
        assert find_call(bedrock).source == "upstream"


def test_faults_change_the_answer_and_leave_the_input_alone(cassettes: Path) -> None:
    with serve(cassettes) as (other, bedrock), ExitStack() as stack:
        bedrock.fault(drop={"types": ["textInput"]}, direction="input")
        bedrock.fail("ModelStreamErrorException", after_events=2)
        client = stack.enter_context(Duplex(bedrock.port))
        client.send(*ASKED_OTHER)
        assert len(client.read_all()) == 2
        assert client.errors[0][0] == "modelStreamErrorException"
        assert "textInput" in read_names(find_call(other))
        assert find_call(bedrock).source == "upstream"


@both_versions
@pytest.mark.parametrize("speed", [None, 1.0], ids=["at once", "recorded pace"])
def test_the_other_server_interrupts_its_model_itself(
    cassettes: Path, http2: bool, speed: float | None
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(Replayer((), speed=1.0))
        bedrock = stack.enter_context(Replayer(cassettes, speed=speed))
        other.respond(operation=OPERATION, conversation=[STORY])
        bedrock.engine.upstream = other.url
        client = stack.enter_context(Duplex(bedrock.port, http2=http2))
        client.send(*ASKED_OTHER)
        while not any("audioOutput" in each["event"] for each in client.events):
            client.read()
        client.send(*audio_content(1, "b", loud=True))
        client.end()
        stops = [
            each["event"]["contentEnd"]["stopReason"]
            for each in client.read_all()
            if "contentEnd" in each["event"]
        ]
        assert stops.count("INTERRUPTED") == 1


@both_versions
def test_a_client_that_dies_ends_the_conversation_with_the_other_server(
    cassettes: Path, http2: bool
) -> None:
    before = set(threading.enumerate())
    with serve(cassettes) as (other, bedrock):
        mine = set(threading.enumerate())
        with Duplex(bedrock.port, http2=http2) as client:
            client.send(*ASKED_OTHER)
            client.read_until(7)
        assert find_call(bedrock).hung_up
        assert find_call(other).hung_up
        until(lambda: set(threading.enumerate()) <= mine)
    until(lambda: set(threading.enumerate()) <= before)


def test_what_is_too_large_to_keep_is_not_passed_on(
    cassettes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedtape_replayer.server.conversations._MOST_BYTES", 3000)
    with serve(cassettes) as (other, bedrock), Duplex(bedrock.port) as client:
        client.send(*SETUP, *SPOKEN, *ASKED_OTHER)
        client.read_all()
        assert "Goodbye?" in client.errors[0][1]
        assert find_call(bedrock).source == "miss"
        assert not other.calls
