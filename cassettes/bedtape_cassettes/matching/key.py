"""Computes the match key. Two requests are the same if their match keys are equal.

The key covers operation and model, the request headers that change an answer, and the body as
canonical JSON without ignored members. The same functions serve recordings and calls. They are the
hot path of replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson

from bedtape_cassettes.format.json_values import map_leaves, parse_path, remove
from bedtape_cassettes.format.patterns import replace_all
from bedtape_cassettes.matching.json_texts import has_json_texts, parse_json_texts
from bedtape_cassettes.matching.outline import Outline, read_outline
from bedtape_cassettes.matching.signatures import SIGNED, drop_signatures
from bedtape_cassettes.model import JsonValue, Request
from bedtape_cassettes.operations import IDEMPOTENCY_TOKENS, Target, identify
from bedtape_cassettes.redaction.scrub import Redaction, redact_path, scrub, scrub_path, scrub_text

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
    # The operation, where all operations of a service have one path:
    # bedrock-data-automation-runtime.
    TARGET_HEADER := "x-amz-target",
)
# The beginning of the lines of these headers, in lower case.
ANSWERING = re.compile(rb"\r\n(?:accept:|x-amzn-bedrock-|x-amz-target:)")
# Values of Accept that do not select a type. SDKs send different values for the same call.
_ANY = "*/*"
_USUAL = frozenset(
    {"", _ANY, "application/json", "application/vnd.amazon.eventstream", "text/event-stream"}
)
# What replaces the match of a placeholder pattern.
PLACEHOLDER = "<*>"
_TOKEN_PARAMETER = re.compile(rf"(?<=[?&])(?:{'|'.join(IDEMPOTENCY_TOKENS)})=[^&]*&?")
# Members of bodies that contain a model id, for operations without a model in the path.
MODELS = ("model", "modelId")
PROFILE = re.compile(r"^(?:us|eu|apac|us-gov|global|jp|au|ca)\.(?=[a-z0-9-]+\.)")


@dataclass(frozen=True)
class MatchRules:
    """The parts of recordings and requests that the match key leaves out.

    ignore: JSON paths of members to leave out, parts joined by dots, `*` for any
    (`messages.*.cachePoint`). placeholders: patterns whose matches in text, and in paths without a
    model, count as equal (dates, uuids). any_profile: whether `us.`, `eu.`, `global.` and the like
    before a model id are left out. redact: the patterns that the recording was made with (`bedtape
    record --redact`). json_texts: whether strings that contain JSON by the definition of their API
    are compared as JSON.
    """

    ignore: tuple[str, ...] = ("anthropic_version",)
    placeholders: tuple[re.Pattern[str], ...] = ()
    any_profile: bool = False
    redact: tuple[re.Pattern[str], ...] = ()
    json_texts: bool = True

    # Derived from the fields above. redaction: the patterns of the user and bedtape's own.
    # has_patterns: whether patterns of the user are searched for in bodies. paths: the parts of
    # each ignored path. members: the ignored members at the top of the body, which most ignored
    # paths are. deep_paths: the other ignored paths.
    redaction: Redaction = field(init=False, repr=False, compare=False)
    has_patterns: bool = field(init=False, repr=False, compare=False)
    paths: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)
    members: tuple[str, ...] = field(init=False, repr=False, compare=False)
    deep_paths: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        paths = tuple(filter(None, map(parse_path, self.ignore)))
        object.__setattr__(self, "redaction", Redaction(self.redact))
        object.__setattr__(self, "has_patterns", bool(self.placeholders or self.redact))
        object.__setattr__(self, "paths", paths)
        object.__setattr__(
            self, "members", tuple([path[0] for path in paths if len(path) == 1 and path[0] != "*"])
        )
        object.__setattr__(
            self, "deep_paths", tuple([path for path in paths if len(path) > 1 or path[0] == "*"])
        )


DEFAULT = MatchRules()
# The rules of the keys in file names. They do not change, because a change would rename the
# files of every cassette.
_NAMING = MatchRules(json_texts=False)
HeaderGetter: TypeAlias = Callable[[str], str | None]
AnswerHeaders: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Canonical:
    """The parts of a request that its match key covers, without secrets. `body`: JSON or text."""

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
            value = replace_all(pattern, PLACEHOLDER, value)
    return value


def _has_tokens(target: Target) -> bool:
    """Whether a request can have idempotency tokens, which bodies for models do not have."""
    return target.model is None and target.dialect == "aws"


def _sort_body(
    body: bytes, target: Target, rules: MatchRules, loaded: JsonValue = None
) -> bytes | None:
    """Returns sorted compact JSON without ignored members; None if the body is not JSON.

    loaded: the body as orjson parses it, or None. It does not change.
    """
    try:
        signed = SIGNED.search(body) is not None
        has_texts = rules.json_texts and has_json_texts(target.name, body)
        keeps = isinstance(loaded, dict) and not (signed or has_texts or rules.deep_paths)
        value: Any = loaded if keeps else orjson.loads(body)
        if has_texts:
            parse_json_texts(target.name, value)
        if signed:
            drop_signatures(value)
        if isinstance(value, dict):
            ignored = (
                (*IDEMPOTENCY_TOKENS, *rules.members) if _has_tokens(target) else rules.members
            )
            for name in ignored:
                if name in value:
                    value = {key: member for key, member in value.items() if key not in ignored}
                    break
            if rules.any_profile:
                value = value | {
                    name: PROFILE.sub("", value[name])
                    for name in MODELS
                    if isinstance(value.get(name), str)
                }
            paths = rules.deep_paths
        else:
            paths = rules.paths
        for path in paths:
            remove(value, path)
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if rules.placeholders:
            # Secrets go first, as in the recording: a pattern may match a part of a secret.
            clean = scrub(data, rules.redaction)
            value = value if clean is data else orjson.loads(clean)
        if rules.placeholders or b".0" in data:
            value = map_leaves(value, partial(_normalise_leaf, placeholders=rules.placeholders))
            data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return None
    except (orjson.JSONEncodeError, RecursionError):
        # too deep for orjson, maybe because of the JSON in a string
        return (
            _sort_body(body, target, replace(rules, json_texts=False)) if rules.json_texts else None
        )
    return data


def read_compared(method: str, path: str, body: bytes, rules: MatchRules) -> tuple[str, JsonValue]:
    """Returns the path and the JSON that the match key compares, before placeholders are replaced.

    Both are without secrets. The JSON is `None` if the body is not JSON.
    """
    target = identify(method, scrub_path(path, rules.redaction))
    data = _sort_body(scrub(body, rules.redaction), target, replace(rules, placeholders=()))
    return target.path, None if data is None else orjson.loads(data)


def _render_model(target: Target, rules: MatchRules) -> str | None:
    model = PROFILE.sub("", target.model) if target.model and rules.any_profile else target.model
    return model and scrub(model.encode()).decode()


def _render_address(target: Target, method: str, rules: MatchRules) -> bytes:
    path = target.path
    if "?" in path and _has_tokens(target):
        path = _TOKEN_PARAMETER.sub("", path).rstrip("?&")
    if target.model is None:  # a pattern for numbers would make versions of models equal
        if rules.placeholders:
            path = scrub_path(path, rules.redaction)
        for pattern in rules.placeholders:
            path = replace_all(pattern, PLACEHOLDER, path)
    elif rules.any_profile and (profile := PROFILE.match(target.model)):
        path = path.replace(f"/{profile[0]}", "/", 1)
    return f"{target.name or method} {path}".encode()


# Addresses repeat; bodies do not.
_scrub_cached = lru_cache(maxsize=1024)(scrub)


def _redact(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules
) -> tuple[Target, AnswerHeaders, bytes]:
    """Applies the user's patterns to the client's spelling of the body, as the recorder does."""
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
    loaded: JsonValue = None,
) -> bytes:
    """Returns the match key, 16 bytes. The key of an outline is the key of its body.

    The rules of an outline have no patterns, because a pattern may match binary data. known: the
    keys of recordings. The key without a search for secrets takes a third of the time. If it is a
    known key, it is the match key: a recording contains no secrets, so an equal request contains no
    secrets either. loaded: the outline as orjson parses it, or None.
    """
    outline = body if isinstance(body, Outline) else Outline(body)
    target, headers, body = _redact(method, target, headers, outline.data, rules)
    data = _sort_body(body, target, rules, None if rules.redact else loaded)
    address = _render_address(target, method, rules)
    key = _digest(address, headers, outline.split(body if data is None else data))
    if not rules.redact and key in known:
        return key
    # Secrets are removed last, because every spelling of the same JSON is equal to
    # the recorded body then.
    clean, clean_address = (
        scrub(body) if data is None else scrub(data, rules.redaction),
        _scrub_cached(address),
    )
    return (
        key
        if clean is (data or body) and clean_address == address
        else _digest(clean_address, headers, outline.split(clean))
    )


class PartialKey:
    """What match keys of requests share that differ in one text. See `make_partial_key`."""

    __slots__ = ("_after", "_before", "_clean_start", "_is_clean", "_redaction", "_start")

    def __init__(
        self,
        address: bytes,
        headers: AnswerHeaders,
        before: bytes,
        after: bytes,
        redaction: Redaction,
    ) -> None:
        self._before, self._after, self._redaction = before, after, redaction
        clean_address = _scrub_cached(address)
        self._is_clean = clean_address == address
        self._start, self._clean_start = (
            _start_digest(address, headers),
            _start_digest(clean_address, headers),
        )

    def complete(self, text: str, known: Container[bytes]) -> bytes:
        """Returns `compute_key` of the request with this text."""
        data = b"%b%b%b" % (self._before, orjson.dumps(text)[1:-1], self._after)
        key = _end_digest(self._start, data)
        if key in known:
            return key
        clean = scrub(data, self._redaction)
        return key if clean is data and self._is_clean else _end_digest(self._clean_start, clean)


def make_partial_key(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, mark: str, rules: MatchRules
) -> PartialKey | None:
    """Returns what the match keys of requests share, or None if the text is not a part of the
    key, or patterns change it.

    body: of one of these requests, with `mark` as the text.
    """
    if rules.has_patterns:
        return None
    data = _sort_body(body, target, rules)
    if data is None or data.count(mark.encode()) != 1:
        return None
    before, _, after = data.partition(mark.encode())
    return PartialKey(
        _render_address(target, method, rules), headers, before, after, rules.redaction
    )


def _start_digest(address: bytes, headers: AnswerHeaders) -> blake2b:
    digest = blake2b(address, digest_size=16)
    for name, value in headers:
        digest.update(f"\n{name}: {value}".encode())
    digest.update(b"\n\n")
    return digest


def _end_digest(start: blake2b, body: bytes) -> bytes:
    digest = start.copy()
    digest.update(body)
    return digest.digest()


def _digest(address: bytes, headers: AnswerHeaders, body: Iterable[bytes]) -> bytes:
    digest = _start_digest(address, headers)
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


def compute_name_key(request: Request) -> bytes:
    """Returns the key whose beginning is in the name of the request's file: the match key of the
    default rules, except that it compares strings that contain JSON as text, and leaves out
    X-Amz-Target.
    """
    return compute_request_key(drop_target(request), _NAMING)


def drop_target(request: Request) -> Request:
    """Returns the request without X-Amz-Target, as earlier versions recorded it."""
    headers = tuple(each for each in request.headers if each[0].lower() != TARGET_HEADER)
    return request if headers == request.headers else replace(request, headers=headers)


def canonical(
    method: str, target: Target, headers: AnswerHeaders, body: bytes, rules: MatchRules = DEFAULT
) -> Canonical:
    """Returns the fields that `compute_key` digests, to compare requests field by field."""
    target, headers, body = _redact(method, target, headers, body, rules)
    data = _sort_body(body, target, rules)
    value: JsonValue = scrub(body).decode(errors="backslashreplace") or None
    if data is not None:
        value = orjson.loads(scrub(data, rules.redaction))
    path = _scrub_cached(_render_address(target, method, rules)).decode()
    return Canonical(target.name or method, _render_model(target, rules), path, headers, value)


def canonicalize_request(request: Request, rules: MatchRules = DEFAULT) -> Canonical:
    """Returns the request fields that `compute_request_key` digests, with binary data digested."""
    target = identify(request.method, request.path)
    return canonical(
        request.method, target, _pick_headers(request), read_outline(request.body.data).data, rules
    )
