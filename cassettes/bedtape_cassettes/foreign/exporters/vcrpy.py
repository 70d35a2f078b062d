"""Renders a cassette as VCR.py's YAML, version 1, with binary bodies as `!!binary`."""

from __future__ import annotations

from typing import Any

import yaml

from bedtape_cassettes.foreign.wire_bytes import WireExchange, render_exchanges
from bedtape_cassettes.model import Cassette, Headers

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def render_vcrpy(cassette: Cassette, region: str) -> bytes:
    """Returns the bytes of the file."""
    document = {
        "interactions": [_interaction(exchange) for exchange in render_exchanges(cassette, region)],
        "version": 1,
    }
    dumped: bytes = yaml.dump(
        document, Dumper=_DUMPER, encoding="utf-8", allow_unicode=True, sort_keys=False
    )
    return dumped


def _interaction(exchange: WireExchange) -> dict[str, Any]:
    return {
        "request": {
            "method": exchange.method,
            "uri": exchange.url,
            "headers": _headers(exchange.request_headers),
            "body": _body(exchange.request_body) or None,
        },
        "response": {
            "status": {"code": exchange.status, "message": exchange.reason},
            "headers": _headers(exchange.response_headers),
            "body": {"string": _body(exchange.response_body)},
        },
    }


def _headers(headers: Headers) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return values


def _body(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
