"""Changes the client's side of a conversation, as faults say: which events the model gets, when it
gets them, which one is damaged, and after which event the answer ends.

The changes of steps that faults make in an answer are used for the events of the client too. The
history shows what the client has sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from random import Random

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.bodies import compact, read_chunk, read_value
from bedtape_cassettes.format.eventstream import decode_all, encode_strings
from bedtape_cassettes.model import Event, event_headers, exception_headers
from bedtape_replayer.answering.duplex.inputs import InputEvent, InputReader
from bedtape_replayer.answering.steps import AddWaits, ChangeEvents, EndAt, Finish, StepEdit

# What the service answers to a chunk that is no JSON. AWS's SDK for Go has it in a test.
_UNREADABLE = encode_strings(
    exception_headers("validationException"),
    compact(
        {
            "message": "Unable to parse input chunk. Please check input format contains correct"
            " format."
        }
    ),
)


class InputFaults:
    """Applies the changes of faults to the events of one client, in order.

    edits: the changes, in order. reader: reads an event that a fault has inserted.
    """

    def __init__(self, edits: Sequence[StepEdit], reader: InputReader) -> None:
        changes = [edit for edit in edits if isinstance(edit, ChangeEvents)]
        self._changes = [_Change(edit, reader) for edit in changes]
        self._ends = [edit for edit in edits if isinstance(edit, EndAt)]
        self._waits = [
            chain((edit.first_byte,), edit.between) for edit in edits if isinstance(edit, AddWaits)
        ]
        self._received = 0
        # whether any fault changes the input
        self.active = bool(self._changes or self._ends or self._waits)

    def receive(self, event: InputEvent | None) -> tuple[list[InputEvent], float]:
        """Return the events that the model gets in place of an event of the client, and the
        seconds that pass before. event: `None` for the end of the input.
        """
        events = [] if event is None else [event]
        for change in self._changes:
            events = [each for one in events for each in change.apply(one)]
            if event is None:
                events += change.finish()
        self._received += event is not None
        waits = [] if event is None else self._waits
        return events, sum(next(wait, 0.0) for wait in waits)

    @property
    def end(self) -> EndAt | None:
        """How the answer ends after the events so far; `None` if it goes on."""
        if any(change.damaged for change in self._changes):
            return EndAt(self._received, 0, Finish(), _UNREADABLE)
        ends = (end for end in self._ends if (end.events or 0) <= self._received)
        return next(ends, None)


class _Change:
    """One change of events, with the number of the next event.

    The change gets a frame for each event, whose type is the name of the event. damaged: whether it
    returned a frame whose payload is no JSON. The model does not get this event.
    """

    def __init__(self, edit: ChangeEvents, reader: InputReader) -> None:
        self._edit = edit
        self._reader = reader
        self._number = 0
        self.damaged = False
        # The events whose frames the change holds back, by the identity of the frame.
        self._waiting: dict[int, tuple[bytes, InputEvent]] = {}

    def apply(self, event: InputEvent) -> list[InputEvent]:
        self._number += 1
        sent = Event(0, event_headers(event.name), bodies.seal_chunk(event.value), "bytes")
        frame = bodies.wire(sent, False, Random(0))  # noqa: S311 - of no padding
        self._waiting[id(frame)] = frame, event
        return self._take(self._number, frame)

    def finish(self) -> list[InputEvent]:
        return self._take(self._number + 1, None)

    def _take(self, number: int, frame: bytes | None) -> list[InputEvent]:
        frames = list(self._edit.change(number, frame))
        events = [event for each in frames if (event := self._find(each)) is not None]
        for each in (*frames, *([] if self._edit.holds or frame is None else [frame])):
            self._waiting.pop(id(each), None)
        return events

    def _find(self, frame: bytes) -> InputEvent | None:
        if (waiting := self._waiting.get(id(frame))) is not None:
            return waiting[1]
        inserted = decode_all(frame)[0]
        if not isinstance(read_value("json", inserted.payload), dict):
            self.damaged = True
            return None
        kind = dict(inserted.strings() or ()).get(":event-type", "")
        return self._reader.read_value(kind, read_chunk(inserted.payload))
