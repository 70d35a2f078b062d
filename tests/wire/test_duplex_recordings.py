"""Recorded conversations play turn by turn: from YAML and from a tape, over both versions of HTTP,
at once and at the recorded pace. Input that is out of turn is a miss which names what was expected.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.format import bodies, document, tape
from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import (
    Body,
    Cassette,
    Event,
    Events,
    Interaction,
    Response,
    event_headers,
)
from bedtape_cassettes.redaction.walk import scan, scrub_interaction
from bedtape_cassettes.suites.show import render_transcript
from bedtape_recorder.finish import merge
from bedtape_replayer import Replayer
from support.client import until
from support.commands import run
from support.duplex import (
    PROMPT,
    SETUP,
    START,
    Duplex,
    audio_content,
    record,
    sign,
    text_content,
    tool_result,
)
from support.folders import write, write_tape

both_versions = pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
FINISH = [{"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}}]


def say(number: int, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a turn: its number, and its parts."""
    return [
        {"textOutput": {"content": f"turn {number}"}},
        *parts,
        {"contentEnd": {"stopReason": "END_TURN"}},
    ]


# (at_ms, who, event)
HELLO, WEATHER = text_content("USER", "Hello?"), tool_result("t1", {"weather": "rain"})
AUDIO = audio_content(4)
TIMELINE = [
    *((0, "in", event) for event in (*SETUP, *HELLO)),
    *((10 + number, "out", event) for number, event in enumerate(say(1))),
    *((100 + number, "in", event) for number, event in enumerate(AUDIO[:4])),
    *(
        (110 + number, "out", event)
        for number, event in enumerate(say(2, {"toolUse": {"toolUseId": "t1"}}))
    ),
    *((200 + number, "in", event) for number, event in enumerate((*AUDIO[4:], *WEATHER))),
    *((250 + number, "out", event) for number, event in enumerate(say(3))),
    *((300, "in", event) for event in FINISH),
    (310, "out", {"completionEnd": {"stopReason": "END_TURN"}}),
]


RECORDING = record(TIMELINE)
OUTPUTS = [{"event": event} for _, side, event in TIMELINE if side == "out"]


