"""From the wire to the cassette: nothing that changes by itself is kept, and
nothing that counts is lost.
"""

import json
from random import Random

import pytest

from bedtape_cassettes.format.bodies import EVENT_STREAM, SERVER_SENT, wire
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS, build_interaction
from bedtape_cassettes.model import EMPTY, Body, Events, Headers, Interaction, event_headers
from bedtape_cassettes.redaction.kinds import ACCESS_KEY, ACCOUNT, REDACTED
from support import interactions as some

CONVERSE = "/model/amazon.nova-lite-v1%3A0/converse"
FRAMES = some.encode_frames([(event_headers("chunk"), b'{"a":1,"p":"abcd"}')])


def recorded(
    *,
    path: str = CONVERSE,
    asked: Headers = (),
    body: bytes = b"{}",
    status: int = 200,
    answered: Headers = (),
    answer: bytes = b"{}",
    exact: bool = False,
) -> Interaction:
    return build_interaction(
        method="POST",
        path=path,
        request_headers=asked,
        request_body=body,
        status=status,
        response_headers=answered,
        response_body=answer,
        exact=exact,
        after_ms=12,
        at_ms=[3],
    )


REQUEST_HEADERS = [
    ("Content-Type", "application/json", True),
    ("Accept", "application/json", True),
    ("anthropic-version", "2023-06-01", True),
    ("anthropic-beta", "a,b", True),
    ("X-Amzn-Bedrock-GuardrailIdentifier", "abc", True),
    ("X-Amzn-Bedrock-Trace", "ENABLED", True),
    ("X-Amz-Bedrock-Agent-Session-Id", "s", True),
    ("Authorization", "Bearer x", False),
    ("X-Amz-Security-Token", "t", False),
    ("X-Amz-Date", "20240101T000000Z", False),
    ("X-Amz-Content-Sha256", "e3b0", False),
    ("Host", "bedrock-runtime.us-east-1.amazonaws.com", False),
    ("User-Agent", "Boto3/1.35", False),
    ("amz-sdk-invocation-id", "6f7a", False),
    ("amz-sdk-request", "attempt=1", False),
    ("x-amzn-trace-id", "Root=1", False),
    ("x-stainless-os", "Linux", False),
    ("Content-Length", "2", False),
    ("X-Our-Company-Secret", "s", False),
    ("Cookie", "a=b", False),
]


@pytest.mark.parametrize(
    ("name", "value", "kept"), REQUEST_HEADERS, ids=[row[0] for row in REQUEST_HEADERS]
)
def test_request_headers_are_kept_by_name(name: str, value: str, kept: bool) -> None:
    assert recorded(asked=((name, value),)).request.headers == (
        ((name.lower(), value),) if kept else ()
    )


RESPONSE_HEADERS = [
    ("Content-Type", "application/json", True),
    ("x-amzn-bedrock-invocation-latency", "312", True),
    ("X-Amzn-Bedrock-Input-Token-Count", "9", True),
    ("x-amzn-ErrorType", "ThrottlingException:http://internal.amazon.com/", True),
    ("x-amz-bedrock-agent-session-id", "s", True),
    ("cache-control", "no-cache", True),
    ("vary", "origin", True),
    ("access-control-allow-credentials", "true", True),
    ("Date", "Fri, 01 Aug 2025 09:57:10 GMT", False),
    ("Connection", "keep-alive", False),
    ("Keep-Alive", "timeout=5", False),
    ("Content-Length", "2", False),
    ("Transfer-Encoding", "chunked", False),
    ("x-amzn-RequestId", "000495c3", False),
    ("x-request-id", "req_1", False),
    ("x-amzn-Trace-Id", "Root=1", False),
    ("x-amz-cf-id", "abc", False),
    ("X-Cache", "Miss from cloudfront", False),
    ("Age", "1", False),
    ("Server", "Server", False),
    ("Via", "1.1 x", False),
    ("Strict-Transport-Security", "max-age=1", False),
    ("Alt-Svc", "h3", False),
    ("Set-Cookie", "a=b", False),
    ("X-Our-Token", "t", False),
]


@pytest.mark.parametrize(
    ("name", "value", "kept"), RESPONSE_HEADERS, ids=[row[0] for row in RESPONSE_HEADERS]
)
def test_no_volatile_response_header_is_kept(name: str, value: str, kept: bool) -> None:
    assert recorded(answered=((name, value),)).response.headers == (
        ((name.lower(), value),) if kept else ()
    )


def test_the_volatile_headers_are_named_in_lower_case() -> None:
    assert {name.lower() for name in VOLATILE_RESPONSE_HEADERS} == VOLATILE_RESPONSE_HEADERS


def test_exact_keeps_every_header_in_case_and_order_but_no_secret() -> None:
    asked = (("User-Agent", "x"), ("Authorization", "Bearer x"), ("Accept", "a"), ("accept", "b"))
    answered = (
        ("x-amzn-RequestId", "1"),
        ("Date", "now"),
        ("Set-Cookie", "a=b"),
        ("Content-Length", "2"),
    )
    exact = recorded(asked=asked, answered=answered, exact=True)
    assert exact.exact
    assert exact.request.headers == (asked[0], ("Authorization", REDACTED), *asked[2:])
    assert exact.response.headers == (*answered[:2], ("Set-Cookie", REDACTED), answered[3])


