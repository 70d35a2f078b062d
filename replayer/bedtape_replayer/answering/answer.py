"""The `Answer` to a call, and the `Outcome` when the call is over. Values only."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeAlias

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.match import Miss
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import StepEdit

# The source of an answer. miss: nothing answered. default: nothing else answered, and the server
# has a default answer. validation: the request check. simulation: a simulated feature of the
# service, which gives the request to no model. overlay: a layer that cannot answer. control:
# bedtape's own routes. upstream: another server, which is asked if nothing else answers.
Source: TypeAlias = Literal[
    "cassette",
    "rule",
    "fault",
    "default",
    "miss",
    "validation",
    "simulation",
    "overlay",
    "control",
    "upstream",
]

# The sources of calls that make a test fail.
PROBLEMS: Final = ("miss", "overlay")

# The names of bedtape's own errors: nothing answers, or a layer cannot answer.
MISS = "CassetteMissException"
OVERLAY = "OverlayException"


class LateFaults(Protocol):
    """The faults of a session, which apply when another server has answered."""

    def apply(self, answer: Answer, *, arriving: bool) -> Answer:
        """Return the answer with its faults. arriving: it is the head of a stream that arrives."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A call that another server is to answer.

    url: the base URL to send the call to. live: whether a stream is sent on while it arrives;
    otherwise a fault of the session may change the stream in a way that needs all of it.
    """

    url: str
    live: bool = True
    faults: LateFaults | None = None


@dataclass(slots=True, eq=False)
class Progress:
    """How far the server has sent an answer that it does not send at once.

    began: the time of the request, in seconds since 1970. times: the seconds from `began` to
    each sent piece of the body.
    """

    began: float
    times: array[float]


# Answers and outcomes do not change. The classes are not `frozen`, because a frozen instance takes
# six times as long to create.
@dataclass(slots=True, eq=False)
class Answer:
    """The answer to a call, and its source.

    by: the recording's file, or the id of the rule or fault. response: the answer before it is
    rendered to bytes, `None` for bedtape's own answers. miss: the report of a miss, or why Bedrock
    has no operation for the request. faults: the ids of the faults that changed the answer. edits:
    the changes of the faults to the steps. speed: the pace of the session, `None` for the server's
    pace. error: Bedrock's name of the error that a rule or fault sends, which the answer in another
    API's form may not contain. forward: the request to make before the reply is known. simulated:
    what simulated features of the service did, in words.
    conversation: the steps of an answer that depends on the input of a duplex request.
    """

    call: Call
    reply: Reply
    source: Source
    by: str | None = None
    response: Response | None = None
    miss: Miss | None = None
    faults: tuple[str, ...] = ()
    edits: tuple[StepEdit, ...] = ()
    speed: float | None = None
    error: str | None = None
    forward: Forward | None = None
    simulated: tuple[str, ...] = ()
    conversation: Conversation | None = None

    @property
    def file(self) -> str | None:
        """The recording that answered, or `None` for another source, and for a conversation that
        was not played to its end.
        """
        if self.source != "cassette" or not (
            self.conversation is None or self.conversation.complete
        ):
            return None
        return self.by


# With a method of its own that makes it, the compiled build makes it in a fifth of the time.
@dataclass(slots=True, eq=False, init=False)
class Outcome:
    """A call that is over.

    sample: the answer. To a repeated request, an answer to an equal request: it equals `answer`
    except for the head and the number of the call. started: whether the answer's head was sent. A
    reset or stall before the head leaves the client without a status. began: seconds since 1970.
    seconds: the duration. complete: whether the client stayed to the end. sent: the number of
    pieces of the body that were sent; a piece of a stream is an event. connection: the number of
    the connection; 0 if servers share the session, because they see the connections of a load
    balancer. progress: the times of the events; `None` if the answer was sent at once. head,
    number: of the call, if the request was repeated.
    """

    sample: Answer
    began: float
    seconds: float
    complete: bool
    sent: int
    started: bool
    connection: int
    progress: Progress | None
    head: Head | None
    number: int
    _own: Answer | None = field(init=False)

    def __init__(
        self,
        sample: Answer,
        began: float,
        seconds: float,
        complete: bool,
        sent: int,
        started: bool = True,
        connection: int = 0,
        progress: Progress | None = None,
        head: Head | None = None,
        number: int = 0,
    ) -> None:
        self.sample, self.began, self.seconds = sample, began, seconds
        self.complete, self.sent, self.started = complete, sent, started
        self.connection, self.progress = connection, progress
        self.head, self.number, self._own = head, number, None

    @property
    def answer(self) -> Answer:
        """The answer with its own call. It is made when it is first read, because few are."""
        if self.head is None:
            return self.sample
        if self._own is None:
            self._own = replace(self.sample, call=self.sample.call.repeat(self.head, self.number))
        return self._own

    def with_answer(self, answer: Answer) -> Outcome:
        """Return the outcome with another answer, which has the call's own head and number."""
        return replace(self, sample=answer, head=None, number=0)

    @property
    def call_number(self) -> int:
        """The number of the call in its session, from 1."""
        return self.number or self.sample.call.number
