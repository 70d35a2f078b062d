"""Nova Sonic: the events of a conversation over a bidirectional stream, in both directions.

Each event is `{"event": {NAME: {...}}}`. Input: sessionStart, promptStart, contentStart, textInput,
audioInput, toolResult, contentEnd, promptEnd and sessionEnd. Output: completionStart, contentStart,
textOutput, audioOutput, toolUse, contentEnd and completionEnd. The forms are those of clients that
were tried with the service's documentation.
"""

from __future__ import annotations

import io
import struct
import wave
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from bedtape_cassettes.families.content import ToolUse
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.format.bodies import compact, read_chunk
from bedtape_cassettes.model import Events, JsonValue, Place
from bedtape_cassettes.text import format_count

# 24 kHz, 16 bits, mono: the output that most clients ask for, in bytes for a millisecond.
_BYTES_PER_MS = 48
_FORM = (1, 16, 24_000)
_PIECE = 4096 * 2
# Names that a client makes anew for each conversation.
NAMES = ("promptName", "contentName")
# Of a 16-bit sample. A microphone in a silent room stays below it.
_LOUD = 512
_ENDS = ("END_TURN", "INTERRUPTED", "TOOL_USE")
_INTERRUPTED = '{ "interrupted" : true }'


@dataclass(frozen=True, slots=True)
class Speech:
    """What the model says in one turn of a rule.

    hears: the transcript of the user's speech. pieces: the parts of the transcript of the model's
    speech, in order. audio: 16-bit samples. tools: the tools that it calls instead of an end of the
    turn. interrupted: whether the user has interrupted it.
    """

    hears: str = ""
    pieces: tuple[str, ...] = ()
    audio: bytes = b""
    tools: tuple[ToolUse, ...] = ()
    interrupted: bool = False


def make_silence(milliseconds: int) -> bytes:
    """Return silent audio in the form of the output."""
    return bytes(_BYTES_PER_MS * milliseconds)


def read_samples(audio: bytes) -> bytes:
    """Return the samples of a WAV file; other audio as it is. Raises ValueError for a WAV file in
    another form than that of the output.
    """
    if not audio.startswith(b"RIFF"):
        return audio
    try:
        with wave.open(io.BytesIO(audio)) as file:
            form = file.getnchannels(), file.getsampwidth() * 8, file.getframerate()
            samples = bytes(file.readframes(file.getnframes()))
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends early"
        raise ValueError(f"a WAV file that cannot be read ({reason})") from None
    if form != _FORM:
        channels, bits, rate = form
        raise ValueError(
            f"a WAV file with {format_count(channels, 'channel')} of {bits} bits at {rate} Hz;"
            " convert it to 1 channel of 16 bits at 24000 Hz"
        )
    return samples


def read_event(value: JsonValue) -> tuple[str, JsonObject] | None:
    """Return the name and the members of an event; None for another value."""
    match value:
        case {"event": dict() as event} if len(event) == 1:
            ((name, members),) = event.items()
            return (name, members) if isinstance(members, dict) else None
    return None


class EventText(NamedTuple):
    """A text of an event, and its place in the event. is_json: whether it contains JSON."""

    place: Place
    text: str
    is_json: bool = False


def list_texts(value: JsonValue) -> list[EventText] | None:
    """Return what people, tools and the model wrote in an event; None for an event of another
    model. Names, settings and audio are no texts.
    """
    event = read_event(value)
    if event is None:
        return None
    name, members = event
    texts = []
    match name, members:
        case (("textInput" | "textOutput" | "toolResult" | "toolUse"), {"content": str(content)}):
            texts.append(EventText(("event", name, "content"), content, name == "toolUse"))
        case "promptStart", {"toolConfiguration": {"tools": list(tools)}}:
            for number, tool in enumerate(tools):
                place = ("event", name, "toolConfiguration", "tools", number, "toolSpec")
                match tool:
                    case {"toolSpec": {"description": str(text)}}:
                        texts.append(EventText((*place, "description"), text))
                match tool:
                    case {"toolSpec": {"inputSchema": {"json": str(text)}}}:
                        texts.append(EventText((*place, "inputSchema", "json"), text, is_json=True))
    return texts


def read_text(value: JsonValue) -> str | None:
    """Return the text of an event for a reader: what was written, the result of a tool, or a
    tool's name and input; None for an event of another model.
    """
    match read_event(value):
        case None:
            return None
        case "toolUse", {"toolName": str(tool), "content": str(content)}:
            return f"{tool} {content}"
        case (("textInput" | "textOutput" | "toolResult"), {"content": str(content)}):
            return content
    return ""


def read_audio(name: str, members: Mapping[str, JsonValue]) -> bytes | None:
    """Return the audio of an event; None for an event without audio."""
    content = members.get("content")
    if name not in ("audioInput", "audioOutput") or not isinstance(content, str):
        return None
    try:
        return b64decode(content)
    except ValueError:
        return content.encode()


