"""What makes two requests the same: the match key.

Operation and model, the request headers that change an answer, and the body as canonical JSON less what is ignored.
The same function serves recordings and calls; it is pure, and it is the hot path of replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TypeAlias

import orjson

from bedtape_cassettes.model import JsonValue, Request
from bedtape_cassettes.operations import Target, identify
from bedtape_cassettes.redact import scrub, scrub_request_body

__all__ = [
    "ANSWER_HEADERS",
    "DEFAULT",
    "AnswerHeaders",
    "Canonical",
    "MatchRules",
    "answer_headers",
    "canonical",
    "canonical_of_request",
    "key_of",
    "key_of_request",
]

# Request headers that change what Bedrock answers. Accept is among them for models that answer in several types.
ANSWER_HEADERS = (
    "accept",
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-trace",
)
# What clients send in Accept without asking for anything in particular; SDKs differ here for the same call.
_ANY = frozenset({"", "*/*", "application/json", "application/vnd.amazon.eventstream", "text/event-stream"})
_PROFILE = re.compile(r"^(?:us|eu|apac|us-gov|global|jp|au|ca)\.(?=[a-z0-9-]+\.)")


@dataclass(frozen=True)
class MatchRules:
    """What to leave out of the match key.

    ignore: JSON paths of members to leave out, parts joined by dots, `*` for any (`messages.*.cachePoint`).
    placeholders: patterns whose matches in text count as equal (dates, uuids).
    any_profile: whether `us.`, `eu.`, `global.` and the like before a model id are left out.
    """

    ignore: tuple[str, ...] = ("anthropic_version",)
    placeholders: tuple[re.Pattern[str], ...] = ()
    any_profile: bool = False

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(path.removeprefix("$.").replace("[", ".").replace("]", "").split(".")) for path in self.ignore)


DEFAULT = MatchRules()
HeaderGetter: TypeAlias = Callable[[str], str | None]
AnswerHeaders: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Canonical:
    """A request reduced to what counts, kept for reports; `body` is text where it is not JSON."""

    operation: str
    model: str | None
    path: str
    headers: AnswerHeaders
    body: JsonValue


def answer_headers(header: HeaderGetter) -> AnswerHeaders:
    """The headers that change the answer. `header` looks one up by its lower-case name."""
    found = []
    for name in ANSWER_HEADERS:
        value = header(name)
        if value is not None and not (name.endswith("accept") and value.split(";")[0].strip() in _ANY):
            found.append((name, value))
    return tuple(found)


def _drop(value: JsonValue, path: tuple[str, ...]) -> None:
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        for key in [key for key in value if head in (key, "*")]:
            if rest:
                _drop(value[key], rest)
            else:
                del value[key]
    elif isinstance(value, list) and rest:
        for number, item in enumerate(value):
            if head in (str(number), "*"):
                _drop(item, rest)


def _walk(value: JsonValue, rules: MatchRules) -> JsonValue:
    """Numbers that JSON cannot tell apart made one (1.0 and 1), and placeholders put into text."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case str():
            for pattern in rules.placeholders:
                value = pattern.sub("<*>", value)
            return value
        case list():
            return [_walk(item, rules) for item in value]
        case dict():
            return {key: _walk(item, rules) for key, item in value.items()}
    return value


def _canonical_body(body: bytes, rules: MatchRules) -> bytes:
    """Sorted compact JSON, or the bytes themselves where they are not JSON.

    The walk over the whole value costs more than all the rest, so it is only made where it can change something.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    for path in rules.paths:
        _drop(value, path)
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if rules.placeholders or b".0" in data:
        data = orjson.dumps(_walk(value, rules), option=orjson.OPT_SORT_KEYS)
    return data


def _address(target: Target, method: str, rules: MatchRules) -> str:
    operation = target.operation
    if operation is None:
        return f"{method} {target.path}"
    path = target.path
    if target.model and rules.any_profile:
        path = path.replace(target.model, _PROFILE.sub("", target.model), 1)
    return f"{operation.name} {path}"


def key_of(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> bytes:
    """The match key, 16 bytes."""
    address = scrub(_address(target, method, rules).encode())
    digest = blake2b(address, digest_size=16)
    for name, value in headers:
        digest.update(f"\n{name}: {value}".encode())
    digest.update(b"\n\n")
    digest.update(_canonical_body(scrub_request_body(body, target.name), rules))
    return digest.digest()


def _headers_of(request: Request) -> AnswerHeaders:
    return answer_headers({name.lower(): value for name, value in request.headers}.get)


def key_of_request(request: Request, rules: MatchRules = DEFAULT) -> bytes:
    """The match key of a recorded request."""
    target = identify(request.method, request.path)
    return key_of(request.method, target, _headers_of(request), request.body.data, rules)


def canonical(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> Canonical:
    """What `key_of` digests, kept apart so that two requests can be compared field by field."""
    clean = _canonical_body(scrub_request_body(body, target.name), rules)
    try:
        value: JsonValue = orjson.loads(clean) if clean else None
    except orjson.JSONDecodeError:
        value = clean.decode(errors="backslashreplace")
    return Canonical(target.name or method, target.model, _address(target, method, rules), headers, value)


def canonical_of_request(request: Request, rules: MatchRules = DEFAULT) -> Canonical:
    """As `canonical`, of a recorded request."""
    target = identify(request.method, request.path)
    return canonical(request.method, target, _headers_of(request), request.body.data, rules)
