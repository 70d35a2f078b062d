"""Reads nock's recordings: the JSON list that its recorder and nock-back write as objects.

nock parses JSON bodies. Binary bodies are hexadecimal, compressed ones a
list of hexadecimal chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    ImportFormat,
    Unusable,
    encode_body,
    path_of,
    read_each,
    read_headers,
    read_number,
    read_text,
)
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Headers


def _recognise(document: Any) -> bool:
    match document:
        case [{"scope": str(), "method": str(), "path": str(), "status": _}, *_]:
            return True
    return False


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(document, _exchange)


def _exchange(entry: Any) -> Exchange:
    method, url = read_text(entry, "method"), read_text(entry, "scope") + read_text(entry, "path")
    path_of(method, url)  # raises first for other hosts, so that their defects are not reported
    response = entry.get("response")
    return Exchange(
        method=method,
        url=url,
        request_headers=read_headers(entry.get("reqheaders")),
        request_body=_read_body(entry.get("body"), "the request's body"),
        status=read_number(entry, "status"),
        response_headers=_read_pairs(entry.get("rawHeaders", entry.get("headers"))),
        response_body=_read_response(response, binary=entry.get("responseIsBinary") is True),
        rewritten=isinstance(response, dict),
    )


def _read_pairs(headers: Any) -> Headers:
    """Reads names and values in turn, as Node lists them, or headers by name."""
    if (
        isinstance(headers, list)
        and len(headers) % 2 == 0
        and all(isinstance(one, str) for one in headers)
    ):
        return tuple(zip(headers[::2], headers[1::2], strict=True))
    return read_headers(headers)


def _read_body(value: Any, what: str) -> bytes:
    return compact(value) if isinstance(value, dict | list) else encode_body(value, what)


def _read_response(value: Any, *, binary: bool) -> bytes:
    what = "the response's body"
    if isinstance(value, list) and value and all(isinstance(chunk, str) for chunk in value):
        return b"".join(_from_hex(chunk, what) for chunk in value)
    return _from_hex(value, what) if binary else _read_body(value, what)


def _from_hex(value: Any, what: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise Unusable(f"expected {what} in hexadecimal, found something else") from None


NOCK = ImportFormat(
    "nock",
    "a list of objects with `scope`, `method`, `path` and `status`",
    _recognise,
    _read_exchanges,
)
