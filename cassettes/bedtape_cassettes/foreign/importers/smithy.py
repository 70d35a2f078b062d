"""Reads recordings of the AWS SDK for Rust: the network traffic that the dvr client of
Smithy's test utilities writes.

The events of a connection are its request, its response, and the data of both.
"""

from __future__ import annotations

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


def _recognise(document: Any) -> bool:
    match document:
        case {"events": [{"connection_id": _, "action": dict()}, *_]}:
            return True
    return False


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    for document in documents:
        connections: dict[Any, list[Any]] = {}
        for event in read_list(document, "events"):
            number = event.get("connection_id") if isinstance(event, dict) else None
            connections.setdefault(number if isinstance(number, int) else None, []).append(event)
        yield from read_each(connections.values(), _exchange)


def _exchange(events: list[Any]) -> Exchange:
    actions: dict[str, Any] = {}
    data = {"Request": b"", "Response": b""}
    for event in events:
        for name, value in read_object(event, "action").items():
            if name == "Data":
                data[_read_direction(value)] += _read_data(read_object(value, "data"))
            else:
                actions[name] = value
    request = read_object(read_object(actions, "Request"), "request")
    method, url = read_text(request, "method"), read_text(request, "uri")
    path_of(method, url)  # raises first for other hosts, so that their defects are not reported
    response = read_object(read_object(actions, "Response"), "response")
    if "Err" in response:
        raise Unusable("expected a response, found none: the connection failed")
    answer = read_object(response, "Ok")
    return Exchange(
        method=method,
        url=url,
        request_headers=read_headers(request.get("headers")),
        request_body=data["Request"],
        status=read_number(answer, "status"),
        response_headers=read_headers(answer.get("headers")),
        response_body=data["Response"],
    )


def _read_direction(value: Any) -> str:
    direction = read_text(value, "direction")
    if direction not in ("Request", "Response"):
        raise Unusable(f"expected `direction` to be Request or Response, found {direction!r}")
    return direction


def _read_data(data: dict[str, Any]) -> bytes:
    if "Base64" in data:
        return decode_base64(data["Base64"], "the data")
    return encode_body(data.get("Utf8"), "the data")


SMITHY = ImportFormat(
    "AWS SDK for Rust", "`events` with `connection_id` and `action`", _recognise, _read_exchanges
)
