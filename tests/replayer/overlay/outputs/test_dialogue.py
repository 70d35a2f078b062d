"""What a turn of a conversation says: its text or pieces, and its audio as samples, a WAV file, or
the path of a WAV file.
"""

import io
import json
import wave
from base64 import b64decode
from pathlib import Path

import pytest

from bedtape_cassettes.errors import Invalid
from bedtape_replayer import Replayer
from bedtape_replayer.overlay.keywords import SpeechDict
from bedtape_replayer.server.loading import read_overlay
from support.duplex import OPERATION, SETUP, Duplex, audio_content

SAMPLES = b"\1\2" * 2400
OVERLAY = """bedtape-overlay: 1
rules:
- answer:
    conversation:
    - text: Hi!
      audio: NAME
"""


def make_wave(rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(SAMPLES)
    return file.getvalue()


def listen(bedrock: Replayer) -> bytes:
    """Hold a conversation. Return the audio of the model."""
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *audio_content(3))
        client.end()
        return b"".join(client.read_audio())


def test_the_file_of_an_overlay_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(make_wave())
    file = tmp_path / "overlay.yaml"
    file.write_text(OVERLAY.replace("NAME", "hello.wav"))
    with Replayer((), overlay=file) as bedrock:
        assert listen(bedrock) == SAMPLES


@pytest.mark.parametrize("audio", [SAMPLES, make_wave()], ids=["samples", "a WAV file"])
def test_python_takes_bytes(audio: bytes) -> None:
    with Replayer(()) as bedrock:
        bedrock.respond(operation=OPERATION, conversation=[{"text": "Hi!", "audio": audio}])
        assert listen(bedrock) == SAMPLES


WRONG = {
    "another rate": (
        make_wave(16_000),
        r"overlay\.yaml:\d+: expected a conversation that is valid at .*, found a WAV file with"
        r" 1 channel of 16 bits at 16000 Hz; convert it to 1 channel of 16 bits at 24000 Hz",
    ),
    "no WAV file": (
        b"RIFF" + bytes(100),
        r"overlay\.yaml:\d+: .*a WAV file that cannot be read \(not a WAVE file\)",
    ),
    "half a WAV file": (make_wave()[:30], r"a WAV file that cannot be read \(it ends early\)"),
    "absent": (None, r"overlay\.yaml:6: expected a WAV file at .*audio, found hello\.wav"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_with_its_line(
    data: bytes | None, message: str, tmp_path: Path
) -> None:
    if data is not None:
        (tmp_path / "hello.wav").write_bytes(data)
    file = tmp_path / "overlay.yaml"
    file.write_text(OVERLAY.replace("NAME", "hello.wav"))
    with pytest.raises(Invalid, match=message):
        read_overlay(file)


def test_a_request_of_the_control_api_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(make_wave())
    with Replayer(()) as bedrock, pytest.raises(Invalid, match="give the audio in base64"):
        bedrock.respond(
            operation=OPERATION,
            conversation=[{"text": "Hi!", "audio": str(tmp_path / "hello.wav")}],
        )


def read_contents(bedrock: Replayer) -> list[tuple[str, str, str]]:
    """Hold a conversation. Return the stage, the text and the stop reason of each text."""
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *audio_content(3))
        client.end()
        events = [each["event"] for each in client.read_all()]
    starts = [
        json.loads(each["contentStart"]["additionalModelFields"])["generationStage"]
        for each in events
        if each.get("contentStart", {}).get("type") == "TEXT"
    ]
    texts = [each["textOutput"]["content"] for each in events if "textOutput" in each]
    stops = [
        each["contentEnd"]["stopReason"]
        for each in events
        if each.get("contentEnd", {}).get("type") == "TEXT"
    ]
    return list(zip(starts, texts, stops, strict=True))


@pytest.mark.parametrize("tool", [False, True], ids=["without a tool", "with a tool"])
def test_each_piece_is_a_content_of_both_transcripts(*, tool: bool) -> None:
    turn: SpeechDict = {"pieces": ["One. ", "Two."], "silence_ms": 10}
    if tool:
        turn["tool"] = {"name": "weather"}
    with Replayer(()) as bedrock:
        bedrock.respond(operation=OPERATION, conversation=[turn])
        assert read_contents(bedrock) == [
            ("SPECULATIVE", "One. ", "PARTIAL_TURN"),
            ("SPECULATIVE", "Two.", "PARTIAL_TURN"),
            ("FINAL", "One. ", "PARTIAL_TURN"),
            ("FINAL", "Two.", "PARTIAL_TURN" if tool else "END_TURN"),
        ]


def test_each_piece_is_followed_by_its_part_of_the_audio() -> None:
    """By the length of the text. The last audio ends the turn."""
    pieces = ["Yes, it is so. ", "No.", "It rains, as it did yesterday."]
    with Replayer(()) as bedrock:
        turn: SpeechDict = {"pieces": pieces, "audio": SAMPLES[:-2]}
        bedrock.respond(operation=OPERATION, conversation=[turn])
        with Duplex(bedrock.port) as client:
            client.send(*SETUP, *audio_content(3))
            client.end()
            events = [each["event"] for each in client.read_all()]
    said, ends = list[str | int](), list[str]()
    for event in events:
        if "textOutput" in event:
            said.append(event["textOutput"]["content"])
        elif "audioOutput" in event:
            said.append(len(b64decode(event["audioOutput"]["content"])))
        elif event.get("contentEnd", {}).get("type") == "AUDIO":
            ends.append(event["contentEnd"]["stopReason"])
    first, second, third = 1498, 300, 3000
    assert said == [pieces[0], first, pieces[1], second, pieces[2], third, *pieces]
    assert ends == ["PARTIAL_TURN", "PARTIAL_TURN", "END_TURN"]
    assert first + second + third == len(SAMPLES) - 2


def test_a_turn_has_text_or_pieces() -> None:
    with Replayer(()) as bedrock, pytest.raises(Invalid, match="a turn with text and pieces"):
        bedrock.respond(operation=OPERATION, conversation=[{"text": "a", "pieces": ["b"]}])
