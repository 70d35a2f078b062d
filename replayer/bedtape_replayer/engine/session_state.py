"""Sessions. A session has its own position in the recordings, its own layers and history, so that tests can share a server.

Each request names its session. The first use creates the session. Pure: no sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from bedtape_cassettes.addresses import DEFAULT_SESSION, Prefixes, read_session_key, split_prefixes
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.engine.responses import Responses
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.session_layers import Layers

# Clients choose the names of sessions. Without a limit, a loop of new names would use all memory.
_MOST = 10_000
# Unique in the process, because a new session with the name of a dropped session must not get that session's calls.
_GENERATIONS = count(1)


def read_session(path: str, head: Head) -> Prefixes:
    """Return the session and the service that a request names, and its path without prefixes.

    In order: the path prefix `/s/NAME`, the access key id `bedtape-NAME`, the header `x-bedtape-session`.
    """
    prefixes = split_prefixes(path)
    if prefixes.session is not None:
        return prefixes
    named = None
    if b"bedtape-" in head.lowercase:  # the quickest check, because most requests name no session
        named = read_session_key(head.get("authorization") or "") or head.get("x-bedtape-session")
    return Prefixes(named or DEFAULT_SESSION, prefixes.service, prefixes.path)


class SessionState:
    """Playback positions, layers and history under one name.

    cassette: the name of the cassette to play; `None` for the cassette with the session's name, or all cassettes if no
    cassette has that name. library: the session's own cassettes; `None` for the server's. strict: whether each
    recording plays once. speed: a multiple of the recorded pace. strict and speed: `None` for the server's value.
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
        """Remove layers, positions, kept answers and history; cassettes and settings stay. Calls in flight will be in no history."""
        self.generation = next(_GENERATIONS)
        self.layers = Layers(self._shared)
        self.history = History(self._limit)
        self.responses = Responses()
        self._calls = 0
        self._played: dict[bytes, int] = {}

    def call(self, method: str, path: str, head: Head, body: bytes, prefix: str | None = None) -> Call:
        """Create the session's next call. prefix: the service in the prefix of the path."""
        self._calls += 1
        return Call(self.name, method, path, head, body, self._calls, self.generation, prefix)

    def index(self, library: Library) -> Index:
        """The recordings that the session plays, from its own library or the server's."""
        return (self.library or library).index(self.name if self.name != DEFAULT_SESSION else None, self.cassette)

    def next(self, index: Index, key: bytes, *, strict: bool) -> IndexedRecording | None:
        """Return the recording to play now, or `None` if there is no recording or, if strict, no further recording.

        The recordings of a match key play in order; then the last recording repeats.
        """
        queue = index.queue(key)
        played = self._played.get(key, 0)
        if not queue or (strict and played >= len(queue)):
            return None
        self._played[key] = played + 1
        return queue[min(played, len(queue) - 1)]

    def find_unplayed(self, index: Index) -> Iterator[IndexedRecording]:
        """Yield the recordings that were not played."""
        for queue in index.queues():
            yield from queue[self._played.get(queue[0].key, 0) :]


class Sessions:
    """All sessions of a server by name. If there are too many, the session that was unused the longest is dropped.

    shared: the overlay of every session. limit: the number of calls that the history of a session keeps.
    """

    def __init__(self, shared: Overlay = NOTHING, limit: int = History.LIMIT) -> None:
        self._sessions: dict[str, SessionState] = {}
        self._shared = shared
        self._limit = limit

    def __iter__(self) -> Iterator[SessionState]:
        return iter(tuple(self._sessions.values()))

    def get(self, name: str) -> SessionState:
        """Return the session. The first call creates it."""
        session = self._sessions.pop(name, None)
        if session is None:
            return self._make(name)
        self._sessions[name] = session  # at the end, because the first session is dropped first
        return session

    def find(self, name: str) -> SessionState | None:
        """Return the session, or `None` if it does not exist."""
        return self._sessions.get(name)

    def history_of(self, call: Call) -> History | None:
        """The history of the call's session; `None` if that session was dropped or reset, or the call has no session."""
        if not call.generation:
            return None
        session = self._sessions.get(call.session)
        if session is None or session.generation != call.generation:  # the session may have another name
            session = next((each for each in self._sessions.values() if each.generation == call.generation), None)
        return session.history if session is not None else None

    def reset(self, name: str) -> SessionState:
        """Reset the session, under all its names, and return it."""
        session = self.get(name)
        session.reset()
        return session

    def share(self, name: str, session: SessionState) -> None:
        """Give a session a second name. Calls to both names are its calls until the second name is dropped."""
        self._sessions[name] = session

    def drop(self, name: str) -> bool:
        """Drop the session. Return whether it existed."""
        return self._sessions.pop(name, None) is not None

    def clear(self) -> None:
        """Drop all sessions. A session with two names is in use by a test: it is reset and keeps its settings."""
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
