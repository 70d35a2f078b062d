"""A rule's answer without its ids. All requests that equal in what the answer depends on share it.

The ids depend on the match key; see `fill`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from bedtape_cassettes.families.shared.synthesis import SLOT_MARK, fill_slots
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Event, Events, Response
from bedtape_replayer.answering.reply import Piece, Reply

_MARK = SLOT_MARK.encode()


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """response, reply: the answer, rendered with a text in place of each id. slots: the length and alphabet of each id."""

    response: Response
    reply: Reply
    slots: Sequence[tuple[int, str]] = ()

    def fill(self, seed: bytes, key: bytes, number: int = 0) -> tuple[Response, Reply]:
        """Return the answer with the ids of a seed, and the request ids of a match key and of a number of calls with it."""
        response, reply = self.response, self.reply
        if not self.slots:
            return response, reply.with_request_id(key, number)
        match response.body:
            case Body(form, data):
                text = fill_slots(data, self.slots, seed)
                body: Body | Events = Body(form, text)
                pieces: tuple[Piece, ...] = (Piece(0, text),)
            case Events(padded=padded) as stream:
                events, pieces = self._fill_events(stream, seed)
                body = Events.of(events, padded=padded)
        return replace(response, body=body), reply.with_request_id(key, number, pieces)

    def _fill_events(self, stream: Events, seed: bytes) -> tuple[list[Event], tuple[Piece, ...]]:
        events, pieces = list(stream.events), list(self.reply.pieces)
        chance = Random(seed)  # noqa: S311 - padding
        for number, event in enumerate(events):
            payload = _fill_payload(event, self.slots, seed)
            if payload is not event.payload:
                events[number] = replace(event, payload=payload)
                pieces[number] = Piece(event.at_ms, bodies.wire(events[number], stream.padded, chance))
        return events, tuple(pieces)


def _fill_payload(event: Event, slots: Sequence[tuple[int, str]], seed: bytes) -> bytes:
    """Returns the event's payload itself if it contains no id."""
    payload = event.payload
    if event.form != "bytes":
        return fill_slots(payload, slots, seed) if _MARK in payload else payload
    inner = b64decode(payload[len(_BYTES) : -len(_END)])
    return _BYTES + b64encode(fill_slots(inner, slots, seed)) + _END if _MARK in inner else payload


# How `bodies.seal_chunk` wraps JSON.
_BYTES, _END = b'{"bytes":"', b'"}'
