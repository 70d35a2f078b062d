"""The upstream's check of signatures: what botocore's signer signs is accepted, with any one
thing changed it is not.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.upstream import (
    BEARER_TOKEN,
    CREDENTIALS,
    Credentials,
    Keys,
    Request,
    SignatureError,
    verify,
)
from support.upstream.clients import JSON, RUNTIME, sign_headers
from support.upstream.sigv4 import EventChain, Signature

PATH = "/model/us.amazon.nova-lite-v1%3A0/converse"
WITH_TOKEN = CREDENTIALS._replace(token="session-token")
KEYS = Keys((CREDENTIALS, WITH_TOKEN), frozenset([BEARER_TOKEN]))
PLACES = (
    ("bedrock", RUNTIME),
    ("bedrock", "bedrock.us-east-1.amazonaws.com:8443"),
    ("bedrock", "localhost:4566"),
    ("bedrock-mantle", "bedrock-mantle.us-east-1.api.aws"),
)


def now() -> datetime:
    return datetime.now(UTC)


def request(path: str = PATH, body: bytes = b"{}", method: str = "POST", **how: object) -> Request:
    """A request signed by botocore, as it comes over HTTP/1.1."""
    headers = sign_headers(path, body, method=method, **how)  # type: ignore[arg-type]
    return Request(0, "1.1", method, path, tuple(headers), body, 0, 0)


def with_header(told: Request, name: str, value: str) -> Request:
    """The request with another value for a header."""
    return replace(
        told, headers=tuple((n, value if n.lower() == name else v) for n, v in told.headers)
    )


_SIGNED_ANYWAY = ("x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
_TEXTS = st.text("xyz é/+&=%~:", min_size=1, max_size=4)
_SEGMENTS = st.text(max_size=12).map(
    lambda text: quote(text.encode("utf-8", "replace"), safe=":!*'()+$,;=@~")
)
_PATHS = st.lists(_SEGMENTS, max_size=5).map(lambda segments: "/" + "/".join(segments))
_NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(
    lambda name: f"x-amz-{name}"
)
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@st.composite
def _targets(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=3))
    query = "&".join(
        f"{quote(n.encode(), safe='-_.~')}={quote(v.encode(), safe='-_.~')}" for n, v in pairs
    )
    return str(draw(_PATHS)) + (f"?{query}" if query else "")


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    """Any path, query, headers, body, identity and service."""
    service, host = draw(st.sampled_from(PLACES))
    own = draw(
        st.dictionaries(_NAMES.filter(lambda name: name not in _SIGNED_ANYWAY), _VALUES, max_size=3)
    )
    return request(
        draw(_targets()),
        draw(st.binary(max_size=40)),
        draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])),
        host=host,
        service=service,
        headers=(*JSON, *own.items()),
        credentials=draw(st.sampled_from([CREDENTIALS, WITH_TOKEN])),
    )


@st.composite
def _changed(draw: st.DrawFn, told: Request) -> Request:
    """The request with one thing of it another."""
    path, _, query = told.target.partition("?")
    position = draw(st.integers(0, len(told.headers) - 1))
    name, value = told.headers[position]
    before, after = told.headers[:position], told.headers[position + 1 :]
    cut = draw(st.integers(0, len(told.body)))
    changes = [
        replace(told, method=told.method + "X"),
        replace(told, target=f"{path}x?{query}"),
        replace(told, target=f"{path}?{query}&x=1"),
        replace(
            told, body=told.body[:cut] + draw(st.binary(min_size=1, max_size=1)) + told.body[cut:]
        ),
        replace(told, headers=(*before, (name, value + "x"), *after)),
        replace(told, headers=(*before, *after)),
        replace(told, headers=(*told.headers, (name, value))),
        replace(told, headers=(*told.headers, ("X-Amz-Added", "1"))),
    ]
    return draw(st.sampled_from(changes))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(_requests())
def test_what_botocore_signs_is_accepted(told: Request) -> None:
    signature = verify(told, KEYS, now())
    assert signature is not None
    assert str(told.header("authorization")).endswith(signature.value)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.data())
def test_with_any_one_thing_changed_it_is_refused(data: st.DataObject) -> None:
    changed = data.draw(_changed(data.draw(_requests())))
    with pytest.raises(SignatureError):
        verify(changed, KEYS, now())


def test_over_http2_the_authority_stands_for_the_host() -> None:
    told = request()
    headers = (
        (":method", "POST"),
        (":authority", RUNTIME),
        *((n.lower(), v) for n, v in told.headers[1:]),
    )
    assert verify(replace(told, version="2", headers=headers), KEYS, now())


def _authorization(**changed: str) -> str:
    parts = {"Credential": f"{CREDENTIALS.access_key}/20300101/us-east-1/bedrock/aws4_request"} | {
        "SignedHeaders": "host;x-amz-date",
        "Signature": "0" * 64,
    }
    return "AWS4-HMAC-SHA256 " + ", ".join(
        f"{name}={value}" for name, value in (parts | changed).items() if value
    )


INVALID = "403 InvalidSignatureException"
INCOMPLETE = "400 IncompleteSignatureException"
# Signed when they are used: a signature is soon too old.
REFUSED = {
    "no signature": (
        lambda: replace(request(), headers=JSON),
        "403 MissingAuthenticationTokenException",
    ),
    "another scheme": (lambda: with_header(request(), "authorization", "Basic eDp5"), INCOMPLETE),
    "no signed headers": (
        lambda: with_header(request(), "authorization", _authorization(SignedHeaders="")),
        INCOMPLETE,
    ),
    "no date": (lambda: with_header(request(), "x-amz-date", ""), INCOMPLETE),
    "a date that is none": (
        lambda: with_header(request(), "x-amz-date", "20300101T000000"),
        INCOMPLETE,
    ),
    "a date of another day": (
        lambda: with_header(request(), "x-amz-date", "20300101T000000Z"),
        INVALID,
    ),
    "another region": (lambda: request(region="us-west-2"), INVALID),
    "another service": (lambda: request(service="bedrock-runtime"), INVALID),
    "another host": (lambda: request(host="example.com"), "404 UnknownEndpoint"),
    "another secret": (lambda: request(credentials=CREDENTIALS._replace(secret_key="x")), INVALID),
    "another key": (
        lambda: request(credentials=Credentials("AKIAX", CREDENTIALS.secret_key)),
        "403 UnrecognizedClient",
    ),
    "another token": (
        lambda: request(credentials=CREDENTIALS._replace(token="x")),
        "403 UnrecognizedClientException",
    ),
    "another body hash": (lambda: request(headers=(("X-Amz-Content-SHA256", "0" * 64),)), INVALID),
    "another method": (lambda: replace(request(), method="PUT"), INVALID),
    "another path": (lambda: replace(request(), target=PATH.replace("%3A", ":")), INVALID),
    "another query": (lambda: replace(request(PATH + "?a=1"), target=PATH + "?a=2"), INVALID),
    "another body": (lambda: replace(request(), body=b"{ }"), INVALID),
    "another content type": (lambda: with_header(request(), "content-type", "text/plain"), INVALID),
    "a second host": (
        lambda: replace(request(), headers=(("Host", RUNTIME), *request().headers)),
        INVALID,
    ),
    "a header of AWS's that is not signed": (
        lambda: replace(request(), headers=(*request().headers, ("X-Amz-Added", "1"))),
        INVALID,
    ),
    "a signed header that is not there": (
        lambda: replace(request(), headers=request().headers[1:]),
        "404|403",
    ),
    "two signatures": (
        lambda: replace(request(), headers=request().headers + request().headers[-1:]),
        INCOMPLETE,
    ),
    "another bearer token": (
        lambda: replace(request(), headers=(("authorization", "Bearer x"),)),
        "403 AccessDenied",
    ),
}


@pytest.mark.parametrize(("told", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_the_refusal_says_why(told: Callable[[], Request], error: str) -> None:
    with pytest.raises(SignatureError, match=error):
        verify(told(), KEYS, now())


def test_a_token_that_is_required_may_not_be_missing() -> None:
    with pytest.raises(SignatureError, match="UnrecognizedClientException"):
        verify(request(), Keys((WITH_TOKEN,)), now())


@pytest.mark.parametrize(("minutes", "said"), [(6, "Signature expired"), (-6, "not yet current")])
def test_a_signature_holds_for_five_minutes(minutes: int, said: str) -> None:
    told = request()
    assert verify(told, KEYS, now() + timedelta(minutes=minutes * 0.75))
    with pytest.raises(SignatureError, match=said):
        verify(told, KEYS, now() + timedelta(minutes=minutes))


def test_the_body_may_be_left_unsigned_if_that_is_signed() -> None:
    told = request(headers=(("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),))
    assert verify(replace(told, body=b"another"), KEYS, now())


def test_a_known_bearer_token_needs_no_signature() -> None:
    told = replace(request(), headers=(("Authorization", f"Bearer {BEARER_TOKEN}"),))
    assert verify(told, KEYS, now()) is None


# Events: a chain that is known to hold; JavaScript's signer is asked in test_upstream.py.

HEAD = Signature(CREDENTIALS.secret_key, "us-east-1", "bedrock", "0" * 64)
AT = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = (
    (b"one", "e38aa49a42dab7ed6d64e80aa7b9209589a47bcd23334fee2ae9af4a6812e5c9"),
    (b"two", "eefee865644f3916c8447d5f7bf7cde7860c8469837989c6cb4e2807e89d048b"),
    (b"", "89c461aa4c1986e49cfaf8b1b73175498d6014eea566df2a7d0b4147cb81d66a"),
)


def event(payload: bytes, signature: str, at: datetime = AT) -> bytes:
    """A signed event."""
    stamp = struct.pack(">q", int(at.timestamp() * 1000))
    headers = (
        b"\x05:date\x08" + stamp + b"\x10:chunk-signature\x06\x00\x20" + bytes.fromhex(signature)
    )
    lengths = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def fed(chain: EventChain, data: bytes, size: int = 1 << 20) -> list[bytes]:
    return [
        payload
        for at in range(0, len(data), size)
        for payload in chain.feed(data[at : at + size], AT)
    ]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chain_of_events_holds_however_it_is_cut(size: int) -> None:
    chain = EventChain(HEAD)
    assert fed(chain, b"".join(event(*link) for link in CHAIN), size) == [b"one", b"two"]
    assert chain.ended


BROKEN = {
    "left out": [event(*CHAIN[1])],
    "twice": [event(*CHAIN[0])] * 2,
    "another payload": [event(b"won", CHAIN[0][1])],
    "another time": [event(*CHAIN[0], AT + timedelta(seconds=1))],
    "too late": [event(*CHAIN[0], AT - timedelta(minutes=6))],
    "damaged": [event(*CHAIN[0])[:-1] + b"x"],
    "after the last": [event(*link) for link in (*CHAIN, CHAIN[0])],
}


@pytest.mark.parametrize("events", BROKEN.values(), ids=BROKEN.keys())
def test_a_chain_that_is_broken_is_refused(events: list[bytes]) -> None:
    with pytest.raises(SignatureError, match=INVALID):
        fed(EventChain(HEAD), b"".join(events))


def test_under_a_bearer_token_events_are_not_wrapped() -> None:
    events = [event(*link) for link in CHAIN]
    assert fed(EventChain(None), b"".join(events), 5) == events
