"""Each fault of a stream changes both directions of a conversation: the same fault, once for what
the model sends and once for what the client sends.
"""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.overlay.faults.kinds import KINDS
from bedtape_replayer.overlay.keywords import Direction, SpeechDict
from support.client import until
from support.duplex import OPERATION, SETUP, Duplex, audio_content, chunk

# The client sends 12 events. Events 7 to 9 are audio, and the model answers the third of them.
SENT = [*SETUP, *audio_content(3), {"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}}]
TURNS: list[SpeechDict] = [
    {"when": {"event": "audioInput", "type": "AUDIO", "nth": 3}, "text": "third"},
    {"when": {"event": "audioInput"}, "text": "fourth"},
]
AT_END: list[SpeechDict] = [
    TURNS[0],
    {"when": {"event": "contentEnd", "type": "AUDIO"}, "text": "end"},
]
TEXT = ["contentStart", "textOutput", "contentEnd"]
ONE, TWO = [*TEXT, *TEXT], [*TEXT] * 4
WHOLE = ["completionStart", *ONE, "completionEnd"]
LONG = ["completionStart", *TWO, "completionEnd"]
MORE = {"audioInput": {"promptName": "p", "contentName": "a", "content": b64encode(b"").decode()}}
UNREADABLE = "Unable to parse input chunk. Please check input format contains correct format."


@dataclass(frozen=True)
class Row:
    """A fault, and the names of the model's events if it acts on the output and on the input.

    errors: the error that the client gets. damaged: whether it cannot read the rest of the output.
    silent: whether the answer does not end. lossy: whether the client may lose events that were
    sent.
    """

    fault: dict[str, Any]
    output: list[str]
    input: list[str]
    turns: list[SpeechDict] = field(default_factory=lambda: TURNS)
    errors: tuple[str, ...] = ()
    damaged: bool = False
    silent: bool = False
    lossy: bool = False


ROWS = {
    "error": Row(
        {"error": "ModelStreamErrorException", "after_events": 3},
        WHOLE[:3],
        [],
        errors=("modelStreamErrorException",),
    ),
    "error_frame": Row(
        {"error_frame": {"code": "Broken", "after_events": 3}}, WHOLE[:3], [], errors=("Broken",)
    ),
    "latency": Row({"latency": {"first_byte_ms": 1, "between_ms": 1}}, WHOLE, WHOLE),
    "stall": Row({"stall": {"after_events": 3}}, WHOLE[:3], [], silent=True),
    "truncate": Row({"truncate": {"after_events": 3}}, WHOLE[:3], []),
    "corrupt": Row({"corrupt": {"what": "json", "event": 7}}, WHOLE[:6], [], damaged=True),
    "drop": Row({"drop": {"numbers": [7]}}, [*WHOLE[:6], WHOLE[7]], []),
    "repeat": Row({"repeat": {"numbers": [7]}}, [*WHOLE[:7], *WHOLE[6:]], LONG),
    # On the input, the last piece of audio comes after the end of its content.
    "swap": Row(
        {"swap": {"first": 9, "second": 10}},
        [*LONG[:8], LONG[9], LONG[8], *LONG[10:]],
        WHOLE,
        AT_END,
    ),
    "insert": Row(
        {"insert": {"type": "chunk", "payload": chunk(MORE)["chunk"], "after_events": 7}},
        [*WHOLE[:7], "audioInput", WHOLE[7]],
        LONG,
    ),
    "reset": Row({"reset": {"after_events": 3}}, WHOLE[:3], [], lossy=True),
}


@pytest.fixture
def bedrock() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


def test_the_table_has_each_fault_of_a_stream() -> None:
    assert set(ROWS) == set(KINDS) - {"http", "quota", "misanswer"}


@pytest.mark.parametrize("direction", ["output", "input"])
@pytest.mark.parametrize("name", ROWS)
def test_a_fault_changes_each_direction(bedrock: Replayer, name: str, direction: Direction) -> None:
    row = ROWS[name]
    expected = row.output if direction == "output" else row.input
    bedrock.fault(**row.fault, direction=direction)
    bedrock.respond(operation=OPERATION, conversation=row.turns)
    with Duplex(bedrock.port) as client:
        client.send(*SENT)
        if not row.silent:
            client.end()
        if row.damaged and direction == "output":
            with pytest.raises(ValueError, match="delimiter"):
                client.read_all()
        elif row.silent:
            client.read_until(len(expected))
        else:
            client.read_all()
    until(lambda: len(bedrock.calls) == 1)
    (call,) = bedrock.calls
    names = [next(iter(each["event"])) for each in client.events]
    errors = tuple(error for error, _ in client.errors)
    if row.damaged and direction == "input":
        assert client.errors == [("validationException", UNREADABLE)]
        assert call.source == "rule"
    else:
        assert errors == row.errors
    assert names == expected or row.lossy
    assert call.faults == ("fault-1",)
    assert call.hung_up == row.silent
    if not row.damaged:
        assert call.events == len(expected) + len(errors)
