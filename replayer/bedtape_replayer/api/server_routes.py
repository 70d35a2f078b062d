"""The routes of the control API about the server: its health, its clock and its cassettes."""

from __future__ import annotations

from bedtape_cassettes.format.document import build_document
from bedtape_cassettes.model import Cassette, JsonValue
from bedtape_replayer.api.route import VERSION, ApiRequest, NoSuch
from bedtape_replayer.api.schemas import ADVANCE
from bedtape_replayer.history.json_safe import make_json_safe

OK: JsonValue = {"status": "ok"}


def cassette_named(request: ApiRequest, name: str) -> Cassette:
    cassette = next((c for c in request.engine.library.cassettes if c.name == name), None)
    if cassette is None:
        raise NoSuch(f"no cassette is named {name!r}; /_bedtape/cassettes lists all cassettes")
    return cassette


def health(request: ApiRequest) -> JsonValue:
    engine = request.engine
    return {
        "status": "ok",
        "version": VERSION,
        "cassettes": len(engine.library.cassettes),
        "interactions": len(engine.library),
        "editable": engine.editor is not None,
        "sessions": len(list(engine.sessions)),
        "memory_used": engine.memory.used,
        "memory_limit": engine.memory.limit,
        "forgotten": engine.memory.forgotten,
        "dropped_sessions": engine.sessions.dropped,
    }


def reset(request: ApiRequest) -> JsonValue:
    request.engine.reset()
    return OK


def clock(request: ApiRequest) -> JsonValue:
    return {"now": request.engine.clock.now}


def advance(request: ApiRequest) -> JsonValue:
    request.engine.clock.advance(request.read_json_as(ADVANCE)["advance"])
    return clock(request)


def cassettes(request: ApiRequest) -> JsonValue:
    return [_describe_cassette(cassette) for cassette in request.engine.library.cassettes]


def _describe_cassette(cassette: Cassette) -> JsonValue:
    interactions = cassette.interactions
    description = {
        "name": cassette.name,
        "interactions": len(interactions),
        "partial": sum(i.partial for i in interactions),
        "operations": sorted({i.operation for i in interactions if i.operation}),
        "models": sorted({i.model for i in interactions if i.model}),
    }
    return make_json_safe(description)


def cassette(request: ApiRequest) -> JsonValue:
    cassette = cassette_named(request, request.parts["cassette"])
    return [
        make_json_safe({"file": each.file, **build_document(each)})
        for each in cassette.interactions
    ]
