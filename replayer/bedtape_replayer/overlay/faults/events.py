"""Changes the events of a stream: drops, repeats or swaps events, or inserts an unknown event.

Events are numbered from 1. Answers that are not streams do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Event, Events, JsonValue, Response, event_headers
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.base import (
    FaultContext,
    FaultKind,
    check_minimum,
    explain_no_stream,
    is_framed,
    is_streamed,
)


@dataclass(frozen=True, slots=True)
class _EventFault(FaultKind):
    """Applies to streams, and changes the list of events."""

    def applies_to(self, call: Call) -> bool:
        return is_streamed(call)

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        return explain_no_stream(operations, framed=False)

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:  # noqa: ARG002
        body = response.body
        if not isinstance(body, Events):
            return response
        return replace(response, body=Events.of(list(self._change(body.events)), padded=body.padded))

    def _change(self, events: tuple[Event, ...]) -> Iterable[Event]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _SelectedEvents(_EventFault):
    """numbers: the numbers of events. types: the types of further events, such as contentBlockDelta or chunk."""

    numbers: tuple[int, ...] = ()
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for number in self.numbers:
            check_minimum(1, event=number)
        if not (self.numbers or self.types):
            raise ValueError("expected numbers or types of events, found none")

    def _is_selected(self, number: int, event: Event) -> bool:
        return number in self.numbers or event.type in self.types


@dataclass(frozen=True, slots=True)
class Drop(_SelectedEvents):
    """Leaves events out."""

    def _change(self, events: tuple[Event, ...]) -> Iterator[Event]:
        return (event for number, event in enumerate(events, 1) if not self._is_selected(number, event))


@dataclass(frozen=True, slots=True)
class Repeat(_SelectedEvents):
    """Repeats each selected event directly after itself. times: the number of repetitions."""

    times: int = 1

    def __post_init__(self) -> None:
        _SelectedEvents.__post_init__(self)  # `super()` fails because `slots=True` creates a new class
        check_minimum(1, times=self.times)

    def _change(self, events: tuple[Event, ...]) -> Iterator[Event]:
        for number, event in enumerate(events, 1):
            yield from (event,) * (1 + self.times * self._is_selected(number, event))


@dataclass(frozen=True, slots=True)
class Swap(_EventFault):
    """Swaps two events but not their times. A stream with fewer events does not change."""

    first: int
    second: int

    def __post_init__(self) -> None:
        check_minimum(1, first=self.first, second=self.second)
        if self.first == self.second:
            raise ValueError(f"expected two events to swap, found {self.first} twice")

    def _change(self, events: tuple[Event, ...]) -> Iterable[Event]:
        changed, one, other = list(events), self.first - 1, self.second - 1
        if max(one, other) < len(events):
            changed[one] = replace(events[other], at_ms=events[one].at_ms)
            changed[other] = replace(events[one], at_ms=events[other].at_ms)
        return changed


@dataclass(frozen=True, slots=True)
class Insert(_EventFault):
    """Inserts an event of any type and payload, as a service that is newer than its client may send."""

    type: str
    payload: Mapping[str, JsonValue] = field(default_factory=dict)
    after_events: int = 1

    def __post_init__(self) -> None:
        check_minimum(0, after_events=self.after_events)
        if not 0 < len(self.type.encode()) <= _LONGEST:
            raise ValueError(f"expected a type of 1 to {_LONGEST} bytes, found {self.type[:40]!r}")

    def applies_to(self, call: Call) -> bool:
        return is_framed(call)

    def find_problem(self, operations: tuple[str, ...]) -> str | None:
        return explain_no_stream(operations, framed=True)

    def _change(self, events: tuple[Event, ...]) -> Iterable[Event]:
        at = min(self.after_events, len(events))
        when = events[at - 1].at_ms if at else 0
        inserted = Event(when, event_headers(self.type), compact(dict(self.payload)), "json")
        return (*events[:at], inserted, *events[at:])


# The length of a frame's header value is a signed 16-bit number.
_LONGEST = 0x7FFF
