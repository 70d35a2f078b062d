"""What servers write about a call to the state server, which other programs can read."""

import json

import pytest

from bedtape_replayer.history.record import Record
from bedtape_replayer.history.values import decode_outcome, encode_outcome
from support.recordings import converse, prompt
from support.scene import Scene

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYzz"
SCOPE = "Credential=bedtape-t/20260101/us-west-2/bedrock/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host;x-amz-date, Signature={SECRET}"
HEADERS = {
    "a signature": ("authorization", SIGNED),
    "a signature with tabs": ("authorization", f"AWS4-HMAC-SHA256 {SCOPE},\tSignature={SECRET}"),
    "a signature of all regions": ("authorization", SIGNED.replace("HMAC", "ECDSA-P256")),
    "a bearer": ("authorization", f"Bearer {SECRET}"),
    "a word before the scope": ("authorization", f"{SECRET} {SCOPE}"),
    "a session token": ("x-amz-security-token", SECRET),
    "an API key": ("x-api-key", SECRET),
    "the control token": ("x-bedtape-token", SECRET),
    "a cookie": ("cookie", f"{SCOPE}; a={SECRET}"),
    "a header of a proxy": ("x-forwarded-authorization", f"Basic {SECRET}"),
    "a value with the form of a credential": ("x-other", f"bearer {SECRET}"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_no_secret_of_a_head_leaves_the_process(name: str) -> None:
    more = (("user-agent", "SDK/1"), ("amz-sdk-request", "attempt=2; max=3"))
    record = Scene(converse("a", "one")).send(
        json.loads(prompt("a")), headers=(HEADERS[name], *more)
    )
    encoded = encode_outcome(record.outcome)
    assert SECRET.encode() not in encoded
    read = Record(decode_outcome(encoded))
    assert SECRET.encode() in record.call.head.raw  # the call itself is as it was
    assert [header for header, _ in read.headers] == [header for header, _ in record.headers]
    for part in ("user_agent", "attempt", "session", "operation", "json", "http_version"):
        assert getattr(read, part) == getattr(record, part)
    if "AWS4" in HEADERS[name][1]:
        assert (read.region, read.access_key_id) == ("us-west-2", "bedtape-t")
