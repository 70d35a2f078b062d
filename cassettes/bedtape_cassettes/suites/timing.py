"""When a recorded answer came: its times set to nothing, scaled or capped. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import LONGEST_MS, Body, Events, Interaction, Response

__all__ = ["Retiming", "retime"]


@dataclass(frozen=True, slots=True)
class Retiming:
    """scale: what every time is multiplied by; 0 is no waiting at all. cap_ms: the longest wait, of head and event."""

    scale: float = 1.0
    cap_ms: int | None = None


def retime(interaction: Interaction, retiming: Retiming) -> Interaction:
    """The interaction with other times. Raises CassetteError where one would be longer than a cassette may hold."""
    response = interaction.response
    after_ms = _cap(round(response.after_ms * retiming.scale), retiming)
    changed = replace(response, after_ms=_check_time(after_ms), body=_body(response, retiming))
    return replace(interaction, response=changed)


def _body(response: Response, retiming: Retiming) -> Body | Events:
    body = response.body
    if not isinstance(body, Events):
        return body
    times = [round(event.at_ms * retiming.scale) for event in body.events]
    # A hand-written stream may have an event before the one that it follows: it is played at once, so it waits for nothing.
    waits = [max(0, later - earlier) for earlier, later in pairwise((0, *times))]
    again = accumulate(_cap(wait, retiming) for wait in waits) if retiming.cap_ms is not None else times
    events = [replace(e, at_ms=_check_time(at)) for e, at in zip(body.events, again, strict=True)]
    return Events.of(events, padded=body.padded)


def _cap(wait: int, retiming: Retiming) -> int:
    return wait if retiming.cap_ms is None else min(wait, retiming.cap_ms)


def _check_time(time: int) -> int:
    if time > LONGEST_MS:
        raise CassetteError(f"--scale: expected times of at most {LONGEST_MS} ms, found {time} ms; scale by less")
    return time
