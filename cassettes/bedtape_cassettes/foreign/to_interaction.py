"""Converts a foreign exchange to an interaction as bedtape would have recorded it.

Changes by the foreign recorder are reverted if that is certain: content-encoding, and white space
between JSON tokens, which Bedrock does not send. Other changes are reported as doubts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bedtape_cassettes.addresses import read_service
from bedtape_cassettes.foreign.exchange import Exchange, Unusable, path_of
from bedtape_cassettes.foreign.file_reader import inflate
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Headers, Interaction, is_header
from bedtape_cassettes.operations import find_other_service, identify
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction

Doubt: TypeAlias = Literal["rewritten", "edited"]

_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_ZLIB = ("gzip", "x-gzip", "deflate")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_TOKENS = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")|[ \t\r\n]+')


@dataclass(frozen=True, slots=True)
class Conversion:
    """An interaction and the doubt about it.

    doubt: `rewritten` if the recorder parsed the response's JSON and serialised it again, so that
    its bytes may differ; `edited` if the length of the body differs from its Content-Length.
    """

    interaction: Interaction
    doubt: Doubt | None = None


def convert(
    exchange: Exchange, redaction: Redaction | None = ALWAYS, *, exact: bool = False
) -> Conversion:
    """Converts the exchange and scrubs secrets. Raises Unusable.

    exact: keep every byte and header. redaction: what to remove. `None` keeps secrets, for an
    interaction that is played and not written, because another tool's file contains them already.
    """
    decoded = _decode_response(exchange)
    path = path_of(exchange.method, exchange.url)
    _check(decoded, path)
    body, doubt = _as_sent(exchange, decoded.response_body)
    interaction = build_interaction(
        method=exchange.method,
        path=path,
        request_headers=exchange.request_headers,
        request_body=_request_body(exchange),
        status=exchange.status,
        response_headers=decoded.response_headers,
        response_body=decoded.response_body if exact else body,
        exact=exact,
        after_ms=exchange.after_ms,
        redaction=redaction,
    )
    service = find_other_service(exchange.method, path, read_service(exchange.url))
    return Conversion(replace(interaction, service=service) if service else interaction, doubt)


def _header(headers: Headers, name: str) -> str:
    return next((value.strip() for key, value in headers if key.lower() == name), "")


# -- checks ---------------------------------------------------------------------------------------


def _check(exchange: Exchange, path: str) -> None:
    if not 200 <= exchange.status <= 599:
        raise Unusable(f"expected a status from 200 to 599, found {exchange.status}")
    for name, value in (*exchange.request_headers, *exchange.response_headers):
        if not is_header(name, value):
            raise Unusable(f"expected headers that HTTP can carry, found one called {name[:40]!r}")
    if _is_stream(exchange, path):
        _check_stream(exchange.response_body)


def _is_stream(exchange: Exchange, path: str) -> bool:
    """Decides by the content type or, if it was removed, by the operation of the request."""
    kind = _header(exchange.response_headers, "content-type").partition(";")[0].lower()
    operation = identify(exchange.method, path).operation
    streaming = operation is not None and operation.streaming and exchange.status == 200
    return kind == bodies.EVENT_STREAM or (
        streaming and not exchange.response_body.startswith((b"{", b"data:", b"event:"))
    )


def _check_stream(data: bytes) -> None:
    if not data:
        raise Unusable("expected an event stream, found an empty body")
    try:
        eventstream.decode_all(data)
    except eventstream.FrameError as error:
        raise Unusable(f"expected a whole event stream, found a damaged one: {error}") from None


# -- bodies ----------------------------------------------------------------------------------------


def _request_body(exchange: Exchange) -> bytes:
    coding = _header(exchange.request_headers, "content-encoding").lower()
    data = exchange.request_body
    return (
        _inflate(data, "the request's body")
        if coding in _ZLIB and data.startswith(_COMPRESSED)
        else data
    )


def _decode_response(exchange: Exchange) -> Exchange:
    """Removes content-encoding. Many recorders decoded the body and left the header."""
    coding = _header(exchange.response_headers, "content-encoding").lower()
    if coding in ("", "identity"):
        return exchange
    data = exchange.response_body
    if not exchange.decompressed:
        if coding in _ZLIB and data.startswith(_COMPRESSED):
            data = _inflate(data, "the response's body")
        elif not _is_readable(data):
            fix = "record it with `Accept-Encoding: identity`"
            raise Unusable(f"expected a body that can be read, found one in {coding[:20]}; {fix}")
    headers = tuple(
        (name, value)
        for name, value in exchange.response_headers
        if name.lower() != "content-encoding"
    )
    return replace(exchange, response_headers=headers, response_body=data, decompressed=True)


def _inflate(data: bytes, what: str) -> bytes:
    try:
        return inflate(data)
    except ValueError as error:
        raise Unusable(f"{what}: {error}") from None


def _is_readable(data: bytes) -> bool:
    try:
        if data[:1] == b"\0":
            eventstream.decode_all(data)
        else:
            data.decode()
    except (eventstream.FrameError, UnicodeDecodeError):
        return False
    return True


def _as_sent(exchange: Exchange, data: bytes) -> tuple[bytes, Doubt | None]:
    """Restores the response's body as Bedrock sent it, and returns a doubt if there is one."""
    if exchange.rewritten:
        return data, "rewritten"
    coded = _header(exchange.response_headers, "content-encoding").lower() not in ("", "identity")
    length = _header(exchange.response_headers, "content-length")
    if not coded and length == str(len(data)):
        return data, None
    if _is_spaced(data):
        return _TOKENS.sub(rb"\1", data), "rewritten"
    return data, "edited" if length.isdecimal() and not coded else None


def _is_spaced(data: bytes) -> bool:
    """Returns whether JSON has white space between tokens. 1,370 bodies of Bedrock have none."""
    if data[:1] not in (b"{", b"["):
        return False
    try:
        bodies.parse(data)
    except ValueError:
        return False
    return re.search(rb"[ \t\r\n]", _STRING.sub(b"", data)) is not None
