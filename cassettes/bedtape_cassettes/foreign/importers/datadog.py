"""Reads the Datadog test agent's recordings: one exchange per JSON file, binary bodies after `base64:`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    decode_base64,
    encode_body,
    read_each,
    read_headers,
    read_number,
    read_object,
    read_text,
)

EXPECTED = "one `request` with a `url` and one `response` with `status.code`"

_BASE64 = "base64:"


def recognise(document: Any) -> bool:
    match document:
        case {"request": {"method": _, "url": _}, "response": {"status": {"code": _}}}:
            return True
    return False


def read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    yield from read_each(documents, _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    return Exchange(
        method=read_text(request, "method"),
        url=read_text(request, "url"),
        request_headers=read_headers(request.get("headers")),
        request_body=_body(request.get("body"), "the request's body"),
        status=read_number(read_object(response, "status"), "code"),
        response_headers=read_headers(response.get("headers")),
        response_body=_body(response.get("body"), "the response's body"),
    )


def _body(given: Any, what: str) -> bytes:
    if isinstance(given, str) and given.startswith(_BASE64):
        return decode_base64(given.removeprefix(_BASE64), what)
    return encode_body(given, what)
