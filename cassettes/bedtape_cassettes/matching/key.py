"""What makes two requests the same: the match key.

Operation and model, the request headers that change an answer, and the body as canonical JSON less what is ignored.
The same function serves recordings and calls; it is pure, and it is the hot path of replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from typing import TypeAlias
from urllib.parse import quote

import orjson

from bedtape_cassettes.format.json_values import map_leaves, parse_path, remove
from bedtape_cassettes.model import JsonValue, Request
from bedtape_cassettes.operations import Target, identify
from bedtape_cassettes.redaction.scrub import Redaction, redact_path, scrub, scrub_text

__all__ = [
    "ANSWERING",
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
    "unscrubbed_key_of",
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
# What all their lines begin with, in lower case.
ANSWERING = re.compile(rb"\r\n(?:accept|x-amzn-bedrock-)")
# What clients send in Accept without asking for anything in particular; SDKs differ here for the same call.
_ANY = "*/*"
_USUAL = frozenset({"", _ANY, "application/json", "application/vnd.amazon.eventstream", "text/event-stream"})
PROFILE = re.compile(r"^(?:us|eu|apac|us-gov|global|jp|au|ca)\.(?=[a-z0-9-]+\.)")


@dataclass(frozen=True)
class MatchRules:
    """What to leave out of the match key; of recordings and of requests alike.

    ignore: JSON paths of members to leave out, parts joined by dots, `*` for any (`messages.*.cachePoint`).
    placeholders: patterns whose matches in text count as equal (dates, uuids).
    any_profile: whether `us.`, `eu.`, `global.` and the like before a model id are left out.
    redact: the patterns that the recording was made with (`bedtape record --redact`).
    """

    ignore: tuple[str, ...] = ("anthropic_version",)
    placeholders: tuple[re.Pattern[str], ...] = ()
    any_profile: bool = False
    redact: tuple[re.Pattern[str], ...] = ()

    @cached_property
    def redaction(self) -> Redaction:
        return Redaction(self.redact)

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The ignored paths in their parts."""
        return tuple(filter(None, map(parse_path, self.ignore)))

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Of the ignored paths those that are one member of the body, which is all of them mostly."""
        return tuple(path[0] for path in self.paths if len(path) == 1 and path[0] != "*")

    @cached_property
    def deep_paths(self) -> tuple[tuple[str, ...], ...]:
        """The others."""
        return tuple(path for path in self.paths if len(path) > 1 or path[0] == "*")


DEFAULT = MatchRules()
HeaderGetter: TypeAlias = Callable[[str], str | None]
AnswerHeaders: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Canonical:
    """A request reduced to what counts, secrets out, kept for reports; `body` is text where it is not JSON."""

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
        if value is not None and not (name.endswith("accept") and _accepts_any(value)):
            found.append((name, value))
    return tuple(found)


def _accepts_any(value: str) -> bool:
    types = {part.split(";")[0].strip().lower() for part in value.split(",")}
    return _ANY in types or types <= _USUAL


def _normalise_leaf(value: JsonValue, placeholders: tuple[re.Pattern[str], ...]) -> JsonValue:
    """Makes equal numbers one (1.0 and 1) and puts placeholders into text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str):
        for pattern in placeholders:
            value = pattern.sub("<*>", value)
    return value


def _sorted_body(body: bytes, rules: MatchRules) -> bytes | None:
    """Sorted compact JSON less what is ignored; None where the body is not JSON."""
    try:
        value = orjson.loads(body)
        if isinstance(value, dict):
            for name in rules.members:
                value.pop(name, None)
            paths = rules.deep_paths
        else:
            paths = rules.paths
        for path in paths:
            remove(value, path)
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if rules.placeholders or b".0" in data:
            value = map_leaves(value, partial(_normalise_leaf, placeholders=rules.placeholders))
            data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # not JSON, or deeper than orjson writes
        return None
    return data


def _canonical_body(body: bytes, rules: MatchRules) -> bytes | None:
    """As `_sorted_body`, less secrets too.

    They go last: only there is every spelling of the same JSON one, as the recorded body is.
    """
    data = _sorted_body(body, rules)
    return None if data is None else scrub(data, rules.redaction)


def _model(target: Target, rules: MatchRules) -> str | None:
    model = PROFILE.sub("", target.model) if target.model and rules.any_profile else target.model
    return model and scrub(model.encode()).decode()


def _address(target: Target, method: str, rules: MatchRules) -> bytes:
    path = target.path
    if target.model and rules.any_profile:
        path = path.replace(target.model, PROFILE.sub("", target.model), 1)
    return f"{target.name or method} {path}".encode()


# Addresses are few, and bodies are many.
_scrubbed = lru_cache(maxsize=1024)(scrub)


def _kept(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules
) -> tuple[Target, AnswerHeaders, bytes]:
    """What a recorder that takes out the same would have kept of the request.

    Only the user's own patterns are looked for in the body here, in its own spelling, as the recorder does.
    """
    headers = tuple((name, scrub_text(value, rules.redaction)) for name, value in headers)
    if not rules.redact:
        return target, headers, body
    path = redact_path(target.path, rules.redaction, decoded=True)
    if path != target.path:
        raw, mark, query = path.partition("?")
        target = identify(method, quote(raw, safe="/:") + mark + query)
    return target, headers, scrub(body, rules.redaction)


def key_of(method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT) -> bytes:
    """The match key, 16 bytes."""
    target, headers, body = _kept(method, target, headers, body, rules)
    clean = _canonical_body(body, rules)
    return _digest(_scrubbed(_address(target, method, rules)), headers, scrub(body) if clean is None else clean)


def unscrubbed_key_of(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> bytes:
    """As `key_of`, without looking for secrets, in a quarter of the time.

    Where a recording has this key it is the request's own: a recording holds no secrets, so neither does a request that is
    the same. Where none has it, only `key_of` tells.
    """
    if rules.redact:
        return key_of(method, target, headers, body, rules)
    data = _sorted_body(body, rules)
    return _digest(_address(target, method, rules), headers, body if data is None else data)


def _digest(address: bytes, headers: AnswerHeaders, body: bytes) -> bytes:
    digest = blake2b(address, digest_size=16)
    for name, value in headers:
        digest.update(f"\n{name}: {value}".encode())
    digest.update(b"\n\n")
    digest.update(body)
    return digest.digest()


def _headers_of(request: Request) -> AnswerHeaders:
    # The first of a name counts, as on the wire.
    return answer_headers({name.lower(): value for name, value in reversed(request.headers)}.get)


def key_of_request(request: Request, rules: MatchRules = DEFAULT) -> bytes:
    """The match key of a recorded request."""
    target = identify(request.method, request.path)
    return key_of(request.method, target, _headers_of(request), request.body.data, rules)


def canonical(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> Canonical:
    """What `key_of` digests, kept apart so that two requests can be compared field by field."""
    target, headers, body = _kept(method, target, headers, body, rules)
    clean = _canonical_body(body, rules)
    value: JsonValue = scrub(body).decode(errors="backslashreplace") or None
    if clean is not None:
        value = orjson.loads(clean)
    path = _scrubbed(_address(target, method, rules)).decode()
    return Canonical(target.name or method, _model(target, rules), path, headers, value)


def canonical_of_request(request: Request, rules: MatchRules = DEFAULT) -> Canonical:
    """As `canonical`, of a recorded request."""
    target = identify(request.method, request.path)
    return canonical(request.method, target, _headers_of(request), request.body.data, rules)
