"""go-vcr's cassettes: `interactions` whose requests have a `url`, files of version 1 and 2. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import Exchange, Found, data_of, each, headers_of, items, mapping, number, text

__all__ = ["EXPECTED", "exchanges", "recognises"]

EXPECTED = "`interactions` whose requests have a `url`"


def recognises(document: Any) -> bool:
    match document:
        case {"interactions": list(entries)}:
            return any(map(_is_entry, entries))
    return False


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"request": {"url": _}, "response": {"code": _}}:
            return True
    return False


def exchanges(documents: list[Any]) -> Iterator[Found]:
    for document in documents:
        yield from each(items(document, "interactions"), _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = mapping(entry, "request"), mapping(entry, "response")
    return Exchange(
        method=text(request, "method"),
        url=text(request, "url"),
        request_headers=headers_of(request.get("headers")),
        request_body=data_of(request.get("body"), "the request's body"),
        status=number(response, "code"),
        response_headers=headers_of(response.get("headers")),
        response_body=data_of(response.get("body"), "the response's body"),
        opened=response.get("uncompressed") is True,
    )
