"""What a session's code sent, and what became of it. Bounded: past its limits the oldest calls go, and are counted.

Keeps outcomes as they come and reads nothing in them: that is done when somebody asks (see `record`).
"""

from __future__ import annotations

from collections import deque

from bedtape_replayer.answer import Outcome
from bedtape_replayer.calls import Calls, ConditionInvalid
from bedtape_replayer.record import Record
from bedtape_replayer.reply import Reply

__all__ = ["ConditionInvalid", "History"]


class History:
    """The last calls of a session.

    limit: how many. most_bytes: of request and reply bodies together; the newest call stays whatever its size.
    forgotten: how many older ones are gone.
    """

    LIMIT = 10_000
    MOST_BYTES = 256 * 1024 * 1024

    def __init__(self, limit: int = LIMIT, most_bytes: int = MOST_BYTES) -> None:
        if limit < 1 or most_bytes < 1:
            raise ValueError(f"expected a history of at least 1 call and 1 byte, found {limit} and {most_bytes}")
        self.limit = limit
        self.most_bytes = most_bytes
        self.forgotten = 0
        self.kept_bytes = 0
        self._outcomes: deque[Outcome] = deque()
        # The same recording's reply is in many outcomes, and in memory once.
        self._holders: dict[Reply, int] = {}

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def calls(self) -> Calls:
        """The calls that are over, in the order in which they were sent."""
        outcomes = tuple(self._outcomes)  # in one step, for the server's thread may add meanwhile
        ordered = sorted(outcomes, key=lambda outcome: outcome.answer.call.number)
        return Calls(tuple(map(Record, ordered)), self.forgotten)

    def add(self, outcome: Outcome) -> None:
        """Keeps a call that is over."""
        outcomes, answer = self._outcomes, outcome.answer
        outcomes.append(outcome)
        held = self._holders.get(answer.reply, 0)
        self._holders[answer.reply] = held + 1
        self.kept_bytes += len(answer.call.body) + (0 if held else _size(answer.reply))
        while len(outcomes) > self.limit or (self.kept_bytes > self.most_bytes and len(outcomes) > 1):
            self._forget()

    def clear(self) -> None:
        """Lets all calls go, uncounted: they were asked to."""
        self._outcomes.clear()
        self._holders.clear()
        self.forgotten = self.kept_bytes = 0

    def _forget(self) -> None:
        answer = self._outcomes.popleft().answer
        self.forgotten += 1
        self.kept_bytes -= len(answer.call.body)
        held = self._holders.pop(answer.reply) - 1
        if held:
            self._holders[answer.reply] = held
        else:
            self.kept_bytes -= _size(answer.reply)


def _size(reply: Reply) -> int:
    pieces = reply.pieces
    return len(pieces[0].data) if len(pieces) == 1 else sum(len(piece.data) for piece in pieces)