@pytest.fixture(params=["folder", "tape"])
def cassettes(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    cassette = Cassette("talk", (RECORDING,))
    if request.param == "folder":
        write(tmp_path / "cassettes", cassette)
        return tmp_path / "cassettes"
    write_tape(tmp_path / "talk.tape", [cassette])
    return tmp_path / "talk.tape"


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    write(tmp_path / "cassettes", Cassette("talk", (RECORDING,)))
    with Replayer(tmp_path / "cassettes") as replayer:
        yield replayer


@both_versions
@pytest.mark.parametrize("speed", [None, 1.0], ids=["at once", "recorded pace"])
def test_a_recording_plays_event_for_event(
    cassettes: Path, http2: bool, speed: float | None
) -> None:
    with Replayer(cassettes, speed=speed) as bedrock, Duplex(bedrock.port, http2=http2) as client:
        client.send(*SETUP, *HELLO)
        assert len(client.read_until(2)) == 2
        client.send(*AUDIO[:4])
        assert len(client.read_until(5)) == 5
        client.send(*AUDIO[4:], *WEATHER)
        assert len(client.read_until(7)) == 7
        client.send(*FINISH)
        client.end()
        assert [{"event": each["event"]} for each in client.read_all()] == OUTPUTS
        assert client.errors == []
        (call,) = bedrock.calls
        assert (call.source, call.hung_up, call.events) == ("cassette", False, len(OUTPUTS))
        assert call.by is not None
        assert call.by.startswith("talk/")


def test_names_and_audio_of_a_client_may_differ(bedrock: Replayer) -> None:
    with Duplex(bedrock.port) as client:
        renamed = [rename(event) for event in (*SETUP, *HELLO)]
        client.send(*renamed)
        client.read_until(2)
        client.send(*audio_content(9, "mic", loud=True), *WEATHER, *FINISH)
        client.end()
        assert client.read_all() == OUTPUTS
    assert client.errors == []


def rename(event: Any) -> Any:
    ((name, members),) = event.items()
    return {
        name: {
            **members,
            **{key: "another" for key in ("promptName", "contentName") if key in members},
        }
    }


WRONG: dict[str, tuple[list[Any], str, str]] = {
    "another text": (
        [*SETUP, *text_content("USER", "Goodbye!")],
        'expected textInput (TEXT, USER) {"content":"Hello?"} as event 7 without audio (talk/',
        'found textInput (TEXT, USER) {"content":"Goodbye!"}',
    ),
    "another voice": (
        [
            START,
            {"promptStart": {"promptName": "p", "audioOutputConfiguration": {"voiceId": "amy"}}},
        ],
        'expected promptStart {"voiceId":"matthew"} as event 2',
        'found promptStart {"voiceId":"amy"}',
    ),
    "another system prompt": (
        [START, PROMPT, *text_content("SYSTEM", "Be rude.")],
        "You are kind.",
        "Be rude.",
    ),
    "too early an end": (
        [*SETUP, *FINISH],
        "expected contentStart (TEXT, USER) as event 6",
        "found promptEnd",
    ),
    "more than was recorded": (
        [*SETUP, *HELLO, *AUDIO, *WEATHER, *FINISH, START],
        "expected the end of the input as event 16",
        "found sessionStart",
    ),
}


RULED = {
    "a date in a text": (
        text_content("USER", "Hello? 2026-12-24"),
        MatchRules(placeholders=(re.compile("[0-9-]{10}"),)),
    ),
    "a text that does not count": (
        text_content("USER", "Goodbye!"),
        MatchRules(ignore=("event.textInput.content",)),
    ),
}


@pytest.mark.parametrize("name", RULED)
def test_match_rules_act_on_the_events_of_a_conversation(name: str, tmp_path: Path) -> None:
    hello, rules = RULED[name]
    dated = TIMELINE
    if rules.placeholders:
        said = text_content("USER", "Hello? 2026-11-30")
        dated = [(at, who, said[1] if event == HELLO[1] else event) for at, who, event in TIMELINE]
    write(tmp_path / "cassettes", Cassette("talk", (record(dated),)))
    for match, errors in ((rules, 0), (DEFAULT, 1)):
        with (
            Replayer(tmp_path / "cassettes", match=match) as bedrock,
            Duplex(bedrock.port) as client,
        ):
            client.send(*SETUP, *hello)
            if errors == 0:
                assert len(client.read_until(2)) == 2
                client.send(*AUDIO, *WEATHER, *FINISH)
                client.end()
            client.read_all()
            assert len(client.errors) == errors


@both_versions
@pytest.mark.parametrize("name", WRONG)
def test_input_out_of_turn_is_a_miss_that_names_what_was_expected(
    bedrock: Replayer, http2: bool, name: str
) -> None:
    events, expected, actual = WRONG[name]
    with Duplex(bedrock.port, http2=http2) as client:
        client.send(*events)
        client.read_all()
    ((error, message),) = client.errors
    assert error == "validationException"
    assert expected in message
    assert actual in message
    until(lambda: len(bedrock.calls) == 1)
    (call,) = bedrock.calls
    assert call.source == "miss"
    assert expected in str(call.miss)


def test_an_end_of_the_input_before_the_recorded_end_is_a_miss(bedrock: Replayer) -> None:
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *HELLO)
        client.end()
        client.read_all()
    ((_, message),) = client.errors
    assert "expected contentStart (AUDIO, USER) as event 9" in message
    assert "found the end of the input" in message


def test_of_several_recordings_the_one_with_the_clients_text_plays(tmp_path: Path) -> None:
    def ask(text: str, answer: str) -> Interaction:
        return record(
            [
                *((0, "in", event) for event in (*SETUP, *text_content("USER", text))),
                (5, "out", {"textOutput": {"content": answer}}),
            ]
        )

    recordings = tuple(ask(f"question {n}", f"answer {n}") for n in range(3))
    write(tmp_path / "cassettes", Cassette("talks", recordings))
    with Replayer(tmp_path / "cassettes") as bedrock:
        for n in (2, 0, 1, 1):
            with Duplex(bedrock.port) as client:
                client.send(*SETUP, *text_content("USER", f"question {n}"))
                client.end()
                assert client.read_all() == [{"event": {"textOutput": {"content": f"answer {n}"}}}]


def test_a_recorded_interruption_waits_for_the_user(tmp_path: Path) -> None:
    interrupted = {"textOutput": {"content": '{ "interrupted" : true }'}}
    end = {"contentEnd": {"stopReason": "INTERRUPTED"}}
    timeline = [
        *((0, "in", event) for event in (*SETUP, *HELLO)),
        (10, "out", {"audioOutput": {"content": "AAAA"}}),
        *((20, "in", event) for event in AUDIO[:3]),
        (30, "out", interrupted),
        (31, "out", end),
        *((40, "in", event) for event in AUDIO[3:]),
    ]
    write(tmp_path / "cassettes", Cassette("talk", (record(timeline),)))
    with Replayer(tmp_path / "cassettes") as bedrock, Duplex(bedrock.port) as client:
        client.send(*SETUP, *HELLO)
        client.read_until(1)
        client.send(*AUDIO[:2])
        client.send(AUDIO[2])
        assert client.read_until(3)[1:] == [{"event": interrupted}, {"event": end}]


