"""Routes for pytest's fixture whose session is on a server in another process.

The calls have the form of this version, so that the fixture has all of a call. Other programs
should use the control API instead.
"""

from __future__ import annotations

from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.reply import Reply, build_own_reply
from bedtape_replayer.api.inspector.capture import capture
from bedtape_replayer.api.route import ApiRequest, Route
from bedtape_replayer.history.values import encode, encode_outcome

_S = "/_bedtape/inspector/sessions/{session}"


def _list_outcomes(request: ApiRequest) -> Reply:
    """Return the number of forgotten calls and the outcomes of the calls, each encoded."""
    calls = request.peek_session().history.calls
    outcomes = tuple(encode_outcome(record.outcome) for record in calls)
    media = (b"Content-Type", b"application/msgpack")
    body = encode((calls.forgotten, outcomes))
    return build_own_reply(200, body, (b"Cache-Control", b"no-store"), first=media)


def _capture(request: ApiRequest) -> JsonValue:
    return capture(request.engine, request.peek_session(), request.query.get("title"))


ROUTES = (
    Route("GET", f"{_S}/outcomes", _list_outcomes, "Returns the outcomes of all calls."),
    Route("GET", f"{_S}/capture", _capture, "Returns what a report shows of the session."),
)
