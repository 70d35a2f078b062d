"""The JSON Schema of an interaction's file, for editors.

The keys of each mapping are those that the reader accepts. The schema cannot express that the
operation and the model fit the path, that a body is encodable, and that binary files exist;
`bedtape cassette check` reports these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_cassettes.format.document_reader import (
    BODY_FORMS,
    DUPLEX_VERSION,
    EVENT_KEYS,
    PAYLOAD_FORMS,
    REQUEST_KEYS,
    RESPONSE_KEYS,
    TOP_KEYS,
    VERSION,
)
from bedtape_cassettes.model import ENDINGS, LONGEST_MS

_Schema = dict[str, Any]


def _describe(schema: _Schema, description: str) -> _Schema:
    return {**schema, "description": description}


def _whole(pattern: str) -> _Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _object(
    keys: Sequence[str], properties: _Schema, required: Sequence[str], forms: Sequence[str]
) -> _Schema:
    """forms: keys of which a mapping has at most one."""
    pairs = [[one, other] for at, one in enumerate(forms) for other in forms[at + 1 :]]
    schema: _Schema = {
        "type": "object",
        "properties": {key: properties[key] for key in keys},
        "required": list(required),
        "additionalProperties": False,
    }
    return schema | ({"not": {"anyOf": [{"required": pair} for pair in pairs]}} if pairs else {})


_TEXT: _Schema = {"type": "string", "minLength": 1}
_FLAG: _Schema = {"type": "boolean"}
_MS: _Schema = {"type": "integer", "minimum": 0, "maximum": LONGEST_MS}
_NAME, _VALUE = _whole("[!#$%&'*+.^_`|~0-9A-Za-z-]+"), _whole(r"[^\r\n\u0000]*")


def _make_headers(name: _Schema, value: _Schema, description: str) -> _Schema:
    pair = {"type": "array", "prefixItems": [name, value], "items": False, "minItems": 2}
    mapping = {"type": "object", "propertyNames": name, "additionalProperties": value}
    return {"anyOf": [mapping, {"type": "array", "items": pair}], "description": description}


_HEADERS = _make_headers(
    _NAME,
    _VALUE,
    "A mapping, or a list of [name, value] if names repeat or if case and order matter.",
)
_FRAME_HEADERS = _make_headers(
    _TEXT,
    {"type": "string", "maxLength": 32767},
    "Headers of the frame, if they are not the usual ones.",
)
_FILES = _describe(
    {"type": "array", "items": _whole(r"[0-9a-f]{32}\.[a-z0-9]{2,4}")},
    "The binary files beside this file whose contents belong here in base64.",
)
_PAYLOADS: _Schema = {
    "json": {"description": "The parsed value; compact serialisation gives the recorded bytes."},
    "text": {"type": "string", "description": "The bytes as UTF-8."},
    "base64": {
        "type": "string",
        "pattern": "^[A-Za-z0-9+/]*={0,2}$",
        "description": "Any other bytes.",
    },
    "bytes": {
        "description": 'The decoded JSON inside {"bytes": "<base64>"}: a chunk of InvokeModel.'
    },
    "data": {"description": "The JSON of a server-sent data: line."},
}
_EVENT: _Schema = {
    "at_ms": _describe(_MS, "Milliseconds from the response's head to the event."),
    "type": _describe(_TEXT, "The name of the event."),
    "exception": _describe(_TEXT, "The name of the exception that ends the stream."),
    "headers": _FRAME_HEADERS,
    "padding": _describe(
        _FLAG, "false: the recorded event had no padding among events with padding."
    ),
    **_PAYLOADS,
}
_EVENTS: _Schema = {
    "type": "array",
    "items": _object(EVENT_KEYS, _EVENT, (), ("type", "exception", "headers"))
    | {"oneOf": [{"required": [form]} for form in PAYLOAD_FORMS]},
    "minItems": 1,
}
_REQUEST: _Schema = {
    "method": _describe(_whole("[A-Z][A-Z-]{0,31}"), "The HTTP method, in capitals."),
    "path": _describe(_whole("/[!-~]*"), "The path as sent: percent-encoded, with the query."),
    "headers": _HEADERS,
    "files": _FILES,
    **_PAYLOADS,
    "events": {**_EVENTS, "description": "The client's events in a bidirectional stream."},
}
_RESPONSE: _Schema = {
    "status": {
        "type": "integer",
        "minimum": 200,
        "maximum": 599,
        "description": "The HTTP status.",
    },
    "after_ms": _describe(_MS, "Milliseconds from the request to the response's head."),
    "ends": {
        "type": "string",
        "enum": list(ENDINGS),
        "description": "How the service ended the answer early.",
    },
    "headers": _HEADERS,
    "files": _FILES,
    "padding": _describe(_FLAG, "false: the recorded stream had no padding, so replay adds none."),
    **_PAYLOADS,
    "events": {**_EVENTS, "description": "A stream, a list of events."},
}
_TOP: _Schema = {
    "bedtape": {
        "enum": [VERSION, DUPLEX_VERSION],
        "description": f"The version of this format: {DUPLEX_VERSION} if the request has events.",
    },
    "operation": _describe(_TEXT, "The operation of the path, for readers."),
    "model": _describe(_TEXT, "The model of the path, for readers."),
    "region": _describe(
        _whole("[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"), "The AWS region that answered. Not matched."
    ),
    "service": {
        "enum": [RUNTIME, MANTLE],
        "description": "The service that answered, if two have the path. Not matched.",
    },
    "exact": _describe(_FLAG, "true: the response is kept byte for byte and header for header."),
    "partial": _describe(_FLAG, "true: the recording was cut, and is not replayed."),
    "request": _object(REQUEST_KEYS, _REQUEST, ("method", "path"), (*BODY_FORMS, "events")),
    "response": _object(RESPONSE_KEYS, _RESPONSE, ("status",), (*BODY_FORMS, "events")),
}

CASSETTE: _Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://json.schemastore.org/bedtape-cassette.json",
    "title": "bedtape cassette",
    **_object(TOP_KEYS, _TOP, ("bedtape", "request", "response"), ()),
}
