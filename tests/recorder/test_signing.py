"""Signatures made again: botocore's signer agrees, and so does the algorithm written out
here from its specification.
"""

import hashlib
import hmac
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from zlib import crc32

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue
from bedtape_cassettes.model import Headers
from bedtape_recorder.signing import SIGNATURE_HEADERS, EventSigner, sign
from support.capturing import cut

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "20240102T030405Z"
KEYS = ReadOnlyCredentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None)
SESSION = ReadOnlyCredentials("ASIAIOSFODNN7EXAMPLE", "another/Secret+Key", "the-session-token==")
STREAMING = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None)
    )


# -- the algorithm, from its specification ---------------------------------------------------------


def hexed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signing_key(secret: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (STAMP[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def expected(
    method: str,
    url: str,
    headers: dict[str, str],
    digest: str,
    keys: ReadOnlyCredentials,
    region: str,
    service: str,
) -> str:
    """The Authorization header of a request with exactly these headers signed, and its host."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/~-_.")
    pairs = sorted(
        (name, value)
        for name, _, value in (pair.partition("=") for pair in parts.query.split("&") if pair)
    )
    query = "&".join(f"{name}={value}" for name, value in pairs)
    named = {
        "host": parts.netloc,
        **{name.lower(): " ".join(value.split()) for name, value in headers.items()},
    }
    names = ";".join(sorted(named))
    lines = [
        method,
        path,
        query,
        *(f"{name}:{named[name]}" for name in sorted(named)),
        "",
        names,
        digest,
    ]
    scope = f"{STAMP[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", STAMP, scope, hexed("\n".join(lines).encode())])
    signature = hmac.new(
        signing_key(str(keys.secret_key), region, service), to_sign.encode(), "sha256"
    ).hexdigest()
    return (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names},"
        f" Signature={signature}"
    )


STALE: Headers = (
    (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=OLD/20200101/us-east-1/bedrock/aws4_request, Signature=00",
    ),
    ("X-Amz-Date", "20200101T000000Z"),
    ("x-amz-security-token", "old-token"),
    ("X-AMZ-Content-Sha256", "0" * 64),
)
PLAIN: Headers = (
    ("Host", "127.0.0.1:4000"),
    ("Content-Type", "application/json"),
    ("User-Agent", "Boto3/1.44"),
    ("X-Amzn-Bedrock-Trace", "ENABLED"),
    ("X-Amzn-Bedrock-GuardrailIdentifier", "  two   words "),
    ("amz-sdk-invocation-id", "1"),
    ("Content-Length", "2"),
)
CASES = [
    (
        "POST",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
        "us-east-1",
        "bedrock",
    ),
    (
        "POST",
        (
            "https://bedrock-runtime.eu-west-3.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A123456789012%3A"
            "inference-profile%2Fx/invoke"
        ),
        "eu-west-3",
        "bedrock",
    ),
    (
        "POST",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/raw:colon~+*/invoke",
        "us-east-1",
        "bedrock",
    ),
    (
        "GET",
        "https://bedrock.cn-north-1.amazonaws.com.cn/foundation-models?byProvider=b&a=1&byCustom=",
        "cn-north-1",
        "bedrock",
    ),
    (
        "POST",
        "https://bedrock-mantle.us-west-2.api.aws/openai/v1/responses",
        "us-west-2",
        "bedrock-mantle",
    ),
    ("GET", "https://bedrock.us-gov-west-1.amazonaws.com", "us-gov-west-1", "bedrock"),
]


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize(
    "stale", [(), STALE, STALE[3:], (("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),)], ids=len
)
@pytest.mark.parametrize(("method", "url", "region", "service"), CASES)
def test_a_request_is_signed_as_specified_and_as_botocore_does(
    method: str, url: str, region: str, service: str, stale: Headers, keys: ReadOnlyCredentials
) -> None:
    body = b'{"a":"\xc3\xa9"}' if method == "POST" else b""
    signed = sign(
        method, url, (*PLAIN, *stale), body, credentials=keys, service=service, region=region
    )
    covered = {name: value for name, value in PLAIN if name.startswith(("X-Amzn", "Content-Type"))}
    covered["X-Amz-Date"] = STAMP
    if keys.token:
        covered["X-Amz-Security-Token"] = keys.token
    wanted = {
        name: value
        for name, value in covered.items()
        if name in ("X-Amz-Date", "X-Amz-Security-Token")
    }
    wanted["Authorization"] = expected(method, url, covered, hexed(body), keys, region, service)
    assert dict(signed) == wanted

    request = AWSRequest(method=method, url=url, headers=dict(PLAIN[1:2] + PLAIN[3:5]), data=body)
    SigV4Auth(keys, service, region).add_auth(request)
    assert request.headers["Authorization"] == signed["Authorization"]


def test_another_body_path_header_secret_region_or_service_is_another_signature() -> None:
    def authorization(**changed: Any) -> str:
        given = {
            "method": "POST", "url": CASES[0][1], "headers": PLAIN, "body": b"{}",
            "credentials": KEYS, "service": "bedrock", "region": "us-east-1", **changed,
        }  # fmt: skip
        return sign(
            given["method"], given["url"], given["headers"], given["body"],
            credentials=given["credentials"], service=given["service"], region=given["region"],
        )["Authorization"].rpartition("=")[2]  # fmt: skip

    changes: list[dict[str, Any]] = [
        {}, {"method": "PUT"}, {"url": CASES[0][1] + "x"}, {"url": CASES[0][1] + "?a=1"}, {"body": b"{ }"},
        {"headers": (*PLAIN, ("x-amzn-bedrock-accept", "a"))}, {"headers": PLAIN[:1]}, {"region": "us-east-2"},
        {"service": "bedrock-mantle"}, {"credentials": ReadOnlyCredentials(KEYS.access_key, "other", None)},
    ]  # fmt: skip
    assert len({authorization(**change) for change in changes}) == len(changes)
    assert authorization(headers=(*PLAIN, ("User-Agent", "b"), ("X-Other", "c"))) == authorization()


def test_no_header_of_the_old_signature_is_passed_on() -> None:
    signed = sign(
        "POST", CASES[0][1], STALE, b"", credentials=KEYS, service="bedrock", region="us-east-1"
    )
    assert {name.lower() for name in signed} == {"authorization", "x-amz-date"}
    assert {name.lower() for name, _ in STALE} == set(SIGNATURE_HEADERS)
    assert "OLD" not in str(signed)
    assert "content-sha256" not in signed["Authorization"]
    assert "security-token" not in signed["Authorization"]


@pytest.mark.parametrize("name", ["x-amz-content-sha256", "X-Amz-Content-SHA256"])
def test_a_streaming_body_signs_its_head_alone(name: str) -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream"
    headers: Headers = (("Content-Type", "application/vnd.amazon.eventstream"), (name, STREAMING))
    signed = sign(
        "POST",
        url,
        headers,
        b"not looked at",
        credentials=SESSION,
        service="bedrock",
        region="us-east-1",
    )
    covered = {
        "Content-Type": "application/vnd.amazon.eventstream", "X-Amz-Content-SHA256": STREAMING,
        "X-Amz-Date": STAMP, "X-Amz-Security-Token": str(SESSION.token),
    }  # fmt: skip
    assert signed["Authorization"] == expected(
        "POST", url, covered, STREAMING, SESSION, "us-east-1", "bedrock"
    )
    assert signed["x-amz-content-sha256"] == STREAMING


# -- the events of a bidirectional stream ----------------------------------------------------------


def wrapped(payload: bytes) -> bytes:
    """A message as a client sends it: signed for another host, with another chain."""
    headers = (
        (":date", HeaderValue(HeaderType.TIMESTAMP, 1)),
        (":chunk-signature", HeaderValue(HeaderType.BYTES, b"old" * 9)),
    )
    return eventstream.encode(Frame(headers, payload))


def verified(signed: bytes, seed: str, keys: ReadOnlyCredentials, region: str) -> list[bytes]:
    """The payloads of a chain of signed messages.

    Fails where a signature is not the one that is specified.
    """
    payloads, prior = [], seed
    for frame in eventstream.decode_all(signed):
        (date_name, date), (signature_name, signature) = frame.headers
        assert (date_name, signature_name) == (":date", ":chunk-signature")
        assert (date.type, signature.type) == (HeaderType.TIMESTAMP, HeaderType.BYTES)
        assert isinstance(date.value, int)
        assert isinstance(signature.value, bytes)
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=date.value)
        assert abs(when - NOW) < timedelta(seconds=1)
        signed_headers = bytes([5]) + b":date" + bytes([8]) + struct.pack(">q", date.value)
        stamp = when.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{STAMP[:8]}/{region}/bedrock/aws4_request"
        lines = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            stamp,
            scope,
            prior,
            hexed(signed_headers),
            hexed(frame.payload),
        ]
        wanted = hmac.new(
            signing_key(str(keys.secret_key), region, "bedrock"),
            "\n".join(lines).encode(),
            "sha256",
        )
        assert signature.value == wanted.digest()
        prior = signature.value.hex()
        payloads.append(frame.payload)
    return payloads


@quick
@given(
    st.lists(st.binary(max_size=40), max_size=5),
    st.lists(st.integers(0, 400), max_size=8),
    st.booleans(),
)
def test_a_chain_is_signed_again_wherever_it_is_cut(
    payloads: list[bytes], cuts: list[int], session: bool
) -> None:
    keys, seed = (SESSION if session else KEYS), "ab" * 32
    signer = EventSigner(keys, service="bedrock", region="eu-west-1", signature=seed)
    messages = [wrapped(payload) for payload in [*payloads, b""]]  # an empty one is the end
    ends = [sum(map(len, messages[: number + 1])) for number in range(len(messages))]
    sent, fed = b"", 0
    for piece in cut(b"".join(messages), cuts):
        fed += len(piece)
        sent += signer.feed(piece, NOW)
        # nothing waits for the next
        assert len(eventstream.decode_all(sent)) == sum(end <= fed for end in ends)
    assert verified(sent, seed, keys, "eu-west-1") == [*payloads, b""]


def test_a_signer_fed_byte_by_byte() -> None:
    signer = EventSigner(KEYS, service="bedrock", region="us-east-1", signature="00" * 32)
    data = wrapped(b"one") + wrapped(b"two")
    sent = b"".join(signer.feed(data[at : at + 1], NOW) for at in range(len(data)))
    assert verified(sent, "00" * 32, KEYS, "us-east-1") == [b"one", b"two"]


def test_the_chain_begins_with_the_heads_signature() -> None:
    sent = EventSigner(KEYS, service="bedrock", region="us-east-1", signature="00" * 32).feed(
        wrapped(b"a"), NOW
    )
    with pytest.raises(AssertionError):
        verified(sent, "11" * 32, KEYS, "us-east-1")


def prelude(total: int, headers: int = 0) -> bytes:
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", crc32(lengths))


@pytest.mark.parametrize(
    "data",
    [
        prelude(0),
        prelude(15),
        bytes(12),
        prelude(16, 1),
        prelude(2**32 - 1),
        prelude(16 + eventstream.MAX_PAYLOAD + 1),
        prelude(16)[:-1] + b"\0",
        wrapped(b"a")[:-1] + b"\0",
    ],
    ids=[
        "none",
        "under 16",
        "zeros",
        "headers beyond",
        "4 GB",
        "over the cap",
        "prelude's sum",
        "message's sum",
    ],
)
def test_what_is_no_event_is_refused_and_not_waited_for(data: bytes) -> None:
    signer = EventSigner(KEYS, service="bedrock", region="us-east-1", signature="00" * 32)
    assert signer.feed(wrapped(b"one"), NOW)
    for at in range(len(data) - 1):
        assert signer.feed(data[at : at + 1], NOW) == b""
    with pytest.raises(eventstream.FrameError):  # with its last byte, whatever length it claims
        signer.feed(data[-1:], NOW)


def test_the_largest_event_is_signed() -> None:
    signer = EventSigner(KEYS, service="bedrock", region="us-east-1", signature="00" * 32)
    payload = bytes(eventstream.MAX_PAYLOAD)
    assert verified(signer.feed(wrapped(payload), NOW), "00" * 32, KEYS, "us-east-1") == [payload]
