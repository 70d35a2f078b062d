"""What a secret looks like; how it is taken out, and how it is found where it should not be.

Scrubbing cannot be turned off: every write goes through it, and so does every request before it is matched, so that
a recording with another account's ids still answers. Placeholders have the length of what they replace wherever AWS
documents an example value.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Event, Events, Headers, Interaction, Response
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.prefix_tree import any_of
from bedtape_cassettes.redaction.user_patterns import REDACTED, Redaction, in_body, in_path, in_text, inner_text

__all__ = [
    "ACCESS_KEY",
    "ACCOUNT",
    "REDACTED",
    "REFUSALS",
    "SCRUBS",
    "Finding",
    "Redaction",
    "is_secret_header",
    "scan",
    "scrub",
    "scrub_body",
    "scrub_event",
    "scrub_headers",
    "scrub_interaction",
    "scrub_path",
    "scrub_text",
]

ACCOUNT = "123456789012"  # the account of AWS's documentation
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the access key id of AWS's documentation

# By their last word, for in an exact recording every header is kept, and nobody knows all that carry a secret.
_SECRET_HEADER = re.compile(
    r"(?i)(?:.*[-_])?(?:authorization|token|secret|api-?key|access-?key|password|cookie|credential)"
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of secret. Wherever the pattern matches, the data in lower case holds one of the hints.

    Looking for the hints takes a fiftieth of the time, on the hot path of replay, where hardly a request has one.
    placeholder: None for what is not AWS's: nobody knows what may stand in its place, so writing it is refused.
    """

    name: str
    hints: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    placeholder: bytes | None = None

    def hinted(self, lowered: bytes) -> bool:
        for hint in self.hints:  # noqa: SIM110 -- `any` takes twice the time
            if hint in lowered:
                return True
        return False


