"""Every kind of secret and personal data, and every place of an interaction where one may stand."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Event, Events, Headers, Interaction, event_headers
from support import interactions as some

KEY_ID = "ASIA" + "Q7" * 8
OTHER_ACCOUNT = "999988887777"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz"
API_KEY = "ABSK" + "QmVkcm9ja0FQSUtleS1h" * 3 + "=="
TOKEN = "eyToken-abcdefghijklmnop0123456789"
ARN = f"arn:aws:bedrock:us-east-1:{OTHER_ACCOUNT}:inference-profile/x"

# Each kind with texts of it, and what of the text must be gone.
KINDS: dict[str, list[tuple[str, str]]] = {
    "sigv-authorization": [
        (f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20240101/us-east-1/x, SignedHeaders=host, Signature=ab12", "=ab12"),
        (f"AWS4-ECDSA-P256-SHA256 Credential={KEY_ID}/20240101/x,X-Amz-Region-Set=*,Signature=ab12", "=ab12"),
    ],
    "access-key-id": [(KEY_ID, KEY_ID)],
    "account-id": [(f'"bucketOwner":"{OTHER_ACCOUNT}"', OTHER_ACCOUNT)],
    "account-id-in-an-arn": [(ARN, OTHER_ACCOUNT)],
    "presigned-url-s-signature": [
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=0123456789abcdef0123&a=1", "0123456789abcdef0123"),
        ("https://b.s3.amazonaws.com/k?Signature=0123456789abcdef0123", "0123456789abcdef0123"),
    ],
    "bearer-token": [(f"Bearer {TOKEN}", TOKEN)],
    "bedrock-api-key": [(API_KEY, API_KEY), (f"bedrock-api-key-{TOKEN}", TOKEN)],
    "secret-access-key-or-session-token": [
        (f"aws_secret_access_key = {SECRET}", SECRET),
        (f"Secret access key: {SECRET}", SECRET),
        (f"AWS_SESSION_TOKEN={SECRET}{SECRET}", SECRET),
        (f"<SessionToken>{SECRET}<", SECRET),
    ],
    "private-key": [("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----", "MIIB")],
    "github-token": [("ghp_" + "a1B2c3" * 6, "a1B2c3a1B2c3")],
    "slack-token": [("xoxb-" + "1234567890-abcdefghij", "1234567890-abc")],
    "openai-or-anthropic-key": [("sk-ant-" + "aB3-" * 10, "aB3-aB3-")],
    "google-api-key": [("AIza" + "Sy12345" * 5, "Sy12345Sy")],
    "stripe-key": [("sk_live_" + "aB3d" * 6, "aB3daB3d")],
    "json-web-token": [("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xyz.q7Wd0aXZlLXq7Wd0aXZlLXq7W", "q7Wd0aXZ")],
    "email": [("ada.lovelace@analytical.io", "ada.lovelace")],
    "phone": [("+44 20 7946 0958", "7946")],
    "card": [("4929 1234 5678 9015", "1234 5678")],
    "iban": [("GB82 WEST 1234 5698 7654 32", "WEST 1234")],
    "us-ssn": [("536-90-4399", "90-4399")],
}


def with_request(data: bytes = b"", *, path: str = "/model/a.b/converse", headers: Headers = ()) -> Interaction:
    plain = some.small()
    request = replace(
        plain.request, path=path, headers=headers, body=bodies.read_body(data) if data else plain.request.body
    )
    return replace(plain, model="a.b", request=request)


def with_response(body: Body | Events, headers: Headers = ()) -> Interaction:
    plain = some.small()
    return replace(plain, response=replace(plain.response, headers=headers, body=body))


def with_events(*payloads: bytes, framed: bool = True) -> Interaction:
    headers = event_headers("chunk") if framed else ()
    kind = "application/vnd.amazon.eventstream" if framed else "text/event-stream"
    events = [Event(0, headers, payload, bodies.choose_form(payload, framed=framed)) for payload in payloads]
    return with_response(Events.of(events, padded=False), (("content-type", kind),))


def in_base64(name: str, data: bytes) -> bytes:
    return bodies.compact({"input": {"x": {name: b64encode(data).decode()}}})


def _text(text: str) -> bytes:
    return bodies.compact({"text": f"is {text} it"})


def _cut(text: str) -> list[str]:
    """The text among others, in pieces of seven characters."""
    text = f"It is {text} I say"
    return [text[at : at + 7] for at in range(0, len(text), 7)]


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


PLACES: dict[str, Callable[[str], Interaction]] = {
    "the path": lambda text: with_request(path=f"/agents/is%20{quote(text, safe='')}%20it"),
    "the query": lambda text: with_request(path=f"/model/a.b/converse?x={quote(text, safe='')}"),
    "a request's header": lambda text: with_request(headers=(("x-a", text.replace("\n", " ")),)),
    "a response's header": lambda text: with_response(Body("text", b""), (("x-a", text.replace("\n", " ")),)),
    "a request's json": lambda text: with_request(_text(text)),
    "spaced json": lambda text: with_request(json.dumps({"a": [text, 1.5]}, indent=2).encode()),
    "a member's name": lambda text: with_request(bodies.compact({f"is {text} it": 1})),
    "json in json": lambda text: with_request(json.dumps({"a": json.dumps({"b": f"\né {text} it"})}).encode()),
    "a request's text": lambda text: with_request(f"hello {text} it".encode()),
    "bytes that are not UTF-8": lambda text: with_request(b"\xff\x00 " + text.encode() + b" \xfe"),
    "json that is cut": lambda text: with_request(_text(text)[:-4]),
    "CountTokens' inner body": lambda text: with_request(in_base64("body", _text(text))),
    "a document": lambda text: with_request(in_base64("bytes", f"is {text} it".encode())),
    "a document in a document": lambda text: with_request(in_base64("body", in_base64("data", _text(text)))),
    "base64 in a sentence": lambda text: with_request(_text(b64encode(f"is {text} it".encode()).decode())),
    "base64 after a sign": lambda text: with_request(_text("x=" + b64encode(f"is {text} it".encode()).decode())),
    "base64 in base64": lambda text: with_request(_text(b64encode(b64encode(f"({text})".encode())).decode())),
    "percent-encoding": lambda text: with_request(_text(_percent(text))),
    "a response's json": lambda text: with_response(bodies.read_body(_text(text))),
    "a response's text": lambda text: with_response(bodies.read_body(f"is {text} it".encode())),
    "a json event": lambda text: with_events(_text(text)),
    "an opened chunk": lambda text: with_events(bodies.seal_chunk({"text": f"is {text} it"})),
    "an agent's chunk": lambda text: with_events(in_base64("bytes", f"is {text} it".encode())),
    "a text event": lambda text: with_events(f"is {text} it".encode()),
    "an event's header": lambda text: with_response(
        Events.of([Event(0, ((":event-type", text),), b"{}", "json")], padded=False),
        (("content-type", "application/vnd.amazon.eventstream"),),
    ),
    "a data line": lambda text: with_events(bodies.seal_data({"text": f"is {text} it"}), framed=False),
    "a named data line": lambda text: with_events(b"event: a\n" + bodies.seal_data({"text": text}), framed=False),
    "deltas": lambda text: with_events(*(bodies.compact({"delta": {"text": piece}}) for piece in _cut(text))),
    "chunks": lambda text: with_events(*(bodies.seal_chunk({"delta": {"text": piece}}) for piece in _cut(text))),
    "bytes of an agent": lambda text: with_events(
        *(bodies.compact({"bytes": b64encode(piece.encode()).decode()}) for piece in _cut(text))
    ),
    "data lines": lambda text: with_events(
        *(bodies.seal_data({"choices": [{"delta": {"content": piece}}]}) for piece in _cut(text)), framed=False
    ),
}
SPLIT = {"deltas", "chunks", "bytes of an agent", "data lines"}
