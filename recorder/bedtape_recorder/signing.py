"""Signs forwarded requests again, because the client signed them for another host.

botocore signs requests. `EventSigner` signs the events of a bidirectional stream: each signature
depends on the previous signature (AWS4-HMAC-SHA256-PAYLOAD). Bearer tokens are valid for any host
and are not changed.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping
from datetime import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue
from bedtape_cassettes.model import Headers

# The headers of a client's signature. botocore would reuse a stale content hash.
SIGNATURE_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")

_STREAMING = "STREAMING-AWS4-HMAC-SHA256-EVENTS"


def sign(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    *,
    credentials: ReadOnlyCredentials,
    service: str,
    region: str,
) -> Mapping[str, str]:
    """Returns the headers that sign a request. They replace SIGNATURE_HEADERS.

    url: with percent-encoded path, as sent. If the body is an event stream, the signature covers
    the head, and `EventSigner` signs the events.
    """
    by_name = {name.lower(): value for name, value in headers}
    streaming = by_name.get("x-amz-content-sha256") == _STREAMING
    signed = {
        name: value
        for name, value in by_name.items()
        if name == "content-type" or (name.startswith("x-amz") and name not in SIGNATURE_HEADERS)
    }
    if streaming:
        signed["x-amz-content-sha256"] = _STREAMING
    request = AWSRequest(method=method, url=url, headers=signed, data=b"" if streaming else body)
    SigV4Auth(credentials, service, region).add_auth(request)
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "x-amz-content-sha256")
    return {name: request.headers[name] for name in names if name in request.headers}


def _compute_hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class EventSigner:
    """Signs the events of one bidirectional stream again. Accepts data cut at any byte."""

    def __init__(
        self, credentials: ReadOnlyCredentials, *, service: str, region: str, signature: str
    ) -> None:
        self._secret = str(credentials.secret_key)
        self._service = service
        self._region = region
        self._prior = signature
        self._decoder = eventstream.Decoder()

    def feed(self, data: bytes, now: datetime) -> bytes:
        """Returns the messages that are now complete, signed with the time `now` (UTC).

        Raises FrameError for invalid data, because an impossible length would never be complete.
        """
        return b"".join(self._sign(frame.payload, now) for frame in self._decoder.feed(data))

    def _sign(self, payload: bytes, now: datetime) -> bytes:
        ms = int(now.timestamp() * 1000)
        signature = self._compute_signature(b"\x05:date\x08" + struct.pack(">q", ms), payload, now)
        self._prior = signature.hex()
        signed = HeaderValue(HeaderType.BYTES, signature)
        headers = ((":date", HeaderValue(HeaderType.TIMESTAMP, ms)), (":chunk-signature", signed))
        return eventstream.encode(Frame(headers, payload))

    def _compute_signature(self, date: bytes, payload: bytes, now: datetime) -> bytes:
        day = now.strftime("%Y%m%d")
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        hashes = [hashlib.sha256(part).hexdigest() for part in (date, payload)]
        lines = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            now.strftime("%Y%m%dT%H%M%SZ"),
            scope,
            self._prior,
            *hashes,
        ]
        key = _compute_hmac(("AWS4" + self._secret).encode(), day)
        for part in (self._region, self._service, "aws4_request"):
            key = _compute_hmac(key, part)
        return _compute_hmac(key, "\n".join(lines))
