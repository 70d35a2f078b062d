"""The audio of a client, gathered into one file for each content."""

import io
import wave
from base64 import b64decode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.models import nova_sonic as sonic
from support.duplex import SETUP, audio_content, text_content

LOUD = b"\xff\x7f" * 512


def gather(*events: Any) -> list[Any]:
    return [each["event"] for each in sonic.gather_audio({"event": event} for event in events)]


def read(start: Any) -> tuple[int, int, int, bytes]:
    with wave.open(io.BytesIO(b64decode(start["contentStart"]["audio"]))) as file:
        form = file.getnchannels(), file.getsampwidth(), file.getframerate()
        return *form, file.readframes(file.getnframes())


def test_each_content_has_the_audio_of_its_events() -> None:
    """Also if a later content has the same name."""
    first, second = audio_content(2, loud=True), audio_content(3)
    text = text_content("USER", "Hello?")
    gathered = gather(*first, *text, *second)
    assert read(gathered[0]) == (1, 2, 16_000, LOUD * 2)
    assert gathered[4:7] == text
    assert read(gathered[7]) == (1, 2, 16_000, bytes(1024) * 3)
    assert [each["audioInput"]["audio"]["bytes"] for each in (gathered[1], gathered[8])] == [
        1024
    ] * 2


def test_the_form_of_the_audio_is_that_of_its_content() -> None:
    start, *rest = audio_content(1, loud=True)
    start["contentStart"]["audioInputConfiguration"] = {
        "mediaType": "audio/lpcm",
        "sampleRateHertz": 8000,
        "sampleSizeBits": 16,
        "channelCount": 2,
    }
    assert read(gather(start, *rest)[0])[:3] == (2, 2, 8000)
    start["contentStart"]["audioInputConfiguration"]["mediaType"] = "audio/opus"
    assert b64decode(gather(start, *rest)[0]["contentStart"]["audio"]) == LOUD


def test_events_without_audio_stay_as_they_are() -> None:
    recorded = [sonic.strip_event({"event": event}) for event in (*SETUP, *audio_content(2))]
    assert sonic.gather_audio(recorded) == recorded


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.none(), st.text(), st.integers(), st.floats())
            for name in ("channelCount", "sampleSizeBits", "sampleRateHertz", "mediaType")
        },
    )
)
def test_no_form_of_a_content_is_an_error(settings: dict[str, Any]) -> None:
    start, *rest = audio_content(1, loud=True)
    start["contentStart"]["audioInputConfiguration"] = settings
    assert LOUD in b64decode(gather(start, *rest)[0]["contentStart"]["audio"])
