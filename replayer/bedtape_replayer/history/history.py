"""The calls of a session and their outcomes, up to a number of calls and a size in memory.

Above a limit, the oldest calls are removed and counted. The history stores outcomes without parsing
them; `Record` parses them on access.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from bedtape_cassettes.model import Events
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.history.calls import Calls, ConditionInvalid
from bedtape_replayer.history.record import Record

__all__ = ["ConditionInvalid", "History"]


class History:
    """The last calls of a session.

    limit: the largest number of calls.
    max_bytes: the approximate size in memory of requests and answers together. The newest call
        stays even if it is larger.
    forgotten: the number of older calls that were removed.
    """

    LIMIT: ClassVar[int] = 10_000
    MAX_BYTES: ClassVar[int] = 256 * 1024 * 1024

    def __init__(self, limit: int = LIMIT, max_bytes: int = MAX_BYTES) -> None:
        if limit < 1 or max_bytes < 1:
            raise ValueError(f"expected a history of at least 1 call and 1 byte, found {limit} and {max_bytes}")
        self.limit = limit
        self.max_bytes = max_bytes
        self.forgotten = 0
        self.kept_bytes = 0
        self._outcomes: deque[Outcome] = deque()
        # Many outcomes can share the body of one recording or rule, which is in memory once. By the identity of the body.
        self._body_counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def calls(self) -> Calls:
        """The completed calls, in the order in which they were sent."""
        outcomes = tuple(self._outcomes)  # an atomic copy: the server's thread can add
        ordered = sorted(outcomes, key=lambda outcome: outcome.answer.call.number)
        return Calls(tuple(map(Record, ordered)), self.forgotten)

    @property
    def oldest(self) -> Outcome | None:
        """The outcome that ended first, of the outcomes in the history."""
        return next(iter(self._outcomes), None)

    def iterate_newest(self, ended: float) -> Iterator[Outcome]:
        """Yield the outcomes that ended after the time `ended`, newest first.

        ended: seconds since 1970. The search stops at the first older outcome.
        """
        for outcome in reversed(tuple(self._outcomes)):
            if outcome.began + outcome.seconds <= ended:
                return
            yield outcome

    def add(self, outcome: Outcome) -> None:
        """Add a completed call. Remove the oldest calls above a limit."""
        outcome.answer.call.pack()
        outcomes, answer = self._outcomes, outcome.answer
        outcomes.append(outcome)
        body = id(answer.reply.pieces)
        count = self._body_counts.get(body, 0)
        self._body_counts[body] = count + 1
        self.kept_bytes += _measure_call(answer.call) + (0 if count else _measure_answer(answer))
        while len(outcomes) > self.limit or (self.kept_bytes > self.max_bytes and len(outcomes) > 1):
            self._remove_oldest()

    def clear(self) -> None:
        """Remove all calls and reset the count of forgotten calls."""
        self._outcomes.clear()
        self._body_counts.clear()
        self.forgotten = self.kept_bytes = 0

    def _remove_oldest(self) -> None:
        answer = self._outcomes.popleft().answer
        self.forgotten += 1
        self.kept_bytes -= _measure_call(answer.call)
        body = id(answer.reply.pieces)
        count = self._body_counts.pop(body) - 1
        if count:
            self._body_counts[body] = count
        else:
            self.kept_bytes -= _measure_answer(answer)


# The memory of Python's objects for a call and for a piece of an answer, without their bytes.
# Measured; the error is up to a third.
_CALL_OVERHEAD, _PIECE_OVERHEAD = 1_500, 160


def _measure_call(call: Call) -> int:
    return len(call.body) + call.head.size + _CALL_OVERHEAD


def _measure_answer(answer: Answer) -> int:
    """Return the size of the reply's pieces, and of the events from which a stream was encoded."""
    reply = answer.reply
    total = (
        reply.size * (2 if reply.streamed else 1) + len(reply.pieces) * _PIECE_OVERHEAD
    )  # a stream also keeps its chunks
    body = answer.response.body if answer.response is not None else None
    return total + len(body.packed) if isinstance(body, Events) else total
