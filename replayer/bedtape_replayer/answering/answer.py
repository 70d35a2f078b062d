"""What a call gets and what becomes of it: an `Answer` when it is found, an `Outcome` when it is over. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.match import Miss
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import StepEdit

__all__ = ["Answer", "Outcome", "Source"]

# What answered: a recording, a rule, a fault, nothing, the check of requests, an overlay that cannot, bedtape itself.
Source: TypeAlias = Literal["cassette", "rule", "fault", "miss", "validation", "overlay", "control"]


# Nobody changes an answer or an outcome once it is made. They are not `frozen`, which takes six times as long to make.
@dataclass(slots=True, eq=False)
class Answer:
    """What a call gets, and from where.

    by: the recording's file, or the id of the rule or fault. response: the answer before it became bytes; None for an
    answer of bedtape's own. faults: the ids of the faults that changed it. edits: how they change its steps. speed: the
    pace that its session asks for; None for the server's.
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
        """The recording that answered."""
        return self.by if self.source == "cassette" else None


@dataclass(slots=True, eq=False)
class Outcome:
    """One call when it is over.

    started: whether the answer's head went out: a reset or a stall before it leaves the client without a status.
    began: seconds since 1970. seconds: how long it took. complete: whether the client stayed to the end. sent: how
    many pieces of the body went out: events, where it is a stream.
    """

    answer: Answer
    began: float
    seconds: float
    complete: bool
    sent: int
    started: bool = True
