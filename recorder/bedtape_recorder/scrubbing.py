"""Takes secrets out of a body while it streams by, before any of it is written.

A secret that is cut in two by the network must be seen whole, so a scrubber lets go of what cannot be part of one any
more: whole event-stream frames, whole server-sent events, or nothing before the end. Sans-io.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from bedtape_cassettes import bodies, eventstream
from bedtape_cassettes.model import Events
from bedtape_cassettes.redact import scrub, scrub_body, scrub_event

__all__ = ["Scrubber", "scrubber_for"]


class Scrubber(Protocol):
    """`feed` gives what may be written now, `close` the rest."""

    def feed(self, data: bytes) -> bytes: ...
    def close(self) -> bytes: ...


class FrameScrubber:
    """An event stream, a frame at a time; checksums are made anew where a frame changes."""

    def __init__(self) -> None:
        self._decoder = eventstream.Decoder()
        self._broken: WholeScrubber | None = None

    def feed(self, data: bytes) -> bytes:
        if self._broken is not None:
            return self._broken.feed(data)
        try:
            return b"".join(map(_clean_frame, self._decoder.feed(data)))
        except eventstream.FrameError:  # not an event stream, or not from here on: what is left is kept as it came
            self._broken = WholeScrubber(None)
            return self._broken.feed(self._decoder.rest)

    def close(self) -> bytes:
        return self._broken.close() if self._broken is not None else scrub(self._decoder.rest)


def _clean_frame(frame: eventstream.Frame) -> bytes:
    data = eventstream.encode(frame)
    opened = bodies.events_of(data, exact=True)
    if not isinstance(opened, Events):
        return eventstream.encode(replace(frame, payload=scrub_body(frame.payload)))
    (event,) = opened.events
    clean = scrub_event(event)
    return data if clean is event else eventstream.encode_strings(clean.headers, clean.payload)


class PieceScrubber:
    """Server-sent events: each ends with an empty line."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        self._held += data
        end = self._held.rfind(b"\n\n")
        if end < 0:
            return b""
        whole, self._held = self._held[: end + 2], self._held[end + 2 :]
        return scrub_body(whole)

    def close(self) -> bytes:
        return scrub_body(self._held)


class WholeScrubber:
    """A plain body: let go when it is whole by its content length, or closed."""

    def __init__(self, length: int | None) -> None:
        self._held = bytearray()
        self._length = length

    def feed(self, data: bytes) -> bytes:
        self._held += data
        return self.close() if self._length is not None and len(self._held) >= self._length else b""

    def close(self) -> bytes:
        whole = scrub_body(bytes(self._held))
        self._held.clear()
        return whole


def scrubber_for(content_type: str, content_length: str | None) -> Scrubber:
    """The scrubber for a response with these headers."""
    match content_type.split(";")[0].strip().lower():
        case bodies.EVENT_STREAM:
            return FrameScrubber()
        case bodies.SERVER_SENT:
            return PieceScrubber()
    return WholeScrubber(int(content_length) if content_length and content_length.isdigit() else None)
