"""Any value of the history in what JSON has, for reports and the control API. Never raises."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite

from bedtape_cassettes.families.content import ToolResult, Turn, Usage
from bedtape_cassettes.model import JsonValue

__all__ = ["plain", "shown_body"]


def plain(value: object) -> JsonValue:
    """The value in what JSON has: no lone surrogates, which JSON escapes can spell and UTF-8 cannot, and no infinities."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if isfinite(value) else str(value)
        case str():
            return value.encode(errors="replace").decode()
        case bytes():
            return b64encode(value).decode()
        case Turn() | ToolResult() | Usage():
            return plain(asdict(value))
        case Mapping():
            return {str(plain(str(key))): plain(member) for key, member in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
    return plain(str(value))


def shown_body(body: bytes) -> dict[str, JsonValue]:
    """A body as text under `body`, or where it is no UTF-8, under `body_base64`; the other is null."""
    try:
        return {"body": body.decode(), "body_base64": None}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": b64encode(body).decode()}
