"""Reads Ruby VCR's cassettes: `http_interactions`, bodies with an encoding. R's vcr package writes the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    Unusable,
    decode_base64,
    encode_body,
    read_each,
    read_headers,
    read_list,
    read_number,
    read_object,
    read_text,
)

EXPECTED = "`http_interactions`"


def recognise(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("http_interactions"), list)


def read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(read_list(document, "http_interactions"), _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    status = response.get("status")
    return Exchange(
        method=read_text(request, "method").upper(),
        url=read_text(request, "uri"),
        request_headers=read_headers(request.get("headers")),
        request_body=_body(request, "request"),
        status=read_number(status, "code") if isinstance(status, dict) else read_number(response, "status"),
        response_headers=read_headers(response.get("headers")),
        response_body=_body(response, "response"),
    )


def _body(side: dict[str, Any], name: str) -> bytes:
    body, what = side.get("body"), f"the {name}'s body"
    match body:
        case {"base64_string": given}:
            return decode_base64(given, what)
        case {"raw_gzip": _} | {"file": _, "string": None}:
            raise Unusable(f"expected {what} in the file, found it kept elsewhere; record with it in the cassette")
        case {"string": given}:
            return encode_body(given, what)
        case dict():
            return b""
    return encode_body(body, what)
