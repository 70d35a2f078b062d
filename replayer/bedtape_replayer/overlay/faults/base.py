"""What a fault does to an answer: the seams, of which each kind overrides those it needs.

Values go one way: a harm answers instead (`instead`), changes what a recording or rule says (`on_response`), the bytes
of the reply (`on_reply`) or what the wire does with them (`on_steps`). No harm waits, or touches a socket or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from bedtape_cassettes.model import Response
from bedtape_cassettes.operations import OPERATIONS
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import StepEdit

__all__ = ["FaultContext", "FaultKind", "check_minimum", "explain_no_stream", "is_framed", "is_streamed"]

_STREAMING = frozenset(operation.name for operation in OPERATIONS if operation.streaming)
# These stream where the request says so, and their streams have no frames.
_DOORS = frozenset(("ChatCompletions", "Responses", "Messages"))


@dataclass(slots=True)
class FaultContext:
    """When and to whom a fault happens.

    chance: seeded by overlay seed, session, layer and call number. now: seconds on the session's virtual clock.
    memory: what the layer remembers between calls of this session; a harm may put into it what it likes.
    """

    chance: Random
    now: float
    memory: dict[str, object]


class FaultKind:
    """Does nothing; kinds of harm are frozen values that override a seam.

    replaces: whether `instead` may answer; then no other that replaces is asked for the same call.
    """

    __slots__ = ()
    replaces = False

    def applies_to(self, call: Call) -> bool:  # noqa: ARG002 - a seam
        """Whether it can happen to this call at all; one that it does not concern is not counted."""
        return True

    def affects(self, response: Response) -> bool:
        """Whether it can harm this answer; one that it does not reach is not counted. Errors have nothing to harm."""
        return response.status < 400

    def find_problem(self, operations: tuple[str, ...]) -> str | None:  # noqa: ARG002 - a seam
        """Why it cannot happen to any of these operations (none named: to no operation at all), or None."""
        return None

    def build_answer(self, call: Call, context: FaultContext) -> Response | None:  # noqa: ARG002 - a seam
        """The whole answer, in place of rules and cassettes; None lets them answer."""
        return None

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:  # noqa: ARG002 - a seam
        """Changes what is said."""
        return response

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002 - a seam
        """Changes the bytes that say it."""
        return reply

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit | None:  # noqa: ARG002 - a seam
        """What changes in the steps of the reply as it is after all faults; None if nothing changes."""
        return None


def is_streamed(call: Call) -> bool:
    """Whether a stream answers the call: its operation's answers are streams, or the request asks for one."""
    if call.operation in _DOORS:
        return isinstance(call.json, dict) and call.json.get("stream") is True
    return is_framed(call)


def is_framed(call: Call) -> bool:
    """Whether event-stream frames answer the call."""
    return call.operation in _STREAMING


def explain_no_stream(operations: tuple[str, ...], *, framed: bool) -> str | None:
    """Why what happens to streams (of frames) alone cannot happen to any of these operations, if it cannot."""
    if not operations or (_STREAMING if framed else _STREAMING | _DOORS).intersection(operations):
        return None
    return f"expected an operation that is answered with {'an event' if framed else 'a'} stream, found {', '.join(operations)}"


def check_minimum(least: int, **numbers: int | None) -> None:
    """Raises ValueError for a number that is less; None is not given."""
    for name, number in numbers.items():
        # 1.0 is an integer to JSON, and none to a slice.
        if number is not None and (type(number) is not int or number < least):
            raise ValueError(f"expected {name.replace('_', ' ')} as a whole number from {least}, found {number}")
