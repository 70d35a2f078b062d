"""Renders a cassette as HAR 1.2.

HAR requires the start time of each exchange, which cassettes do not contain.
The exports use the epoch.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bedtape_cassettes.foreign.wire_bytes import WireExchange, render_exchanges
from bedtape_cassettes.format.document_reader import VERSION
from bedtape_cassettes.model import Cassette, Headers

_UNKNOWN = "1970-01-01T00:00:00.000Z"


def render_har(cassette: Cassette, region: str) -> bytes:
    """Returns the bytes of the file."""
    creator = {"name": "bedtape", "version": str(VERSION)}
    entries = [_entry(exchange) for exchange in render_exchanges(cassette, region)]
    log = {"version": "1.2", "creator": creator, "entries": entries, "comment": cassette.name}
    return json.dumps({"log": log}, indent=2, ensure_ascii=False).encode() + b"\n"


def _entry(exchange: WireExchange) -> dict[str, Any]:
    common: dict[str, Any] = {"httpVersion": "HTTP/1.1", "cookies": [], "headersSize": -1}
    request = common | {
        "method": exchange.method,
        "url": exchange.url,
        "headers": _headers(exchange.request_headers),
        "queryString": _render_pairs(
            parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True)
        ),
        "bodySize": len(exchange.request_body),
    }
    if exchange.request_body:
        request["postData"] = _render_content(exchange.request_body, exchange.request_headers)
    response = common | {
        "status": exchange.status,
        "statusText": exchange.reason,
        "headers": _headers(exchange.response_headers),
        "content": {
            "size": len(exchange.response_body),
            **_render_content(exchange.response_body, exchange.response_headers),
        },
        "redirectURL": "",
        "bodySize": len(exchange.response_body),
    }
    return {
        "startedDateTime": _UNKNOWN,
        "time": exchange.after_ms,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": exchange.after_ms, "receive": 0},
    }


def _headers(headers: Headers) -> list[dict[str, str]]:
    return _render_pairs(list(headers))


def _render_pairs(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _render_content(data: bytes, headers: Headers) -> dict[str, str]:
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    try:
        return {"mimeType": kind, "text": data.decode()}
    except UnicodeDecodeError:
        return {"mimeType": kind, "text": b64encode(data).decode(), "encoding": "base64"}
