"""Changes the recorded times of an answer: sets them to 0, scales or caps them.

The events of a conversation keep their order, because replay takes from the times which event of
the client an output follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import LONGEST_MS, Body, Event, Events, Interaction, Response


@dataclass(frozen=True, slots=True)
class Retiming:
    """scale: the factor for every time; 0 removes waits. cap_ms: the longest single wait."""

    scale: float = 1.0
    cap_ms: int | None = None


def retime(interaction: Interaction, retiming: Retiming) -> Interaction:
    """Changes the times of the interaction. Raises CassetteError if a time exceeds LONGEST_MS."""
    request, response = interaction.request, interaction.response
    after_ms = _cap(round(response.after_ms * retiming.scale), retiming)
    body = _retime_body(response, retiming)
    if request.events is not None and isinstance(response.body, Events):
        sent, body = _retime_conversation(request.events, response.body, retiming)
        request = replace(request, events=sent)
    changed = replace(response, after_ms=_check_time(after_ms), body=body)
    return replace(interaction, request=request, response=changed)


def _retime_body(response: Response, retiming: Retiming) -> Body | Events:
    body = response.body
    if not isinstance(body, Events):
        return body
    times = [round(event.at_ms * retiming.scale) for event in body.events]
    # In a hand-written stream an event may have an earlier time than the event
    # before it. It has no wait.
    waits = [max(0, later - earlier) for earlier, later in pairwise((0, *times))]
    new_times = (
        accumulate(_cap(wait, retiming) for wait in waits) if retiming.cap_ms is not None else times
    )
    events = [
        replace(e, at_ms=_check_time(at)) for e, at in zip(body.events, new_times, strict=True)
    ]
    return Events.of(events, padded=body.padded)


def _retime_conversation(
    sent: Events, received: Events, retiming: Retiming
) -> tuple[Events, Events]:
    """Returns the events of the client and of the model, which have one clock.

    An event of the client that follows an output stays later than the output, by 1 ms or more.
    """
    times: tuple[list[int], list[int]] = ([], [])
    time = before = last = 0
    for side, at_ms in _merge(sent.events, received.events):
        at_ms = max(at_ms, before)
        wait = _cap(round(at_ms * retiming.scale) - round(before * retiming.scale), retiming)
        time += max(wait, 1) if last > side and at_ms > before else wait
        times[side].append(_check_time(time))
        before, last = at_ms, side
    first, other = (
        Events.of(
            [replace(e, at_ms=at) for e, at in zip(body.events, own, strict=True)],
            padded=body.padded,
        )
        for body, own in zip((sent, received), times, strict=True)
    )
    return first, other


def _merge(sent: Sequence[Event], received: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """Yields the side of each event, 0 for the client and 1 for the model, and its time. Events
    of the client precede outputs of the same time.
    """
    at = 0
    for event in received:
        while at < len(sent) and sent[at].at_ms <= event.at_ms:
            yield 0, sent[at].at_ms
            at += 1
        yield 1, event.at_ms
    yield from ((0, event.at_ms) for event in sent[at:])


def _cap(wait: int, retiming: Retiming) -> int:
    return wait if retiming.cap_ms is None else min(wait, retiming.cap_ms)


def _check_time(time: int) -> int:
    if time > LONGEST_MS:
        raise CassetteError(
            f"--scale: expected times of at most {LONGEST_MS} ms, found {time} ms; scale by less"
        )
    return time