def is_loud(audio: bytes) -> bool:
    """Return whether 16-bit samples contain more than the noise of a silent room."""
    samples = memoryview(audio[: len(audio) & ~1]).cast("h")
    return len(samples) > 0 and (max(samples) > _LOUD or min(samples) < -_LOUD)


def is_interruption(name: str, members: Mapping[str, JsonValue]) -> bool:
    """Return whether an output event says that the user has interrupted the model."""
    return name == "textOutput" and '"interrupted"' in str(members.get("content"))


def is_end_of_turn(name: str, members: Mapping[str, JsonValue]) -> bool:
    """Return whether an output event ends a turn of the model."""
    return name == "completionEnd" or (name == "contentEnd" and members.get("stopReason") in _ENDS)


def measure_ms(value: JsonValue) -> int:
    """Return how long the audio of an output event is heard, in milliseconds."""
    event = read_event(value)
    audio = read_audio(*event) if event else None
    return len(audio or b"") // _BYTES_PER_MS


def build_interruption(content: JsonObject) -> Iterator[JsonValue]:
    """Yield the events after an interrupted event. content: the members of its contentStart."""
    same: JsonObject = {
        key: content[key]
        for key in ("completionId", "contentId", "promptName", "sessionId")
        if key in content
    }
    yield {"event": {"textOutput": {**same, "content": _INTERRUPTED, "role": content.get("role")}}}
    yield {
        "event": {"contentEnd": {**same, "stopReason": "INTERRUPTED", "type": content.get("type")}}
    }


def strip_event(value: JsonValue) -> JsonValue:
    """Return an input event as recorded: with the length and digest of audio in its place."""
    event = read_event(value)
    if event is None or (audio := read_audio(*event)) is None:
        return value
    return strip_audio(*event, audio)


def strip_audio(name: str, members: Mapping[str, JsonValue], audio: bytes) -> JsonObject:
    """Return an input event as recorded. audio: of the event."""
    kept = {key: member for key, member in members.items() if key != "content"}
    digest = blake2b(audio, digest_size=8).hexdigest()
    return {"event": {name: {**kept, "audio": {"bytes": len(audio), "digest": digest}}}}


def gather_audio(values: Iterable[JsonValue]) -> list[JsonValue]:
    """Return input events as recorded with their audio: all audio of a content, as one file in
    base64, is the member `audio` of its start.
    """
    gathered = list[JsonValue]()
    contents = list[tuple[JsonObject, bytearray]]()  # the members of each start, and its audio
    by_name: dict[object, bytearray] = {}
    for value in values:
        name, members = read_event(value) or ("", {})
        audio = read_audio(name, members)
        if name == "contentStart":
            samples = by_name[members.get("contentName")] = bytearray()
            contents.append(({**members}, samples))
            gathered.append({"event": {name: contents[-1][0]}})
            continue
        if audio is not None:
            by_name.get(members.get("contentName"), bytearray()).extend(audio)
        gathered.append(strip_event(value))
    for start, samples in contents:
        if samples:
            start["audio"] = b64encode(_make_wave(start, bytes(samples))).decode()
    return gathered


