"""Signature Version 4 as AWS checks it: recomputed from the bytes that came,
refused with AWS's own words.

Written from the specification, not from a signer's code: botocore's signer is what it is tested
against. Pure; the time is an argument.
"""

import hashlib
import hmac
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from botocore.eventstream import EventStreamBuffer, EventStreamMessage, ParserError

from support.upstream.log import Request

SKEW = timedelta(minutes=5)
STREAMING = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_TIME = "%Y%m%dT%H%M%SZ"
_HOST = re.compile(
    r"(?:vpce-[a-z0-9-]+\.)?(bedrock[a-z-]*)\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::\d+)?"
)
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,"
    r" ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})"
)


class Credentials(NamedTuple):
    """One identity; it has the attributes of botocore's frozen credentials. token:
    required if it is there.
    """

    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True)
class Keys:
    """Whom the upstream knows."""

    credentials: tuple[Credentials, ...] = ()
    bearer: frozenset[str] = frozenset()


class SignatureError(Exception):
    """The request, or an event of it, is not signed as it must be; `error` and
    `message` are what AWS answers.
    """

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.error = error
        self.message = message


@dataclass(frozen=True)
class Signature:
    """A signature that holds, with what events that follow it are signed with."""

    secret_key: str
    region: str
    service: str
    value: str

    def signing_key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = _hmac(key, part)
        return key


def verify(request: Request, keys: Keys, now: datetime) -> Signature | None:
    """The signature of the request; None where a known bearer token stands in for one.

    Raises Refused.
    """
    values = request.values("authorization")
    if not values:
        raise SignatureError(
            403, "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
    if len(values) > 1:
        raise _incomplete("Authorization header must stand once.")
    if values[0].startswith("Bearer "):
        if values[0].removeprefix("Bearer ") not in keys.bearer:
            message = "Authentication failed: Please make sure your API Key is valid."
            raise SignatureError(403, "AccessDeniedException", message)
        return None
    match = _AUTHORIZATION.fullmatch(values[0])
    if match is None:
        raise _incomplete(
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'"
            " parameters."
        )
    access_key, day, region, service, signed, value = match.groups()
    time = _check_time(request, day, now)
    _check_scope(request.host, region, service)
    secret = _find_credentials(request, access_key, keys).secret_key
    signature = Signature(secret, region, service, value)
    canonical = _canonical(request, signed)
    text = "\n".join(
        ["AWS4-HMAC-SHA256", time, f"{day}/{region}/{service}/aws4_request", _sha256(canonical)]
    )
    if not hmac.compare_digest(_hmac(signature.signing_key(day), text).hex(), value):
        raise _mismatch()
    return signature


def _check_time(request: Request, day: str, now: datetime) -> str:
    time = ",".join(request.values("x-amz-date"))
    if not re.fullmatch(r"\d{8}T\d{6}Z", time):
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if time[:8] != day:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date:"
            f" {time}"
        )
    try:
        signed_at = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{time}'.") from None
    _check_skew(signed_at, now)
    return time


def _check_skew(signed_at: datetime, now: datetime) -> None:
    time, here = signed_at.strftime(_TIME), now.strftime(_TIME)
    if signed_at < now - SKEW:
        earliest = (now - SKEW).strftime(_TIME)
        raise _invalid(
            f"Signature expired: {time} is now earlier than {earliest} ({here} - 5 min.)"
        )
    if signed_at > now + SKEW:
        latest = (now + SKEW).strftime(_TIME)
        raise _invalid(
            f"Signature not yet current: {time} is still later than {latest} ({here} + 5 min.)"
        )


def _check_scope(host: str, region: str, service: str) -> None:
    """The scope is that of the host; on loopback, whose name tells no region, any will do."""
    services = {"bedrock", "bedrock-mantle"}
    if match := _HOST.fullmatch(host):
        services = {"bedrock-mantle"} if match[1] == "bedrock-mantle" else {"bedrock"}
        if region != match[2]:
            raise _invalid(f"Credential should be scoped to a valid region, not '{region}'. ")
    elif not _LOOPBACK.fullmatch(host):
        raise SignatureError(404, "UnknownEndpoint", f"no endpoint of Bedrock is called '{host}'")
    if service not in services:
        raise _invalid(f"Credential should be scoped to correct service: '{min(services)}'. ")


