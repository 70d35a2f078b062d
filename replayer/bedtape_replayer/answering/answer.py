"""The `Answer` to a call, and the `Outcome` when the call is over. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.match import Miss
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import StepEdit

# The source of an answer. miss: nothing answered. validation: the request check. overlay: a layer that cannot answer.
# control: bedtape's own routes.
Source: TypeAlias = Literal["cassette", "rule", "fault", "miss", "validation", "overlay", "control"]

# The names of bedtape's own errors: nothing answers, or a layer cannot answer.
MISS = "CassetteMissException"
OVERLAY = "OverlayException"


# Answers and outcomes do not change. The classes are not `frozen`, because a frozen instance takes six times as long
# to create.
@dataclass(slots=True, eq=False)
class Answer:
    """The answer to a call, and its source.

    by: the recording's file, or the id of the rule or fault. response: the answer before it is rendered to bytes, `None`
    for bedtape's own answers. faults: the ids of the faults that changed the answer. edits: the changes of the faults to
    the steps. speed: the pace of the session, `None` for the server's pace.
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

    @property
    def file(self) -> str | None:
        """The recording that answered, or `None` for another source."""
        return self.by if self.source == "cassette" else None


@dataclass(slots=True, eq=False)
class Outcome:
    """A call that is over.

    started: whether the answer's head was sent. A reset or stall before the head leaves the client without a status.
    began: seconds since 1970. seconds: the duration. complete: whether the client stayed to the end. sent: the number
    of pieces of the body that were sent; a piece of a stream is an event.
    """

    answer: Answer
    began: float
    seconds: float
    complete: bool
    sent: int
    started: bool = True
