"""Changes the events of a stream: drops, repeats or swaps events, or inserts an unknown event.

Events are numbered from 1. Answers that are not streams do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bedtape_cassettes.families.shared.server_sent import write_event
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.bodies import choose_form, compact, read_value
from bedtape_cassettes.model import Event, Events, JsonValue, Response, event_headers
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import ChangeEvents, StepEdit
from bedtape_replayer.overlay.faults.base import FaultContext, StreamingFault, check_minimum
from bedtape_replayer.overlay.faults.rewrite import is_event_stream


@dataclass(frozen=True, slots=True)
class _EventFault(StreamingFault):
    """Changes the list of events."""

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:  # noqa: ARG002
        body = response.body
        if not isinstance(body, Events):
            return response
        changed = tuple(self._change(body.events, call))
        return (
            response
            if changed == body.events
            else replace(response, body=Events.of(changed, padded=body.padded))
        )

    def _change(self, events: tuple[Event, ...], call: Call) -> Iterable[Event]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _SelectedEvents(_EventFault):
    """numbers: of events. types: of further events, such as contentBlockDelta or chunk."""

    numbers: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    live = True
    hears = True

    def __post_init__(self) -> None:
        for number in self.numbers:
            check_minimum(1, event=number)
        if not (self.numbers or self.types):
            raise ValueError("expected numbers or types of events, found none")

    def _is_selected(self, number: int, event: Event) -> bool:
        return number in self.numbers or (bool(self.types) and _find_type(event) in self.types)

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit:  # noqa: ARG002
        read = bodies.read_events if is_event_stream(reply) else bodies.read_pieces

        def change(number: int, data: bytes | None) -> Iterable[bytes]:
            if data is None:
                return ()
            body = read(data)
            selected = isinstance(body, Events) and self._is_selected(number, body.events[0])
            return (data,) * (self._count_selected if selected else 1)

        return ChangeEvents(change)

    @property
    def _count_selected(self) -> int:
        """How often a selected event is sent."""
        return 0


def _find_type(event: Event) -> str | None:
    """Returns the type of a frame, or the member `type` of a server-sent event."""
    if event.headers:
        return event.type
    value = read_value(event.form, event.payload)
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


@dataclass(frozen=True, slots=True)
class Drop(_SelectedEvents):
    """Leaves events out."""

    def _change(self, events: tuple[Event, ...], call: Call) -> Iterator[Event]:  # noqa: ARG002
        return (
            event for number, event in enumerate(events, 1) if not self._is_selected(number, event)
        )


@dataclass(frozen=True, slots=True)
class Repeat(_SelectedEvents):
    """Repeats each selected event directly after itself. times: the number of repetitions."""

    times: int = 1

    def __post_init__(self) -> None:
        # `super()` fails because `slots=True` creates a new class
        _SelectedEvents.__post_init__(self)
        check_minimum(1, times=self.times)

    @property
    def _count_selected(self) -> int:
        return 1 + self.times

    def _change(self, events: tuple[Event, ...], call: Call) -> Iterator[Event]:  # noqa: ARG002
        for number, event in enumerate(events, 1):
            yield from (event,) * (self._count_selected if self._is_selected(number, event) else 1)


@dataclass(frozen=True, slots=True)
class Swap(_EventFault):
    """Swaps two events but not their times. A stream with fewer events does not change.

    In a conversation, the first of them and the events between wait for the second.
    """

    first: int
    second: int
    converses = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(1, first=self.first, second=self.second)
        if self.first == self.second:
            raise ValueError(f"expected two events to swap, found {self.first} twice")

    def _change(self, events: tuple[Event, ...], call: Call) -> Iterable[Event]:  # noqa: ARG002
        changed, one, other = list(events), self.first - 1, self.second - 1
        if max(one, other) < len(events):
            changed[one] = replace(events[other], at_ms=events[one].at_ms)
            changed[other] = replace(events[one], at_ms=events[other].at_ms)
        return changed

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit:  # noqa: ARG002
        first, second = sorted((self.first, self.second))
        held: list[bytes] = []

        def change(number: int, data: bytes | None) -> Iterable[bytes]:
            if data is not None and not first <= number <= second:
                return (data,)
            if data is not None:
                held.append(data)
                if number < second:
                    return ()
                held[0], held[-1] = held[-1], held[0]
            ready = tuple(held)
            held.clear()
            return ready

        return ChangeEvents(change, holds=True)


@dataclass(frozen=True, slots=True)
class Insert(_EventFault):
    """Inserts an event of any type and payload, as a newer service than the client may send."""

    type: str
    payload: Mapping[str, JsonValue] = field(default_factory=dict)
    after_events: int = 1
    live = True
    hears = True

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        if not 0 < len(self.type.encode()) <= _LONGEST:
            raise ValueError(f"expected a type of 1 to {_LONGEST} bytes, found {self.type[:40]!r}")

    def _change(self, events: tuple[Event, ...], call: Call) -> Iterable[Event]:
        at = min(self.after_events, len(events))
        when = events[at - 1].at_ms if at else 0
        return (*events[:at], self._build_event(call, when, at), *events[at:])

    def on_arriving(self, reply: Reply, call: Call, context: FaultContext) -> StepEdit:  # noqa: ARG002
        inserted = False

        def change(number: int, data: bytes | None) -> Iterable[bytes]:
            nonlocal inserted
            due = not inserted and (data is None or number > self.after_events)
            inserted = inserted or due
            event = (
                (bodies.wire(self._build_event(call, 0, number - 1), False, context.chance),)
                if due
                else ()
            )
            return event if data is None else (*event, data)

        return ChangeEvents(change)

    def _build_event(self, call: Call, when: int, number: int) -> Event:
        payload = dict(self.payload)
        if call.dialect == "aws":
            return Event(when, event_headers(self.type), compact(payload), "json")
        data = write_event(call.operation or "", self.type, payload, number)
        return Event(when, (), data, choose_form(data, framed=False))


# The length of a frame's header value is a signed 16-bit number.
_LONGEST = 0x7FFF
