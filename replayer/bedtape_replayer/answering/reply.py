"""Renders a recorded response to the bytes that Bedrock sends, with the headers
that the recorder removed.

Header names have Bedrock's case and order. Request ids and padding are derived from the match key,
so that the same request gets the same bytes every time. The server adds the date, because it has
the clock. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random
from typing import Any, overload

from bedtape_cassettes.failures import REQUEST_ID, render_error
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.model import (
    BODYLESS,
    EMPTY,
    Body,
    Events,
    Headers,
    Interaction,
    Request,
    Response,
    event_headers,
)
from bedtape_cassettes.operations import Dialect, identify
from bedtape_cassettes.text import format_uuid
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.gaps import HeaderPairs, SampleHeaders

# A placeholder for the current date. A recorded date would shift the clock by which
# JavaScript clients sign.
DATE = b""


def is_date(name: bytes, value: bytes) -> bool:
    """Returns whether the header is a placeholder for the current date."""
    return value == DATE and name.lower() == b"date"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a body, due `at_ms` milliseconds after the head."""

    at_ms: int
    data: bytes


class FilledHeaders(Sequence[tuple[bytes, bytes]]):
    """Headers that differ from those of `sample` in ids alone, so that their encodings do too."""

    __slots__ = ("ids", "sample")

    def __init__(self, sample: SampleHeaders, ids: Sequence[bytes]) -> None:
        self.sample, self.ids = sample, ids

    @property
    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers. They are made when they are read, because a wire does not need them."""
        return self.sample.fill(self.ids)

    @overload
    def __getitem__(self, index: int) -> tuple[bytes, bytes]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[bytes, bytes], ...]: ...
    def __getitem__(self, index: Any) -> Any:
        return self.pairs[index]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.sample.headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.pairs == tuple(other)

    def __hash__(self) -> int:
        return hash(self.pairs)


@dataclass(frozen=True, eq=False)
class Reply:
    """Status, headers in wire order (with content-length or
    transfer-encoding), and the body in pieces.

    streamed: whether the body is sent in chunks, one for each piece. Otherwise the body is one
    piece with a content length. after_ms: milliseconds until Bedrock sent the head.
    """

    status: int
    headers: HeaderPairs
    pieces: tuple[Piece, ...]
    streamed: bool
    after_ms: int = 0

    @lazy_property
    def size(self) -> int:
        """The size of the body in bytes."""
        return sum(len(piece.data) for piece in self.pieces)

    @lazy_property
    def count(self) -> int:
        """The number of pieces."""
        return len(self.pieces)

    @lazy_property
    def owner(self) -> object:
        """The object that contains the body. Replies with the same body share it."""
        return self.pieces

    def with_request_id(self, key: bytes, number: int) -> Reply:
        """Return the reply with the request ids of a match key and of a number of calls with it.

        It shares the body, and what was derived from the body.
        """
        reply = object.__new__(Reply)
        reply.__dict__.update(self.__dict__, headers=self.fill_headers(key, number))
        return reply

    def fill_headers(self, key: bytes, number: int) -> FilledHeaders:
        """Return the headers with the request ids of a match key and the number of its calls."""
        sample, purposes = self._sample_headers
        return FilledHeaders(
            sample, [_derive_request_id(key, number, purpose).encode() for purpose in purposes]
        )

    @lazy_property
    def _sample_headers(self) -> tuple[SampleHeaders, tuple[bytes, ...]]:
        """The headers as samples, and the purpose of each of their request ids."""
        places = [
            (at, _REQUEST_ID_HEADERS[name])
            for at, (name, _) in enumerate(self.headers)
            if name in _REQUEST_ID_HEADERS
        ]
        purposes = tuple(dict.fromkeys(purpose for _, purpose in places))
        return SampleHeaders(
            self.headers, [(at, purposes.index(purpose)) for at, purpose in places]
        ), purposes

    @property
    def body(self) -> bytes:
        """The body as one bytes object."""
        return (
            self.pieces[0].data
            if len(self.pieces) == 1
            else b"".join(piece.data for piece in self.pieces)
        )

    @lazy_property
    def http1_chunks(self) -> bytes:
        """The body in HTTP/1.1 chunks: one for each piece, and the final empty chunk."""
        chunks = (
            b"%x\r\n%b\r\n" % (len(piece.data), piece.data) for piece in self.pieces if piece.data
        )
        return b"".join(chunks) + b"0\r\n\r\n"


# Bedrock's case of names that are not in lower case. Cassettes contain names in lower case.
_NAMES = {
    name.lower(): name
    for name in (
        "Date",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "x-amzn-RequestId",
        "x-amzn-ErrorType",
        "X-Amzn-Bedrock-Invocation-Latency",
        "X-Amzn-Bedrock-Cache-Write-Input-Token-Count",
        "X-Amzn-Bedrock-Cache-Read-Input-Token-Count",
        "X-Amzn-Bedrock-Output-Token-Count",
        "X-Amzn-Bedrock-Input-Token-Count",
        "X-Amzn-Bedrock-Content-Type",
        "X-Amzn-Bedrock-PerformanceConfig-Latency",
        "X-Amzn-Bedrock-Service-Tier",
    )
}
# Bedrock's order, the same in all 1,390 recorded responses with known order. Other headers
# come last, as recorded.
_ORDER = (
    "date",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "cache-control",
    "x-amzn-requestid",
    "x-request-id",
    "x-amzn-errortype",
    "x-amzn-bedrock-invocation-latency",
    "x-amzn-bedrock-cache-write-input-token-count",
    "x-amzn-bedrock-cache-read-input-token-count",
    "x-amzn-bedrock-output-token-count",
    "x-amzn-bedrock-input-token-count",
)
_RANK = {name: rank for rank, name in enumerate(_ORDER)}
_STREAMED_TYPES = (bodies.EVENT_STREAM, bodies.SERVER_SENT)
# A larger body is sent in parts of this size, so that a slow reader does not hold the
# complete body in memory.
MAX_PART = 128 * 1024
# The beginning of an event frame. The recorder does not keep the recorded one, because it
# cannot be searched for secrets.
_FRAME_START = encode_strings(event_headers("chunk"), b"{}")[:16]
# The purposes of the request ids by header.
_REQUEST_ID_HEADERS = {
    b"x-amzn-RequestId": b"request id",
    b"x-amzn-requestid": b"request id",
    b"request-id": b"request id",
    b"x-request-id": b"x-request-id",
}


def _derive_seed(key: bytes, number: int, purpose: bytes) -> bytes:
    return blake2b(b"%b/%d/%b" % (key, number, purpose), digest_size=16).digest()


def _derive_request_id(key: bytes, number: int, purpose: bytes = b"request id") -> str:
    return format_uuid(_derive_seed(key, number, purpose))


def build_reply(interaction: Interaction, key: bytes, number: int) -> Reply:
    """Builds the reply to request `number` (from 0) with this match key."""
    response = interaction.response
    pieces = tuple(_build_pieces(response.body, key, number))
    streamed = isinstance(response.body, Events) or _is_streamed(
        response.headers, exact=interaction.exact
    )
    if response.ends == "mid-frame":
        pieces = (*pieces, Piece(pieces[-1].at_ms if pieces else 0, _FRAME_START))
    length = (
        None if streamed else sum(len(piece.data) for piece in pieces) + (response.ends is not None)
    )
    if interaction.exact:
        headers = _build_exact_headers(response.headers, length)
    else:
        headers = _build_bedrock_headers(interaction, response.headers, length, key, number)
    if response.status in BODYLESS:
        headers, pieces, streamed = _remove_framing(headers), (), False
    encoded = tuple((name.encode("latin-1"), value.encode()) for name, value in headers)
    return Reply(response.status, encoded, pieces, streamed, response.after_ms)


def build_response_reply(call: Call, response: Response, key: bytes, number: int = 0) -> Reply:
    """Builds the reply for a response without a recording, with the headers of a recording.

    number: of the call among the calls with this match key, if equal requests get different ids.
    """
    if call.dialect == "anthropic" and response.status >= 400 and isinstance(response.body, Body):
        named = response.body.data.replace(
            REQUEST_ID.encode(), _derive_request_id(key, number).encode(), 1
        )
        response = replace(response, body=Body(response.body.form, named))
    interaction = Interaction(
        call.operation, call.model, Request(call.method, call.path, (), EMPTY), response
    )
    return build_reply(interaction, key, number)


def _build_pieces(body: Body | Events, key: bytes, number: int) -> Iterator[Piece]:
    if isinstance(body, Body):
        if body.data:
            yield Piece(0, body.data)
        return
    chance = Random(_derive_seed(key, number, b"padding"))  # noqa: S311
    for event in body.events:
        yield Piece(event.at_ms, bodies.wire(event, body.padded, chance))


def _is_streamed(headers: Headers, *, exact: bool) -> bool:
    named = {name.lower(): value for name, value in headers}
    if exact:
        return named.get("transfer-encoding", "").lower() == "chunked"
    return named.get("content-type", "").split(";")[0].strip().lower() in _STREAMED_TYPES


def _build_framing_header(length: int | None) -> tuple[str, str]:
    return ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))


def _build_bedrock_headers(
    interaction: Interaction, recorded: Headers, length: int | None, key: bytes, number: int
) -> Headers:
    operation = identify(interaction.request.method, interaction.request.path).operation
    mantle = operation is not None and operation.service == "bedrock-mantle"
    restored = [("Date", ""), _build_framing_header(length), ("Connection", "keep-alive")]
    request_id = _derive_request_id(key, number)
    restored.append(("x-amzn-requestid" if mantle else "x-amzn-RequestId", request_id))
    if mantle:
        restored.append(("x-request-id", _derive_request_id(key, number, b"x-request-id")))
    if operation is not None and operation.dialect == "anthropic":
        restored.append(("request-id", request_id))
    own = {name.lower() for name, _ in restored} | {"content-length", "transfer-encoding"}
    kept = [
        (_NAMES.get(name.lower(), name), value)
        for name, value in recorded
        if name.lower() not in own
    ]
    return tuple(sorted(restored + kept, key=lambda pair: _RANK.get(pair[0].lower(), len(_RANK))))


def _build_exact_headers(recorded: Headers, length: int | None) -> Headers:
    """Returns the recorded headers with the current date and the framing of the reply."""
    framing = _build_framing_header(length)
    headers: list[tuple[str, str]] = []
    for name, value in recorded:
        match name.lower():
            case "date":  # keep one, because the placeholder makes all dates equal
                if "date" not in {n.lower() for n, _ in headers}:
                    headers.append((name, ""))
            case "content-length" | "transfer-encoding":
                if name.lower() == framing[0].lower():
                    headers.append((name, framing[1]))
            case _:
                headers.append((name, value))
    if framing[0].lower() not in {name.lower() for name, _ in headers}:
        headers.append(framing)
    return tuple(headers)


def _remove_framing(headers: Headers) -> Headers:
    return tuple(
        pair for pair in headers if pair[0].lower() not in ("content-length", "transfer-encoding")
    )


def build_error_reply(
    status: int, error: str, message: str, request_id: str, dialect: Dialect = "aws"
) -> Reply:
    """Builds an error of bedtape in the form of the API's errors."""
    own = request_id.encode()
    body = bodies.compact(render_error(dialect, error, status, message, request_id))
    if dialect == "aws":
        return build_own_reply(
            status, body, (b"x-amzn-RequestId", own), (b"x-amzn-ErrorType", error.encode())
        )
    return build_own_reply(
        status, body, (b"x-amzn-requestid", own), (b"x-request-id", own), (b"request-id", own)
    )


def build_refusal_reply(problem: str) -> Reply:
    """Builds the answer to a request that the server does not accept, whatever its path."""
    # SDKs read `message`, and clients of the control API read `error`.
    body = bodies.compact({"message": f"bedtape: {problem}", "error": problem})
    return build_own_reply(403, body, (b"x-amzn-ErrorType", b"RequestRefusedException"))


def build_own_reply(
    status: int,
    body: bytes,
    *more: tuple[bytes, bytes],
    first: tuple[bytes, bytes] = (b"Content-Type", b"application/json"),
) -> Reply:
    """Builds bedtape's own reply. first: the header after the date. more: the last headers."""
    framing = ((b"Content-Length", b"%d" % len(body)), (b"Connection", b"keep-alive"))
    return Reply(
        status, ((b"Date", DATE), first, *framing, *more), (Piece(0, body),), streamed=False
    )


def make_request_id(key: bytes) -> str:
    """Returns the request id of an answer that is not recorded."""
    return _derive_request_id(key, 0)
