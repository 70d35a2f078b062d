"""The routes of the inspector's page beside the control API: summaries of finished calls, and one call in detail.

These routes may change with the page, so tests should use the control API instead.
"""

from __future__ import annotations

from heapq import nsmallest

from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.api.inspector.call_detail import render_detail
from bedtape_replayer.api.route import ApiRequest, Route
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record

# Calls in one answer. Reading them takes about 40 ms (ends of streams are decoded), and the server answers no other
# request meanwhile.
_PAGE = 200
# Characters of a path or prompt in a row of the page.
_SHOWN = 160
_MICRO = 1_000_000
_QUERY: dict[str, Schema] = {
    "since": {"type": "integer", "minimum": 0, "description": "Calls that ended later; microseconds since 1970."}
}


def _calls(request: ApiRequest) -> JsonValue:
    """Return the calls that ended after `since`, oldest first, and the existing sessions.

    The page removes the calls of a session that is not in the list.
    """
    since = request.conditions(_QUERY).get("since", 0)
    sessions = tuple(dict.fromkeys(request.engine.sessions))  # a session may have two names
    outcomes = [outcome for each in sessions for outcome in each.history.iterate_newest(since / _MICRO)]
    page = nsmallest(_PAGE, outcomes, key=lambda outcome: outcome.began + outcome.seconds)
    return {
        "calls": [_row(Record(outcome)) for outcome in page if _end_micros(outcome) > since],
        "more": len(outcomes) > _PAGE,
        "sessions": [_session(each) for each in sorted(sessions, key=lambda session: session.name)],
    }


def _end_micros(outcome: Outcome) -> int:
    return round((outcome.began + outcome.seconds) * _MICRO)


def _session(session: SessionState) -> JsonValue:
    oldest = session.history.oldest
    return {
        "name": make_json_safe(session.name),
        "calls": len(session.history),
        "forgotten": session.history.forgotten,
        "oldest": None if oldest is None else _end_micros(oldest),
    }


def _row(record: Record) -> JsonValue:
    return make_json_safe(
        {
            "session": record.session,
            "number": record.number,
            "ended": _end_micros(record.outcome),
            "began": record.began,
            "seconds": record.seconds,
            "operation": record.operation or f"{record.method} {record.path[:_SHOWN]}",
            "model": record.model,
            "status": record.status,
            "error": record.error,
            "source": record.source,
            "by": record.by,
            "faults": len(record.faults),
            "invocation": record.invocation_id,
            "attempt": record.attempt,
            "prompt": record.last_prompt[:_SHOWN],
            "events": record.events if record.outcome.answer.reply.streamed else None,
            "hung_up": record.hung_up,
        }
    )


def _call(request: ApiRequest) -> JsonValue:
    return render_detail(request.find_call(), request.peek_session(), request.engine.library)


ROUTES = (
    Route("GET", "/_bedtape/inspector/calls", _calls, "Returns summaries of the calls of all sessions.", query=_QUERY),
    Route("GET", "/_bedtape/inspector/sessions/{session}/calls/{call}", _call, "Returns one call in detail."),
)
