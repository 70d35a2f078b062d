"""Reads the events of a duplex request while they arrive.

Each frame is signed: an envelope whose payload is the frame of an event, and an empty envelope ends
the input. A client with a bearer token sends the frames of events without envelopes. Signatures are
not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.format.bodies import compact, read_chunk, read_value
from bedtape_cassettes.format.eventstream import Decoder, Frame, FrameError, open_envelope
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub

# Bedrock takes chunks of at most 1,000,000 bytes. In base64, in a frame, in an envelope.
LARGEST_FRAME = 2 * 1024 * 1024
_TEXTS = frozenset({str})


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event of the client, without secrets.

    name: of the event, for example textInput. type, role: of the content to which it belongs.
    value: the event as a recording contains it. parts: the part of the event that is compared.
    audio: of an event with audio.
    """

    name: str
    value: JsonValue
    parts: JsonObject
    type: str | None = None
    role: str | None = None
    audio: bytes | None = None

    @property
    def text(self) -> str:
        """The text of the event, or the result of a tool."""
        content = self.parts.get("content")
        return content if isinstance(content, str) else ""

    def __str__(self) -> str:
        about = [part for part in (self.type, self.role) if part]
        rest = {key: part for key, part in self.parts.items() if key not in ("type", "role")}
        shown = f" {_shorten(compact(rest).decode())}" if rest else ""
        return self.name + (f" ({', '.join(about)})" if about else "") + shown


class InputReader:
    """Reads events from bytes that are split anywhere. ended: whether the input has ended."""

    def __init__(self, redaction: Redaction = ALWAYS) -> None:
        self.ended = False
        self._redaction = redaction
        self._decoder = Decoder()
        self._contents: dict[str, tuple[str | None, str | None]] = {}

    def feed(self, data: bytes) -> list[InputEvent]:
        """Return the events that are complete now. Raises FrameError for other bytes."""
        frames = self._decoder.feed(data)
        if self._decoder.pending > LARGEST_FRAME:
            raise FrameError(f"a frame is larger than {LARGEST_FRAME} bytes")
        return [event for frame in frames for event in self._open(frame)]

    def _open(self, frame: Frame) -> list[InputEvent]:
        if self.ended:
            raise FrameError("an event follows the end of the input")
        inner = open_envelope(frame)
        self.ended = inner == []
        return [self._read(each) for each in ([frame] if inner is None else inner)]

    def _read(self, frame: Frame) -> InputEvent:
        value = read_chunk(frame.payload)
        event = sonic.read_event(value)
        if event is not None and _TEXTS.issuperset(map(type, event[1].values())):
            audio = sonic.read_audio(*event)
            if audio is not None:  # it is not kept
                return self._read_audio(*event, audio)
        headers = {name: value.value for name, value in frame.headers}
        kind = str(headers.get(":event-type", ""))
        value = read_value("json", scrub(_render_json(value, frame.payload), self._redaction))
        return self.read_value(kind, value)

    def _read_audio(self, name: str, members: JsonObject, audio: bytes) -> InputEvent:
        value = sonic.strip_audio(name, members, audio)
        content = self._contents.get(str(members.get("contentName", "")), (None, None))
        return InputEvent(name, value, {}, *content, audio)

    def read_value(self, kind: str, value: JsonValue) -> InputEvent:
        """Return the event of a JSON value. kind: the name of an event that is not one of Sonic."""
        event = sonic.read_event(value)
        if event is None:
            return InputEvent(kind, value, {"value": value})
        name, members = event
        audio = sonic.read_audio(name, members)
        if audio is not None:
            return self._read_audio(name, members, audio)
        content = str(members.get("contentName", ""))
        if name == "contentStart":
            self._contents[content] = (_text(members.get("type")), _text(members.get("role")))
        type_, role = self._contents.get(content, (None, None))
        if name == "contentEnd":
            self._contents.pop(content, None)
        return InputEvent(name, value, sonic.describe_event(name, members), type_, role)


def _render_json(value: JsonValue, payload: bytes) -> bytes:
    """Return the JSON of an event, or its text if it contains a number that JSON cannot hold."""
    try:
        return compact(value)
    except ValueError:
        return compact(payload.decode(errors="replace"))


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
