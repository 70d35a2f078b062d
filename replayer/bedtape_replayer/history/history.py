"""The calls of a session and their outcomes, up to a number of calls.

Above the limit, the oldest calls are removed and counted. `Memory` counts the bytes of the calls.
The history stores outcomes without parsing them; `Record` parses them on access.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from bedtape_cassettes.model import Events
from bedtape_replayer.answering.answer import PROBLEMS, Answer, Outcome
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.history.calls import Calls, ConditionInvalid
from bedtape_replayer.history.listing import find_problem
from bedtape_replayer.history.record import Record

__all__ = ["ConditionInvalid", "History"]


class History:
    """The last calls of a session.

    limit: the largest number of calls.
    memory: counts the approximate size of requests and answers. A server has one for all sessions.
    forgotten: the number of older calls that were removed. forgotten_misses: the reports of the
    first misses among them, because a test must fail for a miss that the history no longer has.
    """

    LIMIT: ClassVar[int] = 10_000

    def __init__(self, limit: int = LIMIT, memory: Memory | None = None) -> None:
        if limit < 1:
            raise ValueError(f"expected a history of at least 1 call, found {limit}")
        self.limit = limit
        self.forgotten = 0
        self.forgotten_misses: tuple[str, ...] = ()
        self._memory = memory or Memory()
        self._outcomes: deque[Outcome] = deque()

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def calls(self) -> Calls:
        """The completed calls, in the order in which they were sent."""
        outcomes = tuple(self._outcomes)  # an atomic copy: the server's thread can add
        ordered = sorted(outcomes, key=lambda outcome: outcome.call_number)
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
        """Add a completed call. Remove the oldest calls above the limit."""
        memory, answer = self._memory, outcome.sample
        if outcome.head is None:
            answer.call.pack()
        self._outcomes.append(outcome)
        # Many outcomes can share the body of one recording or rule, which is in memory once.
        body = id(answer.reply.owner)
        count = memory.bodies.get(body, 0)
        memory.bodies[body] = count + 1
        call = answer.call
        memory.used += len(call.body) + len(call.head.raw) + _CALL_OVERHEAD
        if not count:
            memory.used += _measure_answer(answer)
        if len(self._outcomes) > self.limit:
            self.forget_oldest()

    def clear(self) -> None:
        """Remove all calls and reset the count of forgotten calls."""
        while self._outcomes:
            self._remove_oldest()
        self._memory.used -= sum(map(len, self.forgotten_misses))
        self.forgotten_misses = ()
        self.forgotten = 0
        self._memory.report()

    def forget_oldest(self) -> None:
        """Remove the oldest call and count it. Keep the report of a miss."""
        oldest = self._outcomes[0]
        if oldest.sample.source in PROBLEMS and len(self.forgotten_misses) < _MISSES:
            report = find_problem(Record(oldest))
            if report is not None and report not in self.forgotten_misses:
                self.forgotten_misses += (report,)
                self._memory.used += len(report)
        self._remove_oldest()
        self.forgotten += 1
        self._memory.forgotten += 1
        self._memory.report()

    def _remove_oldest(self) -> None:
        memory, answer = self._memory, self._outcomes.popleft().sample
        call = answer.call
        memory.used -= len(call.body) + len(call.head.raw) + _CALL_OVERHEAD
        body, bodies = id(answer.reply.owner), memory.bodies
        bodies[body] -= 1
        if not bodies[body]:
            del bodies[body]
            memory.used -= _measure_answer(answer)


# The memory of Python's objects for a call and for a piece of an answer, without their bytes.
# Measured; the error is up to a third.
_CALL_OVERHEAD, _PIECE_OVERHEAD = 2_400, 160
# The reports of forgotten misses. pytest shows ten of a test.
_MISSES = 20


def _measure_answer(answer: Answer) -> int:
    """Return the size of the reply's pieces, and of the events from which a stream was encoded."""
    reply = answer.reply
    # a stream also keeps its chunks
    total = reply.size * (2 if reply.streamed else 1) + reply.count * _PIECE_OVERHEAD
    body = answer.response.body if answer.response is not None else None
    return total + len(body.packed) if isinstance(body, Events) else total
