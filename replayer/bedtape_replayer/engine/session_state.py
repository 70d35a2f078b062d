"""Sessions: one test's own place in its recordings, overlay and call history, so that tests share a server and no more.

A session is named by the request itself and is made on first use. Pure: no sockets, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, Recording
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.session_layers import Layers

__all__ = ["DEFAULT_SESSION", "SessionState", "Sessions", "name_of"]

DEFAULT_SESSION = "default"

_PREFIX = re.compile(r"/+s/([^/?]+)(?=/)")
# What the endpoint variables of Bedrock's other services end in; paths are told apart without it.
_SERVICE = re.compile(r"/+service/[^/?]+(?=/)")
_ACCESS_KEY = re.compile(r"Credential=bedtape-([^/\s,]+)/")
# Each name makes a session, and names come from clients: without a bound, a loop of fresh ones would eat the memory.
_MOST = 10_000


def name_of(path: str, head: Head) -> tuple[str, str]:
    """The session that a request names, and its path without the prefixes that may name it and a service.

    In order: the endpoint's path prefix `/s/NAME`, the access key id `bedtape-NAME`, the header `x-bedtape-session`.
    """
    named, path = _split(path)
    if named is not None:
        return named, path
    if b"bedtape-" not in head.lowered:  # most heads name none, and this says so soonest
        return DEFAULT_SESSION, path
    authorization = head.get("authorization")
    if authorization and (found := _ACCESS_KEY.search(authorization)):
        return found[1], path
    return head.get("x-bedtape-session") or DEFAULT_SESSION, path


# Tests ask for the same few paths again and again.
@lru_cache(maxsize=4096)
def _split(path: str) -> tuple[str | None, str]:
    """The session that a path names, and the path without its prefixes."""
    named = None
    if found := _PREFIX.match(path):
        named, path = unquote(found[1]), path[found.end() :]
    if found := _SERVICE.match(path):
        path = path[found.end() :]
    return named, path


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
        self.layers = Layers(self._shared)
        self.history = History(self._limit)
        self._calls = 0
        self._played: dict[bytes, int] = {}

    def call(self, method: str, path: str, head: Head, body: bytes) -> Call:
        """Its next call."""
        self._calls += 1
        return Call(self.name, method, path, head, body, self._calls, self.history.add)

    def index(self, library: Library) -> Index:
        """What it plays from, of the server's library or its own."""
        return (self.library or library).index(self.name if self.name != DEFAULT_SESSION else None, self.cassette)

    def next(self, index: Index, key: bytes, *, strict: bool) -> Recording | None:
        """The recording to play now; None where there is none, or, if strict, none is left.

        Each match key's recordings play in order, then the last one again.
        """
        queue = index.queue(key)
        played = self._played.get(key, 0)
        if not queue or (strict and played >= len(queue)):
            return None
        self._played[key] = played + 1
        return queue[min(played, len(queue) - 1)]

    def unplayed(self, index: Index) -> Iterator[Recording]:
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
