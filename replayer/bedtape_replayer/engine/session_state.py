"""Sessions. A session has its own position in the recordings, its own layers and history, so that
tests can share a server.

Each request names its session. The first use creates the session. Pure: no sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TypeAlias

from bedtape_cassettes.addresses import DEFAULT_SESSION, Prefixes, read_session_key, split_prefixes
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.engine.recorded_conversations import RecordedConversations
from bedtape_replayer.engine.responses import Responses
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.overlay import NOTHING, Overlay
from bedtape_replayer.overlay.session_layers import Layers
from bedtape_replayer.overlay.simulation.state import SimulationState

# Clients choose the names of sessions. Without a limit, a loop of new names would use all memory.
_MOST = 10_000
# The memory of a session without calls and layers, and of the position of a match key. Measured.
_SESSION_BYTES, _POSITION_BYTES = 3_000, 160
# Unique in the process, because a new session with the name of a dropped session must not
# get that session's calls.
_GENERATIONS = count(1)


def read_session(path: str, head: Head) -> Prefixes:
    """Return the session and the service that a request names, and its path without prefixes.

    In order: the path prefix `/s/NAME`, the access key id `bedtape-NAME`, the
    header `x-bedtape-session`.
    """
    prefixes = split_prefixes(path)
    if prefixes.session is not None:
        return prefixes
    named = None
    if b"bedtape-" in head.lowercase:  # the quickest check, because most requests name no session
        named = read_session_key(head.get("authorization") or "") or head.get("x-bedtape-session")
    return Prefixes(named or DEFAULT_SESSION, prefixes.service, prefixes.path)


# Chooses the recording that answers a call, or returns None.
Select: TypeAlias = Callable[[Call, Index], IndexedRecording | None]


class SessionState:
    """Playback positions, layers and history under one name.

    cassette: the name of the cassette to play; empty for no cassette; `None` for the cassette with
    the session's name, or all cassettes if no cassette has that name. library: the session's own
    cassettes; `None` for the server's. strict: whether each recording plays once. speed: a multiple
    of the recorded pace. upstream: the URL of a server that is asked if nothing else answers.
    strict and speed: `None` for the server's value. memory: counts what the session keeps. names:
    how many names the session has in `Sessions`. used: the time of the last use, in seconds of the
    clock of `Sessions.expire`. calls: the number of its calls so far.
    """

    def __init__(
        self,
        name: str,
        shared: Overlay = NOTHING,
        limit: int = History.LIMIT,
        memory: Memory | None = None,
    ) -> None:
        self.name = name
        self.cassette: str | None = None
        self.library: Library | None = None
        self.strict: bool | None = None
        self.speed: float | None = None
        # Chooses the recording before the match key does, and if no recording matches.
        self.select: Select | None = None
        self.substitute: Select | None = None
        self.upstream: str | None = None
        self._shared = shared
        self.names = 0
        self.used = 0.0
        self._memory = memory or Memory()
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self.generation = next(_GENERATIONS)
        self.history = History(self._limit, self._memory)
        self.conversations = RecordedConversations()
        self.calls = 0
        self._begin_state()

    def _begin_state(self) -> None:
        self.layers = Layers(self._shared, self._memory)
        self.responses = Responses(self._memory)
        self.simulated = SimulationState.of(self._memory)
        self._played: dict[bytes, int] = {}
        self._memory.used += _SESSION_BYTES

    def reset_state(self) -> None:
        """Remove layers, positions and kept answers; the history stays."""
        self._release_state()
        self._begin_state()

    def reset(self) -> None:
        """Remove layers, positions, kept answers and history; cassettes and settings stay.

        Calls in flight will be in no history.
        """
        self.release()
        self._begin()

    def release(self) -> None:
        """Subtract the session from the counted memory. Only `reset` makes it usable again."""
        self.history.clear()
        self._release_state()

    def _release_state(self) -> None:
        self.layers.release()
        self.responses.clear()
        self.simulated.clear()
        self._memory.used -= _SESSION_BYTES + len(self._played) * _POSITION_BYTES
        self._played = {}

    def call(
        self,
        method: str,
        path: str,
        head: Head,
        body: bytes,
        prefix: str | None = None,
        namespace: str = "",
    ) -> Call:
        """Create the session's next call. prefix: the service in the prefix of the path."""
        self.calls += 1
        place = (self.calls, self.generation)
        return Call(self.name, method, path, head, body, *place, prefix, namespace=namespace)

    def index(self, library: Library) -> Index:
        """The recordings that the session plays, from its own library or the server's."""
        return (self.library or library).index(
            self.name if self.name != DEFAULT_SESSION else None, self.cassette
        )

    def next(self, index: Index, key: bytes, *, strict: bool) -> IndexedRecording | None:
        """Return the recording to play now, or `None` if there is no recording or, if
        strict, no further recording.

        The recordings of a match key play in order; then the last recording repeats.
        """
        queue = index.queue(key)
        played = self._played.get(key, 0)
        if not queue or (strict and played >= len(queue)):
            return None
        if played == 0:
            self._memory.used += _POSITION_BYTES
        self._played[key] = played + 1
        return queue[min(played, len(queue) - 1)]

    def play_again(self, key: bytes) -> None:
        """Count another call that the last recording with a match key answers."""
        self._played[key] += 1

    def count_played(self, key: bytes) -> int:
        """Return how many calls a recording with this match key has answered."""
        return self._played.get(key, 0)

    def set_played(self, key: bytes, played: int) -> None:
        """Set the number of calls, as another server has counted."""
        self._memory.used += 0 if key in self._played else _POSITION_BYTES
        self._played[key] = played

    def take_next_unplayed(self, index: Index, call: Call) -> IndexedRecording | None:
        """Return and play the next recording in order, if none is more similar to the call."""
        order = {id(interaction): place for place, interaction in enumerate(index.interactions)}
        recording = min(
            self.find_unplayed(index), key=lambda each: order[id(each.interaction)], default=None
        )
        if recording is None or not index.is_nearest(call, recording):
            return None
        if recording.key not in self._played:
            self._memory.used += _POSITION_BYTES
        self._played[recording.key] = recording.number + 1
        return recording

    def find_unplayed(self, index: Index) -> Iterator[IndexedRecording]:
        """Yield the recordings that were not played."""
        for queue in index.queues():
            rest = queue[self._played.get(queue[0].key, 0) :]
            yield from (
                each for each in rest if each.interaction.file not in self.conversations.played
            )


