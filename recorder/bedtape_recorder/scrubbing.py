"""Takes secrets out of a body while it streams by, before any of it is written.

A secret that is cut in two by the network must be seen whole, so a scrubber lets go of what cannot be part of one any
more: whole event-stream frames, whole server-sent events, or nothing before the end. Sans-io.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.eventstream import HeaderType, HeaderValue
from bedtape_cassettes.redaction.scrub import scrub, scrub_body

__all__ = ["Scrubber", "scrubber_for"]

_LENGTH = re.compile("[0-9]{1,18}")
# What secrets and base64 are made of, also where JSON or a URL escapes it. Bounded by what precedes it: one pass.
_LAST_WORD = re.compile(rb"(?<![\w~+=./%\\-])[\w~+=./%\\-]+\Z")


class Scrubber(Protocol):
    """`feed` gives what may be written now, `close` the rest; cut: the body broke off.

    complete: the body is whole by its content length. Streams never say so: their end is said by HTTP.
    lost: `close` had to drop some of it.
    """

    complete: bool
    lost: bool

    def feed(self, data: bytes) -> bytes: ...
    def close(self, *, cut: bool) -> bytes: ...


def _clean(data: bytes, *, cut: bool) -> bytes:
    """What is left when no more comes. A cut body's last word may be most of a secret that no pattern knows any more."""
    return scrub_body(_LAST_WORD.sub(b"", data) if cut else data)


class FrameScrubber:
    """An event stream, a frame at a time; checksums are made anew where a frame changes.

    A frame that never came whole is dropped: no client ever saw it, and base64 that is cut cannot be searched.
    """

    complete = False

    def __init__(self) -> None:
        self._decoder = eventstream.Decoder()
        self._broken: WholeScrubber | None = None

    def feed(self, data: bytes) -> bytes:
        if self._broken is not None:
            return self._broken.feed(data)
        try:
            frames = self._decoder.feed(data)
        except eventstream.FrameError:  # not an event stream, or not from here on: what is left is kept to the end
            frames, rest = _until_broken(self._decoder.rest)
            self._broken = WholeScrubber(None)
            self._broken.feed(rest)
        return b"".join(map(_clean_frame, frames))

    def close(self, *, cut: bool) -> bytes:
        rest = self._decoder.rest if self._broken is None else self._broken.close(cut=cut)
        kept = rest if self._broken is not None and _is_text(rest) else b""
        self.lost = kept != rest
        return kept


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _until_broken(data: bytes) -> tuple[list[eventstream.Frame], bytes]:
    """The frames before the one that cannot be read, and what is left from there."""
    frames: list[eventstream.Frame] = []
    while total := int.from_bytes(data[:4], "big"):
        try:
            frames += eventstream.decode_all(data[:total])
        except eventstream.FrameError:
            break
        data = data[total:]
    return frames, data


def _clean_frame(frame: eventstream.Frame) -> bytes:
    headers = tuple((name, _clean_value(value)) for name, value in frame.headers)
    return eventstream.encode(replace(frame, headers=headers, payload=scrub_body(frame.payload)))


def _clean_value(header: HeaderValue) -> HeaderValue:
    match header.value:
        case str() as text:
            return HeaderValue(HeaderType.STRING, scrub(text.encode()).decode())
        case bytes() as data:
            return HeaderValue(HeaderType.BYTES, scrub(data))
    return header


class PieceScrubber:
    """Server-sent events: each ends with an empty line."""

    lost = False

    complete = False

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        self._held += data
        end = self._held.rfind(b"\n\n")
        if end < 0:
            return b""
        whole, self._held = self._held[: end + 2], self._held[end + 2 :]
        return scrub_body(whole)

    def close(self, *, cut: bool) -> bytes:
        return _clean(self._held, cut=cut)


class WholeScrubber:
    """A plain body: let go when it is whole by its content length, or closed."""

    lost = False

    def __init__(self, length: int | None) -> None:
        self.complete = False
        self._held = bytearray()
        self._length = length

    def feed(self, data: bytes) -> bytes:
        self._held += data
        self.complete = self._length is not None and len(self._held) >= self._length
        return self.close(cut=False) if self.complete else b""

    def close(self, *, cut: bool) -> bytes:
        whole = _clean(bytes(self._held), cut=cut)
        self._held.clear()
        return whole


def scrubber_for(content_type: str, content_length: str | None) -> Scrubber:
    """The scrubber for a response with these headers."""
    match content_type.split(";")[0].strip().lower():
        case bodies.EVENT_STREAM:
            return FrameScrubber()
        case bodies.SERVER_SENT:
            return PieceScrubber()
    return WholeScrubber(int(content_length) if content_length and _LENGTH.fullmatch(content_length) else None)