def test_events_of_another_model_are_answered_one_by_one(tmp_path: Path) -> None:
    """Nothing is known of its turns: what came after an event of the client follows this event."""

    def make(who: str, values: list[str]) -> Events:
        return Events.of(
            [
                Event(100 * at + (who == "out"), event_headers("part"), value.encode(), "json")
                for at, value in enumerate(values)
            ],
            padded=False,
        )

    asked, answered = ('{"q":1}', '{"q":2}', "[]"), ('{"a":1}', '{"a":2}', '"end"')
    interaction = replace(
        RECORDING,
        request=replace(RECORDING.request, events=make("in", [*asked])),
        response=replace(RECORDING.response, body=make("out", [*answered])),
    )
    write(tmp_path / "cassettes", Cassette("talk", (interaction,)))
    with Replayer(tmp_path / "cassettes") as bedrock, Duplex(bedrock.port) as client:
        for number, question in enumerate(asked, 1):
            client.write(sign(encode_strings(event_headers("part"), question.encode())))
            while client.body.count(b"part") < number:
                client.read_raw()
            assert client.body.endswith(answered[number - 1].encode(), 0, len(client.body) - 4)
        client.write(sign(encode_strings(event_headers("part"), b'{"q":3}')))
        while b"exception" not in client.body:
            client.read_raw()
        assert b"expected the end of the input as event 4" in client.body


# -- the file ----------------------------------------------------------------------------------


def test_the_file_of_a_conversation_has_another_version_and_reads_well() -> None:
    data = document.write(RECORDING)
    text = data.decode()
    assert text.startswith("bedtape: 2\n")
    assert "Hello?" in text
    assert "digest" in text
    assert document.read(data, "talk/1.yaml") == RECORDING
    named = replace(RECORDING, file="talk/1.yaml")
    (cassette,) = tape.unpack(tape.pack([Cassette("talk", (named,))]), "x")
    assert cassette.interactions == (named,)


@pytest.mark.parametrize("version", ["1", "3"])
def test_another_version_of_the_file_is_named(version: str) -> None:
    data = document.write(RECORDING).replace(b"bedtape: 2", f"bedtape: {version}".encode(), 1)
    with pytest.raises(
        Exception, match="upgrade bedtape" if version == "3" else "write `bedtape: 2`"
    ):
        document.read(data, "talk/1.yaml")


def test_secrets_in_what_the_client_sent_are_found_and_removed() -> None:
    key = "AKIAQYLPMN5HFIQR7XYA"
    recording = record(
        [(0, "in", event) for event in (*SETUP, *text_content("USER", f"My key is {key}"))]
    )
    assert [finding.where.partition("[")[0] for finding in scan(recording)] == ["request.events"]
    clean = scrub_interaction(recording)
    assert scan(clean) == []
    assert key not in document.write(clean).decode()


def test_a_transcript_shows_both_sides_on_one_axis() -> None:
    shown = [line.text for line in render_transcript("talk", 1, RECORDING)]
    assert shown[2:] == [
        "conversation of 27 events: 19 of the client, 8 of the model",
        '            0 ms  client  sessionStart  {"inferenceConfiguration": {"maxTokens": 1024}}',
        '            0 ms  client  promptStart  {"audioOutputConfiguration": {"voiceId": "matthew"}}',
        '            0 ms  client  contentStart  {"type": "TEXT", "role": "SYSTEM", '
        '"interactive": false}',
        "            0 ms  client  textInput  You are kind.",
        "            0 ms  client  contentEnd",
        '            0 ms  client  contentStart  {"type": "TEXT", "role": "USER", '
        '"interactive": true}',
        "            0 ms  client  textInput  Hello?",
        "            0 ms  client  contentEnd",
        "           10 ms  model   textOutput  turn 1",
        '           11 ms  model   contentEnd  {"stopReason": "END_TURN"}',
        '          100 ms  client  contentStart  {"type": "AUDIO", "role": "USER"}',
        "      101-103 ms  client  audioInput  x3, 3072 bytes of audio",
        "          110 ms  model   textOutput  turn 2",
        '          111 ms  model   toolUse  {"toolUseId": "t1"}',
        '          112 ms  model   contentEnd  {"stopReason": "END_TURN"}',
        "          200 ms  client  audioInput  1024 bytes of audio",
        "          201 ms  client  contentEnd",
        '          202 ms  client  contentStart  {"type": "TOOL", "role": "TOOL", '
        '"toolResultInputConfiguration": {"toolUseI…',
        '          203 ms  client  toolResult  {"weather": "rain"}',
        "          204 ms  client  contentEnd",
        "          250 ms  model   textOutput  turn 3",
        '          251 ms  model   contentEnd  {"stopReason": "END_TURN"}',
        "          300 ms  client  promptEnd",
        "          300 ms  client  sessionEnd",
        '          310 ms  model   completionEnd  {"stopReason": "END_TURN"}',
    ]


