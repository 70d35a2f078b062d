"""Faults add an event to Chat Completions before `[DONE]`, where clients stop reading."""

import pytest

from bedtape_cassettes.format.bodies import read_pieces
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import Send, build_steps, edit
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.events import Insert
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from support.faulty import make_context

FIRST, SECOND, DONE = b'data: {"a":1}\n\n', b'data: {"a":2}\n\n', b"data: [DONE]\n\n"
HEADERS = ((b"content-type", b"text/event-stream"),)
ARRIVING = Reply(200, HEADERS, (), streamed=True)
CALL = Call("default", "POST", "/v1/chat/completions", Head.of(()), b'{"stream": true}')
PIECES = (FIRST, SECOND, DONE)


def send(kind: FaultKind) -> list[bytes]:
    """The pieces of a complete answer with the fault."""
    response = Response(
        200, (("content-type", "text/event-stream"),), read_pieces(b"".join(PIECES))
    )
    changed = kind.on_response(response, CALL, make_context())
    assert not isinstance(changed.body, bytes)
    pieces = tuple(Piece(0, event.payload) for event in changed.body.events)  # type: ignore[union-attr]
    reply = Reply(200, HEADERS, pieces, streamed=True)
    return [piece.data for piece in kind.on_reply(reply, CALL, make_context()).pieces]


def send_arriving(kind: FaultKind) -> list[bytes]:
    """The pieces of an answer that arrives while the fault acts on it."""
    change = kind.on_arriving(ARRIVING, CALL, make_context())
    assert change is not None
    whole = Reply(200, HEADERS, tuple(Piece(0, piece) for piece in PIECES), streamed=True)
    return [step.data for step in edit(build_steps(whole), (change,)) if isinstance(step, Send)]


@pytest.mark.parametrize("after", [1, 2, 3, 99])
@pytest.mark.parametrize("arriving", [False, True], ids=["complete", "arriving"])
def test_the_place_of_an_added_event(after: int, arriving: bool) -> None:
    for kind in (Raise("ThrottlingException", after), RaiseUnmodelled("Odd", after_events=after)):
        *before, last = (send_arriving if arriving else send)(kind)
        assert before == [FIRST, SECOND][:after]
        assert b'"error"' in last
    before = (send_arriving if arriving else send)(Insert("newer", {"b": 1}, after))
    inserted = [FIRST, SECOND, DONE]
    inserted.insert(min(after, 2), b'data: {"b":1}\n\n')
    assert before == inserted
