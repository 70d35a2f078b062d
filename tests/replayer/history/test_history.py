"""A session's history keeps the last calls within its limit, counts what it
dropped, and counts its bytes.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.history.history import History
from support.examples import examples
from support.recordings import converse, prompt
from support.scene import Scene


def _outcome(number: int, body: bytes = b"", reply: Reply | None = None) -> Outcome:
    said = reply or Reply(200, (), (), streamed=False)
    call = Call("s", "POST", "/", Head.of(()), body, number)
    return Outcome(Answer(call, said, "cassette"), 0.0, 0.0, True, 0)


def _reply(*sizes: int) -> Reply:
    return Reply(200, (), tuple(Piece(0, bytes(size)) for size in sizes), streamed=len(sizes) > 1)


def test_calls_are_in_the_order_in_which_they_were_sent() -> None:
    """A slow answer ends after the answer to a later call."""
    history = History()
    for number in (2, 3, 1):
        history.add(_outcome(number))
    assert [call.number for call in history.calls] == [1, 2, 3]


def test_the_oldest_go_and_are_counted() -> None:
    history = History(limit=3)
    for number in range(1, 8):
        history.add(_outcome(number))
    assert [call.number for call in history.calls] == [5, 6, 7]
    assert (history.forgotten, history.calls.forgotten, len(history)) == (4, 4, 3)


@pytest.mark.parametrize("sizes", [(15_000,), (5_000, 2_500)])
def test_bodies_are_counted(sizes: tuple[int, ...]) -> None:
    """A stream's pieces count twice, because the answer keeps its chunks too;
    Python's objects also count.
    """
    memory = Memory()
    history = History(limit=2, memory=memory)
    for number in range(1, 6):
        history.add(_outcome(number, bytes(20_000), _reply(*sizes)))
    assert 70_000 < memory.used < 78_000
    assert memory.forgotten == history.forgotten == 3


def test_a_reply_that_many_calls_of_many_sessions_got_counts_once() -> None:
    """A recording is in memory once, however often it is played."""
    memory, reply = Memory(), _reply(100_000)
    histories = [History(2, memory) for _ in range(3)]
    for number in range(1, 6):
        for history in histories:
            history.add(_outcome(number, b"x", reply))
    assert 100_000 < memory.used < 120_000
    for history in histories:
        assert memory.used > 100_000
        history.clear()
    assert (memory.used, memory.bodies) == (0, {})


@settings(derandomize=True, max_examples=examples(100))
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4)), max_size=40), st.integers(1, 10))
def test_what_is_counted_is_what_is_kept(sent: list[tuple[int, int]], limit: int) -> None:
    memory = Memory()
    history = History(limit, memory)
    replies = [_reply(size) for size in (0, 10, 20, 100, 300)]
    for number, (size, which) in enumerate(sent, 1):
        history.add(_outcome(number, bytes(size), replies[which]))
    kept = [call.outcome.answer for call in history.calls]
    held = {answer.reply for answer in kept}
    again = Memory()
    anew = History(memory=again)
    for call in history.calls:
        anew.add(call.outcome)
    assert memory.used == again.used
    bodies = sum(len(answer.call.body) for answer in kept) + sum(
        len(p.data) for r in held for p in r.pieces
    )
    assert memory.used > bodies or not kept
    assert len(kept) <= limit
    assert len(kept) + history.forgotten == len(sent)
    assert [answer.call.number for answer in kept] == list(
        range(len(sent) - len(kept) + 1, len(sent) + 1)
    )


def test_a_cleared_history_begins_anew() -> None:
    memory = Memory()
    history = History(limit=1, memory=memory)
    history.add(_outcome(1, b"abc"))
    history.add(_outcome(2, b"abc"))
    history.clear()
    assert (len(history.calls), history.forgotten, memory.used) == (0, 0, 0)
    history.add(_outcome(3, b"abc"))
    assert memory.used > 3


def test_reports_of_forgotten_misses_are_kept_once_up_to_a_number() -> None:
    scene = Scene(converse("Hello", "Hi"))
    history = scene.session.history
    history.limit = 1
    scene.send(prompt("Hello"))
    before = scene.engine.memory.used
    reports = [str(scene.send(prompt(f"question {number}")).miss) for number in (1, 1, 2)]
    scene.send(prompt("Hello"))
    assert history.forgotten_misses == tuple(dict.fromkeys(reports))
    assert scene.engine.memory.used > before
    for number in range(100):
        scene.send(prompt(f"another {number}"))
    assert len(history.forgotten_misses) == 20
    assert history.forgotten_misses[:2] == tuple(dict.fromkeys(reports))
    kept, counted = sum(map(len, history.forgotten_misses)), scene.engine.memory.used
    history.clear()
    assert history.forgotten_misses == ()
    assert scene.engine.memory.used < counted - kept


@pytest.mark.parametrize("limit", [0, -1])
def test_a_history_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1 call"):
        History(limit)


def test_the_engine_adds_every_call_to_its_session() -> None:
    scene = Scene(converse("Hello", "Hi"))
    scene.send(prompt("Hello"))
    scene.send(prompt("Something else"))
    assert [(call.number, call.source) for call in scene.calls] == [(1, "cassette"), (2, "miss")]


def test_only_what_ended_later_is_told() -> None:
    history = History()
    assert (history.oldest, list(history.iterate_newest(0.0))) == (None, [])
    scene = Scene(converse("a", "b"))
    ends = [scene.send(prompt("a"), at=float(at)).outcome for at in range(5)]
    for outcome in ends:
        history.add(outcome)
    third = ends[2]
    assert list(history.iterate_newest(third.began + third.seconds)) == [ends[4], ends[3]]
    assert history.oldest is ends[0]
