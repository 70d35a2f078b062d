"""What a session's code sent, and what became of it. Bounded: past its limits the oldest calls go, and are counted.

Keeps outcomes as they come and reads nothing in them: that is done when somebody asks (see `record`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bedtape_cassettes.model import Events
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.history.calls import Calls, ConditionInvalid
from bedtape_replayer.history.record import Record

__all__ = ["ConditionInvalid", "History"]


class History:
    """The last calls of a session.

    limit: how many. most_bytes: of memory, about, for requests and answers together; the newest call stays whatever its size.
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

    @property
    def oldest(self) -> Outcome | None:
        """Of those that are kept, the first that ended."""
        return next(iter(self._outcomes), None)

    def since(self, ended: float) -> Iterator[Outcome]:
        """Those that ended later than so many seconds since 1970, the latest first; only they are looked at."""
        for outcome in reversed(tuple(self._outcomes)):
            if outcome.began + outcome.seconds <= ended:
                return
            yield outcome

    def add(self, outcome: Outcome) -> None:
        """Keeps a call that is over."""
        outcome.answer.call.head.pack()
        outcomes, answer = self._outcomes, outcome.answer
        outcomes.append(outcome)
        held = self._holders.get(answer.reply, 0)
        self._holders[answer.reply] = held + 1
        self.kept_bytes += _size_of_call(answer.call) + (0 if held else _size(answer))
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
        self.kept_bytes -= _size_of_call(answer.call)
        held = self._holders.pop(answer.reply) - 1
        if held:
            self._holders[answer.reply] = held
        else:
            self.kept_bytes -= _size(answer)


# What Python takes for a call and for a piece of an answer, beside their bytes: measured, to a third.
_A_CALL, _A_PIECE = 1_500, 160


def _size_of_call(call: Call) -> int:
    return len(call.body) + call.head.size + _A_CALL


def _size(answer: Answer) -> int:
    """The answer's pieces, and what was said before they became bytes, which for a stream is packed beside them."""
    reply = answer.reply
    total = reply.size * (2 if reply.streamed else 1) + len(reply.pieces) * _A_PIECE  # a stream's chunks are kept too
    said = answer.response.body if answer.response is not None else None
    return total + len(said.packed) if isinstance(said, Events) else total
