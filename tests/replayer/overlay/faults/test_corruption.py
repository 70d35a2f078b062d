"""Damaged bytes, as botocore's own decoder and Python's JSON see them."""

import json
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from bedtape_cassettes.format import bodies
from bedtape_replayer.answering.reply import Reply, build_reply
from bedtape_replayer.overlay.faults.corruption import Corrupt
from support.faulty import call, make_context
from support.recordings import converse, path, prompt, record_interaction, stream

STREAM = build_reply(stream("s", ["x", "y}"]), b"key", 0)
WHOLE = build_reply(converse("a", "one}"), b"key", 0)


def harmed(kind: Corrupt, reply: Reply = STREAM) -> Reply:
    return kind.on_reply(reply, call("converse-stream"), make_context())


def read(reply: Reply) -> tuple[list[bytes], str]:
    """The payloads that botocore's decoder gives, and what it says of the frame after them."""
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(piece.data for piece in reply.pieces))
    payloads: list[bytes] = []
    try:
        payloads.extend(message.payload for message in buffer)
    except ChecksumMismatch as error:
        return payloads, str(error)
    return payloads, ""


@pytest.mark.parametrize(("event", "whole"), [(1, 0), (3, 2), (5, 4), (99, 4)])
def test_checksums_of_one_frame_do_not_match(event: int, whole: int) -> None:
    buffers = [harmed(Corrupt(what, event)) for what in ("message_crc", "prelude_crc")]
    for reply in buffers:
        decoder = EventStreamBuffer()
        for number, piece in enumerate(reply.pieces):
            decoder.add_data(piece.data)
            if number == whole:
                with pytest.raises(ChecksumMismatch):
                    list(decoder)
                break
            assert len(list(decoder)) == 1


def test_only_that_checksum_is_wrong() -> None:
    for what, offset in (("message_crc", -4), ("prelude_crc", 8)):
        [before, after] = [r.pieces[1].data for r in (STREAM, harmed(Corrupt(what, 2)))]  # type: ignore[arg-type]
        changed = [at for at in range(len(before)) if before[at] != after[at]]
        start = offset % len(before)
        assert changed
        assert set(changed) <= set(range(start, start + 4))


def test_json_is_malformed_in_one_frame_whose_checksums_are_right() -> None:
    payloads, error = read(harmed(Corrupt("json", 3)))
    assert error == ""
    assert len(payloads) == 5
    for number, payload in enumerate(payloads, 1):
        if number == 3:
            with pytest.raises(ValueError):
                json.loads(payload)
        else:
            json.loads(payload)


def test_a_whole_body_is_malformed_and_its_length_is_right() -> None:
    reply = harmed(Corrupt("json"), WHOLE)
    [piece] = reply.pieces
    with pytest.raises(ValueError):
        json.loads(piece.data)
    assert (b"Content-Length", b"%d" % len(piece.data)) in reply.headers


def test_server_sent_events_are_malformed_inside_their_frame() -> None:
    body = bodies.seal_data({"a": 1}) + bodies.seal_data({"b": 2})
    headers = (("Content-Type", "text/event-stream"),)
    sent = build_reply(
        record_interaction(prompt("a"), body, url="/v1/chat/completions", headers=headers),
        b"key",
        0,
    )
    assert [piece.data for piece in harmed(Corrupt("json", 2), sent).pieces] == [
        b'data: {"a":1}\n\n',
        b'data: {"b":2\n\n',
    ]


def test_a_whole_body_has_no_checksums() -> None:
    assert harmed(Corrupt("message_crc"), WHOLE) is WHOLE
    assert not Corrupt("message_crc").applies_to(call("converse"))
    assert Corrupt("prelude_crc").applies_to(call("converse-stream"))
    assert Corrupt("json").applies_to(call("converse"))
    assert "found Converse" in (Corrupt("message_crc").find_problem(("Converse",)) or "")
    assert Corrupt("json").find_problem(("Converse",)) is None


def test_an_empty_body_stays_as_it_is() -> None:
    empty = build_reply(record_interaction(prompt("a"), b"", url=path()), b"key", 0)
    assert harmed(Corrupt("json"), empty) is empty


def test_two_faults_in_one_frame_do_not_break_the_server() -> None:
    once = harmed(Corrupt("message_crc", 1))
    assert harmed(Corrupt("json", 1), once).pieces[0] == once.pieces[0]


@pytest.mark.parametrize("wrong", [{"what": "crc"}, {"what": "json", "event": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Corrupt(**wrong)