def _make_wave(start: JsonObject, audio: bytes) -> bytes:
    """Return samples as a WAV file. Other audio, such as Opus, stays as it is."""
    settings = start.get("audioInputConfiguration")
    settings = settings if isinstance(settings, dict) else {}
    if settings.get("mediaType", "audio/lpcm") != "audio/lpcm":
        return audio
    names = ("channelCount", "sampleSizeBits", "sampleRateHertz")
    channels, bits, rate = (
        value if isinstance(value := settings.get(name), int) and value > 0 else default
        for name, default in zip(names, (1, 16, 16_000), strict=True)
    )
    file = io.BytesIO()
    try:
        with wave.open(file, "wb") as writer:
            writer.setparams((channels, bits // 8, rate, 0, "NONE", ""))
            writer.writeframes(audio)
    except (wave.Error, ValueError, OverflowError, struct.error):  # numbers that WAV cannot hold
        return audio
    return file.getvalue()


def describe_event(name: str, members: Mapping[str, JsonValue]) -> JsonObject:
    """Return the part of an input event that two equal conversations have in common.

    Names that clients make anew, audio, and the settings of the sampling are not in it.
    """
    match name:
        case "sessionStart" | "audioInput" | "promptEnd" | "sessionEnd" | "contentEnd":
            return {}
        case "promptStart":
            audio, tools = members.get("audioOutputConfiguration"), members.get("toolConfiguration")
            voice = audio.get("voiceId") if isinstance(audio, dict) else None
            parts: JsonObject = {"voiceId": voice, "toolConfiguration": tools}
            return {key: part for key, part in parts.items() if part is not None}
        case "contentStart":
            result = members.get("toolResultInputConfiguration")
            kept: JsonObject = {key: members[key] for key in ("type", "role") if key in members}
            if isinstance(result, dict) and "toolUseId" in result:
                kept["toolUseId"] = result["toolUseId"]
            return kept
    return {key: member for key, member in members.items() if key not in NAMES}


def digest_inputs(events: Events | None) -> bytes:
    """Return a digest of what equal conversations have in common, of the recorded events of a
    request; empty without events.
    """
    if events is None:
        return b""
    digest = blake2b(digest_size=16)
    for recorded in events.events:
        value = read_chunk(recorded.payload)
        event = read_event(value)
        if event is None or event[0] != "audioInput":
            compared: JsonValue = value if event is None else {event[0]: describe_event(*event)}
            digest.update(compact(compared) + b"\n")
    return digest.digest()


def _split_audio(audio: bytes, pieces: tuple[str, ...]) -> list[bytes]:
    """Return the part of 16-bit samples for each piece of the text, by its length; without pieces,
    all of the audio.
    """
    total, length, parts, at = sum(map(len, pieces)), 0, list[bytes](), 0
    for piece in pieces[:-1]:
        length += len(piece)
        end = len(audio) // 2 * length // total * 2
        parts.append(audio[at:end])
        at = end
    return [*parts, audio[at:]]


# -- output ----------------------------------------------------------------------------------------


class Speaker:
    """Renders what the model says in one conversation. seed: of its ids."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._number = 0
        self._completion = ""
        self._prompt = ""

    def begin(self, prompt: str) -> Iterator[JsonValue]:
        """Yield the event before all others. prompt: the client's name of the prompt."""
        if not self._completion:
            self._completion, self._prompt = self._make_id(), prompt
            yield self._event("completionStart", {})

    def speak(self, spoken: Speech) -> Iterator[JsonValue]:
        """Yield the events of a turn. Each piece of the transcript is a content of its own, and its
        part of the audio follows it, because the service sends sentences so.
        """
        if spoken.interrupted:
            yield from self._write("ASSISTANT", "FINAL", _INTERRUPTED, "INTERRUPTED")
        if spoken.hears:
            yield from self._write("USER", "FINAL", spoken.hears, "END_TURN")
        pieces, sounds = spoken.pieces, _split_audio(spoken.audio, spoken.pieces)
        for number, audio in enumerate(sounds):
            if pieces:
                yield from self._write("ASSISTANT", "SPECULATIVE", pieces[number], "PARTIAL_TURN")
            if audio:
                last = not any(sounds[number + 1 :])
                yield from self._play(audio, "END_TURN" if last else "PARTIAL_TURN")
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces) and not spoken.tools
            yield from self._write(
                "ASSISTANT", "FINAL", piece, "END_TURN" if last else "PARTIAL_TURN"
            )
        for tool in spoken.tools:
            yield from self._use(tool)

    def finish(self) -> Iterator[JsonValue]:
        """Yield the event after all others."""
        if self._completion:
            yield self._event("completionEnd", {"stopReason": "END_TURN"})

    def _write(self, role: str, stage: str, text: str, stop: str) -> Iterator[JsonValue]:
        fields = compact({"generationStage": stage}).decode()
        start: JsonObject = {"additionalModelFields": fields, "role": role, "type": "TEXT"}
        start["textOutputConfiguration"] = {"mediaType": "text/plain"}
        yield from self._content(start, [("textOutput", {"content": text, "role": role})], stop)

    def _play(self, audio: bytes, stop: str) -> Iterator[JsonValue]:
        start: JsonObject = {"role": "ASSISTANT", "type": "AUDIO"}
        start["audioOutputConfiguration"] = {
            "mediaType": "audio/lpcm",
            "sampleRateHertz": 24000,
            "sampleSizeBits": 16,
            "channelCount": 1,
            "encoding": "base64",
        }
        pieces = [audio[at : at + _PIECE] for at in range(0, len(audio), _PIECE)]
        yield from self._content(
            start,
            [("audioOutput", {"content": b64encode(piece).decode()}) for piece in pieces],
            stop,
        )

    def _use(self, tool: ToolUse) -> Iterator[JsonValue]:
        use: JsonObject = {"toolName": tool.name, "toolUseId": tool.id or self._make_id()}
        use |= {"content": compact(tool.input).decode(), "role": "TOOL"}
        start: JsonObject = {"role": "TOOL", "type": "TOOL"}
        start["toolUseOutputConfiguration"] = {"mediaType": "application/json"}
        yield from self._content(start, [("toolUse", use)], "TOOL_USE")

    def _content(
        self, start: JsonObject, events: list[tuple[str, JsonObject]], stop: str
    ) -> Iterator[JsonValue]:
        content: JsonObject = {"contentId": self._make_id()}
        yield self._event("contentStart", content | start)
        for name, members in events:
            yield self._event(name, content | members)
        yield self._event("contentEnd", content | {"stopReason": stop, "type": start["type"]})

    def _event(self, name: str, members: JsonObject) -> JsonValue:
        names: JsonObject = {
            "completionId": self._completion,
            "promptName": self._prompt,
            "sessionId": "session",
        }
        return {"event": {name: names | members}}

    def _make_id(self) -> str:
        self._number += 1
        digest = blake2b(b"%b/%d" % (self._seed, self._number), digest_size=16).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
