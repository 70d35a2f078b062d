"""Samples of every kind of secret and personal data, and every place of an interaction
that can contain a secret.
"""

import json
import re
import string
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from random import Random
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

# Each kind with spellings of it. `{A20}` is 20 random characters of an alphabet below; what
# must be gone is in ‹›.
_ALPHABETS = {
    "A": string.ascii_letters + string.digits,
    "B": string.ascii_letters + string.digits + "+/",
    "D": string.digits[1:],
    "H": "0123456789abcdef",
    "U": string.ascii_letters + string.digits + "-_",
    "Z": string.ascii_uppercase + string.digits,
}
SPELLINGS: dict[str, list[str]] = {
    "sigv-authorization": [
        (
            "AWS4-HMAC-SHA256 Credential=‹AKIA{Z16}/20240101/us-east-1/x, SignedHeaders=host,"
            " Signature={H64}›"
        ),
        (
            "AWS4-ECDSA-P256-SHA256"
            " Credential=‹AKIA{Z16}/20240101/x,X-Amz-Region-Set=*,Signature={H64}›"
        ),
    ],
    "access-key-id": ["‹AKIA{Z16}›", "‹ASIA{Z16}›", "id=‹ABIA{Z16}›"],
    "iam-id": ["‹AROA{Z17}›:session", "‹AIDA{Z17}›", "user ‹AIDA{Z16}›"],
    "account-id": ['"bucketOwner":"‹{D12}›"', '"sourceAccountId": "‹{D12}›"'],
    "account-id-in-an-arn": [
        "arn:aws:bedrock:us-east-1:‹{D12}›:inference-profile/x",
        "arn:aws-us-gov:iam::‹{D12}›:role/x",
    ],
    "presigned-url-s-signature": [
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=‹{H64}›&a=1",
        "https://b.s3.amazonaws.com/k?Signature=‹{A27}›",
        "https://b.s3.amazonaws.com/k?AWSAccessKeyId=‹{Z20}›",
    ],
    "bearer-token": ["Bearer ‹{U40}›", "authorization: bearer ‹{U24}.{U24}›"],
    "basic-authorization": ["Authorization: Basic ‹{A40}›", "Authorization=Basic ‹{A22}==›"],
    "bedrock-api-key": ["‹ABSK{B60}==›", "‹bedrock-api-key-{A60}›"],
    "secret-access-key-or-session-token": [
        "aws_secret_access_key = ‹{B40}›",
        "AWS_SECRET_KEY=‹{B40}›",
        "AWS_SECRET_ACCESS_KEY: '‹{B40}›'",
        "Secret access key: ‹{B40}›",
        "my secret access key is ‹{B40}›",
        'secretKey="‹{B40}›"',
        'new Credentials { secretAccessKey => "‹{B40}›" }',
        "secret-access-key,‹{B40}›",
        "| Secret key | ‹{B40}› |",
        "AWS_SESSION_TOKEN=‹{B200}==›",
        "aws_security_token: ‹{B200}›",
        "<SessionToken>‹{B200}›<",
        '{"x-amz-security-token":"‹{B200}›"}',
        '{"SecretAccessKey" : "‹{B40}›"}',
    ],
    "secret-access-key-after-its-id": [
        "Access key ID,Secret access key\nAKIA{Z16},‹{B40}›",
        "AKIA{Z16} ‹{B40}›",
    ],
    "private-key": [
        "-----BEGIN RSA PRIVATE KEY-----\n‹{B64}›\n{B64}\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n‹{B64}›\n-----END PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n‹{B64}›\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n‹{B64}›\n-----END PGP PRIVATE KEY BLOCK-----",
    ],
    "password-in-a-url": [
        "postgres://admin:‹{A16}›@db.internal:5432/x",
        "https://user:‹{U24}›@git.internal/x.git",
        "redis://:‹{A32}›@cache/0",
    ],
    "azure-key": [
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=‹{B86}==›;EndpointSuffix=core.windows.net",
        "Endpoint=sb://x/;SharedAccessKey=‹{B43}=›",
    ],
    "slack-webhook": ["https://hooks.slack.com/services/‹T{Z8}/B{Z10}/{A24}›"],
    "github-token": ["‹ghp_{A36}›", "‹gho_{A36}›", "‹ghs_{A36}›", "‹github_pat_{A22}_{A59}›"],
    "gitlab-token": ["‹glpat-{U20}›", "‹glrt-{U20}›"],
    "slack-token": ["‹xoxb-{D12}-{D12}-{A24}›", "‹xapp-1-{Z11}-{D12}-{H64}›"],
    "openai-or-anthropic-key": ["‹sk-{A48}›", "‹sk-ant-api03-{U93}AA›", "‹sk-proj-{U74}›"],
    "google-api-key": ["‹AIza{U35}›"],
    "google-oauth-token": ["‹ya29.{U60}›", "‹GOCSPX-{U28}›"],
    "stripe-key": ["‹sk_live_{A24}›", "‹rk_live_{A24}›"],
    "npm-token": ["‹npm_{A36}›", "//registry.npmjs.org/:_authToken=‹npm_{A36}›"],
    "pypi-token": ["‹pypi-AgEIcHlwaS5vcmc{U100}›"],
    "hugging-face-token": ["‹hf_{A34}›"],
    "sendgrid-key": ["‹SG.{U22}.{U43}›"],
    "digitalocean-token": ["‹dop_v1_{H64}›"],
    "docker-token": ["‹dckr_pat_{U27}›"],
    "databricks-token": ["‹dapi{H32}›"],
    "shopify-token": ["‹shpat_{H32}›"],
    "vault-token": ["‹hvs.{U90}›"],
    "groq-key": ["‹gsk_{A52}›"],
    "replicate-token": ["‹r8_{A37}›"],
    "langsmith-key": ["‹lsv2_pt_{H32}_{H10}›"],
    "age-key": ["‹AGE-SECRET-KEY-1{Z58}›"],
    "json-web-token": ["‹eyJhbGciOiJIUzI1NiJ9.eyJ{A40}.{U43}›"],
    "email": ["‹ada.{A8}@analytical.io›"],
    "phone": ["+44 20 ‹7946 0958›", "‹212-{D3}-8765›"],
    "card": ["‹4929 1234 5678 9015›"],
    "iban": ["‹GB82 WEST 1234 5698 7654 32›"],
    "us-ssn": ["536-‹90-4399›"],
}


