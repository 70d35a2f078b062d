"""Faults with `direction: input` change what the client of a conversation sends: the model gets
other events, or the answer ends after a number of them. The history shows what was sent.
"""

from base64 import b64encode
from collections.abc import Iterator
from itertools import repeat, takewhile
from typing import Any

import pytest

from bedtape_cassettes.families.models.nova_sonic import Speech
from bedtape_replayer import Replayer
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.duplex.turns import Cue, RuleScript, RuleTurn
from bedtape_replayer.answering.steps import AddWaits, Await, Send, Start, Wait
from bedtape_replayer.overlay.document import OverlayInvalid
from support.boto import boto3_client
from support.client import until
from support.duplex import OPERATION, SETUP, Duplex, audio_content, chunk, sign, wrap

FINISH = [{"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}}]
# The events are: 5 of the setup, the start of the audio (6), the audio (7 to 9), its end (10), and
# the end of the conversation (11, 12).
SENT = [*SETUP, *audio_content(3), *FINISH]
THIRD = {"when": {"event": "audioInput", "nth": 3}, "text": "third"}
MORE = {"audioInput": {"promptName": "p", "contentName": "a", "content": b64encode(b"").decode()}}


@pytest.fixture
def bedrock() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


def hold(bedrock: Replayer, events: list[Any]) -> Duplex:
    """A conversation to its end: the client, after it has read all."""
    with Duplex(bedrock.port) as client:
        client.send(*events)
        client.end()
        client.read_all()
    until(lambda: len(bedrock.calls) == 1)
    return client


def read_texts(client: Duplex) -> list[str]:
    """What the model says, without the transcript after its audio."""
    texts = [each["event"].get("textOutput", {}).get("content") for each in client.events]
    return list(dict.fromkeys(filter(None, texts)))


def test_without_a_fault_the_third_piece_is_the_cue(bedrock: Replayer) -> None:
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    assert read_texts(hold(bedrock, SENT)) == ["third"]


@pytest.mark.parametrize(
    "fault",
    [{"drop": {"numbers": [7]}}, {"drop": {"types": ["audioInput"]}}],
    ids=["by number", "by name"],
)
def test_the_model_does_not_get_an_event_that_is_dropped(
    bedrock: Replayer, fault: dict[str, Any]
) -> None:
    bedrock.fault(**fault, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    assert read_texts(hold(bedrock, SENT)) == []
    (call,) = bedrock.calls
    assert call.faults == ("fault-1",)
    counts = [each["count"] for each in call.json["events"] if "count" in each]
    assert counts == [3], "the history contains what the client has sent"


@pytest.mark.parametrize(
    "fault",
    [
        {"repeat": {"numbers": [7]}},
        {"insert": {"type": "chunk", "payload": chunk(MORE)["chunk"], "after_events": 7}},
    ],
    ids=["repeated", "inserted"],
)
def test_the_model_gets_more_than_the_client_sends(
    bedrock: Replayer, fault: dict[str, Any]
) -> None:
    bedrock.fault(**fault, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    assert read_texts(hold(bedrock, [*SETUP, *audio_content(2), *FINISH])) == ["third"]


def test_an_event_after_the_last_is_inserted_at_the_end(bedrock: Replayer) -> None:
    inserted = {"type": "chunk", "payload": chunk(MORE)["chunk"], "after_events": 100}
    bedrock.fault(insert=inserted, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    assert read_texts(hold(bedrock, [*SETUP, *audio_content(2), *FINISH])) == ["third"]


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        ({"first": 9, "second": 10}, ["one", "two", "three"]),
        ({"first": 10, "second": 9}, ["one", "two", "three"]),
        ({"first": 11, "second": 12}, ["one", "two"]),
        ({"first": 7, "second": 99}, ["one", "two"]),
    ],
)
def test_two_events_are_swapped(bedrock: Replayer, swap: dict[str, int], said: list[str]) -> None:
    """Events that wait for one which does not come are passed on at the end of the input."""
    bedrock.fault(swap=swap, direction="input")
    turns = [
        {"when": {"event": "audioInput", "nth": 2}, "text": "one"},
        {"when": {"event": "contentEnd", "type": "AUDIO"}, "text": "two"},
        {"when": {"event": "audioInput"}, "text": "three"},
    ]
    bedrock.respond(operation=OPERATION, conversation=turns)
    assert read_texts(hold(bedrock, SENT)) == said


ENDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an error": ({"error": "ModelStreamErrorException"}, ["modelStreamErrorException"]),
    "a frame of an error": ({"error_frame": {"code": "Broken"}}, ["Broken"]),
    "a cut": ({"truncate": {}}, []),
    "a closed connection": ({"truncate": {"in_order": False}}, []),
    "a reset": ({"reset": {}}, []),
    "a reset of the stream": ({"reset": {"code": 2}}, []),
}


def place(fault: dict[str, Any], after: int) -> dict[str, Any]:
    """The fault after a number of events of the client."""
    if "error" in fault:
        return {**fault, "after_events": after}
    ((name, value),) = fault.items()
    return {name: {**value, "after_events": after}}


@pytest.mark.parametrize("after", [0, 8, 9])
@pytest.mark.parametrize("name", ENDS)
def test_the_answer_ends_after_events_of_the_client(
    bedrock: Replayer, name: str, after: int
) -> None:
    fault, errors = ENDS[name]
    bedrock.fault(**place(fault, after), direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    with Duplex(bedrock.port) as client:
        client.send(*SENT[:after])
        client.read_all()
    assert [error for error, _ in client.errors] == errors
    if not name.startswith("a reset"):  # a reset may overtake what was sent before it
        assert read_texts(client) == (["third"] if after == 9 else [])
    until(lambda: len(bedrock.calls) == 1)
    (call,) = bedrock.calls
    assert (call.faults, call.hung_up) == (("fault-1",), False)
    assert call.events == (7 if after == 9 else 0) + len(errors)


def test_the_answer_stalls_after_events_of_the_client(bedrock: Replayer) -> None:
    bedrock.fault(stall={"after_events": 9}, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD, {"text": "never"}])
    with Duplex(bedrock.port) as client:
        client.send(*SENT)
        assert read_texts_until(client, 7) == ["third"]
    until(lambda: len(bedrock.calls) == 1)
    assert (bedrock.calls[0].hung_up, bedrock.calls[0].events) == (True, 7)


def read_texts_until(client: Duplex, count: int) -> list[str]:
    client.read_until(count)
    return read_texts(client)


def test_events_of_the_client_are_late(bedrock: Replayer) -> None:
    bedrock.fault(latency={"first_byte_ms": 1, "between_ms": 1}, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    assert read_texts(hold(bedrock, SENT)) == ["third"]
    assert bedrock.calls[0].faults == ("fault-1",)


def test_a_turn_waits_for_the_delays_of_the_events_before_it() -> None:
    turn = RuleTurn(Cue("audioInput", nth=3), Speech(pieces=("third",)))
    conversation = Conversation(RuleScript([turn], b""))
    conversation.change_input([AddWaits(0.5, repeat(0.25))])
    conversation.receive(b"".join(sign(wrap({"event": event})) for event in SENT[:9]))
    steps = list(takewhile(lambda step: not isinstance(step, Await), conversation.play()))
    assert steps[:2] == [Start(), Wait(0.5 + 8 * 0.25)]
    assert all(isinstance(step, Send) for step in steps[2:])


def test_faults_of_both_directions_act_together(bedrock: Replayer) -> None:
    bedrock.fault(repeat={"numbers": [7]}, direction="input")
    bedrock.fault(drop={"numbers": [8]})
    bedrock.fault(truncate={"after_events": 9}, direction="input")
    bedrock.respond(operation=OPERATION, conversation=[THIRD])
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *audio_content(2))
        client.read_all()
    assert read_texts(client) == ["third"]
    until(lambda: len(bedrock.calls) == 1)
    assert bedrock.calls[0].faults == ("fault-1", "fault-2", "fault-3")


def test_a_fault_of_the_input_does_not_act_on_other_calls(bedrock: Replayer) -> None:
    bedrock.fault(truncate={"after_events": 0}, direction="input")
    bedrock.respond(text="whole")
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    answer = boto3_client(bedrock.url).converse(modelId="amazon.nova-lite-v1:0", messages=messages)
    assert answer["output"]["message"]["content"] == [{"text": "whole"}]
    assert bedrock.calls[0].faults == ()
    assert len(bedrock.unused) == 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"error": "ThrottlingException"}, "direction: expected input beside error with after_"),
        ({"http": {"status": 500}}, "found input beside http"),
        ({"quota": {"requests_per_minute": 1}}, "found input beside quota"),
        ({"corrupt": {"what": "message_crc"}}, "corrupt.what: expected json beside input, found m"),
        ({"corrupt": {"what": "prelude_crc"}}, "corrupt.what: expected json beside input, found p"),
        ({"misanswer": "empty"}, "found input beside misanswer"),
        ({"reset": {"after_events": 1, "bytes_more": 2}}, "reset.bytes_more: expected no bytes_"),
        (
            {"stall": {}, "when": {"operation": "Converse"}},
            "direction: expected input for InvokeModelWithBidirectionalStream, found input for Con",
        ),
    ],
)
def test_a_fault_that_cannot_change_the_input_is_refused(
    bedrock: Replayer, fault: dict[str, Any], problem: str
) -> None:
    with pytest.raises(OverlayInvalid) as refused:
        bedrock.fault(**fault, direction="input")
    assert problem in str(refused.value)
