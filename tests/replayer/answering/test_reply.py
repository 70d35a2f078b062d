"""What is put back into a response: Bedrock's names, case and order, padding
and ids from the key.
"""

import json
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.format.bodies import PADDING, compact
from bedtape_replayer.answering.reply import DATE, Reply, build_error_reply, build_reply
from support.recordings import answer, converse, prompt, record_interaction, stream

KEY = bytes(range(16))


def _names(reply: Reply) -> list[str]:
    return [name.decode() for name, _ in reply.headers]


def _header(reply: Reply, name: str) -> str:
    return {n.decode().lower(): v.decode() for n, v in reply.headers}[name]


def _events(reply: Reply) -> list[dict[str, object]]:
    buffer = EventStreamBuffer()
    for piece in reply.pieces:
        buffer.add_data(piece.data)
    return [json.loads(event.payload) for event in buffer]


def test_converse_has_bedrocks_headers_in_its_order() -> None:
    reply = build_reply(converse("a", "1"), KEY, 0)
    assert _names(reply) == [
        "Date",
        "Content-Type",
        "Content-Length",
        "Connection",
        "x-amzn-RequestId",
    ]
    assert reply.headers[0] == (b"Date", DATE)
    assert int(_header(reply, "content-length")) == len(reply.pieces[0].data)


def test_a_stream_is_chunked() -> None:
    reply = build_reply(stream("a", ["1", "2"]), KEY, 0)
    assert _names(reply) == [
        "Date",
        "Content-Type",
        "Transfer-Encoding",
        "Connection",
        "x-amzn-RequestId",
    ]
    assert reply.streamed
    assert len(reply.pieces) == 5


def test_metric_headers_get_their_case_and_order_whatever_the_recorder_made_of_them() -> None:
    headers = (
        ("x-amzn-bedrock-input-token-count", "1"),
        ("x-amzn-bedrock-output-token-count", "2"),
        ("content-type", "application/json"),
        ("x-amzn-bedrock-cache-read-input-token-count", "3"),
        ("x-amzn-bedrock-invocation-latency", "4"),
        ("x-amzn-bedrock-cache-write-input-token-count", "5"),
    )
    assert _names(build_reply(record_interaction(b"{}", b"{}", headers=headers), KEY, 0)) == [
        "Date",
        "Content-Type",
        "Content-Length",
        "Connection",
        "x-amzn-RequestId",
        "X-Amzn-Bedrock-Invocation-Latency",
        "X-Amzn-Bedrock-Cache-Write-Input-Token-Count",
        "X-Amzn-Bedrock-Cache-Read-Input-Token-Count",
        "X-Amzn-Bedrock-Output-Token-Count",
        "X-Amzn-Bedrock-Input-Token-Count",
    ]


def test_an_error_has_its_type_with_the_suffix() -> None:
    kind = "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"
    headers = (("x-amzn-ErrorType", kind), ("Content-Type", "application/json"))
    reply = build_reply(
        record_interaction(b"{}", b'{"message":"no"}', headers=headers, status=400), KEY, 0
    )
    assert _names(reply)[-2:] == ["x-amzn-RequestId", "x-amzn-ErrorType"]
    assert _header(reply, "x-amzn-errortype") == kind


def test_mantle_has_a_second_request_id() -> None:
    reply = build_reply(record_interaction(b"{}", b"{}", url="/v1/chat/completions"), KEY, 0)
    assert _names(reply)[4:6] == ["x-amzn-requestid", "x-request-id"]


def test_ids_and_padding_come_from_the_key_and_the_place_in_the_queue() -> None:
    interaction = stream("a", ["1", "2"])
    first, again = build_reply(interaction, KEY, 0), build_reply(interaction, KEY, 0)
    assert (first.headers, first.pieces) == (again.headers, again.pieces)
    assert UUID(_header(first, "x-amzn-requestid")).version == 4
    for other in (build_reply(interaction, KEY, 1), build_reply(interaction, KEY[::-1], 0)):
        assert _header(other, "x-amzn-requestid") != _header(first, "x-amzn-requestid")
        assert other.pieces != first.pieces


def test_padding_is_a_prefix_of_the_alphabet_among_sorted_keys() -> None:
    for event in _events(build_reply(stream("a", ["1", "2", "3"]), KEY, 0)):
        padding = event["p"]
        assert isinstance(padding, str)
        assert PADDING.startswith(padding)
        assert 2 <= len(padding) <= 61
        assert list(event) == sorted(event)


def test_events_keep_their_times() -> None:
    reply = build_reply(stream("a", ["1", "2"], at_ms=[0, 10, 30, 31, 32], after_ms=120), KEY, 0)
    assert [piece.at_ms for piece in reply.pieces] == [0, 10, 30, 31, 32]
    assert reply.after_ms == 120


def test_an_exact_recording_gets_nothing_back_but_the_date() -> None:
    headers = (
        ("X-Odd", "1"),
        ("date", "Tue, 01 Jan 2030 00:00:00 GMT"),
        ("x-amzn-RequestId", "kept"),
        ("Content-Length", "999"),
        ("X-Odd", "2"),
        ("Date", "one too many"),
    )
    reply = build_reply(
        record_interaction(b"{}", b'{ "a": 1}', headers=headers, exact=True), KEY, 0
    )
    assert reply.headers == (
        (b"X-Odd", b"1"),
        (b"date", DATE),
        (b"x-amzn-RequestId", b"kept"),
        (b"Content-Length", b"9"),
        (b"X-Odd", b"2"),
    )
    assert reply.pieces[0].data == b'{ "a": 1}'


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_framing(status: int) -> None:
    reply = build_reply(record_interaction(b"{}", b"", status=status), KEY, 0)
    assert reply.pieces == ()
    assert not {"Content-Length", "Transfer-Encoding"} & set(_names(reply))


def test_a_body_that_is_no_events_under_a_stream_type_is_chunked_all_the_same() -> None:
    headers = (("Content-Type", "application/vnd.amazon.eventstream"),)
    reply = build_reply(record_interaction(b"{}", b"torn", headers=headers), KEY, 0)
    assert reply.streamed
    assert "Transfer-Encoding" in _names(reply)


def test_an_error_of_our_own_has_the_form_of_bedrocks() -> None:
    reply = build_error_reply(400, "CassetteMissException", "no", "id")
    assert json.loads(reply.pieces[0].data) == {"message": "no"}
    assert _names(reply)[-1] == "x-amzn-ErrorType"
    assert int(_header(reply, "content-length")) == len(reply.pieces[0].data)


def test_a_body_is_sent_as_recorded() -> None:
    body = compact(answer("isn’t"))
    assert build_reply(record_interaction(prompt("a"), body), KEY, 0).pieces[0].data == body
