"""The line that a request takes: call, session, match, reply. And nothing else.

Given the same cassettes and the same calls of a session in the same order, it gives the same answers. It knows
neither sockets nor the clock; what goes over the wire when is in `steps` and done by `server`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_replayer.call import Call, Head
from bedtape_replayer.library import Library
from bedtape_replayer.match import Index, Miss, Recording
from bedtape_replayer.reply import Reply, error_reply, reply_of, request_id_for
from bedtape_replayer.session import Sessions, name_of

__all__ = ["Answer", "Engine"]

MISS = "CassetteMissException"

# Rendered replies are kept, for the same recordings are asked for again and again. Bounded by what they hold.
_KEPT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gets, and from where: a recording's file, or a miss."""

    call: Call
    reply: Reply
    file: str | None = None
    miss: Miss | None = None


class Engine:
    """Answers calls from a library. `library` may be replaced while it runs; playback positions stay."""

    def __init__(self, library: Library, *, strict: bool = False) -> None:
        self.strict = strict
        self.sessions = Sessions()
        self._replies: dict[Recording, Reply] = {}
        self._kept = 0
        self._library = library

    @property
    def library(self) -> Library:
        return self._library

    @library.setter
    def library(self, library: Library) -> None:
        self._library = library
        self._replies.clear()
        self._kept = 0

    def answer(self, method: str, target: str, head: Head, body: bytes) -> Answer:
        """The answer to a request; `target` is its percent-encoded path with query."""
        name, path = name_of(target, head)
        call = Call(name, method, path, head, body)
        index = self._library.index(name)
        key = index.key(call)
        recording = self.sessions.get(name).next(index, key, strict=self.strict)
        if recording is None:
            return self._missed(call, index, key)
        return Answer(call, self._reply(recording), recording.interaction.file)

    def _missed(self, call: Call, index: Index, key: bytes) -> Answer:
        queue = index.queue(key)
        miss = index.exhausted(call, queue) if queue else index.miss(call)
        return Answer(call, error_reply(400, MISS, str(miss), request_id_for(key)), miss=miss)

    def _reply(self, recording: Recording) -> Reply:
        reply = self._replies.get(recording)
        if reply is None:
            reply = reply_of(recording.interaction, recording.key, recording.number)
            self._kept += sum(len(piece.data) for piece in reply.pieces) + 1024
            if self._kept > _KEPT_BYTES:
                self._replies.clear()
                self._kept = 0
            self._replies[recording] = reply
        return reply
