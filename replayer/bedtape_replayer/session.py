"""Sessions: one test's own place in its recordings, so that tests share a server and nothing else.

A session is named by the request itself, is made on first use, and remembers how often each match key was played.
Pure: no sockets, no clock.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from bedtape_replayer.call import Head
from bedtape_replayer.match import Index, Recording

__all__ = ["DEFAULT_SESSION", "Session", "Sessions", "name_of"]

DEFAULT_SESSION = "default"

_PREFIX = re.compile(r"/+s/([^/?]+)(?=/)")
_ACCESS_KEY = re.compile(r"Credential=bedtape-([^/\s,]+)/")
# Each name makes a session, and names come from clients: without a bound, a loop of fresh ones would eat the memory.
_MOST = 10_000


def name_of(path: str, head: Head) -> tuple[str, str]:
    """The session that a request names, and its path without the prefix that may name it.

    In order: the endpoint's path prefix `/s/NAME`, the access key id `bedtape-NAME`, the header `x-bedtape-session`.
    """
    if found := _PREFIX.match(path):
        return unquote(found[1]), path[found.end() :]
    authorization = head.get("authorization")
    if authorization and (found := _ACCESS_KEY.search(authorization)):
        return found[1], path
    return head.get("x-bedtape-session") or DEFAULT_SESSION, path


class Session:
    """Playback positions: each match key's recordings play in order, then the last one again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._played: dict[bytes, int] = {}

    def next(self, index: Index, key: bytes, *, strict: bool) -> Recording | None:
        """The recording to play now; None where there is none, or, if strict, none is left."""
        queue = index.queue(key)
        if len(queue) == 1 and not strict:
            return queue[0]
        played = self._played.get(key, 0)
        if not queue or (strict and played >= len(queue)):
            return None
        self._played[key] = played + 1
        return queue[min(played, len(queue) - 1)]


class Sessions:
    """All sessions of a server by name. Past a bound, the oldest starts anew when it comes again."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def get(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            if len(self._sessions) >= _MOST:
                del self._sessions[next(iter(self._sessions))]
            session = self._sessions[name] = Session(name)
        return session
