"""Reads cassettes of VCR.py, Ruby VCR (R's vcr too) and go-vcr, and recordings
of the Datadog test agent.

The four differ in the names of members and in the forms of a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    ImportFormat,
    SkippedEntry,
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
from bedtape_cassettes.format.bodies import compact

_BASE64 = "base64:"
_Side = dict[str, Any]


def _exchange(
    entry: Any,
    url: str,
    read_status: Callable[[_Side], int],
    read_body: Callable[[_Side, str], bytes],
) -> Exchange:
    """Reads `request` and `response`. url: the member with the URL. read_body: reads a body."""
    request, response = read_object(entry, "request"), read_object(entry, "response")
    return Exchange(
        method=read_text(request, "method"),
        url=read_text(request, url),
        request_headers=read_headers(request.get("headers")),
        request_body=read_body(request, "the request's body"),
        status=read_status(response),
        response_headers=read_headers(response.get("headers")),
        response_body=read_body(response, "the response's body"),
    )


# -- VCR.py: a body is text, `!!binary`, `base64_string`, or `parsed_body`, which users write for re


def _is_vcrpy(document: Any) -> bool:
    match document:
        case {"interactions": []} | {"requests": list(), "responses": list()}:
            return True
        case {"interactions": list(entries)}:
            return any("uri" in _request(entry) for entry in entries)
    return False


def _request(entry: Any) -> _Side:
    request = entry.get("request") if isinstance(entry, dict) else None
    return request if isinstance(request, dict) else {}


def _read_vcrpy(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        match document:
            case {"interactions": list(entries)}:
                yield from read_each(entries, read_vcrpy_entry)
            case {"requests": list(requests), "responses": list(responses)}:
                pairs = zip(requests, responses, strict=False)
                entries = [
                    {"request": request, "response": response} for request, response in pairs
                ]
                yield from read_each(entries, read_vcrpy_entry)
                if len(requests) != len(responses):
                    reason = (
                        f"expected a response for each request, found {len(responses)} for"
                        f" {len(requests)}"
                    )
                    yield SkippedEntry(len(entries) + 1, reason)


def read_vcrpy_entry(entry: Any) -> Exchange:
    """Reads an entry of VCR.py's file, or an object of the same form. Raises Unusable."""
    exchange = _exchange(entry, "uri", _vcrpy_status, _vcrpy_body)
    return replace(exchange, rewritten="parsed_body" in entry["response"])


def _vcrpy_status(response: _Side) -> int:
    if "status_code" in response:  # written by its recorder for httpx
        return read_number(response, "status_code")
    return read_number(read_object(response, "status"), "code")


def _vcrpy_body(side: _Side, name: str) -> bytes:
    if "parsed_body" in side:
        try:
            return compact(side["parsed_body"])
        except (TypeError, ValueError):
            raise Unusable(f"expected {name} to be JSON, found what JSON cannot hold") from None
    body = side.get("body", side.get("content"))
    if isinstance(body, dict):
        if "base64_string" in body:
            return decode_base64(body["base64_string"], name)
        body = body.get("string")
    return encode_body(body, name)


# -- Ruby VCR: bodies with an encoding -------------------------------------------------------------


def _read_ruby(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(read_list(document, "http_interactions"), _ruby_exchange)


def _ruby_exchange(entry: Any) -> Exchange:
    exchange = _exchange(entry, "uri", _ruby_status, _ruby_body)
    return replace(exchange, method=exchange.method.upper())


def _ruby_status(response: _Side) -> int:
    status = response.get("status")
    return (
        read_number(status, "code") if isinstance(status, dict) else read_number(response, "status")
    )


def _ruby_body(side: _Side, name: str) -> bytes:
    body = side.get("body")
    match body:
        case {"base64_string": encoded}:
            return decode_base64(encoded, name)
        case {"raw_gzip": _} | {"file": _, "string": None}:
            raise Unusable(
                f"expected {name} in the file, found it kept elsewhere; record with it in the"
                " cassette"
            )
        case {"string": text}:
            return encode_body(text, name)
        case dict():
            return b""
    return encode_body(body, name)


# -- go-vcr, versions 1 and 2 ----------------------------------------------------------------------


def _is_go(document: Any) -> bool:
    match document:
        case {"interactions": list(entries)}:
            return any(map(_is_go_entry, entries))
    return False


def _is_go_entry(entry: Any) -> bool:
    match entry:
        case {"request": {"url": _}, "response": {"code": _}}:
            return True
    return False


def _read_go(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(read_list(document, "interactions"), _go_exchange)


def _go_exchange(entry: Any) -> Exchange:
    exchange = _exchange(
        entry, "url", lambda response: read_number(response, "code"), _read_plain_body
    )
    return replace(exchange, decompressed=entry["response"].get("uncompressed") is True)


def _read_plain_body(side: _Side, name: str) -> bytes:
    return encode_body(side.get("body"), name)


# -- Datadog: one exchange per JSON file, binary bodies after `base64:` ----------------------------


def _is_datadog(document: Any) -> bool:
    match document:
        case {"request": {"method": _, "url": _}, "response": {"status": {"code": _}}}:
            return True
    return False


def _datadog_exchange(entry: Any) -> Exchange:
    return _exchange(
        entry, "url", lambda side: read_number(read_object(side, "status"), "code"), _datadog_body
    )


def _datadog_body(side: _Side, name: str) -> bytes:
    body = side.get("body")
    if isinstance(body, str) and body.startswith(_BASE64):
        return decode_base64(body.removeprefix(_BASE64), name)
    return encode_body(body, name)


VCRPY = ImportFormat(
    "VCR.py",
    "`interactions` whose requests have a `uri`, or `requests` and `responses`",
    _is_vcrpy,
    _read_vcrpy,
)
RUBY_VCR = ImportFormat(
    "Ruby VCR",
    "`http_interactions`",
    lambda document: (
        isinstance(document, dict) and isinstance(document.get("http_interactions"), list)
    ),
    _read_ruby,
)
GO_VCR = ImportFormat("go-vcr", "`interactions` whose requests have a `url`", _is_go, _read_go)
DATADOG = ImportFormat(
    "the Datadog test agent",
    "one `request` with a `url` and one `response` with `status.code`",
    _is_datadog,
    lambda documents: read_each(documents, _datadog_exchange),
)
