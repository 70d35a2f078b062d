"""Reads VCR.py's cassettes, YAML or JSON: `interactions`, or `requests` and `responses` side by side.

A body is text, `!!binary`, `base64_string`, or `parsed_body`, which users of pytest-recording write for reviews.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    Skipped,
    Unusable,
    decode_base64,
    encode_body,
    read_each,
    read_headers,
    read_number,
    read_object,
    read_text,
)
from bedtape_cassettes.format.bodies import compact

EXPECTED = "`interactions` whose requests have a `uri`, or `requests` and `responses`"


def recognise(document: Any) -> bool:
    match document:
        case {"interactions": []} | {"requests": list(), "responses": list()}:
            return True
        case {"interactions": list(entries)}:
            return any(map(_is_entry, entries))
    return False


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"request": {"uri": _}}:
            return True
    return False


def read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        match document:
            case {"interactions": list(entries)}:
                yield from read_each(entries, _exchange)
            case {"requests": list(requests), "responses": list(responses)}:
                entries = [
                    {"request": request, "response": response}
                    for request, response in zip(requests, responses, strict=False)
                ]
                yield from read_each(entries, _exchange)
                if len(requests) != len(responses):
                    reason = f"expected a response for each request, found {len(responses)} for {len(requests)}"
                    yield Skipped(len(entries) + 1, reason)


def _exchange(entry: Any) -> Exchange:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    answered, rewritten = _body(response, "response")
    return Exchange(
        method=read_text(request, "method"),
        url=read_text(request, "uri"),
        request_headers=read_headers(request.get("headers")),
        request_body=_body(request, "request")[0],
        status=_status(response),
        response_headers=read_headers(response.get("headers")),
        response_body=answered,
        rewritten=rewritten,
    )


def _status(response: dict[str, Any]) -> int:
    if "status_code" in response:  # written by its recorder for httpx
        return read_number(response, "status_code")
    return read_number(read_object(response, "status"), "code")


def _body(side: dict[str, Any], name: str) -> tuple[bytes, bool]:
    """Returns the body, and whether the recorder parsed it, so that it is serialised again."""
    what = f"the {name}'s body"
    if "parsed_body" in side:
        try:
            return compact(side["parsed_body"]), True
        except (TypeError, ValueError):
            raise Unusable(f"expected {what} to be JSON, found what JSON cannot hold") from None
    body = side.get("body", side.get("content"))
    if isinstance(body, dict):
        if "base64_string" in body:
            return decode_base64(body["base64_string"], what), False
        body = body.get("string")
    return encode_body(body, what), False