def test_exact_keeps_the_spelling_of_bodies_and_plain_recording_that_of_answers_only() -> None:
    spaced = b'{"a": 1}'
    assert recorded(body=spaced, answer=spaced, exact=True).request.body == Body("text", spaced)
    assert recorded(body=spaced, answer=spaced, exact=True).response.body == Body("text", spaced)
    assert recorded(body=spaced, answer=spaced).request.body == Body("json", b'{"a":1}')
    assert recorded(body=spaced, answer=spaced).response.body == Body("text", spaced)


def test_exact_keeps_padding() -> None:
    plain = recorded(answered=(("content-type", EVENT_STREAM),), answer=FRAMES).response.body
    exact = recorded(
        answered=(("content-type", EVENT_STREAM),), answer=FRAMES, exact=True
    ).response.body
    assert isinstance(plain, Events)
    assert isinstance(exact, Events)
    assert (plain.padded, plain.events[0].payload) == (True, b'{"a":1}')
    assert (exact.padded, exact.events[0].payload) == (False, b'{"a":1,"p":"abcd"}')
    assert plain.events[0].at_ms == exact.events[0].at_ms == 3


def test_padding_is_removed_from_each_event_by_itself() -> None:
    answer = (
        FRAMES
        + some.encode_frames([(event_headers("b"), b'{"b":2}')])
        + some.encode_frames([(event_headers("c"), b'{"c":3,"p":"ab"}')])
    )
    body = recorded(answered=(("content-type", EVENT_STREAM),), answer=answer).response.body
    assert isinstance(body, Events)
    bare = {event.payload: event.bare for event in body.events if event.payload[2:3] in b"bc"}
    assert (body.padded, bare) == (True, {b'{"b":2}': True, b'{"c":3}': False})
    played = [wire(event, body.padded, Random(0)) for event in body.events]
    assert [b'"p":"ab' in frame for frame in played[-2:]] == [False, True]
    assert played[-2] == some.encode_frames([(event_headers("b"), b'{"b":2}')])


@pytest.mark.parametrize(
    ("path", "status", "kind", "answer", "events"),
    [
        (CONVERSE, 200, EVENT_STREAM, FRAMES, True),
        (CONVERSE, 200, f"{EVENT_STREAM.upper()} ; charset=utf-8", FRAMES, True),
        (CONVERSE + "-stream", 200, "", FRAMES, True),  # a recorder that hid the header
        (CONVERSE + "-stream", 200, "**REDACTED**", FRAMES, True),
        (CONVERSE + "-stream", 400, "application/json", b'{"message":"m"}', False),
        (CONVERSE + "-stream", 200, EVENT_STREAM, FRAMES[:-1], False),  # cut: kept as it came
        (CONVERSE, 200, "application/json", FRAMES, False),
        ("/v1/responses", 200, SERVER_SENT, b"data: {}\n\n", True),
        ("/v1/responses", 200, f"{SERVER_SENT}; charset=utf-8", b"data: {}\n\n", True),
        ("/v1/responses", 200, "application/json", b"data: {}\n\n", False),
        ("/elsewhere", 503, "", b"", False),
    ],
)
def test_streams_are_known_by_their_type_or_their_operation(
    path: str, status: int, kind: str, answer: bytes, events: bool
) -> None:
    body = recorded(
        path=path, status=status, answered=(("Content-Type", kind),), answer=answer
    ).response.body
    assert isinstance(body, Events) == events
    if isinstance(body, Body):
        assert body.data == answer


def test_operation_and_model_are_what_the_path_says() -> None:
    assert (recorded().operation, recorded().model) == ("Converse", "amazon.nova-lite-v1:0")
    assert (recorded(path="/x").operation, recorded(path="/x").model) == (None, None)
    assert recorded().response.after_ms == 12
    assert (
        recorded(body=b"", answer=b"").request.body
        == recorded(body=b"", answer=b"").response.body
        == EMPTY
    )


def test_secrets_go_whatever_is_asked_for() -> None:
    arn = "arn:aws:bedrock:us-east-1:999988887777:inference-profile/x"
    for exact in (False, True):
        interaction = recorded(
            path=f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse",
            body=json.dumps({"key": "AKIA" + "Z" * 16}).encode(),
            answered=(("x-amzn-errormessage", arn),),
            answer=json.dumps({"arn": arn}).encode(),
            exact=exact,
        )
        clean = arn.replace("999988887777", ACCOUNT)
        assert interaction.model == clean
        assert ACCOUNT in interaction.request.path
        assert ACCESS_KEY.encode() in interaction.request.body.data
        assert interaction.response.headers == (("x-amzn-errormessage", clean),)
        assert isinstance(interaction.response.body, Body)
        assert json.loads(interaction.response.body.data) == {"arn": clean}
