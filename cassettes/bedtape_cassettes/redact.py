"""What a secret looks like; how it is taken out, and how it is found where it should not be.

Scrubbing cannot be turned off: every write goes through it, and so does every request before it is matched, so that
a recording with another account's ids still answers. Placeholders have the length of what they replace wherever AWS
documents an example value.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bedtape_cassettes import bodies
from bedtape_cassettes.model import Body, Event, Events, Headers, Interaction

__all__ = [
    "ACCESS_KEY",
    "ACCOUNT",
    "REDACTED",
    "Finding",
    "Redaction",
    "is_secret_header",
    "scan",
    "scrub",
    "scrub_interaction",
    "scrub_request_body",
]

REDACTED = "REDACTED"
ACCOUNT = "123456789012"  # the account of AWS's documentation
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # the access key id of AWS's documentation

_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-amz-security-token",
        "x-api-key",
        "api-key",
        "cookie",
        "set-cookie",
        "x-bedtape-control-token",
    }
)

_TOKEN = rb"[A-Za-z0-9_~+/=.%-]"
_SCRUBS: tuple[tuple[str, re.Pattern[bytes], bytes], ...] = (
    (
        "a SigV4 authorization",
        re.compile(rb"AWS4-HMAC-SHA256 Credential=[^\s\"\\]+(?:,\s*\w+=[^\s,\"\\]+)*"),
        b"AWS4-HMAC-SHA256 " + REDACTED.encode(),
    ),
    (
        "an access key id",
        re.compile(rb"(?<![A-Za-z0-9])(?!AKIAIOSFODNN7EXAMPLE)(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ACCESS_KEY.encode(),
    ),
    (
        "an account id in an ARN",
        re.compile(
            rb"(arn(?::|%3[Aa])aws[a-z-]*(?::|%3[Aa])[a-z0-9-]*(?::|%3[Aa])[a-z0-9-]*(?::|%3[Aa]))"
            rb"(?!123456789012)\d{12}(?!\d)"
        ),
        rb"\g<1>" + ACCOUNT.encode(),
    ),
    (
        "a presigned URL's signature",
        re.compile(
            rb"(?i)\b((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=)(?!REDACTED)"
            + _TOKEN
            + rb"{16,}"
        ),
        rb"\g<1>" + REDACTED.encode(),
    ),
    (
        "a bearer token",
        re.compile(rb"(?i)\b(bearer +)(?!REDACTED)" + _TOKEN + rb"{20,}"),
        rb"\g<1>" + REDACTED.encode(),
    ),
    (
        "a Bedrock API key",
        re.compile(rb"\b(?:ABSK[A-Za-z0-9+/]{40,}=*|bedrock-api-key-[A-Za-z0-9+/=_-]{20,})"),
        REDACTED.encode(),
    ),
    (
        "a secret access key or session token",
        re.compile(
            rb"(?i)((?:aws_?)?(?:secret_?access_?key|session_?token)\\?[\"']?\s*[:=]\s*\\?[\"']?)(?!REDACTED)"
            rb"[A-Za-z0-9/+=]{40,}"
        ),
        rb"\g<1>" + REDACTED.encode(),
    ),
)
# Cheap test for "none of the above", for the hot path: most requests hold none of these words.
_SUSPECT = re.compile(
    rb"(?i:aws4-hmac|arn(?::|%3a)aws|signature=|credential=|security-token=|accesskeyid=|bearer |access_?key|session_?token)"
    rb"|AKIA|ASIA|ABIA|ACCA|ABSK|bedrock-api-key"
)

# Not AWS's, so nobody knows what may stand in their place: writing them is refused.
_REFUSALS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a private key", re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a Slack token", re.compile(rb"\bxox[abeprs]-[A-Za-z0-9-]{20,}")),
    ("an OpenAI or Anthropic key", re.compile(rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}")),
    ("a Google API key", re.compile(rb"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("a Stripe key", re.compile(rb"\b[rs]k_live_[A-Za-z0-9]{20,}")),
    ("a JSON web token", re.compile(rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}")),
)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What to take out besides what always is: patterns over the bytes of paths, headers and bodies."""

    patterns: tuple[re.Pattern[bytes], ...] = ()