def test_a_transcript_of_a_conversation_prints_no_control_characters_and_no_audio() -> None:
    sound = b64encode(bytes(600)).decode()
    recording = record(
        [
            (0, "in", {"textInput": {"content": "red \x1b[31m" + "x" * 200}}),
            (1, "in", {"someday": [1]}),
            (2, "out", {"audioOutput": {"content": sound, "contentId": "c"}}),
            (3, "out", {"audioOutput": {"content": sound, "contentId": "c"}}),
        ]
    )
    shown = [line.text for line in render_transcript("talk", 1, recording)]
    assert "\x1b" not in "".join(shown)
    assert shown[-1] == "          2-3 ms  model   audioOutput  x2, 1200 bytes of audio"
    assert shown[-2] == '            1 ms  client  chunk  {"event": {"someday": [1]}}'
    assert all(len(line) < 120 for line in shown)


def test_a_transcript_of_an_error_at_the_head_shows_what_the_client_sent() -> None:
    failed = replace(RECORDING, response=Response(400, (), bodies.read_body(b'{"message": "no"}')))
    shown = "\n".join(line.text for line in render_transcript("talk", 1, failed))
    assert "conversation of 19 events: 19 of the client, 0 of the model" in shown
    assert 'error 400\n  {\n    "message": "no"' in shown


@both_versions
@pytest.mark.parametrize("ends", ["reset", "closed"])
def test_a_conversation_ends_as_it_was_recorded(tmp_path: Path, http2: bool, ends: Any) -> None:
    sent = [*SETUP, *HELLO]
    recorded = [*((0, "in", event) for event in sent), (10, "out", OUTPUTS[0]["event"])]
    interaction = record(recorded)
    broken = replace(interaction, response=replace(interaction.response, ends=ends))
    write(tmp_path / "cassettes", Cassette("talk", (broken,)))
    with Replayer(tmp_path / "cassettes") as bedrock, Duplex(bedrock.port, http2=http2) as client:
        client.send(*sent)
        assert client.read_all() == OUTPUTS[:1]  # the client has not ended its input


@both_versions
def test_a_recorded_error_of_a_conversation_is_answered_at_the_head(
    tmp_path: Path, http2: bool
) -> None:
    body = b'{"message":"no access"}'
    error = Response(403, (("content-type", "application/json"),), Body("json", body))
    interaction = replace(record(TIMELINE), response=error)
    write(tmp_path / "cassettes", Cassette("talk", (interaction,)))
    with Replayer(tmp_path / "cassettes") as bedrock, Duplex(bedrock.port, http2=http2) as client:
        client.send(*SETUP)
        client.read_all()
        assert (client.status, client.body) == (403, body)


def test_commands_tell_conversations_apart(tmp_path: Path) -> None:
    """Their requests have no body. The events of the client are the difference."""
    goodbye = text_content("USER", "Goodbye!")
    other = record(
        [(at, who, goodbye[1] if event == HELLO[1] else event) for at, who, event in TIMELINE]
    )
    folder = tmp_path / "cassettes"
    write(folder, Cassette("talk", (RECORDING, other)))
    assert run("check", "--in", str(folder)).endswith("0 wrong, 0 notes\n")
    assert "InvokeModelWithBidirectionalStream" in run("ls", "--in", str(folder))
    write(folder, Cassette("twice", (RECORDING, RECORDING)))
    assert "twice:2: shadowed: 1, 2 have the same request" in run("check", "--in", str(folder))


def test_a_conversation_that_is_recorded_again_replaces_itself_alone() -> None:
    """With another voice, it would be another conversation."""
    goodbye = text_content("USER", "Goodbye!")
    other = record(
        [(at, who, goodbye[1] if event == HELLO[1] else event) for at, who, event in TIMELINE]
    )
    renamed = record(
        [(at, who, rename(event) if who == "in" else event) for at, who, event in TIMELINE]
    )
    before = Cassette(
        "talk", (replace(other, file="talk/1.yaml"), replace(RECORDING, file="talk/2.yaml"))
    )
    merged = merge(before, Cassette("talk", (renamed,)))
    assert [each.file for each in merged.interactions] == ["talk/1.yaml", "talk/2.yaml"]
    assert merged.interactions[0] == other
