"""What the control API tells of a session's calls: them, whether they were as they should, what was wrong. Pure."""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue
from bedtape_replayer.api.route import Asked, Failed, NoSuch
from bedtape_replayer.api.schemas import ASSERTION, QUERY
from bedtape_replayer.history.assertions import (
    CallsMismatch,
    assert_all_played,
    assert_called,
    assert_not_called,
    assert_sequence,
)
from bedtape_replayer.history.calls import ConditionInvalid
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.retries.verdict import judge_retries

__all__ = ["asserted", "call_of", "calls_of", "forget", "unplayed", "verdict_of"]

# A page of calls, if the asker does not say: what a person reads at a time.
_PAGE = 100


def calls_of(asked: Asked) -> JsonValue:
    conditions = asked.conditions(QUERY)
    since, limit = conditions.pop("since", 0), conditions.pop("limit", _PAGE)
    history = asked.looked_at().history
    calls = [call for call in history.calls.filter(**conditions) if call.number > since]
    shown: list[JsonValue] = [call.as_json() for call in calls[max(0, len(calls) - limit) :]]
    return {"calls": shown, "total": len(calls), "forgotten": history.forgotten}


def call_of(asked: Asked) -> JsonValue:
    for call in asked.looked_at().history.calls:
        if str(call.number) == asked.parts["call"]:
            return call.as_json()
    raise NoSuch(f"the session's history has no call numbered {asked.parts['call']!r}")


def forget(asked: Asked) -> JsonValue:
    asked.looked_at().history.clear()
    return {"status": "ok"}


def asserted(asked: Asked) -> JsonValue:
    session = asked.looked_at()
    calls = session.history.calls
    try:
        match asked.checked(ASSERTION):
            case {"called": conditions}:
                assert_called(calls, **conditions)
            case {"not_called": conditions}:
                assert_not_called(calls, **conditions)
            case {"sequence": steps}:
                assert_sequence(calls, steps)
            case {"consecutive": steps}:
                assert_sequence(calls, steps, consecutive=True)
            case _:
                assert_all_played(session.unplayed(session.index(asked.engine.library)))
    except ConditionInvalid as error:
        raise Failed(400, {"error": str(error)}) from None
    except CallsMismatch as error:
        return {"passed": False, "report": make_json_safe(str(error))}
    return {"passed": True, "report": None}


def verdict_of(asked: Asked) -> JsonValue:
    return [finding.as_json() for finding in judge_retries(asked.looked_at().history.calls)]


def unplayed(asked: Asked) -> JsonValue:
    session = asked.looked_at()
    return [recording.interaction.file for recording in session.unplayed(session.index(asked.engine.library))]
