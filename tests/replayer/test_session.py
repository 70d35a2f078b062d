"""Who names a session, and what it remembers."""

from __future__ import annotations

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_replayer.call import Pairs, RawHead
from bedtape_replayer.match import Index
from bedtape_replayer.session import Session, Sessions, name_of
from support.recordings import converse

_SIGNED = b"AWS4-HMAC-SHA256 Credential=%b/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00"
_KEY = (b"authorization", _SIGNED % b"bedtape-checkout")
_HEADER = (b"x-bedtape-session", b"by-header")


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/model/m/converse", (), ("default", "/model/m/converse")),
        ("/s/one/model/m/converse", (), ("one", "/model/m/converse")),
        ("/s/one//model/m/converse", (), ("one", "//model/m/converse")),
        ("/s/dir%2Ftest%20a/model/m/converse", (), ("dir/test a", "/model/m/converse")),
        ("/model/m/converse", (_KEY,), ("checkout", "/model/m/converse")),
        (
            "/model/m/converse",
            ((b"authorization", _SIGNED % b"AKIAIOSFODNN7EXAMPLE"),),
            ("default", "/model/m/converse"),
        ),
        ("/model/m/converse", ((b"authorization", b"Bearer abc"), _HEADER), ("by-header", "/model/m/converse")),
        ("/s/one/model/m/converse", (_KEY, _HEADER), ("one", "/model/m/converse")),
        ("/model/m/converse", (_KEY, _HEADER), ("checkout", "/model/m/converse")),
        ("/s", (), ("default", "/s")),
        ("/s/", (), ("default", "/s/")),
        ("/sessions/x/y", (), ("default", "/sessions/x/y")),
    ],
)
def test_path_prefix_then_access_key_then_header(
    path: str, headers: tuple[tuple[bytes, bytes], ...], expected: tuple[str, str]
) -> None:
    assert name_of(path, Pairs(headers)) == expected
    raw = b"".join(b"\r\n" + name.title() + b": " + value for name, value in headers) + b"\r\n"
    assert name_of(path, RawHead(raw)) == expected


def _play(session: Session, index: Index, key: bytes, *, strict: bool, times: int) -> list[int | None]:
    found = (session.next(index, key, strict=strict) for _ in range(times))
    return [recording.number if recording else None for recording in found]


@pytest.fixture
def index() -> Index:
    return Index([Cassette("c", (converse("a", "1"), converse("b", "x"), converse("a", "2"), converse("a", "3")))])


def test_recordings_play_in_order_then_the_last_again(index: Index) -> None:
    key = index.queue(next(iter(index._queues)))[0].key
    assert _play(Session("s"), index, key, strict=False, times=5) == [0, 1, 2, 2, 2]


def test_strict_plays_each_once(index: Index) -> None:
    key = next(iter(index._queues))
    assert _play(Session("s"), index, key, strict=True, times=5) == [0, 1, 2, None, None]


def test_sessions_do_not_share_their_place(index: Index) -> None:
    key = next(iter(index._queues))
    sessions = Sessions()
    assert _play(sessions.get("one"), index, key, strict=False, times=2) == [0, 1]
    assert _play(sessions.get("two"), index, key, strict=False, times=1) == [0]
    assert _play(sessions.get("one"), index, key, strict=False, times=1) == [2]


def test_the_order_of_different_keys_does_not_matter(index: Index) -> None:
    first, second = list(index._queues)
    session = Session("s")
    assert _play(session, index, second, strict=True, times=2) == [0, None]
    assert _play(session, index, first, strict=True, times=1) == [0]


def test_sessions_are_bounded() -> None:
    """Names come from clients: a loop of fresh ones must not eat the memory."""
    sessions = Sessions()
    for number in range(30_000):
        sessions.get(str(number))
    assert len(sessions._sessions) <= 10_000
