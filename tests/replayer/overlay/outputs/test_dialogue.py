"""The audio of a conversation in a rule: samples, a WAV file, or the path of a WAV file."""

import io
import wave
from pathlib import Path

import pytest

from bedtape_cassettes.errors import Invalid
from bedtape_replayer import Replayer
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
