"""Reads HAR of Polly.js and browsers: `log.entries`, with decompressed bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    ImportFormat,
    Unusable,
    decode_base64,
    encode_body,
    path_of,
    read_each,
    read_headers,
    read_list,
    read_number,
    read_object,
    read_text,
)
from bedtape_cassettes.model import LONGEST_MS, Headers


def _recognise(document: Any) -> bool:
    match document:
        case {"log": {"entries": list()}}:
            return True
    return False


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        yield from read_each(read_list(read_object(document, "log"), "entries"), _exchange)


def _exchange(entry: Any) -> Exchange:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    method, url = read_text(request, "method"), read_text(request, "url")
    path_of(method, url)  # raises first for other hosts, so that their defects are not reported
    status = read_number(response, "status")
    if not status:
        raise Unusable("expected a response, found none: the request was aborted")
    return Exchange(
        method=method,
        url=url,
        request_headers=_headers(request),
        request_body=_read_request_body(request.get("postData")),
        status=status,
        response_headers=_headers(response),
        response_body=_content(response.get("content") or {}),
        after_ms=_read_delay(entry.get("timings")),
        decompressed=True,
    )


def _headers(side: dict[str, Any]) -> Headers:
    """Reads headers without the pseudo-headers of HTTP/2 (`:authority`)."""
    return tuple(
        (name, value)
        for name, value in read_headers(side.get("headers"))
        if not name.startswith(":")
    )


def _read_request_body(posted: Any) -> bytes:
    if posted is None:
        return b""
    return _bytes(posted, "the request's body")


def _content(content: Any) -> bytes:
    size = content.get("size") if isinstance(content, dict) else None
    if isinstance(content, dict) and "text" not in content and isinstance(size, int) and size > 0:
        raise Unusable(
            f"expected the response's body, found its size alone ({size}); save the HAR with"
            " content"
        )
    return _bytes(content, "the response's body")


def _bytes(holder: Any, what: str) -> bytes:
    if not isinstance(holder, dict):
        raise Unusable(f"expected {what} in an object, found something else")
    given = holder.get("text")
    chunks = _chunks(given)
    if holder.get("encoding") == "base64":
        return (
            b"".join(decode_base64(chunk, what) for chunk in chunks)
            if chunks
            else decode_base64(given, what)
        )
    if holder.get("_isBinary") is True and chunks:  # Polly before 5
        return _from_hex(chunks, what)
    return encode_body(given, what)


def _chunks(given: Any) -> list[str]:
    """Returns the chunks of Polly's JSON list, or an empty list for other text.

    Base64 cannot begin like the list.
    """
    if not (isinstance(given, str) and given.startswith('["')):
        return []
    try:
        chunks = json.loads(given)
    except ValueError:
        return []
    return chunks if all(isinstance(chunk, str) for chunk in chunks) else []


def _from_hex(chunks: list[str], what: str) -> bytes:
    try:
        return b"".join(map(bytes.fromhex, chunks))
    except ValueError:
        raise Unusable(f"expected {what} in hexadecimal chunks, found something else") from None


def _read_delay(timings: Any) -> int:
    """Returns the milliseconds from the request's end to the response's head, or 0."""
    wait = timings.get("wait") if isinstance(timings, dict) else None
    if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_MS:
        return 0
    return round(wait)


HAR = ImportFormat("Polly.js, browsers", "`log.entries`", _recognise, _read_exchanges)
