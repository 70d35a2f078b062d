"""Scrubs a response body while it arrives, before any of it is written. Sans-io.

The network may cut a secret in two, so a scrubber returns whole event-stream frames, whole
server-sent events, or the whole body. What a model cuts in two is scrubbed when the cassette is
written: see `walk`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.eventstream import HeaderType, HeaderValue
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub, scrub_text

_LENGTH = re.compile("[0-9]{1,18}")
# What secrets and base64 are made of, also where JSON or a URL escapes it. Bounded by what
# precedes it: one pass.
_LAST_WORD = re.compile(rb"(?<![\w~+=./%\\-])[\w~+=./%\\-]+\Z")


class Scrubber(Protocol):
    """`feed` returns what may be written now, `close` the rest. cut: the body broke off.

    complete: the body is whole by its content length, always `False` for a stream, whose end only
    HTTP knows. lost: `close` dropped part of the body. mid_frame: the body ended within a frame of
    an event stream.
    """

    complete: bool
    lost: bool
    mid_frame: bool

    def feed(self, data: bytes) -> bytes: ...
    def close(self, *, cut: bool) -> bytes: ...


class FrameScrubber:
    """Scrubs an event stream, a frame at a time; checksums are computed
    again where a frame changes.

    A frame that is not whole is dropped: no client ever saw it, and base64 that
    is cut cannot be searched.
    """

    complete = False

    def __init__(self, redaction: Redaction = ALWAYS) -> None:
        self._redaction = redaction
        self._decoder = eventstream.Decoder()
        self._broken: TextScrubber | None = None

    def feed(self, data: bytes) -> bytes:
        if self._broken is not None:
            return self._broken.feed(data)
        try:
            frames = self._decoder.feed(data)
        except eventstream.FrameError:
            # not an event stream, or not from here on: the rest waits for the end
            frames, rest = _split_broken(self._decoder.rest)
            self._broken = TextScrubber(self._redaction)
            self._broken.feed(rest)
        return b"".join(map(self._scrub_frame, frames))

    def close(self, *, cut: bool) -> bytes:
        rest = self._decoder.rest if self._broken is None else self._broken.close(cut=cut)
        kept = rest if self._broken is not None and _is_text(rest) else b""
        self.lost = kept != rest
        self.mid_frame = self._broken is None and bool(rest)
        return kept

    def _scrub_frame(self, frame: eventstream.Frame) -> bytes:
        headers = tuple((name, self._scrub_value(value)) for name, value in frame.headers)
        return eventstream.encode(
            replace(frame, headers=headers, payload=scrub(frame.payload, self._redaction))
        )

    def _scrub_value(self, header: HeaderValue) -> HeaderValue:
        match header.value:
            case str() as text:
                return HeaderValue(HeaderType.STRING, scrub_text(text, self._redaction))
            case bytes() as data:
                return HeaderValue(HeaderType.BYTES, scrub(data, self._redaction))
        return header


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _split_broken(data: bytes) -> tuple[list[eventstream.Frame], bytes]:
    """The frames before the first that cannot be read, and the rest from there."""
    frames: list[eventstream.Frame] = []
    while total := int.from_bytes(data[:4], "big"):
        try:
            frames += eventstream.decode_all(data[:total])
        except eventstream.FrameError:
            break
        data = data[total:]
    return frames, data


class TextScrubber:
    """Scrubs a body that is no event stream.

    pieces: server-sent events, each scrubbed when its empty line is there. Otherwise the body is
    scrubbed when it is whole by its content length, or closed.
    """

    lost = mid_frame = False

    def __init__(
        self, redaction: Redaction = ALWAYS, length: int | None = None, *, pieces: bool = False
    ) -> None:
        self.complete = False
        self._redaction = redaction
        self._length = length
        self._pieces = pieces
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._held += data
        self.complete = self._length is not None and len(self._held) >= self._length
        if self.complete:
            return self.close(cut=False)
        return (
            self._release(self._held.rfind(b"\n\n") + 2)
            if self._pieces and b"\n\n" in self._held
            else b""
        )

    def close(self, *, cut: bool) -> bytes:
        """Drops a cut body's last word, which may be most of a secret that no pattern matches."""
        return self._release(
            word.start() if cut and (word := _LAST_WORD.search(self._held)) else len(self._held)
        )

    def _release(self, end: int) -> bytes:
        whole = scrub(bytes(self._held[:end]), self._redaction)
        del self._held[:end]
        return whole


def scrubber_for(
    content_type: str, content_length: str | None, redaction: Redaction = ALWAYS
) -> Scrubber:
    """The scrubber for a response with these headers."""
    match content_type.split(";")[0].strip().lower():
        case bodies.EVENT_STREAM:
            return FrameScrubber(redaction)
        case bodies.SERVER_SENT:
            return TextScrubber(redaction, pieces=True)
    length = int(content_length) if content_length and _LENGTH.fullmatch(content_length) else None
    return TextScrubber(redaction, length)