class Sessions:
    """All sessions of a server by name.

    If there are too many, the session that was unused the longest is dropped.

    shared: the overlay of every session. limit: the number of calls that the history of a session
    keeps. memory: counts what the sessions keep. Above its limit, the session that was unused the
    longest loses its kept candidates and its oldest calls first. If no session has calls left, it
    is dropped. idle: the seconds without use after which a session is dropped; `None` for no limit.
    dropped: the number of sessions that were dropped because of one of these limits. on_drop: gets
    a session that a client deletes, before it is deleted.
    """

    def __init__(
        self,
        shared: Overlay = NOTHING,
        limit: int = History.LIMIT,
        memory: Memory | None = None,
        idle: float | None = None,
    ) -> None:
        self.dropped = 0
        self.on_drop: Callable[[SessionState], None] = lambda _: None
        self.memory = memory or Memory()
        self._sessions: dict[str, SessionState] = {}
        self._shared = shared
        self._limit = limit
        self._idle = idle
        self._now = 0.0

    def __iter__(self) -> Iterator[SessionState]:
        return iter(tuple(self._sessions.values()))

    def get(self, name: str) -> SessionState:
        """Return the session. The first call creates it."""
        session = self._sessions.pop(name, None) or self._make(name)
        self._sessions[name] = session  # at the end, because the first session is dropped first
        session.used = self._now
        if self.memory.used > self.memory.limit:
            self._shrink()
        return session

    def find(self, name: str) -> SessionState | None:
        """Return the session, or `None` if it does not exist."""
        return self._sessions.get(name)

    def find_caller(self, call: Call) -> SessionState | None:
        """Return the call's session; `None` if that session was dropped or reset, or the call has
        no session.
        """
        if not call.generation:
            return None
        session = self._sessions.get(call.session)
        # the session may have another name
        if session is None or session.generation != call.generation:
            return next(
                (each for each in self._sessions.values() if each.generation == call.generation),
                None,
            )
        return session

    def reset(self, name: str) -> SessionState:
        """Reset the session, under all its names, and return it."""
        session = self.get(name)
        session.reset()
        return session

    def share(self, name: str, session: SessionState) -> None:
        """Give a session a second name, whose calls are its calls until the name is dropped."""
        if self._sessions.get(name) is not session:
            self.drop(name)
            self._sessions[name] = session
            session.names += 1

    def drop(self, name: str) -> bool:
        """Drop the session. Return whether it existed."""
        session = self._sessions.pop(name, None)
        if session is None:
            return False
        session.names -= 1
        if not session.names:
            self.on_drop(session)
            session.release()
        return True

    def expire(self, now: float) -> None:
        """Drop the sessions that were not used for too long. now: seconds of any
        clock that does not go back.

        The default session stays, and a session with two names, because a test uses it.
        """
        self._now = now
        if self._idle is None:
            return
        for name, session in tuple(self._sessions.items()):
            if now - session.used <= self._idle:
                break
            if name != DEFAULT_SESSION and session.names == 1:
                self._drop_counted(name)

    def _drop_counted(self, name: str) -> None:
        session = self._sessions[name]
        if session.names == 1:
            self.memory.forgotten += len(session.history)
        self.drop(name)
        self.dropped += 1

    def _shrink(self) -> None:
        """Drop kept candidates, then calls, then sessions, until the memory is below its target.

        The session in use stays.
        """
        target = self.memory.target
        for session in self._sessions.values():
            if self.memory.used <= target:
                return
            session.layers.candidates.clear()
        for session in self._sessions.values():
            while session.history and self.memory.used > target:
                session.history.forget_oldest()
        for name in tuple(self._sessions)[:-1]:
            if self.memory.used <= target:
                return
            self._drop_counted(name)

    def clear(self) -> None:
        """Drop all sessions, except those with two names, which tests use: they are reset."""
        shared = {name: session for name, session in self._sessions.items() if session.name != name}
        kept = {session.name: session for session in shared.values()}
        for name in self._sessions.keys() - kept.keys() - shared.keys():
            self.drop(name)
        for session in kept.values():
            session.reset()

    def _make(self, name: str) -> SessionState:
        if len(self._sessions) >= _MOST:
            self._drop_counted(next(iter(self._sessions)))
        session = SessionState(name, self._shared, self._limit, self.memory)
        session.names = 1
        self.memory.report()
        return session