def _find_credentials(request: Request, access_key: str, keys: Keys) -> Credentials:
    token = request.values("x-amz-security-token")
    for known in keys.credentials:
        if known.access_key == access_key and token == ([known.token] if known.token else []):
            return known
    raise SignatureError(
        403, "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def _canonical(request: Request, signed: str) -> bytes:
    path, _, query = request.target.partition("?")
    names = signed.split(";")
    _check_names(request, names)
    headers = "".join(
        f"{name}:{','.join(_trim(value) for value in _values(request, name))}\n" for name in names
    )
    return "\n".join(
        [request.method, _path(path), _query(query), headers, signed, _payload_hash(request)]
    ).encode("utf-8", "surrogateescape")


def _check_names(request: Request, names: list[str]) -> None:
    """AWS wants the host signed, and each header of its own; a signed header that is
    not there signs nothing.
    """
    if "host" not in names and ":authority" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    own = {name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")}
    unsigned = own - set(names)
    missing = [name for name in names if not _values(request, name)]
    if unsigned or missing or names != [name.lower() for name in names]:
        raise _mismatch()


def _values(request: Request, name: str) -> list[str]:
    if name in ("host", ":authority"):  # HTTP/2 has the one, HTTP/1.1 the other
        return request.values(":authority") or request.values("host")
    return request.values(name)


def _trim(value: str) -> str:
    return re.sub(r"[ \t]+", " ", value.strip(" \t"))


def _path(path: str) -> str:
    """The path without dots and double slashes, encoded once more than it came: so
    for all services but S3.
    """
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    last = "/" if kept and path.endswith("/") else ""
    return quote(("/" + "/".join(kept) + last).encode("utf-8", "surrogateescape"), safe="/~")


def _query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(
        "=".join(pair)
        for pair in sorted((_encode(name), _encode(value)) for name, _, value in pairs)
    )


def _encode(text: str) -> str:
    return quote(
        unquote(text, errors="surrogateescape").encode("utf-8", "surrogateescape"), safe="~"
    )


def _payload_hash(request: Request) -> str:
    header = request.header("x-amz-content-sha256")
    if header in (_UNSIGNED, STREAMING):
        return header
    computed = _sha256(request.body)
    if header is not None and header != computed:
        raise _invalid(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    return computed


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _incomplete(message: str) -> SignatureError:
    return SignatureError(400, "IncompleteSignatureException", message)


def _invalid(message: str) -> SignatureError:
    return SignatureError(403, "InvalidSignatureException", message)


def _mismatch() -> SignatureError:
    return _invalid(
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details."
    )


# -- events ----------------------------------------------------------------------------------------


class EventChain:
    """The events of a bidirectional stream: each is signed with the signature before it,
    the last of them is empty.

    signature: that of the request's head; None where a bearer token needs no chain,
    and events stand unwrapped.
    """

    def __init__(self, signature: Signature | None) -> None:
        self._signature = signature
        self._prior = signature.value if signature else ""
        self._buffer = EventStreamBuffer()
        self._raw = b""
        self.ended = signature is None

    def feed(self, data: bytes, now: datetime) -> Iterator[bytes]:
        """The events that are whole now, as they were before they were signed. Raises Refused."""
        if self._signature is None:
            yield from self._unwrap(data)
            return
        self._buffer.add_data(data)
        try:
            for message in self._buffer:
                if payload := self._verify_event(self._signature, message, now):
                    yield payload
        except ParserError as error:
            raise _invalid(f"an event is damaged: {error}") from None

    def _unwrap(self, data: bytes) -> Iterator[bytes]:
        self._raw += data
        while len(self._raw) >= 4 and len(self._raw) >= (
            size := max(int.from_bytes(self._raw[:4]), 16)
        ):
            yield self._raw[:size]
            self._raw = self._raw[size:]

    def _verify_event(
        self, signature: Signature, message: EventStreamMessage, now: datetime
    ) -> bytes:
        headers: dict[str, Any] = dict(message.headers)  # type: ignore[call-overload]  # the stubs say int
        if self.ended or headers.keys() != {":date", ":chunk-signature"}:
            raise _invalid(f"an event after the last, or with the headers {sorted(headers)}")
        stamp = int(headers[":date"])
        signed_at = datetime.fromtimestamp(stamp / 1000, UTC)
        _check_skew(signed_at, now)
        time = signed_at.strftime(_TIME)
        scope = f"{time[:8]}/{signature.region}/{signature.service}/aws4_request"
        date = b"\x05:date\x08" + struct.pack(">q", stamp)
        hashes = [_sha256(date), _sha256(message.payload)]
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", time, scope, self._prior, *hashes])
        expected = _hmac(signature.signing_key(time[:8]), text)
        if not hmac.compare_digest(expected, headers[":chunk-signature"]):
            raise _mismatch()
        self._prior = expected.hex()
        self.ended = not message.payload
        return bytes(message.payload)