ALWAYS = Redaction()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks like a secret: what kind, and where in the interaction (`response.body`, …)."""

    kind: str
    where: str


def is_secret_header(name: str) -> bool:
    """Whether a header's value is a secret whatever it says."""
    return name.lower() in _SECRET_HEADERS


def scrub(data: bytes, redaction: Redaction = ALWAYS) -> bytes:
    """The bytes with every secret replaced. The same object where there is none."""
    if _SUSPECT.search(data):
        for _, pattern, placeholder in _SCRUBS:
            data = pattern.sub(placeholder, data)
    for pattern in redaction.patterns:
        data = pattern.sub(REDACTED.encode(), data)
    return data


_INNER = re.compile(rb'("(?:body|bytes)":\s*")([A-Za-z0-9+/]{24,}={0,2})(")')


def _scrub_inner(data: bytes, redaction: Redaction) -> bytes:
    """Secrets inside base64 text under `body` (CountTokens) and `bytes` (stream chunks of agents)."""

    def inner(found: re.Match[bytes]) -> bytes:
        try:
            text = b64decode(found[2], validate=True)
            text.decode()
        except (binascii.Error, UnicodeDecodeError):
            return found[0]
        clean = scrub(text, redaction)
        return found[0] if clean == text else found[1] + b64encode(clean) + found[3]

    return _INNER.sub(inner, data)


def scrub_request_body(data: bytes, operation: str | None, redaction: Redaction = ALWAYS) -> bytes:
    """A request's body as it may be kept and is matched."""
    data = scrub(data, redaction)
    return _scrub_inner(data, redaction) if operation == "CountTokens" else data


def _scrub_headers(headers: Headers, redaction: Redaction) -> Headers:
    return tuple(
        (name, REDACTED if is_secret_header(name) else scrub(value.encode(), redaction).decode())
        for name, value in headers
    )


def _scrub_event(event: Event, redaction: Redaction) -> Event:
    if event.form == "bytes":
        opened = bodies.compact(bodies.open_chunk(event.payload))
        clean = scrub(opened, redaction)
        return event if clean == opened else replace(event, payload=bodies.seal_chunk(bodies.parse(clean)))
    payload = _scrub_inner(scrub(event.payload, redaction), redaction) if event.form != "base64" else event.payload
    return event if payload == event.payload else replace(event, payload=payload)


def _scrub_body(body: Body | Events, redaction: Redaction) -> Body | Events:
    if isinstance(body, Events):
        events = [_scrub_event(event, redaction) for event in body.events]
        return Events.of(events, padded=body.padded)
    return body if body.form == "base64" else replace(body, data=scrub(body.data, redaction))


def scrub_interaction(interaction: Interaction, redaction: Redaction = ALWAYS) -> Interaction:
    """The interaction as it may be written."""
    request, response = interaction.request, interaction.response
    body = request.body
    if body.form != "base64":
        body = replace(body, data=scrub_request_body(body.data, interaction.operation, redaction))
    return replace(
        interaction,
        model=interaction.model and scrub(interaction.model.encode(), redaction).decode(),
        request=replace(
            request,
            path=scrub(request.path.encode(), redaction).decode(),
            headers=_scrub_headers(request.headers, redaction),
            body=body,
        ),
        response=replace(
            response,
            headers=_scrub_headers(response.headers, redaction),
            body=_scrub_body(response.body, redaction),
        ),
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
        opened = bodies.compact(bodies.open_chunk(event.payload)) if event.form == "bytes" else event.payload
        yield f"response.events.{number}", opened


def scan(interaction: Interaction) -> list[Finding]:
    """Everything that still looks like a secret."""
    findings = []
    for where, data in _places(interaction):
        findings += [Finding(kind, where) for kind, pattern, _ in _SCRUBS if pattern.search(data)]
        findings += [Finding(kind, where) for kind, pattern in _REFUSALS if pattern.search(data)]
    return findings
