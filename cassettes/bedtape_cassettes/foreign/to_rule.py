"""Converts the common parts of HTTP mocks' fixtures to a rule of an overlay:
paths, bodies and answers.

A rule tests operation and model instead of a path, and members of the body instead of its text.
Conditions that no rule can express are rejected. Conditions that a rule expresses differently come
with a note.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from bedtape_cassettes.foreign.exchange import Rule, Unusable, render_value
from bedtape_cassettes.format import bodies, yamlio
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.format.patterns import compile_pattern
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS
from bedtape_cassettes.model import BODYLESS, Body, Event, Headers, JsonValue, event_headers
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.kinds import is_secret_header
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub

When = dict[str, JsonValue]

_ANYTHING = re.compile(r"\(?(?:\.|\[\^/\]|\\S|\\w|\[\w-\])[*+]\)?|\{\w+\}")
_PATTERN = re.compile(r"[()\[\]{}|?+\\^$]")
_SPECIAL = re.compile(r"[.\[\]*]")  # special characters of JSON paths


def reject(what: str) -> Unusable:
    """Returns the error for a valid condition or answer that no rule can express."""
    return Unusable(f"{what} cannot be expressed as a rule; write the rule by hand", foreign=True)


def as_glob(exact: str) -> str:
    """Returns a glob that matches exactly this text."""
    return re.sub(r"([*?\[])", r"[\1]", exact)


def as_regex(pattern: str) -> str:
    """Converts a pattern for the whole text to one for a search. Its dialect is Java's."""
    regex = pattern.removeprefix(".*").removesuffix(".*") or "."
    try:
        compile_pattern(regex)
    except ValueError:
        raise reject(f"the pattern {pattern[:60]!r}, which is not a pattern of Python,") from None
    return regex


def match_path(method: str, path: str, *, pattern: bool) -> When:
    """Returns operation and model of a path. pattern: a regular expression, or with `{name}`."""
    plain = path.partition("?")[0]
    if pattern:
        plain = _ANYTHING.sub(
            "*", plain.removeprefix("^").removesuffix("$").replace(r"\.", ".").replace(r"\/", "/")
        )
        if _PATTERN.search(plain):
            raise reject(f"the path {path[:80]!r}")
    target = identify(method if method not in ("ANY", "", "*") else "POST", plain)
    if target.operation is None:
        if pattern and plain.rstrip("*").rstrip("/") in ("", "/model"):
            return {}
        if plain.startswith("/model/"):
            raise reject(f"the path {path[:80]!r}, which names no operation,")
        raise Unusable(f"{method} {path[:80]} is not Bedrock's", foreign=True)
    when: When = {"operation": target.operation.name}
    if target.model and target.model != "*":
        when["model"] = target.model if pattern else as_glob(target.model)
    return when


def as_json(given: Any, what: str) -> JsonValue:
    """Returns JSON that is given as a value or as text."""
    if isinstance(given, str):
        try:
            return bodies.parse(given.encode())
        except ValueError:
            raise reject(f"{what} that is not JSON") from None
    try:
        value: JsonValue = json.loads(bodies.compact(given))
    except (TypeError, ValueError):
        raise Unusable(f"expected {what} to be JSON, found {render_value(given)}") from None
    return value


def match_body(value: JsonValue, *, deep: bool) -> When:
    """Returns a condition on the members of a body. deep: nested objects may have more members."""
    if not isinstance(value, dict) or not value:
        raise reject("a body that is not an object with members")
    members: dict[str, JsonValue] = {}
    _members(value, "", members, deep=deep)
    return {"json_path": members}


def _members(
    value: dict[str, JsonValue], before: str, members: dict[str, JsonValue], *, deep: bool
) -> None:
    for name, member in value.items():
        if not name or _SPECIAL.search(name):
            raise reject(f"the member {name!r}")
        if deep and isinstance(member, dict) and member:
            _members(member, f"{before}{name}.", members, deep=deep)
        else:
            members[before + name] = member


def render_raw(status: int, headers: Headers, data: bytes) -> dict[str, JsonValue]:
    """Returns a raw answer, with the events of a stream decoded."""
    if not 200 <= status <= 599 or status in BODYLESS:
        raise Unusable(f"expected a status from 200 to 599 that may have a body, found {status}")
    kept = {
        n.lower(): v
        for n, v in headers
        if n.lower() not in VOLATILE_RESPONSE_HEADERS and not is_secret_header(n)
    }
    content_type = kept.get("content-type", "").partition(";")[0].strip().lower()
    answer: dict[str, JsonValue] = (
        _stream(data) if content_type == bodies.EVENT_STREAM else _whole(data)
    )
    if status != 200:
        answer["status"] = status
    if kept:
        answer["headers"] = dict(kept)
    return {"raw": answer}


def _whole(data: bytes) -> dict[str, JsonValue]:
    body = bodies.read_body(data)
    if body.form == "json":
        return {"json": bodies.parse(data)}
    return {"text": data.decode()} if body.form == "text" else {"base64": _base64(data)}


def _stream(data: bytes) -> dict[str, JsonValue]:
    body = bodies.read_events(data)
    if isinstance(body, Body):
        raise Unusable("expected a whole event stream, found a damaged one")
    if all(map(_is_usual, body.events)):
        if all(event.form == "bytes" for event in body.events):
            return {"chunks": [bodies.open_chunk(event.payload) for event in body.events]}
        if all(event.form == "json" for event in body.events):
            return {
                "events": [{str(event.type): bodies.parse(event.payload)} for event in body.events]
            }
    return {"base64": _base64(data)}


def _is_usual(event: Event) -> bool:
    return event.type is not None and event.headers == event_headers(event.type)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def render_overlay(rules: Iterable[Rule], redaction: Redaction = ALWAYS) -> bytes:
    """Renders an overlay file with the rules, scrubbed like cassettes.

    Raises ValueError if YAML cannot hold a value.
    """
    layers = [parse(scrub(compact(dict(rule.layer)), redaction)) for rule in rules]
    return yamlio.dump({"bedtape-overlay": 1, "rules": layers})
