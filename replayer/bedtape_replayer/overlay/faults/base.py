"""The base class of fault kinds. Each kind overrides the methods that it needs.

A kind replaces the answer (`build_answer`), changes the recorded response (`on_response`), the
bytes of the reply (`on_reply`), or the steps on the wire (`on_steps`). A kind does not wait, and
does not use a socket or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from bedtape_cassettes.model import Events, Response
from bedtape_cassettes.operations import SERVER_SENT
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.answering.steps import StepEdit

_STREAMING = frozenset(operation.name for operation in SERVICE_OPERATIONS if operation.streaming)


@dataclass(slots=True)
class FaultContext:
    """The context of a fault in one call.

    seed: of the layer and the match key. seen: how many calls with that key the session has seen; 0
    if it does not count them. now: seconds on the session's virtual clock. memory: kept for the
    layer between calls of this session; a kind may store any value.
    """

    seed: bytes
    now: float
    memory: dict[str, object]
    seen: int = 0

    def draw(self) -> float:
        """A random number from 0 to 1, another one for each call with the match key."""
        return draw(self.seed, self.seen)

    @property
    def chance(self) -> Random:
        """Random numbers of the match key, the same for all calls, for the content of an answer."""
        return Random(self.seed)  # noqa: S311 - reproducible

    @property
    def call_chance(self) -> Random:
        """Random numbers of the match key and of its number of calls, for an answer's time."""
        return Random(b"%b/%d" % (self.seed, self.seen))  # noqa: S311 - reproducible


def derive_seed(seed: int, layer: str, key: bytes) -> bytes:
    """Returns the seed of a layer and a match key, equal in every session and process."""
    return blake2b(b"%d/%b/%b" % (seed, layer.encode(), key), digest_size=16).digest()


def draw(seed: bytes, seen: int) -> float:
    """Returns a random number from 0 to 1 for the `seen`-th call."""
    return int.from_bytes(blake2b(b"%b/%d" % (seed, seen), digest_size=8).digest()) / 2**64


class FaultKind:
    """A kind of fault.

    The base class changes nothing; kinds are frozen values that override its methods.

    replaces: whether `build_answer` may answer. The first fault that answers is the answer to the
    call. live: whether the fault can change a stream that another server still sends. Otherwise the
    complete stream is needed. converses: whether a fault that is not live can change the stream of
    a conversation, whose events depend on the client. hears: whether the fault can change the
    client's side of a conversation.
    """

    __slots__ = ()
    replaces = False
    live = False
    converses = False
    hears = False

    @property
    def varies(self) -> bool:
        """Whether the fault is different for each call with the same match key."""
        return False

    @property
    def error_name(self) -> str | None:
        """Bedrock's name of the error that the fault sends, or `None`.

        OpenAI's and Anthropic's APIs have fewer names.
        """
        return None

    def applies_to(self, call: Call) -> bool:  # noqa: ARG002 - a seam
        """Returns whether the fault can apply to the call. The fault does not count other calls."""
        return True

    def affects(self, response: Response) -> bool:
        """Returns whether the fault can change the answer, by default not an error.

        Other answers do not count.
        """
        return response.status < 400

    def find_problem(self, operations: tuple[str, ...]) -> str | None:  # noqa: ARG002 - a seam
        """Returns why the fault applies to none of the operations, or `None`. Empty: all."""
        return None

    def build_answer(self, call: Call, context: FaultContext) -> Response | None:  # noqa: ARG002 - a seam
        """Returns an answer that replaces rules and cassettes, or `None` to let them answer."""
        return None

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:  # noqa: ARG002 - a seam
        """Changes the response."""
        return response

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:  # noqa: ARG002 - a seam
        """Changes the bytes of the reply."""
        return reply

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit | None:  # noqa: ARG002 - a seam
        """Returns the change to the steps of the final reply, or `None` for no change."""
        return None

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit | None:  # noqa: ARG002 - a seam
        """Returns the change to the steps of a stream that arrives, or `None`. reply: no body."""
        return self.on_steps(reply, context)


class StreamingFault(FaultKind):
    """A kind of fault that changes the events of a stream. It does not apply to other answers."""

    __slots__ = ()

    def applies_to(self, call: Call) -> bool:
        return call.is_streamed

    def affects(self, response: Response) -> bool:
        return response.status < 400 and isinstance(response.body, Events)

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        return explain_no_stream(operations, framed=False)


def is_framed(call: Call) -> bool:
    """Returns whether the answer consists of event-stream frames."""
    return call.operation in _STREAMING


def explain_no_stream(operations: tuple[str, ...], *, framed: bool) -> str | None:
    """Returns why a stream's fault cannot apply to the operations. framed: event streams only."""
    if not operations or _STREAMING.union(() if framed else SERVER_SENT).intersection(operations):
        return None
    return (
        f"expected an operation that is answered with {'an event' if framed else 'a'} stream, found"
        f" {', '.join(operations)}"
    )


def check_minimum(least: int, **numbers: int | None) -> None:
    """Raises ValueError for a number below the minimum or not an integer. `None` is allowed."""
    for name, number in numbers.items():
        # JSON Schema accepts 1.0 as an integer. A slice does not.
        if number is not None and (type(number) is not int or number < least):
            raise ValueError(
                f"expected {name.replace('_', ' ')} as a whole number from {least}, found {number}"
            )
