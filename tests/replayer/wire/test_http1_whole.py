"""Requests that arrive in one piece: a head of a known form is read as if no form were known."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.wire.http1 import Http1Connection
from bedtape_replayer.wire.http1_whole import HeadForms
from bedtape_replayer.wire.messages import RequestReceived
from support.examples import examples

MAX_BODY = 5000
_SIGNED = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request"
# The headers that clients send, in their order. `{...}` differ between the requests of one client.
CLIENTS = {
    "boto3": (
        "POST /model/us.amazon.nova-lite-v1%3A0/converse HTTP/1.1\r\nHost: 127.0.0.1:8765\r\n"
        "Accept-Encoding: identity\r\nContent-Type: application/json\r\nUser-Agent: Boto3/1.44.5"
        " md/Botocore#1.44.5\r\nX-Amz-Date: {date}\r\nAuthorization: " + _SIGNED + ", "
        "SignedHeaders=content-type;host;x-amz-date, Signature={signature}\r\n"
        "amz-sdk-invocation-id: {id}\r\namz-sdk-request: attempt=1\r\n"
        "Content-Length: {length}\r\n\r\n"
    ),
    "JavaScript": (
        "POST /s/a/model/m/invoke HTTP/1.1\r\ncontent-type: application/json\r\n"
        "accept: */*\r\namz-sdk-invocation-id: {id}\r\namz-sdk-request: attempt=1; max=3\r\n"
        "host: 127.0.0.1:8765\r\nx-amz-date: {date}\r\nx-amz-content-sha256: {signature}\r\n"
        "authorization: " + _SIGNED + ", SignedHeaders=accept;host, Signature={signature}\r\n"
        "Connection: keep-alive\r\nContent-Length: {length}\r\n\r\n"
    ),
    "openai": (
        "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: localhost:8765\r\n"
        "Authorization: Bearer key\r\nContent-Length: {length}\r\nX-Stainless-Retry-Count: 0\r\n"
        "traceparent: 00-{signature}-01\r\n\r\n"
    ),
    "spaces": "POST / HTTP/1.1\r\nhost:a\r\ncontent-length: \t{length} \t\r\n\r\n",
    "no body": "GET /v1/models HTTP/1.1\r\nHost: a\r\nx-amz-date:{date}\r\n\r\n",
    "a proxy's": "POST http://a/b HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
}
_HEX = "0123456789abcdef"


def _send(client: str, chance: random.Random, body: bytes) -> bytes:
    return CLIENTS[client].format(
        date=f"2026112{chance.randrange(10)}T00000{chance.randrange(10)}Z",
        signature="".join(chance.choices(_HEX, k=64)),
        id="-".join("".join(chance.choices(_HEX, k=size)) for size in (8, 4, 4, 4, 12)),
        length=len(body),
    ).encode() + (b"" if client == "no body" else body)


def _read(connection: Http1Connection, data: bytes) -> tuple[object, ...]:
    """Return what the connection makes of the data, and its answer to them."""
    received = connection.receive(data)
    requests = [
        (each.method, each.target, each.head, each.head.sender, each.body)
        if isinstance(each, RequestReceived)
        else each
        for each in received
    ]
    if received:
        connection.respond(connection.stream, 200, ((b"Content-Length", b"2"),), b"hi")
    rest = (connection.closing, connection.incomplete, connection.lingering)
    return *requests, connection.take(), rest


def _learn(client: str) -> tuple[HeadForms, random.Random]:
    """Return forms that contain the client's."""
    forms, chance = HeadForms(), random.Random(1)
    connection = Http1Connection(max_body=MAX_BODY, forms=forms)
    for _ in range(3):
        connection.receive(_send(client, chance, b"first"))
        connection.respond(connection.stream, 200, ((b"Content-Length", b"2"),), b"hi")
    return forms, chance


def _know(client: str, forms: HeadForms) -> Http1Connection:
    """Return a new connection that has read a head of the client."""
    connection = Http1Connection(max_body=MAX_BODY, forms=forms)
    _read(connection, _send(client, random.Random(2), b"other"))
    return connection


@pytest.mark.parametrize("client", CLIENTS)
def test_heads_of_one_client_have_one_form(client: str) -> None:
    forms, chance = _learn(client)
    heads = []
    for connection in (_know(client, forms), _know(client, forms)):
        for _ in range(2):
            (request,) = connection.receive(_send(client, chance, b"third"))
            assert isinstance(request, RequestReceived)
            heads.append(request.head)
            connection.respond(connection.stream, 200, ((b"Content-Length", b"0"),), b"")
    assert len(heads) == 4
    assert len({id(head.form) for head in heads}) == 1
    assert heads[0].form is not None


def _mutate(data: bytes, draw: st.DrawFn) -> bytes:
    """Return the request with a few bytes removed, replaced or inserted, or without its end."""
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        part = draw(st.one_of(st.binary(max_size=2), st.sampled_from(_PARTS)))
        data = data[:at] + part + data[at + draw(st.integers(0, 2)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data


_PARTS = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\t", b":", b"0", b"9", b"-", b"%", b"\x80", b"\x00"),
    *(b"\r\nHost: b", b"\r\nContent-Length: 1", b"\r\nTransfer-Encoding: chunked"),
    *(b"\r\nConnection: close", b"\r\nExpect: 100-continue", b"\r\nOrigin: http://b"),
)


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    client = draw(st.sampled_from(list(CLIENTS)))
    chance = random.Random(draw(st.integers(0, 2**32)))
    bodies = draw(st.lists(st.binary(max_size=12), min_size=1, max_size=3))
    return client, [_mutate(_send(client, chance, body), draw) for body in bodies]


@settings(max_examples=examples(1500))
@given(_requests())
def test_a_head_of_a_known_form_is_read_as_any_other(sent: tuple[str, list[bytes]]) -> None:
    client, requests = sent
    forms, _ = _learn(client)
    known, fresh = _know(client, forms), _know(client, HeadForms(largest=0))
    for request in requests:
        assert _read(known, request) == _read(fresh, request)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_byte_at_every_place_of_a_head_is_read_as_any_other(client: str) -> None:
    """One byte of a head is replaced. A byte that is not allowed there must be noticed."""
    forms, chance = _learn(client)
    request = _send(client, chance, b"hello")
    known, fresh = _know(client, forms), _know(client, HeadForms(largest=0))
    for at in range(0, len(request) - 5, 1):
        for byte in (b"\x00", b"\n", b"\r", b" ", b"-", b":", b"7", b"z", b"\x7f", b"\xff"):
            changed = request[:at] + byte + request[at + 1 :]
            results = [_read(each, changed) for each in (known, fresh)]
            assert results[0] == results[1], changed
            if any(each.incomplete or each.closing or each.lingering for each in (known, fresh)):
                known, fresh = _know(client, forms), _know(client, HeadForms(largest=0))


def test_a_client_whose_heads_are_never_alike_costs_few_forms() -> None:
    forms = HeadForms()
    connection = Http1Connection(max_body=MAX_BODY, forms=forms)
    made = set()
    for number in range(100):
        head = f"GET / HTTP/1.1\r\nHost: a\r\nX-Mine: {number:03}\r\n\r\n".encode()
        (request,) = connection.receive(head)
        assert isinstance(request, RequestReceived)
        made.add(request.head.form)
        connection.respond(connection.stream, 200, ((b"Content-Length", b"0"),), b"")
    assert 2 < len(made) < 25
    assert request.head.form is None
