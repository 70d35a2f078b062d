"""Ruby VCR's cassettes: `http_interactions`, bodies with an encoding. R's vcr package writes the same. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Exchange,
    Found,
    Unusable,
    data_of,
    decoded,
    each,
    headers_of,
    items,
    mapping,
    number,
    text,
)

__all__ = ["EXPECTED", "exchanges", "recognises"]

EXPECTED = "`http_interactions`"


def recognises(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("http_interactions"), list)


def exchanges(documents: list[Any]) -> Iterator[Found]:
    for document in documents:
        yield from each(items(document, "http_interactions"), _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = mapping(entry, "request"), mapping(entry, "response")
    status = response.get("status")
    return Exchange(
        method=text(request, "method").upper(),
        url=text(request, "uri"),
        request_headers=headers_of(request.get("headers")),
        request_body=_body(request, "request"),
        status=number(status, "code") if isinstance(status, dict) else number(response, "status"),
        response_headers=headers_of(response.get("headers")),
        response_body=_body(response, "response"),
    )


def _body(side: dict[str, Any], name: str) -> bytes:
    body, what = side.get("body"), f"the {name}'s body"
    match body:
        case {"base64_string": given}:
            return decoded(given, what)
        case {"raw_gzip": _} | {"file": _, "string": None}:
            raise Unusable(f"expected {what} in the file, found it kept elsewhere; record with it in the cassette")
        case {"string": given}:
            return data_of(given, what)
        case dict():
            return b""
    return data_of(body, what)
