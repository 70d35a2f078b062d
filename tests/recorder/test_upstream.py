"""The upstream that recorder tests use instead of AWS, asked by the AWS SDKs and
looked at from a socket.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import h2.errors
import h2.events
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from support import WAIT, client, corpus, recordings, sdk
from support.upstream import (
    BEARER_TOKEN,
    CREDENTIALS,
    VPC_ENDPOINT,
    Answer,
    Credentials,
    Upstream,
    answer_of,
    frames_of,
)
from support.upstream.clients import (
    JSON,
    RUNTIME,
    Plain,
    Response,
    Streams,
    connect_tls,
    sign_headers,
)

JAVASCRIPT = Path(__file__).parents[1] / "clients" / "javascript"
CONVERSE = recordings.path()
CONVERSE_STREAM = recordings.path("converse-stream")
PROMPT = recordings.prompt("hi")
STREAM = answer_of(sdk.of_interaction("", recordings.stream("hi", list("abcdef"))))
FRAMES = STREAM.frames


@pytest.fixture(scope="module")
def running() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: Upstream) -> Upstream:
    """One for all tests here, with nothing in it of the test before."""
    running.clear()
    return running


def plain(upstream: Upstream, host: str = RUNTIME) -> Plain:
    return Plain(connect_tls(upstream.port, upstream.ca, "http/1.1", host=host))


def streams(upstream: Upstream) -> Streams:
    return Streams(connect_tls(upstream.port, upstream.ca, "h2"))


def ask(upstream: Upstream, path: str = CONVERSE, body: bytes = PROMPT, **how: Any) -> Response:
    """A signed request over HTTP/1.1, on a connection of its own."""
    with plain(upstream) as connection:
        connection.send("POST", path, sign_headers(path, body, **how), body)
        return connection.response()


def pieces(events: list[h2.events.Event]) -> tuple[bytes, ...]:
    return tuple(
        event.data for event in events if isinstance(event, h2.events.DataReceived) and event.data
    )


# What is answered


def test_an_answer_is_sent_as_it_was_told(upstream: Upstream) -> None:
    headers = (("Date", "Mon"), ("X-Mixed", "a"), ("x-mixed", "b"), ("Content-Length", "99"))
    upstream.add(Answer(CONVERSE, headers=headers, status=429, frames=(b"{}",)))
    answer = ask(upstream)
    assert (answer.status, answer.body) == (429, b"{}")
    assert answer.headers == (*headers[:3], ("Content-Length", "2"))


def test_a_stream_is_sent_event_by_event(upstream: Upstream) -> None:
    upstream.add(STREAM)
    answer = ask(upstream, CONVERSE_STREAM)
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.chunks == FRAMES


def test_over_http2_each_event_is_a_frame(upstream: Upstream) -> None:
    upstream.add(STREAM)
    with streams(upstream) as connection:
        connection.ask(CONVERSE_STREAM, PROMPT)
        assert pieces(connection.until(h2.events.StreamEnded)) == FRAMES


def test_json_that_is_equal_is_the_same_request(upstream: Upstream) -> None:
    upstream.add(Answer(CONVERSE, b'{"a": 1.0, "b": [2]}'))
    assert ask(upstream, CONVERSE, b'{"b":[2],"a":1}').status == 200
    assert ask(upstream, CONVERSE, b'{"b":[3],"a":1}').status == 400


def test_answers_to_the_same_request_come_in_order_and_the_last_again(upstream: Upstream) -> None:
    upstream.add(
        *(Answer(CONVERSE, PROMPT, frames=(text,)) for text in (b"1", b"2")),
        Answer(CONVERSE, frames=(b"*",)),
    )
    assert [ask(upstream).body for _ in range(3)] == [b"1", b"2", b"2"]
    assert ask(upstream, body=b"{}").body == b"*"


def test_a_request_that_it_was_not_told_of_is_a_validation_error(upstream: Upstream) -> None:
    answer = ask(upstream)
    assert answer.status == 400
    assert str(answer.header("x-amzn-errortype")).startswith(
        "ValidationException:http://internal.amazon.com/coral/"
    )
    assert CONVERSE in json.loads(answer.body)["message"]
    assert [request.target for request in upstream.unmatched] == [CONVERSE]


def test_events_are_cut_also_where_they_are_server_sent() -> None:
    assert list(frames_of("text/event-stream", b"data: 1\n\ndata: 2\n\n")) == [
        b"data: 1\n\n",
        b"data: 2\n\n",
    ]
    assert list(frames_of("application/json", b"{}\n\n{}")) == [b"{}\n\n{}"]


@corpus.needs_corpus
def test_exchanges_of_the_corpus_are_answered_whole(upstream: Upstream) -> None:
    rows = {
        (row.path, row.request_body): row for row in corpus.exchanges(corpus.sources()[0])
    }.values()
    upstream.add(*rows)
    with plain(upstream) as connection:
        for row in rows:
            headers = sign_headers(row.path, row.request_body, method=row.method)
            connection.send(row.method, row.path, headers, row.request_body)
            answer = connection.response()
            assert (answer.status, answer.body) == (row.status, row.response_body)
    assert not upstream.failures


# What it keeps


def test_a_request_is_kept_as_it_came(upstream: Upstream) -> None:
    headers = (
        *sign_headers(CONVERSE, PROMPT),
        ("X-Mixed", "a"),
        ("x-mixed", "b"),
        ("Content-Length", str(len(PROMPT))),
    )
    with plain(upstream) as connection:
        connection.send("POST", CONVERSE, headers, PROMPT)
        connection.response()
    (request,) = upstream.requests
    assert (request.version, request.method, request.target) == ("1.1", "POST", CONVERSE)
    assert (request.headers, request.body) == (headers, PROMPT)
    assert request.at <= request.ended


# How it goes wrong


def test_each_frame_arrives_before_the_next_is_sent(upstream: Upstream) -> None:
    upstream.add(replace(STREAM, stall_after=range(len(FRAMES))))
    with plain(upstream) as connection:
        connection.send("POST", CONVERSE_STREAM, sign_headers(CONVERSE_STREAM, PROMPT), PROMPT)
        connection.head()
        for number, frame in enumerate(FRAMES):
            assert len(upstream.sent[0].frames) == number
            upstream.resume()
            assert connection.chunk() == frame


def test_a_stall_before_the_head_ends_when_it_is_told_to(upstream: Upstream) -> None:
    upstream.add(Answer(CONVERSE, stall_before=True))
    with plain(upstream) as connection:
        connection.send("POST", CONVERSE, sign_headers(CONVERSE, PROMPT), PROMPT)
        upstream.wait_for(lambda: len(upstream.requests) == 1)
        assert upstream.sent[0].head_at is None
        upstream.resume()
        assert connection.response().status == 200


def test_a_cut_stream_ends_in_the_middle_of_a_frame(upstream: Upstream) -> None:
    upstream.add(replace(STREAM, cut_after=2, cut_bytes=5))
    with plain(upstream) as connection:
        connection.send("POST", CONVERSE_STREAM, sign_headers(CONVERSE_STREAM, PROMPT), PROMPT)
        connection.head()
        assert [connection.chunk() for _ in range(3)] == [*FRAMES[:2], FRAMES[2][:5]]
        with pytest.raises(ConnectionError, match="hung up"):
            connection.chunk()
    assert (upstream.sent[0].end, len(upstream.sent[0].frames)) == ("cut", 2)


def test_a_stream_may_be_cut_where_only_its_end_is_missing(upstream: Upstream) -> None:
    upstream.add(replace(STREAM, cut_after=len(FRAMES)))
    with plain(upstream) as connection:
        connection.send("POST", CONVERSE_STREAM, sign_headers(CONVERSE_STREAM, PROMPT), PROMPT)
        connection.head()
        assert tuple(connection.chunk() for _ in FRAMES) == FRAMES
        with pytest.raises(ConnectionError, match="hung up"):
            connection.chunk()


def test_over_http2_a_cut_ends_the_connection(upstream: Upstream) -> None:
    upstream.add(replace(STREAM, cut_after=1, cut_bytes=5))
    events: list[h2.events.Event] = []
    with streams(upstream) as connection:
        connection.ask(CONVERSE_STREAM, PROMPT)
        with suppress(ConnectionError):
            while True:
                events += connection.receive()
    assert pieces(events) == (FRAMES[0], FRAMES[1][:5])
    assert not any(isinstance(event, h2.events.StreamEnded) for event in events)


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(
    ("wrong", "ended", "frames"),
    [
        ({"reset_before": True}, "reset", 0),
        ({"reset_after": 0}, "reset", 0),
        ({"reset_after": 1}, "reset", 1),
        ({"reset_after": len(FRAMES)}, "reset", len(FRAMES)),
        ({"cut_after": 0}, "closed", 0),
        ({"cut_after": 1, "cut_bytes": 9}, "closed", 1),
    ],
)
def test_a_reset_is_a_tcp_reset_and_a_cut_is_not(
    wrong: dict[str, Any], ended: str, frames: int, tls: bool
) -> None:
    with Upstream([replace(STREAM, **wrong)], tls=tls) as upstream:
        address = ("127.0.0.1", upstream.port)
        connection = (
            connect_tls(upstream.port, upstream.ca) if tls else socket.create_connection(address)
        )
        with Plain(connection) as plainly:
            plainly.send("POST", CONVERSE_STREAM, sign_headers(CONVERSE_STREAM, PROMPT), PROMPT)
            assert tcp_end(connection) == ended
        assert (upstream.sent[0].head_at is None) == ("reset_before" in wrong)
        assert len(upstream.sent[0].frames) == frames


def tcp_end(connection: socket.socket) -> str:
    """How the TCP connection ended, looked at below TLS."""
    with socket.socket(fileno=os.dup(connection.fileno())) as raw:
        raw.settimeout(WAIT)
        try:
            while raw.recv(65536):
                pass
        except ConnectionResetError:
            return "reset"
    return "closed"


@pytest.mark.parametrize("before", [True, False])
def test_over_http2_a_reset_is_of_the_stream(upstream: Upstream, before: bool) -> None:
    upstream.add(
        replace(STREAM, reset_before=before, reset_after=None if before else 1), Answer(CONVERSE)
    )
    with streams(upstream) as connection:
        connection.ask(CONVERSE_STREAM, PROMPT)
        events = connection.until(h2.events.StreamReset)
        assert pieces(events) == (() if before else FRAMES[:1])
        connection.ask(CONVERSE, PROMPT)
        assert pieces(connection.until(h2.events.StreamEnded)) == (b"{}",)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_client_that_leaves_is_noticed(upstream: Upstream, version: str) -> None:
    upstream.add(replace(STREAM, stall_after=[1]))
    connection = plain(upstream) if version == "1.1" else streams(upstream)
    with connection:
        if isinstance(connection, Plain):
            connection.send("POST", CONVERSE_STREAM, sign_headers(CONVERSE_STREAM, PROMPT), PROMPT)
        else:
            connection.ask(CONVERSE_STREAM, PROMPT)
        upstream.wait_for(lambda: bool(upstream.sent) and len(upstream.sent[0].frames) == 1)
    upstream.wait_for(lambda: upstream.sent[0].end == "dropped")
    upstream.wait_for(lambda: upstream.open_connections == 0)


# HTTP


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_may_wait_for_the_upstream_to_ask_for_it(upstream: Upstream, chunked: bool) -> None:
    upstream.add(Answer(CONVERSE, PROMPT))
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(PROMPT)))
    with plain(upstream) as connection:
        connection.send(
            "POST", CONVERSE, [*sign_headers(CONVERSE, PROMPT), framing, ("Expect", "100-continue")]
        )
        assert connection.head() == (100, ())
        halves = (PROMPT[:7], PROMPT[7:], b"")
        connection.send_body(
            b"".join(b"%x\r\n%b\r\n" % (len(h), h) for h in halves) if chunked else PROMPT
        )
        assert connection.response().status == 200
    assert upstream.requests[0].body == PROMPT


def test_without_tls_it_speaks_both_versions() -> None:
    with Upstream([Answer(CONVERSE)], tls=False) as upstream:
        for kind in (client.Http1, client.Http2):
            with closing(kind(upstream.url)) as connection:
                headers = sign_headers(CONVERSE, PROMPT, host=f"localhost:{upstream.port}")
                assert connection.request("POST", CONVERSE, headers, PROMPT).status == 200
        assert [request.version for request in upstream.requests] == ["1.1", "2"]


# TLS and its end


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "bedrock.us-west-2.amazonaws.com", RUNTIME, VPC_ENDPOINT]
)
def test_the_certificate_is_valid_for_the_host(upstream: Upstream, host: str) -> None:
    with connect_tls(upstream.port, upstream.ca, host=host) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


# Signatures, end to end; test_upstream_signatures.py has every way in which they may be wrong


def test_a_tampered_request_is_refused_and_kept(upstream: Upstream) -> None:
    upstream.add(Answer(CONVERSE))
    with plain(upstream) as connection:
        connection.send(
            "POST", CONVERSE, sign_headers(CONVERSE, PROMPT), PROMPT.replace(b"hi", b"ho")
        )
        answer = connection.response()
    assert answer.status == 403
    assert (
        answer.header("x-amzn-errortype")
        == "InvalidSignatureException:http://internal.amazon.com/coral/com.amazon.coral.service/"
    )
    (failure,) = upstream.failures
    assert failure.message == json.loads(answer.body)["message"]
    assert failure.request is upstream.requests[0]


# The SDKs


def boto(upstream: Upstream, **options: Any) -> Any:
    told: dict[str, Any] = {
        "endpoint_url": upstream.url,
        "region_name": "us-east-1",
        "verify": str(upstream.ca),
        "aws_access_key_id": CREDENTIALS.access_key,
        "aws_secret_access_key": CREDENTIALS.secret_key,
        "config": Config(retries={"total_max_attempts": 1}),
    }
    return boto3.client("bedrock-runtime", **(told | options))


QUESTION = {
    "modelId": recordings.MODEL,
    "messages": [{"role": "user", "content": [{"text": "hi"}]}],
}


def test_boto3_is_answered(upstream: Upstream) -> None:
    row = sdk.of_interaction("", recordings.converse("hi", "hello"))
    upstream.add(row, STREAM)
    with closing(boto(upstream)) as bedrock:
        answer = bedrock.converse(**QUESTION)
        events = list(bedrock.converse_stream(**QUESTION)["stream"])
    assert answer["output"]["message"]["content"] == [{"text": "hello"}]
    assert len(events) == len(FRAMES)
    assert not upstream.failures


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"aws_secret_access_key": "x"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIAX"}, "UnrecognizedClientException"),
        ({"aws_session_token": "x"}, "UnrecognizedClientException"),
    ],
)
def test_boto3_is_told_why_it_is_refused(
    upstream: Upstream, options: dict[str, str], error: str
) -> None:
    with closing(boto(upstream, **options)) as bedrock, pytest.raises(ClientError) as raised:
        bedrock.converse(**QUESTION)
    assert raised.value.response["Error"]["Code"] == error
    assert [failure.error for failure in upstream.failures] == [error]


@pytest.mark.parametrize(("token", "refused"), [(BEARER_TOKEN, 0), ("another", 1)])
def test_boto3_with_a_bearer_token(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, token: str, refused: int
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", token)
    upstream.add(STREAM)
    with closing(boto(upstream)) as bedrock, suppress(ClientError):
        bedrock.converse_stream(**QUESTION)["stream"].close()
    assert upstream.requests[0].header("authorization") == f"Bearer {token}"
    assert len(upstream.failures) == refused


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node")
    if (
        program is None
        or not (JAVASCRIPT / "node_modules" / "@aws-sdk" / "client-bedrock-runtime").is_dir()
    ):
        pytest.skip(
            "the AWS SDK for JavaScript is not installed: `make test` installs it where there is"
            " Node.js"
        )
    return program


@pytest.fixture(scope="module")
def for_node() -> Iterator[Upstream]:
    """It knows the credentials that client.mjs has."""
    with Upstream(credentials=[Credentials("AKIDEXAMPLE", "secret")]) as upstream:
        yield upstream


def run(node: str, upstream: Upstream, *arguments: str, told: object = None) -> list[Any]:
    """What a script prints, a line of JSON each."""
    ended = subprocess.run(
        [node, *arguments],
        input=json.dumps(told),
        env={"NODE_EXTRA_CA_CERTS": str(upstream.ca), "UPSTREAM": upstream.url},
        cwd=JAVASCRIPT,
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_javascript_sdk_is_answered(node: str, for_node: Upstream) -> None:
    for_node.clear()
    for_node.add(STREAM)
    told = {
        "endpoint": for_node.url,
        "operation": "ConverseStream",
        "input": QUESTION,
        "maxAttempts": 1,
    }
    jobs = [told | {"handler": handler} for handler in ("default", "http1")]
    results = run(node, for_node, "client.mjs", told={"jobs": jobs})
    assert not for_node.failures
    assert [len(result["events"]) for result in results] == [len(FRAMES)] * 2
    assert [request.version for request in for_node.requests] == ["2", "1.1"]


def test_a_bidirectional_stream_is_echoed_event_by_event(node: str, for_node: Upstream) -> None:
    for_node.clear()
    echoes = run(node, for_node, "bidirectional.mjs", "secret")
    assert not for_node.failures
    assert echoes == ["one", "two", "three"]
    assert (
        for_node.requests[0].header("x-amz-content-sha256") == "STREAMING-AWS4-HMAC-SHA256-EVENTS"
    )
    assert (for_node.sent[0].end, len(for_node.sent[0].frames)) == ("whole", 3)


def test_a_bidirectional_stream_of_a_stranger_is_refused(node: str, for_node: Upstream) -> None:
    for_node.clear()
    assert run(node, for_node, "bidirectional.mjs", "x") == ["InvalidSignatureException"]


def test_a_bidirectional_stream_that_is_tampered_with_ends_with_an_exception(
    upstream: Upstream,
) -> None:
    path = recordings.path("invoke-with-bidirectional-stream")
    hashed = (("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-EVENTS"),)
    with streams(upstream) as connection:
        stream = connection.begin(path, sign_headers(path, headers=(*JSON, *hashed)))
        connection.until(h2.events.ResponseReceived)
        connection.h2.send_data(stream, FRAMES[0])
        connection.flush()
        assert b"InvalidSignatureException" in b"".join(
            pieces(connection.until(h2.events.StreamEnded))
        )
    assert len(upstream.failures) == len(upstream.requests) == 1
    assert upstream.requests[0].body == FRAMES[0]