def plant(spelling: str, random: Random) -> tuple[str, str]:
    """A text of a spelling, and the middle of what must be gone of it, so that
    half a secret is not enough.
    """
    text = re.sub(
        r"\{([A-Z])([0-9]+)\}",
        lambda part: "".join(random.choices(_ALPHABETS[part[1]], k=int(part[2]))),
        spelling,
    )
    before, value, after = re.split("[‹›]", text)
    return (
        before + value + after,
        value[len(value) // 4 : max(len(value) * 3 // 4, len(value) // 4 + 4)],
    )


# Each kind with texts of it, and what of the text must be gone.
KINDS = {
    kind: [plant(spelling, Random(spelling)) for spelling in spellings]
    for kind, spellings in SPELLINGS.items()
}


def with_request(
    data: bytes = b"", *, path: str = "/model/a.b/converse", headers: Headers = ()
) -> Interaction:
    plain = some.small()
    request = replace(
        plain.request,
        path=path,
        headers=headers,
        body=bodies.read_body(data) if data else plain.request.body,
    )
    return replace(plain, model="a.b", request=request)


def with_response(body: Body | Events, headers: Headers = ()) -> Interaction:
    plain = some.small()
    return replace(plain, response=replace(plain.response, headers=headers, body=body))


def with_events(*payloads: bytes, framed: bool = True) -> Interaction:
    headers = event_headers("chunk") if framed else ()
    kind = "application/vnd.amazon.eventstream" if framed else "text/event-stream"
    events = [
        Event(0, headers, payload, bodies.choose_form(payload, framed=framed))
        for payload in payloads
    ]
    return with_response(Events.of(events, padded=False), (("content-type", kind),))


def in_base64(name: str, data: bytes) -> bytes:
    return bodies.compact({"input": {"x": {name: b64encode(data).decode()}}})


def _text(text: str) -> bytes:
    return bodies.compact({"text": f"is {text} it"})


def _cut(text: str) -> list[str]:
    """The text among others, in pieces as models cut them."""
    return _pieces(f"It is {text} I say")


LONGEST_PIECE = 12


def _pieces(text: str) -> list[str]:
    random, pieces = Random(text), []
    while text:
        size = random.randint(1, LONGEST_PIECE)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


PLACES: dict[str, Callable[[str], Interaction]] = {
    "the path": lambda text: with_request(path=f"/agents/is%20{quote(text, safe='')}%20it"),
    "the query": lambda text: with_request(path=f"/model/a.b/converse?x={quote(text, safe='')}"),
    "a request's header": lambda text: with_request(headers=(("x-a", text.replace("\n", " ")),)),
    "a response's header": lambda text: with_response(
        Body("text", b""), (("x-a", text.replace("\n", " ")),)
    ),
    "a request's json": lambda text: with_request(_text(text)),
    "spaced json": lambda text: with_request(json.dumps({"a": [text, 1.5]}, indent=2).encode()),
    "a member's name": lambda text: with_request(bodies.compact({f"is {text} it": 1})),
    "json in json": lambda text: with_request(
        json.dumps({"a": json.dumps({"b": f"\né {text} it"})}).encode()
    ),
    "a request's text": lambda text: with_request(f"hello {text} it".encode()),
    "bytes that are not UTF-8": lambda text: with_request(b"\xff\x00 " + text.encode() + b" \xfe"),
    "json that is cut": lambda text: with_request(_text(text)[:-4]),
    "CountTokens' inner body": lambda text: with_request(in_base64("body", _text(text))),
    "a document": lambda text: with_request(in_base64("bytes", f"is {text} it".encode())),
    "a document in a document": lambda text: with_request(
        in_base64("body", in_base64("data", _text(text)))
    ),
    "base64 in a sentence": lambda text: with_request(
        _text(b64encode(f"is {text} it".encode()).decode())
    ),
    "base64 after a sign": lambda text: with_request(
        _text("x=" + b64encode(f"is {text} it".encode()).decode())
    ),
    "base64 in base64": lambda text: with_request(
        _text(b64encode(b64encode(f"({text})".encode())).decode())
    ),
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
    "a data line": lambda text: with_events(
        bodies.seal_data({"text": f"is {text} it"}), framed=False
    ),
    "a named data line": lambda text: with_events(
        b"event: a\n" + bodies.seal_data({"text": text}), framed=False
    ),
    "deltas": lambda text: with_events(
        *(bodies.compact({"delta": {"text": piece}}) for piece in _cut(text))
    ),
    "chunks": lambda text: with_events(
        *(bodies.seal_chunk({"delta": {"text": piece}}) for piece in _cut(text))
    ),
    "bytes of an agent": lambda text: with_events(
        *(bodies.compact({"bytes": b64encode(piece.encode()).decode()}) for piece in _cut(text))
    ),
    "data lines": lambda text: with_events(
        *(bodies.seal_data({"choices": [{"delta": {"content": piece}}]}) for piece in _cut(text)),
        framed=False,
    ),
}
PLACES |= {
    "a tool's input in deltas": lambda text: with_events(
        *(
            bodies.compact({"delta": {"toolUse": {"input": piece}}})
            for piece in _pieces(json.dumps({"key": text}))
        )
    ),
    "a tool's input in chunks": lambda text: with_events(
        *(
            bodies.seal_chunk({"index": 1, "delta": {"partial_json": piece}})
            for piece in _pieces(json.dumps({"a": [{"key": f"is {text}"}]}))
        )
    ),
    "base64 in deltas": lambda text: with_events(
        *(
            bodies.compact({"delta": {"text": piece}})
            for piece in _pieces(f"see {b64encode(f'is {text} it'.encode()).decode()} there")
        )
    ),
    "percent-encoding in deltas": lambda text: with_events(
        *(
            bodies.compact({"delta": {"text": piece}})
            for piece in _pieces(f"see {_percent(text)} there")
        )
    ),
    "two answers at once": lambda text: with_events(
        *(
            bodies.seal_data({"choices": [{"index": number, "delta": {"content": piece}}]})
            for one, other in zip_longest(
                _cut(text), _pieces("it is something else, and long"), fillvalue=""
            )
            for number, piece in enumerate((one, other))
        ),
        framed=False,
    ),
}
SPLIT = {place for place in PLACES if "deltas" in place or "chunks" in place}
SPLIT |= {"bytes of an agent", "data lines", "two answers at once"}
