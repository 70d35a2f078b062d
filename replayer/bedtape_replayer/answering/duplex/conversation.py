"""A conversation: takes the bytes of the client as they arrive, and is the steps of the answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.eventstream import FrameError, decode_all, encode_strings
from bedtape_cassettes.model import JsonValue, exception_headers
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_replayer.answering.duplex.input_faults import InputFaults
from bedtape_replayer.answering.duplex.inputs import InputEvent, InputReader
from bedtape_replayer.answering.duplex.turns import (
    OutOfTurn,
    OutputFrame,
    Script,
    render_interruption,
)
from bedtape_replayer.answering.steps import Await, EndAt, Finish, Send, Start, Step, StepEdit, Wait

# A client chooses how much it sends. Audio is not kept.
MOST_BYTES = 25 * 1024 * 1024
_REFUSAL = "validationException"


@dataclass(slots=True)
class _Run:
    """Events of the client that are one line of the history: one event, or
    events of audio in a row.
    """

    at_ms: int
    value: JsonValue
    count: int = 1
    audio: int = 0


class Conversation(Iterator[Step]):
    """The steps of the answer to a duplex request. `Await`, while the client has to send more.

    script: the model's side. speed: a multiple of the pace; `None` for as fast as possible.
    problem: why the conversation ended with an exception, because the client sent something that
    does not fit; empty if it did not.
    """

    def __init__(self, script: Script, redaction: Redaction = ALWAYS) -> None:
        self.script = script
        self._end: EndAt | None = None
        self.speed: float | None = None
        self.problem = ""
        self._reader = InputReader(redaction)
        self._faults = InputFaults((), self._reader)
        self._outputs: deque[OutputFrame] = deque()
        self._runs: list[_Run] = []
        self._bytes = 0
        self._delay = 0.0  # seconds before the next output
        self._waited = self._started = self._ended = self._over = False
        self._content: JsonObject | None = None  # the content of the model that is being sent
        self._interrupted = self._speaking = False

    def change_input(self, edits: Sequence[StepEdit]) -> None:
        """Apply the changes of faults to what the client sends."""
        self._faults = InputFaults(edits, self._reader)
        self._end = self._faults.end

    @property
    def complete(self) -> bool:
        """Whether the conversation was played to its end: all events of both sides."""
        return not self.problem and not self._outputs and self.script.complete

    # -- the client's side -------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int = 0) -> bool:
        """Take bytes of the request.

        Return whether the steps have changed, so that a wait must end.
        """
        if self._ended or self._end is not None:
            return False
        self._interrupted = False
        # At once, the model never speaks while the client sends. What arrives together with the
        # cue of a turn is no interruption of the turn.
        self._speaking = self.speed is not None and bool(self._outputs)
        try:
            for event in self._reader.feed(data):
                self._take(event, at_ms)
                if self._end is not None:
                    return self._interrupted
        except FrameError as error:
            self._refuse(f"expected frames of an event stream, found bytes that are none: {error}")
        except OutOfTurn as error:
            self._refuse(f"{error}; send the recorded events, or record the conversation again")
        if self._reader.ended:
            self.end()
        return self._interrupted

    def end(self) -> None:
        """The client has ended its input."""
        if self._ended or self._end is not None:
            return
        self._ended = True
        try:
            self._pass_on(None)
            self._add(self.script.end())
        except OutOfTurn as error:
            self._refuse(f"{error}; send the recorded events, or record the conversation again")

    def _take(self, event: InputEvent, at_ms: int) -> None:
        self._keep(event, at_ms)
        if self._bytes > MOST_BYTES:
            raise FrameError(f"the events without audio are larger than {MOST_BYTES} bytes")
        self._pass_on(event)
        self._end = self._faults.end

    def _pass_on(self, event: InputEvent | None) -> None:
        """Give the model an event, as faults change it. event: `None` for the end of the input."""
        events, seconds = self._faults.receive(event)
        self._delay += seconds
        for each in events:
            if self._speaking and self._is_interruption(each):
                self._interrupt()
            self._add(self.script.receive(each))

    def _keep(self, event: InputEvent, at_ms: int) -> None:
        last = self._runs[-1] if self._runs else None
        if event.audio is None:
            self._runs.append(_Run(at_ms, event.value))
            self._bytes += len(compact(event.value))
        elif last is not None and last.audio and event.audio:
            last.count += 1
            last.audio += len(event.audio)
        else:
            self._runs.append(_Run(at_ms, event.value, 1, len(event.audio)))

    def _is_interruption(self, event: InputEvent) -> bool:
        """Whether the user speaks or writes while the model speaks."""
        if event.audio is not None:
            return sonic.is_loud(event.audio)
        return event.name == "textInput" and event.role != "SYSTEM"

    def _interrupt(self) -> None:
        """Send no more of the turn, and say so as the service does."""
        self._outputs.clear()
        self._waited, self._speaking, self._interrupted = False, False, True
        content = self._content
        self._add(self.script.interrupt() or (render_interruption(content) if content else []))

    def _refuse(self, problem: str) -> None:
        self.problem = problem
        self._outputs.clear()
        self._ended = self._interrupted = True
        payload = compact({"message": f"bedtape: {problem}"})
        self._outputs.append(OutputFrame(0, encode_strings(exception_headers(_REFUSAL), payload)))

    def _add(self, outputs: list[OutputFrame]) -> None:
        if outputs and self._delay:
            outputs = [replace(outputs[0], delay=self._delay), *outputs[1:]]
            self._delay = 0.0
        self._outputs.extend(outputs)

    # -- the model's side --------------------------------------------------------------------------

    def __next__(self) -> Step:
        if not self._started:
            self._started = True
            return Start()
        if self._over:
            raise StopIteration
        if self._outputs:
            return self._send()
        if self._end is not None and not self.problem:
            return self._end_early(self._end)
        if self.script.last is not None and not self.problem:
            self._over = True
            return self.script.last
        if self._ended:
            self._over = True
            return Finish()
        return Await()

    def _end_early(self, end: EndAt) -> Step:
        """Return the steps with which a fault ends the answer: its data, and its last step."""
        if end.data:
            self._end = replace(end, data=b"")
            return Send(end.data)
        self._over = True
        return end.last

    def _send(self) -> Step:
        output = self._outputs[0]
        pause = output.delay + (0 if self.speed is None else output.wait_ms / 1000 / self.speed)
        if pause and not self._waited:
            self._waited = True
            return Wait(pause)
        self._waited = False
        self._outputs.popleft()
        self._follow(output.data)
        return Send(output.data)

    def _follow(self, data: bytes) -> None:
        """Note which content of the model is open, because an interruption ends it."""
        if self.speed is None:
            return
        event = sonic.read_event(bodies.read_chunk(decode_all(data)[0].payload))
        if event is not None and event[0] == "contentStart":
            self._content = event[1]
        elif event is not None and event[0] == "contentEnd":
            self._content = None

    # -- the history -------------------------------------------------------------------------------

    def describe(self) -> bytes:
        """Return the events of the client as JSON: `{"events": [{"at_ms", "event", "count"}]}`.

        Events of audio in a row are one item: with their count, and their length in bytes.
        """
        return compact({"events": [_describe_run(run) for run in self._runs]})


def _describe_run(run: _Run) -> JsonObject:
    event = run.value.get("event") if isinstance(run.value, dict) else None
    item: JsonObject = {"at_ms": run.at_ms}
    item |= {"value": run.value} if event is None else {"event": event}
    return item | ({"count": run.count, "bytes": run.audio} if run.audio else {})
