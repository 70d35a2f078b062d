"""Reads WireMock's stub mappings, JSON or YAML.

Mappings with a whole request are recordings, others become rules.

A mapping with its body in another file is skipped, because this module opens no files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bedtape_cassettes.foreign.exchange import (
    Entry,
    Exchange,
    ImportFormat,
    Rule,
    Unusable,
    decode_base64,
    encode_body,
    read_each,
    read_headers,
    read_list,
    read_number,
    read_object,
    render_value,
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
from bedtape_cassettes.model import JsonValue

_EXACT = ("url", "urlPath")
_PATTERNS = ("urlPattern", "urlPathPattern", "urlPathTemplate")
_USUAL_PRIORITY = 5


def _recognise(document: Any) -> bool:
    match document:
        case {"mappings": list()}:
            return True
        case {"request": dict(request), "response": {"status": int() | str()}}:
            return any(key in request for key in (*_EXACT, *_PATTERNS)) or request.keys() <= {
                "method"
            }
    return False


def _read_exchanges(documents: list[Any]) -> Iterator[Entry]:
    yield from read_each(_in_order(list(_mappings(documents))), _read_mapping)


def _mappings(documents: list[Any]) -> Iterator[Any]:
    for document in documents:
        match document:
            case {"mappings": list(mappings)}:
                yield from mappings
            case _:
                yield document


def _in_order(mappings: list[Any]) -> list[Any]:
    """Sorts by priority. Mappings of a scenario follow its first mapping, sorted by state."""
    first: dict[str, int] = {}

    def order(place: int, entry: Any) -> tuple[int, int, int]:
        entry = entry if isinstance(entry, dict) else {}
        priority = entry.get("priority")
        scenario = str(entry.get("scenarioName") or place)
        state = re.search(r"(\d{1,6})\Z", str(entry.get("requiredScenarioState") or "Started"))
        known = priority if isinstance(priority, int) else _USUAL_PRIORITY
        return known, first.setdefault(scenario, place), int(state[1]) if state else 0

    ordered = sorted((order(place, entry), place) for place, entry in enumerate(mappings))
    return [mappings[place] for _, place in ordered]


def _read_mapping(entry: Any) -> Exchange | Rule:
    request, response = read_object(entry, "request"), read_object(entry, "response")
    if "fault" in response or response.get("transformers"):
        raise reject("a fault or a template as the answer")
    return _read_exchange(entry, request, response) or _rule(entry, request, response)


# -- recordings ------------------------------------------------------------------------------------


def _read_exchange(
    entry: Any, request: dict[str, Any], response: dict[str, Any]
) -> Exchange | None:
    """Returns the exchange, or `None` if the mapping does not specify the whole request."""
    url = next((request[key] for key in _EXACT if isinstance(request.get(key), str)), None)
    method = request.get("method")
    body = _whole_body(entry, request)
    if url is None or not isinstance(method, str) or method == "ANY" or body is None:
        return None
    answered, rewritten = _read_answer(response)
    return Exchange(
        method=method,
        url=url,
        request_headers=_read_request_headers(request),
        request_body=body,
        status=read_number(response, "status"),
        response_headers=read_headers(response.get("headers")),
        response_body=answered,
        rewritten=rewritten,
    )


def _whole_body(entry: Any, request: dict[str, Any]) -> bytes | None:
    match request.get("bodyPatterns"):
        case None | []:
            return b"" if request.get("method") == "GET" else None
        case [{"equalToJson": given, **more}]:
            if more.get("ignoreExtraElements") is True and entry.get("persistent") is not True:
                return None  # a hand-written condition on a part of the request
            return compact(as_json(given, "equalToJson"))
        case [{"equalTo": str(given)}]:
            return encode_body(given, "equalTo")
        case [{"binaryEqualTo": given}]:
            return decode_base64(given, "binaryEqualTo")
    return None


def _read_request_headers(request: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = request.get("headers")
    given = headers.items() if isinstance(headers, dict) else ()
    return tuple(
        (n, m["equalTo"])
        for n, m in given
        if isinstance(m, dict) and isinstance(m.get("equalTo"), str)
    )


def _read_answer(response: dict[str, Any]) -> tuple[bytes, bool]:
    """Returns the body, and whether the mapping contains it parsed."""
    if "bodyFileName" in response:
        raise Unusable(
            "expected the body in the mapping, found it in the file"
            f" {render_value(response['bodyFileName'])}"
        )
    if "jsonBody" in response:
        return compact(as_json(response["jsonBody"], "jsonBody")), True
    if "base64Body" in response:
        return decode_base64(response["base64Body"], "base64Body"), False
    return encode_body(response.get("body"), "the response's body"), False


# -- rules -----------------------------------------------------------------------------------------


def _rule(entry: Any, request: dict[str, Any], response: dict[str, Any]) -> Rule:
    if entry.get("requiredScenarioState") not in (None, "Started"):
        raise reject("a state of a scenario")
    notes: list[str] = []
    when = {**_path(request), **_headers(request.get("headers"))}
    for pattern in (
        read_list(request, "bodyPatterns") if request.get("bodyPatterns") is not None else ()
    ):
        when |= _body(pattern, when, notes)
    if "cookies" in request or "queryParameters" in request or "multipartPatterns" in request:
        raise reject("a condition on cookies, queries or parts")
    if "fixedDelayMilliseconds" in response or "delayDistribution" in response:
        notes.append("its delay is left out; use a fault with `latency`")
    answer = render_raw(
        read_number(response, "status"),
        read_headers(response.get("headers")),
        _read_answer(response)[0],
    )
    return Rule({"when": when, "answer": answer} if when else {"answer": answer}, tuple(notes))


def _path(request: dict[str, Any]) -> When:
    method = request.get("method") or "ANY"
    for key in (*_EXACT, *_PATTERNS):
        if isinstance(request.get(key), str):
            return match_path(str(method), request[key], pattern=key in _PATTERNS)
    return {}


def _headers(given: Any) -> When:
    globs: dict[str, JsonValue] = {}
    if given is not None and not isinstance(given, dict):
        raise Unusable(f"expected headers by name, found {render_value(given)}")
    for name, matcher in (given or {}).items():
        match matcher:
            case {"equalTo": str(value), **more} if not more:
                globs[name] = as_glob(value)
            case {"contains": str(value), **more} if not more:
                globs[name] = f"*{as_glob(value)}*"
            case _:
                raise reject(f"the condition on the header {name!r}")
    return {"header": globs} if globs else {}


def _body(pattern: Any, when: When, notes: list[str]) -> When:
    match pattern:
        case {"equalToJson": given}:
            notes.append("objects in the body may have more members than the pattern's")
            return _more(when, match_body(as_json(given, "equalToJson"), deep=True))
        case {"matchesJsonPath": {"expression": str(path), "equalTo": value}} if re.fullmatch(
            r"\$[\w.\[\]]+", path
        ):
            return _more(when, {"json_path": {path: value}})
        case {"contains": str(part)} if "text_contains" not in when:
            notes.append(
                "`contains` looks at the system prompt and messages, not at the body's JSON"
            )
            return {"text_contains": part}
        case {"matches": str(regex)} if "text_regex" not in when:
            notes.append(
                "`matches` looks at the system prompt and messages, not at the body's JSON"
            )
            return {"text_regex": as_regex(regex)}
    raise reject(
        "the condition on the body,"
        f" {', '.join(pattern) if isinstance(pattern, dict) else render_value(pattern)},"
    )


def _more(when: When, other: When) -> When:
    before = when.get("json_path")
    now = other["json_path"]
    assert isinstance(now, dict)
    return {"json_path": {**before, **now} if isinstance(before, dict) else now}


WIREMOCK = ImportFormat(
    "WireMock",
    "`mappings`, or one mapping of `request` and `response.status`",
    _recognise,
    _read_exchanges,
)
