"""Changes the recorded times of an answer: sets them to 0, scales or caps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import LONGEST_MS, Body, Events, Interaction, Response


@dataclass(frozen=True, slots=True)
class Retiming:
    """scale: the factor for every time; 0 removes waits. cap_ms: the longest single wait."""

    scale: float = 1.0
    cap_ms: int | None = None


def retime(interaction: Interaction, retiming: Retiming) -> Interaction:
    """Changes the times of the interaction. Raises CassetteError if a time exceeds LONGEST_MS."""
    response = interaction.response
    after_ms = _cap(round(response.after_ms * retiming.scale), retiming)
    changed = replace(
        response, after_ms=_check_time(after_ms), body=_retime_body(response, retiming)
    )
    return replace(interaction, response=changed)


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


def _cap(wait: int, retiming: Retiming) -> int:
    return wait if retiming.cap_ms is None else min(wait, retiming.cap_ms)


def _check_time(time: int) -> int:
    if time > LONGEST_MS:
        raise CassetteError(
            f"--scale: expected times of at most {LONGEST_MS} ms, found {time} ms; scale by less"
        )
    return time
