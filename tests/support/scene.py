"""Calls without a server.

The engine answers them; the test sets when they begin and how they end.
"""

import json
from collections.abc import Iterable
from typing import Any

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.history.calls import Calls
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from support.recordings import path

BEGAN = 1_795_000_000.0


class Scene:
    """One session. `send` adds calls to its history."""

    def __init__(self, *interactions: Interaction) -> None:
        self.engine = Engine(Library([Cassette("made", interactions)]))
        self.session = self.engine.sessions.get("default")

    @property
    def calls(self) -> Calls:
        return self.session.history.calls

    def add_fault(self, kind: FaultKind, schedule: Schedule = ALWAYS) -> None:
        """Applies the fault to every later call."""
        self.session.layers.add(
            Fault(self.session.layers.next_id("fault"), kind, schedule=schedule)
        )

    def fail(
        self, error: str | None, status: int | None = None, times: int | None = None, **more: Any
    ) -> None:
        """Every call that comes now gets the error, or the next so many."""
        self.add_fault(Refuse(Failure(error, status=status, **more)), Schedule(times=times))

    def send(
        self,
        body: object,
        *,
        at: float = 0.0,
        seconds: float = 0.001,
        operation: str = "converse",
        url: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        complete: bool = True,
        sent: int | None = None,
        connection: int = 0,
    ) -> Record:
        """A call that began `at` seconds after the scene did. body: bytes, or what becomes JSON."""
        head = Head.of(tuple((name.encode(), value.encode()) for name, value in headers))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.engine.answer("POST", path(operation) if url is None else url, head, data)
        pieces = len(answer.reply.pieces)
        outcome = Outcome(
            answer,
            BEGAN + at,
            seconds,
            complete,
            pieces if sent is None else sent,
            connection=connection,
        )
        self.engine.finish(outcome)
        return Record(outcome)


def aws(invocation: str, attempt: int, most: int | None = 3) -> list[tuple[str, str]]:
    """The headers in which AWS's SDKs number an attempt."""
    value = f"attempt={attempt}" + (f"; max={most}" if most else "")
    return [
        ("user-agent", "Boto3/1.44"),
        ("amz-sdk-invocation-id", invocation),
        ("amz-sdk-request", value),
    ]


def stainless(count: int) -> list[tuple[str, str]]:
    """The headers by which Anthropic's and OpenAI's clients count."""
    return [("user-agent", "AnthropicBedrock/Python 1"), ("x-stainless-retry-count", str(count))]
