"""A conversation: takes the bytes of the client as they arrive, and yields the answer's steps."""

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
    SilentScript,
    render_interruption,
)
from bedtape_replayer.answering.steps import Await, EndAt, Finish, Send, Start, Step, StepEdit, Wait

# A client chooses how much it sends. Audio is not kept.
MOST_BYTES = 25 * 1024 * 1024
_REFUSAL = "validationException"


@dataclass(slots=True)
class _Run:
    """Events of the client that are one line of the history: one, or events of audio in a row."""

    at_ms: int
    value: JsonValue
    count: int = 1
    audio: int = 0


class Conversation:
    """The answer to a duplex request, which depends on what the client sends.

    script: the model's side. speed: a multiple of the pace; `None` for as fast as possible.
    problem: why the conversation ended with an exception, because the client sent something that
    does not fit; empty if it did not. upstream: the URL of a server that holds the conversation if
    no recording fits before the first turn. passed_on: whether this server holds it.
    """

    def __init__(
        self, script: Script, redaction: Redaction = ALWAYS, upstream: str | None = None
    ) -> None:
        self.script = script
        self.upstream = upstream
        self.passed_on = False
        self.speed: float | None = None
        self.problem = ""
        self._reader = InputReader(redaction)
        self._faults = InputFaults((), self._reader)
        self._end: EndAt | None = None  # of a fault, after the events so far
        self._ended = False
        self._outputs: deque[OutputFrame] = deque()
        self._runs: list[_Run] = []
        self._bytes = 0
        self._delay = 0.0  # seconds before the next output
        self._last: Step | None = None  # of another server's answer
        self._content: JsonObject | None = None  # the content of the model that is being sent

    def change_input(self, edits: Sequence[StepEdit]) -> None:
        """Apply the changes of faults to what the client sends."""
        self._faults = InputFaults(edits, self._reader)
        self._end = self._faults.end

    @property
    def has_steps(self) -> bool:
        """Whether there are steps to play now, so that `play` does not yield `Await`."""
        return bool(self._outputs or self._ended or self._end or self._last or self.script.last)

    @property
    def complete(self) -> bool:
        """Whether the conversation was played to its end: all events of both sides."""
        ended = self._last is not None if self.passed_on else self.script.complete
        return ended and not self.problem and not self._outputs

    # -- the client's side -------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int = 0) -> bool:
        """Take bytes of the request. Return whether the steps changed, which ends a wait."""
        if self._ended or self._end is not None:
            return False
        # At once, the model never speaks while the client sends. What arrives together with the
        # cue of a turn is no interruption of the turn.
        speaks = self.speed is not None and bool(self._outputs) and not self.passed_on
        interrupted = False
        try:
            for event in self._reader.feed(data):
                self._keep(event, at_ms)
                for each in self._change(event):
                    if speaks and not interrupted and _is_interruption(each):
                        interrupted = True
                        self._interrupt()
                    if outputs := self._advance(each):
                        self._add(outputs)
                if self._faults.active:
                    self._end = self._faults.end
                    if self._end is not None:
                        return interrupted
        except FrameError as error:
            self._refuse(f"expected frames of an event stream, found bytes that are none: {error}")
        except OutOfTurn as error:
            self._refuse(f"{error}; send the recorded events, or record the conversation again")
        return (self._reader.ended and self.end()) or interrupted or bool(self.problem)

    def end(self) -> bool:
        """The client has ended its input. Return whether the steps have changed."""
        if not self._ended and self._end is None:
            self._ended = True
            try:
                for each in self._change(None):
                    self._add(self._advance(each))
                self._add(self._advance(None))
            except OutOfTurn as error:
                self._refuse(f"{error}; send the recorded events, or record the conversation again")
        return bool(self.problem)

    def _advance(self, event: InputEvent | None) -> list[OutputFrame]:
        """Return what the script has after an event. event: `None` for the end of the input.

        Raises OutOfTurn, unless another server holds the conversation from now on.
        """
        try:
            return self.script.end() if event is None else self.script.receive(event)
        except OutOfTurn:
            if self.upstream is None or self.script.began:
                raise
            self.passed_on, self.script = True, SilentScript()
            return []

    def _change(self, event: InputEvent | None) -> list[InputEvent]:
        """Return what the model gets in place of an event. event: `None` for the end."""
        if not self._faults.active:
            return [] if event is None else [event]
        events, seconds = self._faults.receive(event)
        self._delay += seconds
        return events

    def _add(self, outputs: list[OutputFrame]) -> None:
        if outputs and self._delay:
            outputs = [replace(outputs[0], delay=self._delay), *outputs[1:]]
            self._delay = 0.0
        self._outputs += outputs

    def _keep(self, event: InputEvent, at_ms: int) -> None:
        last = self._runs[-1] if self._runs else None
        if event.audio is None:
            self._runs.append(_Run(at_ms, event.value))
            self._bytes += len(compact(event.value))
            if self._bytes > MOST_BYTES:
                raise FrameError(f"the events without audio are larger than {MOST_BYTES} bytes")
        elif last is not None and last.audio and event.audio:
            last.count += 1
            last.audio += len(event.audio)
        else:
            self._runs.append(_Run(at_ms, event.value, 1, len(event.audio)))

    def _interrupt(self) -> None:
        """Send no more of the turn, and say so as the service does."""
        self._outputs.clear()
        content = self._content
        self._outputs += self.script.interrupt() or (
            render_interruption(content) if content else []
        )

    def _refuse(self, problem: str) -> None:
        self.problem = problem
        self._outputs.clear()
        self._ended = True
        payload = compact({"message": f"bedtape: {problem}"})
        self._outputs.append(OutputFrame(0, encode_strings(exception_headers(_REFUSAL), payload)))

    # -- another server's side ---------------------------------------------------------------------

    def add(self, frames: Sequence[bytes]) -> None:
        """Send frames of the server that holds the conversation."""
        if not self.problem:
            self._outputs += (OutputFrame(0, frame) for frame in frames)

    def finish(self, last: Step) -> None:
        """End the answer, because the server that holds the conversation has ended it."""
        self._last = last

    # -- the model's side --------------------------------------------------------------------------

    def play(self) -> Iterator[Step]:
        """Yield the steps of the answer. `Await`, while the client has to send more."""
        yield Start()
        last: Step | None = None
        while last is None:
            if self._outputs:
                yield from self._send(self._outputs[0])
                continue
            if self._end is not None and not self.problem:
                yield from map(Send, filter(None, (self._end.data,)))
                last = self._end.last
            elif self.passed_on and not self.problem:
                last = self._last
            else:
                last = None if self.problem else self.script.last
                if last is None and self._ended:
                    last = Finish()
            yield last or Await()

    def _send(self, output: OutputFrame) -> Iterator[Step]:
        """Yield the wait before a frame, and the frame, unless the wait was interrupted."""
        pause = output.delay + (0 if self.speed is None else output.wait_ms / 1000 / self.speed)
        if pause:
            yield Wait(pause)
        if self._outputs and self._outputs[0] is output:
            self._outputs.popleft()
            self._follow(output.data)
            yield Send(output.data)

    def _follow(self, data: bytes) -> None:
        """Note which content of the model is open, because an interruption ends it."""
        if self.speed is None or self.passed_on:
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


def _is_interruption(event: InputEvent) -> bool:
    """Whether the user speaks or writes while the model speaks."""
    if event.audio is not None:
        return sonic.is_loud(event.audio)
    return event.name == "textInput" and event.role != "SYSTEM"


def _describe_run(run: _Run) -> JsonObject:
    event = run.value.get("event") if isinstance(run.value, dict) else None
    item: JsonObject = {"at_ms": run.at_ms}
    item |= {"value": run.value} if event is None else {"event": event}
    return item | ({"count": run.count, "bytes": run.audio} if run.audio else {})
