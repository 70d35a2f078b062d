"""Replies with other bytes say how long they are."""

from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.overlay.faults.rewrite import is_event_stream, replace_pieces

EVENT_STREAM = (
    (b"Content-Type", b"application/vnd.amazon.eventstream"),
    (b"Transfer-Encoding", b"chunked"),
)


def test_a_content_length_is_told_anew_and_every_other_header_stays() -> None:
    reply = Reply(
        200,
        ((b"A", b"3"), (b"content-length", b"3"), (b"B", b"3")),
        (Piece(0, b"abc"),),
        streamed=False,
    )
    changed = replace_pieces(reply, (Piece(0, b"a" * 12),))
    assert changed.headers == ((b"A", b"3"), (b"content-length", b"12"), (b"B", b"3"))
    assert replace_pieces(changed, (Piece(0, b"abc"),)).headers == reply.headers


def test_a_stream_has_no_length_to_tell() -> None:
    assert (
        replace_pieces(Reply(200, EVENT_STREAM, (), streamed=True), (Piece(0, b"a"),)).headers
        == EVENT_STREAM
    )


def test_what_is_an_event_stream() -> None:
    assert is_event_stream(Reply(200, EVENT_STREAM, (), streamed=True))
    assert not is_event_stream(
        Reply(429, ((b"Content-Type", b"application/json"),), (), streamed=False)
    )
