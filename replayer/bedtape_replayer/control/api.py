"""The control API's routes: sessions, rules, faults, calls, assertions, cassettes, the clock. Pure but for the engine.

Everything that Python can do is here too, in the same words, so that any language can.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from bedtape_cassettes.bodies import parse
from bedtape_cassettes.checking import Schema, Wrong, problems
from bedtape_cassettes.document import document_of
from bedtape_cassettes.model import Cassette, Interaction, JsonValue
from bedtape_replayer.assertions import (
    CallsMismatch,
    assert_all_played,
    assert_called,
    assert_not_called,
    assert_sequence,
)
from bedtape_replayer.control.openapi import openapi
from bedtape_replayer.control.routes import Asked, Failed, NoSuch, Route
from bedtape_replayer.calls import ConditionInvalid
from bedtape_replayer.overlay.document import OverlayInvalid, fault_of, overlay_of, rule_of
from bedtape_replayer.overlay.overlay import NOTHING, Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schema import FAULT, OVERLAY, RULE
from bedtape_replayer.session import SessionState
from bedtape_replayer.verdict import verdict

__all__ = ["ROUTES"]

_ANY: Schema = {"type": "object"}
_LIST: Schema = {"type": "array", "items": _ANY}
_OK: Schema = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
_DONE: JsonValue = {"status": "ok"}
# A page of calls, if the asker does not say: what a person reads at a time.
_PAGE = 100


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


# -- reading what is asked -------------------------------------------------------------------------------------


def _json(asked: Asked) -> Any:
    try:
        return parse(asked.body)
    except ValueError as error:
        raise Failed(400, {"error": f"expected a JSON body, found {asked.body[:40]!r} ({error})"}) from None


def _invalid(wrong: tuple[Wrong, ...] | list[Wrong]) -> Failed:
    told: list[Any] = [{"where": w.where, "expected": w.expected, "found": w.found, "mend": w.mend} for w in wrong]
    return Failed(400, {"error": "\n".join(map(str, wrong)), "problems": told})


def _checked(asked: Asked, schema: Schema) -> Any:
    value = _json(asked)
    if wrong := problems(value, schema):
        raise _invalid(wrong)
    return value


def _session(asked: Asked) -> SessionState:
    """The session that the path names, made where there is none yet: a test configures it before its first call."""
    return asked.engine.sessions.get(asked.parts["session"])


# -- the server ------------------------------------------------------------------------------------------------


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
    return _DONE


def _clock(asked: Asked) -> JsonValue:
    return {"now": asked.engine.clock.now}


_ADVANCE: Schema = {
    "type": "object",
    "properties": {"advance": {"type": "number", "minimum": 0, "maximum": 1e9, "description": "Seconds."}},
    "required": ["advance"],
    "additionalProperties": False,
}


def _advance(asked: Asked) -> JsonValue:
    asked.engine.clock.advance(_checked(asked, _ADVANCE)["advance"])
    return _clock(asked)


def _cassettes(asked: Asked) -> JsonValue:
    return [_cassette_told(cassette) for cassette in asked.engine.library.cassettes]


def _cassette_told(cassette: Cassette) -> dict[str, Any]:
    interactions = cassette.interactions
    return {
        "name": cassette.name,
        "interactions": len(interactions),
        "partial": sum(i.partial for i in interactions),
        "operations": sorted({i.operation for i in interactions if i.operation}),
        "models": sorted({i.model for i in interactions if i.model}),
    }


def _cassette(asked: Asked) -> JsonValue:
    name = asked.parts["cassette"]
    cassette = next((c for c in asked.engine.library.cassettes if c.name == name), None)
    if cassette is None:
        raise NoSuch(f"no cassette is named {name!r}; /_bedtape/cassettes has those there are")
    return [_interaction(interaction) for interaction in cassette.interactions]


def _interaction(interaction: Interaction) -> JsonValue:
    return {"file": interaction.file, **document_of(interaction)}


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
        "calls": len(session.history.calls),
        "forgotten": session.history.forgotten,
        "rules": len(own.rules),
        "faults": len(own.faults),
    }


def _one(asked: Asked) -> JsonValue:
    return _told(_session(asked))


_SETTINGS: Schema = {
    "type": "object",
    "properties": {
        "cassette": {
            "type": ["string", "null"],
            "description": "The cassette to play from; null for the usual choice.",
        },
        "strict": {"type": ["boolean", "null"], "description": "Play each recording once; null for the server's word."},
    },
    "additionalProperties": False,
}


def _set(asked: Asked) -> JsonValue:
    settings = _checked(asked, _SETTINGS)
    session = _session(asked)
    cassette = settings.get("cassette")
    if cassette is not None and cassette not in {c.name for c in asked.engine.library.cassettes}:
        raise NoSuch(f"no cassette is named {cassette!r}; /_bedtape/cassettes has those there are")
    if "cassette" in settings:
        session.cassette = cassette
    if "strict" in settings:
        session.strict = settings["strict"]
    return _told(session)


def _drop(asked: Asked) -> JsonValue:
    if not asked.engine.sessions.drop(asked.parts["session"]):
        raise NoSuch(f"no session is named {asked.parts['session']!r}; /_bedtape/sessions has those there are")
    return _DONE


def _restart(asked: Asked) -> JsonValue:
    return _told(asked.engine.sessions.reset(asked.parts["session"]))


# -- layers ----------------------------------------------------------------------------------------------------


def _layer_told(session: SessionState, layer: Rule | Fault) -> dict[str, Any]:
    return {**layer.told, "name": layer.id, "fired": session.layers.fired(layer.id)}


def _overlay(asked: Asked) -> JsonValue:
    session = _session(asked)
    layers = session.layers.every
    told: dict[str, Any] = {
        "seed": layers.seed,
        "rules": [_layer_told(session, rule) for rule in layers.rules],
        "faults": [_layer_told(session, fault) for fault in layers.faults],
    }
    return told


def _lay(asked: Asked) -> JsonValue:
    try:
        _session(asked).layers.lay(overlay_of(_json(asked)))
    except OverlayInvalid as error:
        raise _invalid(error.wrong) from None
    return _overlay(asked)


def _clear(asked: Asked) -> JsonValue:
    _session(asked).layers.lay(NOTHING)
    return _DONE


def _add_rule(asked: Asked) -> JsonValue:
    session = _session(asked)
    return _added(session, asked, lambda value: rule_of(value, session.layers.next_id))


def _add_fault(asked: Asked) -> JsonValue:
    session = _session(asked)
    return _added(session, asked, lambda value: fault_of(value, session.layers.next_id))


def _added(session: SessionState, asked: Asked, made: Any) -> JsonValue:
    try:
        layer = made(_json(asked))
    except OverlayInvalid as error:
        raise _invalid(error.wrong) from None
    if session.layers.has(layer.id):
        raise Failed(409, {"error": f"a layer is named {layer.id!r} already; name it otherwise, or remove that one"})
    session.layers.add(layer)
    return _layer_told(session, layer)


def _remove(asked: Asked) -> JsonValue:
    name = asked.parts["layer"]
    if not _session(asked).layers.remove(name):
        raise NoSuch(f"the session has no layer of its own named {name!r}")
    return _DONE


# -- calls -----------------------------------------------------------------------------------------------------

_CALL_QUERY: dict[str, Schema] = {
    **{
        name: {"type": "string"}
        for name in ("operation", "model", "prompt_contains", "prompt_regex", "text_contains", "source", "error", "by")
    },
    "status": {"type": "integer"},
    "since": {"type": "integer", "description": "Only calls with a higher number."},
    "limit": {"type": "integer", "description": f"At most so many, the latest; {_PAGE} if not given."},
}


def _calls(asked: Asked) -> JsonValue:
    session = asked.engine.sessions.find(asked.parts["session"])
    if session is None:
        return {"calls": [], "total": 0, "forgotten": 0}
    conditions: dict[str, Any] = {}
    for name, value in asked.query.items():
        if name not in _CALL_QUERY:
            raise Failed(400, {"error": f"expected parameters among {', '.join(_CALL_QUERY)}, found {name!r}"})
        conditions[name] = _whole(name, value) if _CALL_QUERY[name]["type"] == "integer" else value
    since, limit = conditions.pop("since", 0), conditions.pop("limit", _PAGE)
    calls = [call for call in _filtered(session, conditions) if call.number > since]
    return {
        "calls": [call.as_json() for call in calls[-limit:]] if limit > 0 else [],
        "total": len(calls),
        "forgotten": session.history.forgotten,
    }


def _whole(name: str, value: str) -> int:
    if not value.isdecimal():
        raise Failed(400, {"error": f"expected a whole number for {name}, found {value!r}"})
    return int(value)


def _filtered(session: SessionState, conditions: dict[str, Any]) -> Any:
    try:
        return session.history.calls.filter(**conditions)
    except ConditionInvalid as error:
        raise Failed(400, {"error": str(error)}) from None


def _call(asked: Asked) -> JsonValue:
    number = _whole("the call's number", asked.parts["call"])
    for call in _session(asked).history.calls:
        if call.number == number:
            return call.as_json()
    raise NoSuch(f"the session's history has no call {number}")


def _forget(asked: Asked) -> JsonValue:
    _session(asked).history.clear()
    return _DONE


_CONDITIONS: Schema = {"type": "object", "additionalProperties": True}
_ASSERTION: Schema = {
    "type": "object",
    "properties": {
        "called": {**_CONDITIONS, "description": "Conditions, and times, at_least or at_most."},
        "not_called": _CONDITIONS,
        "sequence": {"type": "array", "items": _CONDITIONS, "minItems": 1, "description": "Conditions, in order."},
        "all_played": {"type": "boolean", "description": "Whether every recording was asked for."},
    },
    "additionalProperties": False,
    "minProperties": 1,
}
_PASSED: Schema = {
    "type": "object",
    "properties": {"passed": {"type": "boolean"}, "report": {"type": ["string", "null"]}},
    "required": ["passed", "report"],
}


def _assert(asked: Asked) -> JsonValue:
    wanted = _checked(asked, _ASSERTION)
    session = _session(asked)
    calls = session.history.calls
    try:
        if "called" in wanted:
            assert_called(calls, **wanted["called"])
        if "not_called" in wanted:
            assert_not_called(calls, **wanted["not_called"])
        if "sequence" in wanted:
            assert_sequence(calls, wanted["sequence"])
        if wanted.get("all_played"):
            assert_all_played(session.unplayed(session.index(asked.engine.library)))
    except ConditionInvalid as error:
        raise Failed(400, {"error": str(error)}) from None
    except CallsMismatch as error:
        return {"passed": False, "report": str(error)}
    return {"passed": True, "report": None}


def _verdict(asked: Asked) -> JsonValue:
    return [finding.as_json() for finding in verdict(_session(asked).history.calls)]


def _unplayed(asked: Asked) -> JsonValue:
    session = _session(asked)
    return [recording.interaction.file for recording in session.unplayed(session.index(asked.engine.library))]


def _openapi(asked: Asked) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    error: Schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    schemas = {"Rule": RULE, "Fault": FAULT, "Overlay": OVERLAY, "Error": error}
    return openapi(ROUTES, version("bedtape"), schemas)


def _schema(asked: Asked) -> JsonValue:  # noqa: ARG001 - the same whoever asks
    return OVERLAY


_S = "/_bedtape/sessions/{session}"
_STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
_PAGES: Schema = {
    "type": "object",
    "properties": {"calls": _LIST, "total": {"type": "integer"}, "forgotten": {"type": "integer"}},
    "required": ["calls", "total", "forgotten"],
}

ROUTES = (
    Route("GET", "/_bedtape/health", _health, "Whether it runs, and what it plays.", name="health"),
    Route("GET", "/_bedtape/openapi.json", _openapi, "This description.", name="openapi"),
    Route("GET", "/_bedtape/overlay.schema.json", _schema, "The JSON Schema of overlay files.", name="overlaySchema"),
    Route("POST", "/_bedtape/reset", _reset, "Forgets all sessions.", _OK, name="reset"),
    Route("GET", "/_bedtape/clock", _clock, "The virtual clock by which quotas count.", name="clock"),
    Route("POST", "/_bedtape/clock", _advance, "Moves the clock on.", takes=_ADVANCE, name="advanceClock"),
    Route("GET", "/_bedtape/cassettes", _cassettes, "All cassettes.", _LIST, name="cassettes"),
    Route("GET", "/_bedtape/cassettes/{cassette}", _cassette, "A cassette's interactions.", _LIST, name="cassette"),
    Route("GET", "/_bedtape/sessions", _sessions, "All sessions.", _LIST, name="sessions"),
    Route("GET", _S, _one, "A session, made where there is none.", name="session"),
    Route("PUT", _S, _set, "Chooses a session's cassette.", takes=_SETTINGS, name="setSession"),
    Route("DELETE", _S, _drop, "Forgets a session.", _OK, name="dropSession"),
    Route("POST", f"{_S}/reset", _restart, "Makes a session new, with the same cassette.", name="resetSession"),
    Route("GET", f"{_S}/overlay", _overlay, "All layers of a session, those of the file too.", name="overlay"),
    Route("PUT", f"{_S}/overlay", _lay, "Replaces its layers.", takes=_ref("Overlay"), name="setOverlay"),
    Route("DELETE", f"{_S}/overlay", _clear, "Removes its layers; those of the file stay.", _OK, name="clearOverlay"),
    Route("POST", f"{_S}/rules", _add_rule, "Adds a rule.", takes=_ref("Rule"), name="addRule"),
    Route("POST", f"{_S}/faults", _add_fault, "Adds a fault.", takes=_ref("Fault"), name="addFault"),
    Route("DELETE", f"{_S}/layers/{{layer}}", _remove, "Removes a rule or fault by name.", _OK, name="removeLayer"),
    Route("GET", f"{_S}/calls", _calls, "Its calls, the latest last.", _PAGES, query=_CALL_QUERY, name="calls"),
    Route("GET", f"{_S}/calls/{{call}}", _call, "A call by its number.", name="call"),
    Route("DELETE", f"{_S}/calls", _forget, "Forgets its calls.", _OK, name="forgetCalls"),
    Route("POST", f"{_S}/assert", _assert, "Whether calls were as they should.", _PASSED, _ASSERTION, name="assert"),
    Route("GET", f"{_S}/verdict", _verdict, "What its clients did wrong in retrying.", _LIST, name="verdict"),
    Route("GET", f"{_S}/unplayed", _unplayed, "Recordings never asked for.", _STRINGS, name="unplayed"),
)