# Where a secret may begin. In JSON and in URLs a letter or digit before it may be the end of an escape: `\nAKIA…`.
_START = rb"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_TOKEN = rb"(?:[A-Za-z0-9_~+=.%-]|\\?/)"  # some JSON writers escape the slash
_IS = rb"(?:=|%3[Dd]|\\u003[Dd])"
_COLON = rb"(?::|%3[Aa])"
_REDACTED = REDACTED.encode()
SCRUBS = (
    _Kind(
        "a SigV4 authorization",
        (b"aws4-",),
        re.compile(rb"(AWS4-(?:HMAC|ECDSA-P256)-SHA256 )Credential=[^\s,\"\\]+(?:,\s*[\w-]+=[^\s,\"\\]+)*"),
        rb"\g<1>" + _REDACTED,
    ),
    _Kind(
        "an access key id",
        (b"akia", b"asia", b"abia", b"acca"),
        re.compile(_START + rb"(?!AKIAIOSFODNN7EXAMPLE)(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ACCESS_KEY.encode(),
    ),
    _Kind(
        "an account id in an ARN",
        (b"arn:aws", b"arn%3aaws"),
        re.compile(
            rb"(arn%baws[a-z-]*%b[a-z0-9-]*%b[a-z0-9-]*%b)(?!123456789012)\d{12}(?!\d)".replace(b"%b", _COLON),
        ),
        rb"\g<1>" + ACCOUNT.encode(),
    ),
    _Kind(
        "an account id",
        (b"accountid", b"bucketowner"),
        re.compile(rb'(\\*"(?:bucketOwner|[A-Za-z]*[aA]ccountId)\\*"\s*:\s*\\*")(?!123456789012)\d{12}(?=\\*")'),
        rb"\g<1>" + ACCOUNT.encode(),
    ),
    _Kind(
        "a presigned URL's signature",
        (b"signature", b"x-amz-", b"awsaccesskeyid"),
        re.compile(
            rb"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|"
            + (_START + rb"Signature)" + _IS + rb")(?!REDACTED)" + _TOKEN + rb"{16,}")
        ),
        rb"\g<1>" + _REDACTED,
    ),
    _Kind(
        "a bearer token",
        (b"bearer",),
        re.compile(rb"(?i)(" + _START + rb"bearer(?: |%20|\+)+)(?!REDACTED)" + _TOKEN + rb"{20,}"),
        rb"\g<1>" + _REDACTED,
    ),
    _Kind(
        "a Bedrock API key",
        (b"absk", b"bedrock-api-key-"),
        re.compile(_START + rb"(?:ABSK(?:[A-Za-z0-9+]|\\?/){40,}=*|bedrock-api-key-(?:[A-Za-z0-9+=_-]|\\?/){20,})"),
        _REDACTED,
    ),
    _Kind(
        "a secret access key or session token",
        tuple(
            b"%b%b%b" % (a, sign, b)
            for a, b in ((b"access", b"key"), (b"session", b"token"))
            for sign in (b"", b"_", b" ", b"-")
        ),
        re.compile(
            rb"(?i)((?:secret[_ -]?access[_ -]?key|session[_ -]?token)\\*[\"']?\s*(?:[:=>]|%3[AaDd])\s*\\*[\"']?)"
            rb"(?!REDACTED)(?:[A-Za-z0-9+=]|\\?/|%2[BbFf]|%3[Dd]){40,}"
        ),
        rb"\g<1>" + _REDACTED,
    ),
)
REFUSALS = (
    _Kind("a private key", (b"private key-----",), re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    _Kind(
        "a GitHub token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(_START + rb"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})"),
    ),
    _Kind("a Slack token", (b"xox",), re.compile(_START + rb"xox[abeprs]-[A-Za-z0-9-]{20,}")),
    _Kind("an OpenAI or Anthropic key", (b"sk-",), re.compile(_START + rb"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}")),
    _Kind("a Google API key", (b"aiza",), re.compile(_START + rb"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    _Kind("a Stripe key", (b"k_live_",), re.compile(_START + rb"[rs]k_live_[A-Za-z0-9]{20,}")),
    _Kind(
        "a JSON web token",
        (b"eyj",),
        re.compile(_START + rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    ),
)


ALWAYS = Redaction()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks like a secret: what kind, and where in the interaction (`response.body`, …)."""

    kind: str
    where: str


# The hints of all kinds that can be taken out: one look tells that nothing is to be taken out, as nearly always.
_ANY_HINT = any_of(hint for kind in SCRUBS for hint in kind.hints)


def is_secret_header(name: str) -> bool:
    """Whether a header's value is a secret whatever it says."""
    return _SECRET_HEADER.fullmatch(name) is not None


def scrub(data: bytes) -> bytes:
    """The bytes with every secret replaced. The same object where there is none."""
    lowered = data.lower()
    if not _ANY_HINT.search(lowered):
        return data
    for kind in SCRUBS:
        if kind.placeholder is not None and kind.hinted(lowered):
            data = kind.pattern.sub(kind.placeholder, data)
    return data


# What holds base64 in Bedrock's JSON: `body` in CountTokens, `bytes` and `data` in documents and stream chunks.
_INNER_NAMES = (b'"bytes"', b'"body"', b'"data"')
_INNER = re.compile(rb'("(?:bytes|body|data)"\s*:\s*")([A-Za-z0-9+/]{24,}={0,2})(")')


def scrub_body(data: bytes, redaction: Redaction = ALWAYS) -> bytes:
    """A body, or an event's payload, as it may be kept and is matched: as `scrub`, and inside base64 too."""

    def inner(found: re.Match[bytes]) -> bytes:
        text = inner_text(found[2])
        clean = text and scrub_body(text)
        return found[0] if not clean or clean == text else found[1] + b64encode(clean) + found[3]

    data = scrub(data)
    if any(name in data for name in _INNER_NAMES):
        data = _INNER.sub(inner, data)
    return in_body(data, redaction) if redaction.patterns else data


def scrub_text(text: str, redaction: Redaction = ALWAYS) -> str:
    """A header's value, a session's name and the like as they may be kept."""
    clean = scrub(text.encode(errors="replace")).decode(errors="replace")
    return in_text(clean, redaction) if redaction.patterns else clean


def scrub_path(path: str, redaction: Redaction = ALWAYS) -> str:
    """A request's path with its query, percent-encoded, as it may be kept."""
    clean = scrub_text(path)
    return in_path(clean, redaction) if redaction.patterns else clean


def scrub_headers(headers: Headers, redaction: Redaction = ALWAYS) -> Headers:
    """The headers of a request or response as they may be kept."""
    return tuple(
        (name, REDACTED if is_secret_header(name) else scrub_text(value, redaction)) for name, value in headers
    )


def scrub_event(event: Event, redaction: Redaction = ALWAYS) -> Event:
    """The event as it may be kept; the same object where it holds no secret."""
    headers = tuple((name, scrub_text(value, redaction)) for name, value in event.headers)
    payload = event.payload if event.form == "base64" else scrub_body(event.payload, redaction)
    form = event.form if payload == event.payload else bodies.event_form(payload, framed=bool(headers))
    clean = replace(event, headers=headers, payload=payload, form=form)
    return event if clean == event else clean


def _scrub_body(body: Body, redaction: Redaction) -> Body:
    data = body.data if body.form == "base64" else scrub_body(body.data, redaction)
    return body if data == body.data else bodies.body_of(data)


def _scrub_response(response: Response, redaction: Redaction) -> Response:
    body = response.body
    if isinstance(body, Events):
        clean: Body | Events = Events.of([scrub_event(e, redaction) for e in body.events], padded=body.padded)
    else:
        clean = _scrub_body(body, redaction)
    return replace(response, headers=scrub_headers(response.headers, redaction), body=clean)


def scrub_interaction(interaction: Interaction, redaction: Redaction = ALWAYS) -> Interaction:
    """The interaction as it may be written."""
    request = interaction.request
    path = scrub_path(request.path, redaction)
    target = identify(request.method, path)
    return replace(
        interaction,
        operation=interaction.operation and target.name,
        model=interaction.model and target.model,
        request=replace(
            request,
            path=path,
            headers=scrub_headers(request.headers, redaction),
            body=_scrub_body(request.body, redaction),
        ),
        response=_scrub_response(interaction.response, redaction),
    )


def _places(interaction: Interaction) -> Iterator[tuple[str, bytes]]:
    request, response = interaction.request, interaction.response
    yield "request.path", request.path.encode()
    for side, headers in (("request", request.headers), ("response", response.headers)):
        for name, value in headers:
            yield f"{side}.headers.{name}", value.encode()
    yield "request.body", request.body.data
    if isinstance(response.body, Body):
        yield "response.body", response.body.data
        return
    for number, event in enumerate(response.body.events):
        for name, value in event.headers:
            yield f"response.events.{number}.headers.{name}", value.encode()
        yield f"response.events.{number}", event.payload


def _texts(data: bytes) -> Iterator[bytes]:
    """The data, and every text in base64 within."""
    yield data
    for found in _INNER.finditer(data):
        if text := inner_text(found[2]):
            yield from _texts(text)


def _kinds(data: bytes) -> Iterator[str]:
    for text in _texts(data):
        lowered = text.lower()
        for kind in (*SCRUBS, *REFUSALS):
            if kind.hinted(lowered) and kind.pattern.search(text):
                yield kind.name


def _bare_secrets(interaction: Interaction) -> Iterator[Finding]:
    for side, headers in (("request", interaction.request.headers), ("response", interaction.response.headers)):
        for name, value in headers:
            if is_secret_header(name) and value != REDACTED:
                yield Finding("a secret header", f"{side}.headers.{name}")


def scan(interaction: Interaction) -> list[Finding]:
    """Everything that still looks like a secret."""
    found = [Finding(kind, where) for where, data in _places(interaction) for kind in _kinds(data)]
    return [*_bare_secrets(interaction), *found]
