"""Reads mitmproxy's flow files (`mitmdump -w`) without mitmproxy."""

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
    read_object,
    read_text,
)
from bedtape_cassettes.model import LONGEST_MS, Headers


def _recognise(document: Any) -> bool:
    match document:
        case {"version": int(), "type": str() | bytes(), "client_conn": _}:
            return True
    return False


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    yield from read_each(documents, _exchange)


def _exchange(flow: Any) -> Exchange:
    if read_text(flow, "type") != "http":
        raise Unusable(f"a flow of type {read_text(flow, 'type')}, not of HTTP", foreign=True)
    request = read_object(flow, "request")
    method, url = read_text(request, "method"), _url(request)
    path_of(method, url)  # raises first for other hosts, so that their defects are not reported
    if flow.get("response") is None:
        raise Unusable(
            "expected a response, found none: the connection broke, or mitmproxy was stopped"
        )
    response = read_object(flow, "response")
    if isinstance(error := flow.get("error"), dict):
        raise Unusable(
            f"expected a whole response, found one that was cut: {read_text(error, 'msg')}"
        )
    if response.get("content") is None:
        raise Unusable(
            "expected the response's body, found it streamed past; set store_streamed_bodies=true"
        )
    return Exchange(
        method=method,
        url=url,
        request_headers=_headers(request),
        request_body=encode_body(request.get("content"), "the request's body"),
        status=read_number(response, "status_code"),
        response_headers=_headers(response),
        response_body=encode_body(response["content"], "the response's body"),
        after_ms=_read_delay(request, response),
    )


def _headers(side: dict[str, Any]) -> Headers:
    return tuple(
        (name, value)
        for name, value in read_headers(side.get("headers"))
        if not name.startswith(":")
    )


def _url(request: dict[str, Any]) -> str:
    """Returns the URL of the server, because in reverse mode the client's URL is the proxy's."""
    return (
        f"{read_text(request, 'scheme')}://{read_text(request, 'host')}{read_text(request, 'path')}"
    )


def _read_delay(request: dict[str, Any], response: dict[str, Any]) -> int:
    match request.get("timestamp_end"), response.get("timestamp_start"):
        case float(sent), float(came) if 0 <= came - sent <= LONGEST_MS / 1000:
            return round((came - sent) * 1000)
    return 0


MITMPROXY = ImportFormat(
    "mitmproxy", "flows as `mitmdump -w` writes them", _recognise, _read_exchanges
)
