"""Answers that are too short: their bytes, and what their framing says of them."""

import pytest

from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import Close, EndAt
from bedtape_replayer.overlay.faults.truncation import Truncate
from support.faulty import call, make_context

WHOLE = Reply(200, ((b"Content-Length", b"6"),), (Piece(0, b"abcdef"),), streamed=False)
STREAM = Reply(
    200, ((b"Transfer-Encoding", b"chunked"),), (Piece(1, b"ab"), Piece(2, b"cd")), streamed=True
)


def test_in_order_the_length_is_that_of_what_is_left() -> None:
    kind = Truncate(0, 4)
    reply = kind.on_reply(WHOLE, call(), make_context())
    assert (reply.headers, reply.pieces) == (((b"Content-Length", b"4"),), (Piece(0, b"abcd"),))
    assert kind.on_steps(reply, make_context()) is None


def test_in_order_a_stream_ends_inside_an_event() -> None:
    reply = Truncate(1, 1).on_reply(STREAM, call(), make_context())
    assert (reply.headers, reply.pieces) == (STREAM.headers, (Piece(1, b"ab"), Piece(2, b"c")))


def test_out_of_order_the_length_stays_and_the_connection_closes() -> None:
    kind = Truncate(0, 4, in_order=False)
    assert kind.on_reply(WHOLE, call(), make_context()) is WHOLE
    assert kind.on_steps(WHOLE, make_context()) == EndAt(0, 4, Close())


@pytest.mark.parametrize("wrong", [{"after_events": -1}, {"bytes_more": -1}])
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Truncate(**wrong)
