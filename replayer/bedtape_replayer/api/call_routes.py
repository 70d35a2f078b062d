"""The routes of the control API for calls: list, summary, assertions and verdict. Pure."""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.text import format_count
from bedtape_replayer.api.call_schemas import ASSERTION, QUERY
from bedtape_replayer.api.route import ApiRequest, RouteError
from bedtape_replayer.history.assertions import (
    CallsMismatch,
    assert_all_played,
    assert_all_used,
    assert_cached,
    assert_called,
    assert_not_called,
    assert_sequence,
)
from bedtape_replayer.history.calls import ConditionInvalid
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.listing import find_problem, list_calls
from bedtape_replayer.history.retries.verdict import judge_retries
from bedtape_replayer.overlay.explain import describe
from bedtape_replayer.overlay.rule import Rule

# A page of calls, if the asker does not say: what a person reads at a time.
_PAGE = 100


def calls_of(request: ApiRequest) -> JsonValue:
    conditions = request.conditions(QUERY)
    since, limit = conditions.pop("since", 0), conditions.pop("limit", _PAGE)
    history = request.peek_session().history
    calls = [call for call in history.calls.filter(**conditions) if call.number > since]
    shown: list[JsonValue] = [call.as_json() for call in calls[max(0, len(calls) - limit) :]]
    return {"calls": shown, "total": len(calls), "forgotten": history.forgotten}


def call_of(request: ApiRequest) -> JsonValue:
    return request.find_call().as_json()


def forget(request: ApiRequest) -> JsonValue:
    request.peek_session().history.clear()
    return {"status": "ok"}


def run_assertion(request: ApiRequest) -> JsonValue:
    session = request.peek_session()
    calls = session.history.calls
    try:
        match request.read_json_as(ASSERTION):
            case {"called": conditions}:
                assert_called(calls, **conditions)
            case {"not_called": conditions}:
                assert_not_called(calls, **conditions)
            case {"sequence": steps}:
                assert_sequence(calls, steps)
            case {"consecutive": steps}:
                assert_sequence(calls, steps, consecutive=True)
            case {"cached": conditions}:
                assert_cached(calls, **conditions)
            case {"all_used": _}:
                assert_all_used(session.layers.describe_unused())
            case _:
                assert_all_played(session.find_unplayed(session.index(request.engine.library)))
    except ConditionInvalid as error:
        raise RouteError(400, {"error": str(error)}) from None
    except CallsMismatch as error:
        return {"passed": False, "report": make_json_safe(str(error))}
    return {"passed": True, "report": None}


def verdict_of(request: ApiRequest) -> JsonValue:
    return [finding.as_json() for finding in judge_retries(request.peek_session().history.calls)]


def list_unused(request: ApiRequest) -> JsonValue:
    return list(request.peek_session().layers.describe_unused())


def list_unplayed(request: ApiRequest) -> JsonValue:
    session = request.peek_session()
    return [
        recording.interaction.file
        for recording in session.find_unplayed(session.index(request.engine.library))
    ]


def summarize(request: ApiRequest) -> JsonValue:
    """Return the calls as pytest shows them after a failure, and what fails a test."""
    session = request.peek_session()
    calls, layers = session.history.calls, session.layers
    lines = [f"{format_count(len(calls), 'call')}{':' if calls else ''}", *list_calls(calls)]
    lines += [line for _, line in layers.list_unused()]
    kept = map(find_problem, calls)
    misses = [*session.history.forgotten_misses, *(report for report in kept if report is not None)]
    if calls.forgotten:
        lines[0] = f"after {format_count(calls.forgotten, 'older call')}, {lines[0]}"
    scripts = [rule for rule in layers.unused if isinstance(rule, Rule) and rule.needed > 1]
    unfinished = [
        f"a script did not end: {describe(rule, layers.count_fired(rule.id))}" for rule in scripts
    ]
    return make_json_safe(
        {"text": "\n".join(lines), "problems": [*dict.fromkeys(misses), *unfinished]}
    )
