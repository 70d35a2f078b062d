"""Converts MockServer's expectations, one or a list, to rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    ImportFormat,
    Rule,
    decode_base64,
    encode_body,
    read_each,
    read_headers,
    read_number,
    read_object,
)
from bedtape_cassettes.foreign.to_rule import (
    When,
    as_glob,
    as_json,
    as_regex,
    match_body,
    match_path,
    reject,
    render_raw,
)
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import LARGEST_COUNT
from bedtape_cassettes.model import JsonValue

_UNSUPPORTED = (
    "cookies",
    "queryStringParameters",
    "pathParameters",
    "socketAddress",
    "specUrlOrPayload",
    "not",
)
_REGULAR = set("\\()[]{}|+*?^$")


def _recognise(document: Any) -> bool:
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, dict) and "httpRequest" in first


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    entries = [
        entry
        for document in documents
        for entry in (document if isinstance(document, list) else [document])
    ]
    yield from read_each(sorted(entries, key=_priority), _rule)


def _priority(entry: Any) -> int:
    priority = entry.get("priority") if isinstance(entry, dict) else None
    return -priority if isinstance(priority, int) else 0


def _rule(entry: Any) -> Rule:
    request = read_object(entry, "httpRequest")
    if "httpResponse" not in entry:
        raise reject("an answer that is not `httpResponse`")
    response = read_object(entry, "httpResponse")
    for key in _UNSUPPORTED:
        if request.get(key):
            raise reject(f"a condition on {key}")
    notes: list[str] = []
    when = {
        **_path(request),
        **_headers(request.get("headers")),
        **_body(request.get("body"), notes),
    }
    if response.get("delay"):
        notes.append("its delay is left out; use a fault with `latency`")
    status = read_number(response, "statusCode") if "statusCode" in response else 200
    answer = render_raw(
        status, read_headers(response.get("headers")), _read_answer(response.get("body"))
    )
    layer: dict[str, JsonValue] = {"when": when} if when else {}
    return Rule({**layer, "answer": answer, **_times(entry.get("times"))}, tuple(notes))


def _path(request: dict[str, Any]) -> When:
    method, path = request.get("method") or "ANY", request.get("path") or ".*"
    if not isinstance(method, str) or not isinstance(path, str):
        raise reject("a condition on method or path that is not text")
    return match_path(method, path, pattern=bool(_REGULAR & set(path)))


def _headers(given: Any) -> When:
    globs: dict[str, JsonValue] = {}
    for name, value in read_headers(given):
        if name.startswith("!") or _REGULAR & set(value) - {"+"} or name in globs:
            raise reject(f"the condition on the header {name!r}")
        globs[name] = as_glob(value)
    return {"header": globs} if globs else {}


def _body(given: Any, notes: list[str]) -> When:
    match given:
        case None | "":
            return {}
        case {"not": True} | {"optional": True}:
            raise reject("a body that must not, or need not, be there")
        case {"type": "JSON", "json": value, **more}:
            return _json(value, notes, strict=more.get("matchType") == "STRICT")
        case {"type": "STRING", "string": str(part), "subString": True}:
            notes.append(
                "`subString` looks at the system prompt and messages, not at the body's JSON"
            )
            return {"text_contains": part}
        case {"type": "REGEX", "regex": str(regex)}:
            notes.append("`regex` looks at the system prompt and messages, not at the body's JSON")
            return {"text_regex": as_regex(regex)}
        case {"type": "STRING", "string": value} | (str() as value):
            return _json(value, notes, strict=True)
        case {"type": str(kind)}:
            raise reject(f"a condition of type {kind} on the body")
    return _json(given, notes, strict=False)


def _json(value: Any, notes: list[str], *, strict: bool) -> When:
    if strict:
        notes.append("the body may have more members than the expectation's")
    return match_body(as_json(value, "the body"), deep=not strict)


def _read_answer(body: Any) -> bytes:
    match body:
        case None | str():
            return encode_body(body, "the response's body")
        case {"type": "BINARY", "base64Bytes": given}:
            return decode_base64(given, "base64Bytes")
        case {"type": "STRING", "string": given}:
            return encode_body(given, "the response's body")
        case {"type": "JSON", "json": given}:
            return compact(as_json(given, "the response's body"))
    return compact(as_json(body, "the response's body"))


def _times(times: Any) -> dict[str, JsonValue]:
    """Return the rule's key `times`; nothing for a count that is too large to be reached."""
    match times:
        case {"unlimited": True} | None:
            return {}
        case {"remainingTimes": int(count)} if count is not True and 0 < count <= LARGEST_COUNT:
            return {"times": count}
    return {}


MOCKSERVER = ImportFormat(
    "MockServer",
    "`httpRequest` and `httpResponse`, one expectation or a list",
    _recognise,
    _read_exchanges,
)
