"""Sessions: one test's own place in its recordings, overlay and call history, so that tests share a server and no more.

A session is named by the request itself and is made on first use. Pure: no sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from bedtape_cassettes.addresses import DEFAULT_SESSION, read_session_key, split_prefixes
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.session_layers import Layers

__all__ = ["SessionState", "Sessions", "read_session"]

# Each name makes a session, and names come from clients: without a bound, a loop of fresh ones would eat the memory.
_MOST = 10_000
# Unique in the process: a session that takes the name of a dropped one must not get its calls.
_GENERATIONS = count(1)


def read_session(path: str, head: Head) -> tuple[str, str]:
    """Return the session that a request names, and its path without prefixes.

    In order: the path prefix `/s/NAME`, the access key id `bedtape-NAME`, the header `x-bedtape-session`. The service
    that a prefix names is not needed, because the paths of all services differ.
    """
    session, _, path = split_prefixes(path)
    if session is not None:
        return session, path
    if b"bedtape-" not in head.lowercase:  # the quickest check, because most requests name no session
        return DEFAULT_SESSION, path
    named = read_session_key(head.get("authorization") or "") or head.get("x-bedtape-session")
    return named or DEFAULT_SESSION, path


class SessionState:
    """Playback positions, layers and history under one name.

    cassette: the one to play; None for that of its name, or all where there is none. library: its own cassettes, in
    place of the server's. strict: whether each recording plays once; None for the server's word. speed: its pace, a
    multiple of the recorded one; None for the server's.
    """

    def __init__(self, name: str, shared: Overlay = NOTHING, limit: int = History.LIMIT) -> None:
        self.name = name
        self.cassette: str | None = None
        self.library: Library | None = None
        self.strict: bool | None = None
        self.speed: float | None = None
        self._shared = shared
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        """As if it had never been called; what it plays from stays. Calls that are under way are in no history."""
        self.generation = next(_GENERATIONS)
        self.layers = Layers(self._shared)
        self.history = History(self._limit)
        self._calls = 0
        self._played: dict[bytes, int] = {}

    def call(self, method: str, path: str, head: Head, body: bytes) -> Call:
        """Its next call."""
        self._calls += 1
        return Call(self.name, method, path, head, body, self._calls, self.generation)

    def index(self, library: Library) -> Index:
        """What it plays from, of the server's library or its own."""
        return (self.library or library).index(self.name if self.name != DEFAULT_SESSION else None, self.cassette)

    def next(self, index: Index, key: bytes, *, strict: bool) -> IndexedRecording | None:
        """The recording to play now; None where there is none, or, if strict, none is left.

        Each match key's recordings play in order, then the last one again.
        """
        queue = index.queue(key)
        played = self._played.get(key, 0)
        if not queue or (strict and played >= len(queue)):
            return None
        self._played[key] = played + 1
        return queue[min(played, len(queue) - 1)]

    def find_unplayed(self, index: Index) -> Iterator[IndexedRecording]:
        """The recordings that were never asked for."""
        for queue in index.queues():
            yield from queue[self._played.get(queue[0].key, 0) :]


class Sessions:
    """All sessions of a server by name. Past a bound, the one that was longest unused starts anew when it comes again.

    shared: the overlay that every session has. limit: how many calls each one's history keeps.
    """

    def __init__(self, shared: Overlay = NOTHING, limit: int = History.LIMIT) -> None:
        self._sessions: dict[str, SessionState] = {}
        self._shared = shared
        self._limit = limit

    def __iter__(self) -> Iterator[SessionState]:
        return iter(tuple(self._sessions.values()))

    def get(self, name: str) -> SessionState:
        """The session, made where there is none yet."""
        session = self._sessions.pop(name, None)
        if session is None:
            return self._make(name)
        self._sessions[name] = session  # the last that was used stands last
        return session

    def find(self, name: str) -> SessionState | None:
        """The session, if there is one."""
        return self._sessions.get(name)

    def history_of(self, call: Call) -> History | None:
        """The history that keeps a call; None if its session was dropped or reset, or had no part in it."""
        if not call.generation:
            return None
        session = self._sessions.get(call.session)
        if session is None or session.generation != call.generation:  # it may still be there under its other name
            session = next((each for each in self._sessions.values() if each.generation == call.generation), None)
        return session.history if session is not None else None

    def reset(self, name: str) -> SessionState:
        """The session, as if it had never been called. Under all its names: it is the same."""
        session = self.get(name)
        session.reset()
        return session

    def share(self, name: str, session: SessionState) -> None:
        """Gives a session another name: calls to either are its own, until that name is dropped."""
        self._sessions[name] = session

    def drop(self, name: str) -> bool:
        """Forgets the session; whether there was one."""
        return self._sessions.pop(name, None) is not None

    def clear(self) -> None:
        """Forgets them all, but for the settings of those that have two names, which somebody holds."""
        shared = {name: session for name, session in self._sessions.items() if session.name != name}
        kept = {session.name: session for session in shared.values()}
        self._sessions = {**kept, **shared}
        for session in kept.values():
            session.reset()

    def _make(self, name: str) -> SessionState:
        if len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        session = self._sessions[name] = SessionState(name, self._shared, self._limit)
        return session
