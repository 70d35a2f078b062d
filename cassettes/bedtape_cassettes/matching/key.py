"""Computes the match key. Two requests are the same if their match keys are equal.

The key covers operation and model, the request headers that change an answer, and the body as canonical JSON without
ignored members. The same functions serve recordings and calls. They are the hot path of replay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from typing import TypeAlias

import orjson

from bedtape_cassettes.format.json_values import map_leaves, parse_path, remove
from bedtape_cassettes.format.patterns import replace_all
from bedtape_cassettes.matching.outline import Outline, read_outline
from bedtape_cassettes.model import JsonValue, Request
from bedtape_cassettes.operations import Target, identify
from bedtape_cassettes.redaction.scrub import Redaction, redact_path, scrub, scrub_text

# Request headers that change Bedrock's answer. Accept is one, because some models answer in several
# types.
ANSWER_HEADERS = (
    "accept",
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-trace",
)
# The beginning of the lines of these headers, in lower case.
ANSWERING = re.compile(rb"\r\n(?:accept|x-amzn-bedrock-)")
# Values of Accept that do not select a type. SDKs send different values for the same call.
_ANY = "*/*"
_USUAL = frozenset({"", _ANY, "application/json", "application/vnd.amazon.eventstream", "text/event-stream"})
# Members of bodies that contain a model id, for operations without a model in the path.
MODELS = ("model", "modelId")
PROFILE = re.compile(r"^(?:us|eu|apac|us-gov|global|jp|au|ca)\.(?=[a-z0-9-]+\.)")


@dataclass(frozen=True)
class MatchRules:
    """The parts of recordings and requests that the match key leaves out.

    ignore: JSON paths of members to leave out, parts joined by dots, `*` for any (`messages.*.cachePoint`).
    placeholders: patterns whose matches in text count as equal (dates, uuids). any_profile: whether `us.`, `eu.`,
    `global.` and the like before a model id are left out. redact: the patterns that the recording was made with
    (`bedtape record --redact`).
    """

    ignore: tuple[str, ...] = ("anthropic_version",)
    placeholders: tuple[re.Pattern[str], ...] = ()
    any_profile: bool = False
    redact: tuple[re.Pattern[str], ...] = ()

    @cached_property
    def redaction(self) -> Redaction:
        return Redaction(self.redact)

    @cached_property
    def has_patterns(self) -> bool:
        """Whether patterns of the user are searched for in bodies."""
        return bool(self.placeholders or self.redact)

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The parts of each ignored path."""
        return tuple(filter(None, map(parse_path, self.ignore)))

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The ignored members at the top of the body. Most ignored paths are such members."""
        return tuple(path[0] for path in self.paths if len(path) == 1 and path[0] != "*")

    @cached_property
    def deep_paths(self) -> tuple[tuple[str, ...], ...]:
        """The ignored paths that are not in `members`."""
        return tuple(path for path in self.paths if len(path) > 1 or path[0] == "*")


DEFAULT = MatchRules()
HeaderGetter: TypeAlias = Callable[[str], str | None]
AnswerHeaders: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Canonical:
    """The parts of a request that its match key covers, without secrets. `body`: JSON, else text."""

    operation: str
    model: str | None
    path: str
    headers: AnswerHeaders
    body: JsonValue


def answer_headers(header: HeaderGetter) -> AnswerHeaders:
    """Returns the headers that change the answer. header: gets a header by lower-case name."""
    headers = []
    for name in ANSWER_HEADERS:
        value = header(name)
        if value is not None and not (name.endswith("accept") and _accepts_any(value)):
            headers.append((name, value))
    return tuple(headers)


def _accepts_any(value: str) -> bool:
    types = {part.split(";")[0].strip().lower() for part in value.split(",")}
    return _ANY in types or types <= _USUAL


def _normalise_leaf(value: JsonValue, placeholders: tuple[re.Pattern[str], ...]) -> JsonValue:
    """Replaces 1.0 by 1, and the matches of placeholder patterns in text by `<*>`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str):
        for pattern in placeholders:
            value = replace_all(pattern, "<*>", value)
    return value


def _sort_body(body: bytes, rules: MatchRules) -> bytes | None:
    """Returns sorted compact JSON without ignored members; None if the body is not JSON."""
    try:
        value = orjson.loads(body)
        if isinstance(value, dict):
            for name in rules.members:
                value.pop(name, None)
            if rules.any_profile:
                value |= {name: PROFILE.sub("", value[name]) for name in MODELS if isinstance(value.get(name), str)}
            paths = rules.deep_paths
        else:
            paths = rules.paths
        for path in paths:
            remove(value, path)
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if rules.placeholders or b".0" in data:
            value = map_leaves(value, partial(_normalise_leaf, placeholders=rules.placeholders))
            data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # not JSON, or too deep for orjson
        return None
    return data


