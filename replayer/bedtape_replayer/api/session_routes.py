"""The control API's routes: sessions, rules, faults, calls, assertions, cassettes, the clock. Pure but for the engine.

Everything that Python can do is here too, in the same words, so that any language can. To look at a session makes none:
one that is not there yet is told as it would be at its first call.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from bedtape_cassettes.format.document import document_of
from bedtape_cassettes.model import Cassette, JsonValue
from bedtape_replayer.api.call_routes import asserted, call_of, calls_of, forget, unplayed, verdict_of
from bedtape_replayer.api.openapi import openapi
from bedtape_replayer.api.route import Asked, Failed, NoSuch, Route, invalid
from bedtape_replayer.api.schemas import (
    ADVANCE,
    ASSERTED,
    ASSERTION,
    CALL,
    CALLS,
    CASSETTE,
    CLOCK,
    DONE,
    FINDING,
    HEALTH,
    INTERACTION,
    LAID_FAULT,
    LAID_RULE,
    LAYERS,
    NAMED,
    OVERLAY,
    QUERY,
    SESSION,
    SETTINGS,
    list_of,
)
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.overlay.document import Namer, OverlayInvalid, fault_of, overlay_of, rule_of
from bedtape_replayer.overlay.overlay import NOTHING, Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schema import FAULT, RULE
from bedtape_replayer.overlay.schema import OVERLAY as OVERLAY_FILE
from bedtape_replayer.overlay.session_layers import Layers, NameTaken

__all__ = ["ROUTES"]

_OK: JsonValue = {"status": "ok"}


def _cassette_named(asked: Asked, name: str) -> Cassette:
    for cassette in asked.engine.library.cassettes:
        if cassette.name == name:
            return cassette
    raise NoSuch(f"no cassette is named {name!r}; /_bedtape/cassettes has those there are")


# -- the server ------------------------------------------------------------------------------------------------


def _openapi(asked: Asked) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    return openapi(ROUTES, version("bedtape"), NAMED)


def _schema(asked: Asked) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    return OVERLAY_FILE


def _health(asked: Asked) -> JsonValue:
    engine = asked.engine
    return {
        "status": "ok",
        "version": version("bedtape"),
        "cassettes": len(engine.library.cassettes),
        "interactions": len(engine.library),
        "sessions": len(list(engine.sessions)),
    }


def _reset(asked: Asked) -> JsonValue:
    asked.engine.sessions.clear()
    return _OK


def _clock(asked: Asked) -> JsonValue:
    return {"now": asked.engine.clock.now}


def _advance(asked: Asked) -> JsonValue:
    asked.engine.clock.advance(asked.checked(ADVANCE)["advance"])
    return _clock(asked)


def _cassettes(asked: Asked) -> JsonValue:
    return [_cassette_told(cassette) for cassette in asked.engine.library.cassettes]


def _cassette_told(cassette: Cassette) -> JsonValue:
    interactions = cassette.interactions
    return make_json_safe(
        {
            "name": cassette.name,
            "interactions": len(interactions),
            "partial": sum(i.partial for i in interactions),
            "operations": sorted({i.operation for i in interactions if i.operation}),
            "models": sorted({i.model for i in interactions if i.model}),
        }
    )


def _cassette(asked: Asked) -> JsonValue:
    cassette = _cassette_named(asked, asked.parts["cassette"])
    return [make_json_safe({"file": each.file, **document_of(each)}) for each in cassette.interactions]


# -- sessions --------------------------------------------------------------------------------------------------


def _sessions(asked: Asked) -> JsonValue:
    return [_told(session) for session in asked.engine.sessions]


def _told(session: SessionState) -> JsonValue:
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


def _one(asked: Asked) -> JsonValue:
    return _told(asked.looked_at())


def _set(asked: Asked) -> JsonValue:
    settings = asked.checked(SETTINGS)
    if (cassette := settings.get("cassette")) is not None:
        _cassette_named(asked, cassette)
    session = asked.made()
    session.cassette = settings.get("cassette", session.cassette)
    session.strict = settings.get("strict", session.strict)
    return _told(session)


def _drop(asked: Asked) -> JsonValue:
    if not asked.engine.sessions.drop(asked.parts["session"]):
        raise NoSuch(f"no session is named {asked.parts['session']!r}; /_bedtape/sessions has those there are")
    return _OK


def _restart(asked: Asked) -> JsonValue:
    return _told(asked.engine.sessions.reset(asked.parts["session"]))


# -- layers ----------------------------------------------------------------------------------------------------


def _layer_told(session: SessionState, layer: Rule | Fault) -> JsonValue:
    return make_json_safe({**layer.told, "name": layer.id, "fired": session.layers.fired(layer.id)})


def _overlay(asked: Asked) -> JsonValue:
    session = asked.looked_at()
    layers = session.layers.every
    return {
        "seed": layers.seed,
        "rules": [_layer_told(session, rule) for rule in layers.rules],
        "faults": [_layer_told(session, fault) for fault in layers.faults],
    }


def _lay(asked: Asked) -> JsonValue:
    laid = _read(overlay_of, asked.json())
    try:
        Layers(asked.looked_at().layers.shared).lay(laid)  # no session is made for what is none
    except NameTaken as error:
        raise Failed(409, {"error": str(error)}) from None
    asked.made().layers.lay(laid)
    return _overlay(asked)


def _read(read: Callable[..., Any], *given: Any) -> Any:
    """The layers that a document describes. Raises Failed with every problem."""
    try:
        return read(*given)
    except OverlayInvalid as error:
        raise invalid(error.problems) from None


def _clear(asked: Asked) -> JsonValue:
    asked.looked_at().layers.lay(NOTHING)
    return _OK


def _add_rule(asked: Asked) -> JsonValue:
    return _added(asked, rule_of)


def _add_fault(asked: Asked) -> JsonValue:
    return _added(asked, fault_of)


def _added(asked: Asked, made: Callable[[JsonValue, Namer], Rule | Fault]) -> JsonValue:
    """No session is made for what is none: it is named when all else is known to be right."""
    layer = _read(made, asked.json(), lambda kind: asked.made().layers.next_id(kind))
    if asked.looked_at().layers.has(layer.id):
        raise Failed(409, {"error": str(NameTaken(layer.id))})
    session = asked.made()
    session.layers.add(layer)
    return _layer_told(session, layer)


def _remove(asked: Asked) -> JsonValue:
    name = asked.parts["layer"]
    if not asked.looked_at().layers.remove(name):
        raise NoSuch(f"the session has no layer of its own named {name!r}")
    return _OK


_S = "/_bedtape/sessions/{session}"
_TEXTS = list_of({"type": "string"})

# method, path, what answers, what it does, what it gives, what it takes, its query, its name.
ROUTES = (
    Route("GET", "/_bedtape/health", _health, "Whether it runs, and what it plays.", HEALTH, name="health"),
    Route("GET", "/_bedtape/openapi.json", _openapi, "This description.", name="openapi"),
    Route("GET", "/_bedtape/overlay.schema.json", _schema, "The JSON Schema of overlay files.", name="overlaySchema"),
    Route("POST", "/_bedtape/reset", _reset, "Forgets all sessions.", DONE, name="reset"),
    Route("GET", "/_bedtape/clock", _clock, "The virtual clock by which quotas count.", CLOCK, name="clock"),
    Route("POST", "/_bedtape/clock", _advance, "Moves the clock on.", CLOCK, ADVANCE, name="advanceClock"),
    Route("GET", "/_bedtape/cassettes", _cassettes, "All cassettes.", list_of(CASSETTE), name="cassettes"),
    Route(
        *("GET", "/_bedtape/cassettes/{cassette}", _cassette, "A cassette's interactions."),
        list_of(INTERACTION),
        name="cassette",
    ),
    Route("GET", "/_bedtape/sessions", _sessions, "All sessions.", list_of(SESSION), name="sessions"),
    Route("GET", _S, _one, "A session.", SESSION, name="session"),
    Route("PUT", _S, _set, "Chooses what a session plays, and how.", SESSION, SETTINGS, name="setSession"),
    Route("DELETE", _S, _drop, "Forgets a session.", DONE, name="dropSession"),
    Route(
        "POST", f"{_S}/reset", _restart, "Makes a session new, with the same cassette.", SESSION, name="resetSession"
    ),
    Route("GET", f"{_S}/overlay", _overlay, "All layers of a session, those of the file too.", LAYERS, name="overlay"),
    Route("PUT", f"{_S}/overlay", _lay, "Replaces its own layers.", LAYERS, OVERLAY, name="setOverlay"),
    Route("DELETE", f"{_S}/overlay", _clear, "Removes its own layers.", DONE, name="clearOverlay"),
    Route("POST", f"{_S}/rules", _add_rule, "Adds a rule.", LAID_RULE, RULE, name="addRule"),
    Route("POST", f"{_S}/faults", _add_fault, "Adds a fault.", LAID_FAULT, FAULT, name="addFault"),
    Route("DELETE", f"{_S}/layers/{{layer}}", _remove, "Removes a rule or fault by name.", DONE, name="removeLayer"),
    Route("GET", f"{_S}/calls", calls_of, "Its calls, the latest last.", CALLS, query=QUERY, name="calls"),
    Route("GET", f"{_S}/calls/{{call}}", call_of, "A call by its number.", CALL, name="call"),
    Route("DELETE", f"{_S}/calls", forget, "Forgets its calls.", DONE, name="forgetCalls"),
    Route("POST", f"{_S}/assert", asserted, "Whether calls were as they should.", ASSERTED, ASSERTION, name="assert"),
    Route(
        "GET", f"{_S}/verdict", verdict_of, "What its clients did wrong in retrying.", list_of(FINDING), name="verdict"
    ),
    Route("GET", f"{_S}/unplayed", unplayed, "Recordings never asked for.", _TEXTS, name="unplayed"),
)
