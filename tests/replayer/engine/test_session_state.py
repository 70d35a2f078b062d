"""What a session remembers. How a request names its session: tests/cassettes/test_addresses.py."""

import pytest

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index
from bedtape_replayer.engine.session_state import Sessions, SessionState
from bedtape_replayer.overlay.rule import Rule
from support.recordings import converse


def _play(
    session: SessionState, index: Index, key: bytes, *, strict: bool, times: int
) -> list[int | None]:
    recordings = (session.next(index, key, strict=strict) for _ in range(times))
    return [recording.number if recording else None for recording in recordings]


@pytest.fixture
def index() -> Index:
    return Index(
        [
            Cassette(
                "c",
                (converse("a", "1"), converse("b", "x"), converse("a", "2"), converse("a", "3")),
            )
        ]
    )


def test_recordings_play_in_order_then_the_last_again(index: Index) -> None:
    key = index.queue(next(iter(index._queues)))[0].key
    assert _play(SessionState("s"), index, key, strict=False, times=5) == [0, 1, 2, 2, 2]


def test_strict_plays_each_once(index: Index) -> None:
    key = next(iter(index._queues))
    assert _play(SessionState("s"), index, key, strict=True, times=5) == [0, 1, 2, None, None]


def test_sessions_do_not_share_their_place(index: Index) -> None:
    key = next(iter(index._queues))
    sessions = Sessions()
    assert _play(sessions.get("one"), index, key, strict=False, times=2) == [0, 1]
    assert _play(sessions.get("two"), index, key, strict=False, times=1) == [0]
    assert _play(sessions.get("one"), index, key, strict=False, times=1) == [2]


def test_the_order_of_different_keys_does_not_matter(index: Index) -> None:
    first, second = list(index._queues)
    session = SessionState("s")
    assert _play(session, index, second, strict=True, times=2) == [0, None]
    assert _play(session, index, first, strict=True, times=1) == [0]


def test_what_was_never_asked_for_is_known(index: Index) -> None:
    session = SessionState("s")
    first, second = list(index._queues)
    assert [r.interaction for r in session.find_unplayed(index)] == [
        r.interaction for queue in index.queues() for r in queue
    ]
    _play(session, index, second, strict=False, times=3)
    _play(session, index, first, strict=False, times=2)
    assert [r.number for r in session.find_unplayed(index)] == [2]


def test_a_chosen_cassette_goes_before_that_of_the_name() -> None:
    library = Library(
        [
            Cassette("s", (converse("a", "1"),)),
            Cassette("other", (converse("b", "2"), converse("c", "3"))),
        ]
    )
    session = SessionState("s")
    assert len(session.index(library).interactions) == 1
    session.cassette = "other"
    assert len(session.index(library).interactions) == 2
    session.cassette = "gone"
    assert session.index(library).interactions == ()


def test_a_session_may_bring_its_own_cassettes() -> None:
    session = SessionState("s")
    session.library = Library([Cassette("x", (converse("a", "1"),))])
    assert len(session.index(Library(())).interactions) == 1


def test_reset_forgets_all_but_the_cassette(index: Index) -> None:
    sessions = Sessions()
    old = sessions.get("s")
    old.cassette, old.strict = "c", True
    old.layers.add(Rule("rule-1", (Message((Text("x"),)),)))
    key = next(iter(index._queues))
    _play(old, index, key, strict=False, times=2)
    sessions.share("alias", old)
    fresh = sessions.reset("alias")
    assert fresh is sessions.get("s")
    assert fresh is old
    assert (fresh.cassette, fresh.strict, bool(fresh.layers), len(fresh.history)) == (
        "c",
        True,
        False,
        0,
    )
    assert _play(fresh, index, key, strict=False, times=1) == [0]
    assert fresh.call("GET", "/", Head.of(()), b"").number == 1


def test_sessions_are_listed_found_and_dropped() -> None:
    sessions = Sessions()
    assert sessions.find("a") is None
    made = sessions.get("a")
    assert sessions.find("a") is made
    assert list(sessions) == [made]
    assert sessions.drop("a")
    assert not sessions.drop("a")
    sessions.get("b")
    sessions.clear()
    assert list(sessions) == []


def test_the_longest_unused_goes_first() -> None:
    sessions = Sessions()
    first = sessions.get("first")
    for number in range(10_500):
        sessions.get(str(number))
        sessions.get("first")
    assert sessions.find("first") is first
    assert sessions.find("0") is None


def test_sessions_are_bounded() -> None:
    """Names come from clients: a loop of fresh ones must not eat the memory."""
    sessions = Sessions()
    for number in range(30_000):
        sessions.get(str(number))
    assert len(sessions._sessions) <= 10_000