def _render_model(target: Target, rules: MatchRules) -> str | None:
    model = PROFILE.sub("", target.model) if target.model and rules.any_profile else target.model
    return model and scrub(model.encode()).decode()


def _render_address(target: Target, method: str, rules: MatchRules) -> bytes:
    path = target.path
    if target.model and rules.any_profile and (profile := PROFILE.match(target.model)):
        path = path.replace(f"/{profile[0]}", "/", 1)
    return f"{target.name or method} {path}".encode()


# Addresses repeat; bodies do not.
_scrub_cached = lru_cache(maxsize=1024)(scrub)


def _redact(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules
) -> tuple[Target, AnswerHeaders, bytes]:
    """The user's patterns are applied to the client's spelling of the body, as the recorder applies them."""
    headers = tuple((name, scrub_text(value, rules.redaction)) for name, value in headers)
    if not rules.redact:
        return target, headers, body
    path = redact_path(target.path, rules.redaction)
    if path != target.path:
        target = identify(method, path)
    return target, headers, scrub(body, rules.redaction)


def compute_key(
    method: str,
    target: Target,
    headers: AnswerHeaders,
    body: bytes | Outline,
    rules: MatchRules = DEFAULT,
    known: Container[bytes] = (),
) -> bytes:
    """Returns the match key, 16 bytes. The key of an outline is the key of its body.

    The rules of an outline have no patterns, because a pattern may match binary data. known: the keys of recordings. The
    key without a search for secrets takes a third of the time. If it is a known key, it is the match key: a recording
    contains no secrets, so an equal request contains no secrets either.
    """
    outline = body if isinstance(body, Outline) else Outline(body)
    target, headers, body = _redact(method, target, headers, outline.data, rules)
    data, address = _sort_body(body, rules), _render_address(target, method, rules)
    key = _digest(address, headers, outline.split(body if data is None else data))
    if not rules.redact and key in known:
        return key
    # Secrets are removed last, because every spelling of the same JSON is equal to the recorded body then.
    clean, clean_address = scrub(body) if data is None else scrub(data, rules.redaction), _scrub_cached(address)
    return (
        key
        if clean is (data or body) and clean_address == address
        else _digest(clean_address, headers, outline.split(clean))
    )


def _digest(address: bytes, headers: AnswerHeaders, body: Iterable[bytes]) -> bytes:
    digest = blake2b(address, digest_size=16)
    for name, value in headers:
        digest.update(f"\n{name}: {value}".encode())
    digest.update(b"\n\n")
    for part in body:
        digest.update(part)
    return digest.digest()


def _pick_headers(request: Request) -> AnswerHeaders:
    # The first header of a name counts, as in `header` of a call.
    return answer_headers({name.lower(): value for name, value in reversed(request.headers)}.get)


def compute_request_key(request: Request, rules: MatchRules = DEFAULT) -> bytes:
    """Returns the match key of a recorded request."""
    target = identify(request.method, request.path)
    return compute_key(request.method, target, _pick_headers(request), request.body.data, rules)


def compute_turn_keys(requests: Iterable[Request]) -> list[tuple[bytes, int]]:
    """Returns for each request its match key, and the number of earlier requests with this key."""
    keys = []
    seen: Counter[bytes] = Counter()
    for request in requests:
        key = compute_request_key(request)
        keys.append((key, seen[key]))
        seen[key] += 1
    return keys


def canonical(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> Canonical:
    """Returns the fields that `compute_key` digests, to compare requests field by field."""
    target, headers, body = _redact(method, target, headers, body, rules)
    data = _sort_body(body, rules)
    value: JsonValue = scrub(body).decode(errors="backslashreplace") or None
    if data is not None:
        value = orjson.loads(scrub(data, rules.redaction))
    path = _scrub_cached(_render_address(target, method, rules)).decode()
    return Canonical(target.name or method, _render_model(target, rules), path, headers, value)


def canonicalize_request(request: Request, rules: MatchRules = DEFAULT) -> Canonical:
    """Returns the fields of a recorded request that `compute_request_key` digests, with digests of large binary data."""
    target = identify(request.method, request.path)
    return canonical(request.method, target, _pick_headers(request), read_outline(request.body.data).data, rules)
