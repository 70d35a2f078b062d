"""Converts the values of the history to JSON values, for reports and the control API."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite

from bedtape_cassettes.families.content import ToolResult, Turn, Usage
from bedtape_cassettes.model import JsonValue


def make_json_safe(value: object) -> JsonValue:
    """Convert a value to a JSON value.

    Lone surrogates are replaced, because JSON escapes can contain them but UTF-8 cannot. Infinities
    and NaN become strings, bytes become base64, and unknown types become their `str()`.
    """
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
            return make_json_safe(asdict(value))
        case Mapping():
            return {
                str(make_json_safe(str(key))): make_json_safe(member)
                for key, member in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [make_json_safe(item) for item in value]
    return make_json_safe(str(value))


def render_body(body: bytes) -> dict[str, JsonValue]:
    """Return a body as the members body and body_base64.

    A UTF-8 body is text in body. Other bytes are base64 in body_base64. The unused member is null.
    """
    try:
        return {"body": body.decode(), "body_base64": None}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": b64encode(body).decode()}
