"""A rule's answer with sample ids. All requests that equal in what the answer depends on share it.

The ids depend on the match key. An id has the same length as its sample, so that `fill` replaces
the samples in bytes that are encoded already.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from bedtape_cassettes.families.shared.synthesis import fill_slots, make_ids
from bedtape_cassettes.format import bodies
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.model import Body, Event, Events, Headers, Response
from bedtape_replayer.answering.gaps import Gaps, HeaderPairs
from bedtape_replayer.answering.reply import MAX_PART, Piece, Reply

_set = object.__setattr__
# A larger body is filled with ids once, and smaller bodies each time that they are sent.
_LARGEST_REFILLED = 16 * 1024


class Template:
    """An answer that was rendered with slots in place of ids. slots: the length
    and alphabet of each id.

    seed: of the sample ids. No answer that is sent contains a sample. has_ids: whether the answer
    contains ids, so that `fill` needs a seed. is_shared: whether its answers keep no bytes of their
    own but their ids.
    """

    def __init__(
        self, response: Response, reply: Reply, slots: Sequence[tuple[int, str]], seed: bytes
    ) -> None:
        self._slots, self.has_ids = slots, bool(slots)
        samples = make_ids(slots, seed)
        # The number, the event and the JSON inside of each event with ids, in a stream of frames.
        self._events: list[tuple[int, Event, Gaps]] = []
        if slots and isinstance(response.body, Body):
            text = fill_slots(response.body.data, slots, seed)
            response, reply = (
                replace(response, body=Body(response.body.form, text)),
                _replace_body(reply, text),
            )
        elif slots:
            assert isinstance(response.body, Events)
            events, pieces = list(response.body.events), list(reply.pieces)
            for number, event in enumerate(events):
                text = _open_payload(event)
                if (filled := fill_slots(text, slots, seed)) != text:
                    events[number] = replace(event, payload=_seal_payload(event, filled))
                    pieces[number] = Piece(event.at_ms, events[number].payload)
                    if event.headers:
                        self._events.append((number, events[number], Gaps(filled, samples)))
            response = replace(response, body=Events.of(events, padded=response.body.padded))
            reply = replace(reply, pieces=tuple(pieces))
        if reply.streamed and not self._events and reply.size <= MAX_PART:
            _ = reply.http1_chunks  # all answers share it, or their chunks are made of it
        body = response.body
        self._body = Gaps(body.packed if isinstance(body, Events) else body.data, samples)
        self._samples = samples
        self.response, self.reply = response, reply
        self.is_shared = not slots or not (self._events or reply.size > _LARGEST_REFILLED)

    def fill(self, seed: bytes, key: bytes, number: int = 0) -> tuple[Response, Reply]:
        """Return the answer with ids of a seed, and request ids of a match key and of its calls."""
        if not self.has_ids:
            return self.response, self.reply.with_request_id(key, number)
        ids = make_ids(self._slots, seed)
        if not self._events:
            kind = _FilledReply if self.is_shared else _LargeReply
            return _FilledResponse.of(self, ids), kind.of(
                self, ids, self.reply.fill_headers(key, number)
            )
        response, reply = self.response, self.reply.with_request_id(key, number)
        assert isinstance(response.body, Events)
        packed, pieces = response.body.packed, list(reply.pieces)
        padded, chance = response.body.padded, Random(seed)  # noqa: S311 - padding
        for at, event, text in self._events:
            filled = replace(event, payload=_seal_payload(event, text.fill(ids)))
            packed = packed.replace(event.payload, filled.payload)
            pieces[at] = Piece(event.at_ms, bodies.wire(filled, padded, chance))
        return replace(response, body=Events(packed, padded)), replace(reply, pieces=tuple(pieces))

    def fill_body(self, ids: Sequence[bytes]) -> Body | Events:
        """Return the body of the response with these ids."""
        body, data = self.response.body, self._body.fill(ids)
        return Events(data, body.padded) if isinstance(body, Events) else Body(body.form, data)

    def fill_bytes(self, ids: Sequence[bytes]) -> bytes:
        """Return the bytes of a body that is not a stream, with these ids."""
        return self._body.fill(ids)

    @lazy_property
    def pieces(self) -> list[tuple[int, Gaps]]:
        """The pieces of the reply, with gaps for the ids."""
        return [(piece.at_ms, Gaps(piece.data, self._samples)) for piece in self.reply.pieces]

    @lazy_property
    def http1_chunks(self) -> Gaps:
        """The chunks of a stream, with gaps for the ids."""
        return Gaps(self.reply.http1_chunks, self._samples)


class _FilledResponse(Response):
    """A response whose ids are filled in on reading, because a history reads few responses."""

    __slots__ = ("_ids", "_template")
    _ids: Sequence[bytes]
    _template: Template

    def __new__(cls, *values: Any, **members: Any) -> Response:  # type: ignore[misc]
        """Create a plain response. `dataclasses.replace` calls the class."""
        return Response(*values, **members)

    @classmethod
    def of(cls, template: Template, ids: Sequence[bytes]) -> Response:
        """Create the response of a template with ids."""
        response = object.__new__(cls)
        _set(response, "_template", template)
        _set(response, "_ids", ids)
        return response

    @property
    def status(self) -> int:
        return self._template.response.status

    @property
    def headers(self) -> Headers:
        return self._template.response.headers

    @property
    def body(self) -> Body | Events:
        return self._template.fill_body(self._ids)

    @property
    def after_ms(self) -> int:
        return self._template.response.after_ms

    @property
    def ends(self) -> None:
        """None, because rules give complete answers."""
        return

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and replace(self) == replace(other)

    __hash__ = Response.__hash__


class _FilledReply(Reply):
    """A reply whose ids are filled in on reading, because a history keeps thousands of them."""

    _template: Template
    _ids: Sequence[bytes]

    def __new__(cls, *values: Any, **members: Any) -> Reply:  # type: ignore[misc]
        """Create a plain reply with its own pieces. `dataclasses.replace` calls the class."""
        return Reply(*values, **members)

    @classmethod
    def of(cls, template: Template, ids: Sequence[bytes], headers: HeaderPairs) -> Reply:
        """Create the reply of a template with ids. headers: of this reply."""
        sample = template.reply
        filled = object.__new__(cls)
        _set(filled, "status", sample.status)
        _set(filled, "headers", headers)
        _set(filled, "streamed", sample.streamed)
        _set(filled, "after_ms", sample.after_ms)
        _set(filled, "_template", template)
        _set(filled, "_ids", ids)
        return filled

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces with the ids of this reply."""
        if not self.streamed:
            return (Piece(0, self.body),)
        return tuple([Piece(at_ms, data.fill(self._ids)) for at_ms, data in self._template.pieces])

    @property
    def body(self) -> bytes:
        return (
            b"".join([piece.data for piece in self.pieces])
            if self.streamed
            else self._template.fill_bytes(self._ids)
        )

    @property
    def http1_chunks(self) -> bytes:
        """The chunks with the ids of this reply."""
        return self._template.http1_chunks.fill(self._ids)

    @property
    def size(self) -> int:
        return self._template.reply.size

    @property
    def count(self) -> int:
        return self._template.reply.count

    @property
    def owner(self) -> object:
        return self._template


class _LargeReply(_FilledReply):
    """A large reply. It keeps its body, so that many clients can get it at once."""

    @lazy_property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces with the ids of this reply."""
        return super().pieces

    @lazy_property
    def body(self) -> bytes:
        """The body with the ids of this reply."""
        return super().body

    @lazy_property
    def http1_chunks(self) -> bytes:
        """The chunks with the ids of this reply."""
        return super().http1_chunks

    @property
    def owner(self) -> object:
        return self


def _replace_body(reply: Reply, text: bytes) -> Reply:
    headers = [
        (name, b"%d" % len(text) if name == b"Content-Length" else value)
        for name, value in reply.headers
    ]
    return replace(reply, headers=tuple(headers), pieces=(Piece(0, text),))


def _open_payload(event: Event) -> bytes:
    """Returns the JSON of an event, which contains the ids as text."""
    return (
        b64decode(event.payload[len(_BYTES) : -len(_END)])
        if event.form == "bytes"
        else event.payload
    )


def _seal_payload(event: Event, text: bytes) -> bytes:
    return _BYTES + b64encode(text) + _END if event.form == "bytes" else text


# How `bodies.seal_chunk` wraps JSON.
_BYTES, _END = b'{"bytes":"', b'"}'
