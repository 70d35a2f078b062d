"""The control API's routes: sessions, rules, faults, calls, assertions, cassettes, the clock.

Pure but for the engine.

Every feature of the Python API has a route with the same names, for use from any language. Reading
a session does not create it: a session that does not exist is returned as new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bedtape_cassettes.format.bodies import SERVER_SENT
from bedtape_cassettes.format.schema_parts import list_of
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.api.call_routes import (
    call_of,
    calls_of,
    forget,
    list_unplayed,
    list_unused,
    run_assertion,
    summarize,
    verdict_of,
)
from bedtape_replayer.api.call_schemas import (
    ASSERTED,
    ASSERTION,
    CALL,
    CALLS,
    EVENT,
    FINDING,
    QUERY,
    SUMMARY,
)
from bedtape_replayer.api.edit_routes import keep_call, read_text, write_text
from bedtape_replayer.api.events import EVENTS_QUERY, events_of
from bedtape_replayer.api.monitor_routes import ROUTES as MONITOR_ROUTES
from bedtape_replayer.api.openapi import openapi
from bedtape_replayer.api.route import VERSION, ApiRequest, NoSuch, Route, RouteError, invalid
from bedtape_replayer.api.schemas import (
    ADVANCE,
    CASSETTE,
    CLOCK,
    DONE,
    EDIT,
    EDITABLE_TEXT,
    HEALTH,
    INTERACTION,
    KEEP,
    KEPT,
    LAID_FAULT,
    LAID_RULE,
    LAYERS,
    NAMED,
    OVERLAY,
    SESSION,
    SETTINGS,
)
from bedtape_replayer.api.server_routes import (
    OK,
    advance,
    cassette,
    cassette_named,
    cassettes,
    clock,
    health,
    reset,
)
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.overlay.document import (
    Namer,
    OverlayInvalid,
    parse_fault,
    parse_overlay,
    parse_rule,
    parse_simulation,
)
from bedtape_replayer.overlay.overlay import NOTHING, Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schema import FAULT, RULE
from bedtape_replayer.overlay.schema import OVERLAY as OVERLAY_FILE
from bedtape_replayer.overlay.session_layers import Layers, NameTaken
from bedtape_replayer.overlay.simulation.schema import SIMULATE

# -- the server ------------------------------------------------------------------------------------


def _openapi(request: ApiRequest) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    return openapi(ROUTES, VERSION, NAMED)


def _schema(request: ApiRequest) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    return OVERLAY_FILE


# -- sessions --------------------------------------------------------------------------------------


def _sessions(request: ApiRequest) -> JsonValue:
    return [_render_session(session) for session in request.engine.sessions]


def _render_session(session: SessionState) -> dict[str, JsonValue]:
    own = session.layers.own
    return {
        "name": session.name,
        "cassette": session.cassette,
        "strict": session.strict,
        "seed": own.seed,
        "calls": len(session.history),
        "forgotten": session.history.forgotten,
        "rules": len(own.rules),
        "faults": len(own.faults),
    }


def session_of(request: ApiRequest) -> dict[str, JsonValue]:
    return _render_session(request.peek_session())


def _set(request: ApiRequest) -> JsonValue:
    settings = request.read_json_as(SETTINGS)
    if cassette := settings.get("cassette"):  # an empty text is no cassette
        cassette_named(request, cassette)
    session = request.open_session()
    session.cassette = settings.get("cassette", session.cassette)
    session.strict = settings.get("strict", session.strict)
    return _render_session(session)


def _drop(request: ApiRequest) -> JsonValue:
    # no error if absent: a test that made no call has none
    request.engine.sessions.drop(request.parts["session"])
    return OK


def _restart(request: ApiRequest) -> JsonValue:
    return _render_session(request.engine.sessions.reset(request.parts["session"]))


# -- layers ----------------------------------------------------------------------------------------


def _render_layer(session: SessionState, layer: Rule | Fault) -> JsonValue:
    return make_json_safe(
        {**layer.document, "name": layer.id, "fired": session.layers.count_fired(layer.id)}
    )


def overlay_of(request: ApiRequest) -> JsonValue:
    session = request.peek_session()
    layers = session.layers.effective
    return {
        "seed": layers.seed,
        "ids": layers.ids or "equal",
        "simulate": layers.features.document,
        "rules": [_render_layer(session, rule) for rule in layers.rules],
        "faults": [_render_layer(session, fault) for fault in layers.faults],
    }


def _lay(request: ApiRequest) -> JsonValue:
    laid = _read(parse_overlay, request.json())
    try:
        # no session is made for what is none
        Layers(request.peek_session().layers.shared).replace_own(laid)
    except NameTaken as error:
        raise RouteError(409, {"error": str(error)}) from None
    request.open_session().layers.replace_own(laid)
    return overlay_of(request)


def _read(read: Callable[..., Any], *given: Any) -> Any:
    """The layers that a document describes. Raises RouteError with every problem."""
    try:
        return read(*given)
    except OverlayInvalid as error:
        raise invalid(error.problems) from None


def _simulate(request: ApiRequest) -> JsonValue:
    features = _read(parse_simulation, request.json())
    request.open_session().layers.simulate(features)
    return overlay_of(request)


def _clear(request: ApiRequest) -> JsonValue:
    request.peek_session().layers.replace_own(NOTHING)
    return OK


def _add_rule(request: ApiRequest) -> JsonValue:
    return _add_layer(request, parse_rule)


def _add_fault(request: ApiRequest) -> JsonValue:
    return _add_layer(request, parse_fault)


def _add_layer(request: ApiRequest, made: Callable[[JsonValue, Namer], Rule | Fault]) -> JsonValue:
    """Add a layer. An invalid request creates no session, because all checks come first."""
    layer = _read(made, request.json(), lambda kind: request.open_session().layers.next_id(kind))
    if request.peek_session().layers.has_layer(layer.id):
        raise RouteError(409, {"error": str(NameTaken(layer.id))})
    session = request.open_session()
    session.layers.add(layer)
    return _render_layer(session, layer)


def _remove(request: ApiRequest) -> JsonValue:
    name = request.parts["layer"]
    if not request.peek_session().layers.remove(name):
        raise NoSuch(f"the session has no layer of its own named {name!r}")
    return OK


_S = "/_bedtape/sessions/{session}"
_FILE = "/_bedtape/recordings/{file}"
_TEXTS = list_of({"type": "string"})

# method, path, what answers, what it does, what it gives, what it takes, its query, its name.
ROUTES = (
    Route(
        "GET",
        "/_bedtape/health",
        health,
        "Whether it runs, and what it plays.",
        HEALTH,
        name="health",
    ),
    *MONITOR_ROUTES,
    Route("GET", "/_bedtape/openapi.json", _openapi, "This description.", name="openapi"),
    Route(
        "GET",
        "/_bedtape/overlay.schema.json",
        _schema,
        "The JSON Schema of overlay files.",
        name="overlaySchema",
    ),
    Route(
        "POST",
        "/_bedtape/reset",
        reset,
        "Forgets all sessions, and empties the caches.",
        DONE,
        name="reset",
    ),
    Route(
        "GET",
        "/_bedtape/clock",
        clock,
        "The virtual clock by which quotas count.",
        CLOCK,
        name="clock",
    ),
    Route(
        "POST",
        "/_bedtape/clock",
        advance,
        "Moves the clock on.",
        CLOCK,
        ADVANCE,
        name="advanceClock",
    ),
    Route(
        "GET",
        "/_bedtape/cassettes",
        cassettes,
        "All cassettes.",
        list_of(CASSETTE),
        name="cassettes",
    ),
    Route(
        *("GET", "/_bedtape/cassettes/{cassette}", cassette, "A cassette's interactions."),
        list_of(INTERACTION),
        name="cassette",
    ),
    Route(
        *(
            "GET",
            "/_bedtape/events",
            events_of,
            "What happens to calls, while it happens, as server-sent events.",
        ),
        EVENT,
        query=EVENTS_QUERY,
        name="events",
        media=SERVER_SENT,
    ),
    Route(
        "GET",
        _FILE,
        read_text,
        "The text of a recording, to edit it.",
        EDITABLE_TEXT,
        name="recordingText",
    ),
    Route(
        "PUT",
        _FILE,
        write_text,
        "Replaces a recording.",
        EDITABLE_TEXT,
        EDIT,
        name="setRecordingText",
    ),
    Route(
        "GET", "/_bedtape/sessions", _sessions, "All sessions.", list_of(SESSION), name="sessions"
    ),
    Route("GET", _S, session_of, "A session.", SESSION, name="session"),
    Route(
        "PUT",
        _S,
        _set,
        "Chooses what a session plays, and how.",
        SESSION,
        SETTINGS,
        name="setSession",
    ),
    Route("DELETE", _S, _drop, "Forgets a session, if it exists.", DONE, name="dropSession"),
    Route(
        "POST",
        f"{_S}/reset",
        _restart,
        "Makes a session new, with the same cassette.",
        SESSION,
        name="resetSession",
    ),
    Route(
        "GET",
        f"{_S}/overlay",
        overlay_of,
        "All layers of a session, including the layers of the overlay file.",
        LAYERS,
        name="overlay",
    ),
    Route(
        "PUT", f"{_S}/overlay", _lay, "Replaces its own layers.", LAYERS, OVERLAY, name="setOverlay"
    ),
    Route("DELETE", f"{_S}/overlay", _clear, "Removes its own layers.", DONE, name="clearOverlay"),
    Route(
        *(
            "PUT",
            f"{_S}/simulate",
            _simulate,
            "Chooses the features of the service that it simulates.",
        ),
        *(LAYERS, SIMULATE),
        name="setSimulate",
    ),
    Route("POST", f"{_S}/rules", _add_rule, "Adds a rule.", LAID_RULE, RULE, name="addRule"),
    Route("POST", f"{_S}/faults", _add_fault, "Adds a fault.", LAID_FAULT, FAULT, name="addFault"),
    Route(
        "DELETE",
        f"{_S}/layers/{{layer}}",
        _remove,
        "Removes a rule or fault by name.",
        DONE,
        name="removeLayer",
    ),
    Route(
        "GET",
        f"{_S}/calls",
        calls_of,
        "The calls of a session, latest last.",
        CALLS,
        query=QUERY,
        name="calls",
    ),
    Route("GET", f"{_S}/calls/{{call}}", call_of, "A call by its number.", CALL, name="call"),
    Route(
        *(
            "POST",
            f"{_S}/calls/{{call}}/keep",
            keep_call,
            "Adds a call and its answer to a cassette.",
        ),
        *(KEPT, KEEP),
        name="keepCall",
    ),
    Route("DELETE", f"{_S}/calls", forget, "Forgets its calls.", DONE, name="forgetCalls"),
    Route(
        "POST",
        f"{_S}/assert",
        run_assertion,
        "Whether calls were as they should.",
        ASSERTED,
        ASSERTION,
        name="assert",
    ),
    Route(
        "GET",
        f"{_S}/verdict",
        verdict_of,
        "The mistakes of clients in retrying.",
        list_of(FINDING),
        name="verdict",
    ),
    Route(
        "GET",
        f"{_S}/summary",
        summarize,
        "Its calls as text, and why its test must fail.",
        SUMMARY,
        name="summary",
    ),
    Route(
        "GET",
        f"{_S}/unused",
        list_unused,
        "Rules and faults that never acted.",
        _TEXTS,
        name="unused",
    ),
    Route(
        "GET",
        f"{_S}/unplayed",
        list_unplayed,
        "Recordings that were never requested.",
        _TEXTS,
        name="unplayed",
    ),
)
