"""Reads go-vcr's cassettes, versions 1 and 2: `interactions` whose requests have a `url`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    encode_body,
    read_each,
    read_headers,
    read_list,
    read_number,
    read_object,
    read_text,
)

EXPECTED = "`interactions` whose requests have a `url`"


def recognise(document: Any) -> bool:
    match document:
        case {"interactions": list(entries)}:
            return any(map(_is_entry, entries))
    return False


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"request": {"url": _}, "response": {"code": _}}:
            return True
    return False


def read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(read_list(document, "interactions"), _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    return Exchange(
        method=read_text(request, "method"),
        url=read_text(request, "url"),
        request_headers=read_headers(request.get("headers")),
        request_body=encode_body(request.get("body"), "the request's body"),
        status=read_number(response, "code"),
        response_headers=read_headers(response.get("headers")),
        response_body=encode_body(response.get("body"), "the response's body"),
        decompressed=response.get("uncompressed") is True,
    )
