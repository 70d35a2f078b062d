"""The Datadog test agent's recordings: one exchange a JSON file, binary bodies after `base64:`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Exchange,
    Found,
    data_of,
    decoded,
    each,
    headers_of,
    mapping,
    number,
    text,
)

__all__ = ["EXPECTED", "exchanges", "recognises"]

EXPECTED = "one `request` with a `url` and one `response` with `status.code`"

_BASE64 = "base64:"


def recognises(document: Any) -> bool:
    match document:
        case {"request": {"method": _, "url": _}, "response": {"status": {"code": _}}}:
            return True
    return False


def exchanges(documents: list[Any]) -> Iterator[Found]:
    yield from each(documents, _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = mapping(entry, "request"), mapping(entry, "response")
    return Exchange(
        method=text(request, "method"),
        url=text(request, "url"),
        request_headers=headers_of(request.get("headers")),
        request_body=_body(request.get("body"), "the request's body"),
        status=number(mapping(response, "status"), "code"),
        response_headers=headers_of(response.get("headers")),
        response_body=_body(response.get("body"), "the response's body"),
    )


def _body(given: Any, what: str) -> bytes:
    if isinstance(given, str) and given.startswith(_BASE64):
        return decoded(given.removeprefix(_BASE64), what)
    return data_of(given, what)
