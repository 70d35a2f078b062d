"""Captures sessions as JSON for the report: the inspector's data, and the recordings they used.

Two routes give pytest's fixture a session that is on a server in another process. Other programs
should use the control API instead, because the calls have the form of this version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast
from urllib.parse import quote

from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.format.document import build_document
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub, scrub_text
from bedtape_replayer.answering.reply import Reply, build_own_reply
from bedtape_replayer.api.call_routes import list_unplayed, verdict_of
from bedtape_replayer.api.events import Contents, render_row, render_session
from bedtape_replayer.api.inspector.call_detail import find_recording, render_detail
from bedtape_replayer.api.route import ApiRequest, Route
from bedtape_replayer.api.session_routes import overlay_of, session_of
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.values import encode, encode_outcome

# Sessions, calls, recordings, and the answers of routes by their path. See `capture`.
Part: TypeAlias = dict[str, Any]


def capture(
    engine: Engine, session: SessionState, title: str | None = None, redaction: Redaction = ALWAYS
) -> Part:
    """Return a session as plain JSON, without secrets, because a report is given to others.

    title: the session's name in the report, if not its own. redaction: the user's patterns, as in
    recordings. A test can drop the session afterwards. `merge` joins the parts of many sessions.
    """
    name = scrub_text(title or session.name, redaction)
    library = session.library or engine.library
    records = session.history.calls
    families = _group_families(records)
    answers: dict[str, JsonValue] = {
        path_of("inspector", "sessions", name, "calls", str(record.number)): _rename(
            "call", name, render_detail(record, session, library, families[_family_of(record)])
        )
        for record in records
    }
    request = ApiRequest(engine, session.name, {"session": session.name}, {}, b"")
    answers |= {
        path_of("sessions", name): {**session_of(request), "name": name},
        path_of("sessions", name, "overlay"): overlay_of(request),
        path_of("sessions", name, "verdict"): verdict_of(request),
        path_of("sessions", name, "unplayed"): list_unplayed(request),
    }
    recordings: dict[str, list[JsonValue]] = defaultdict(list)
    for file in dict.fromkeys(_files_of(records)):
        if (pair := find_recording(library, file)) is not None:
            recordings[pair[0].name].append(
                make_json_safe({"file": pair[1].file, **build_document(pair[1])})
            )
    contents: Contents = {}
    part: Any = {
        "sessions": [{**render_session(session), "name": name}],
        "calls": [{**render_row(record, contents), "session": name} for record in records],
        "recordings": recordings,
        "answers": answers,
    }
    return cast(Part, parse(scrub(compact(part), redaction)))


def path_of(*parts: str) -> str:
    """Return the path that the page asks for, encoded as by JavaScript's encodeURIComponent."""
    return "/".join(quote(part, safe="!'()*") for part in parts)


def _rename(member: str, name: str, value: Any) -> JsonValue:
    return {**value, member: {**value[member], "session": name}}


def _family_of(record: Record) -> tuple[object, ...]:
    """Return what an SDK call's attempts have in common, so that a history is grouped once."""
    return (
        (record.invocation_id,)
        if record.invocation_id is not None
        else (record.call.path, record.call.body)
    )


def _group_families(records: Iterable[Record]) -> Mapping[tuple[object, ...], list[Record]]:
    families: dict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in records:
        families[_family_of(record)].append(record)
    return families


def _files_of(records: Iterable[Record]) -> Iterator[str]:
    """Yield the files of the recordings that answered, or that a miss names."""
    for record in records:
        if record.source == "cassette" and record.by is not None:
            yield record.by
        miss = record.outcome.answer.miss
        yield from (near.file for near in miss.nearest) if miss is not None else ()


def merge(parts: Iterable[Part]) -> dict[str, JsonValue]:
    """Return the answers of a report by the paths of the inspector's page.

    The parts have sessions of different names.
    """
    sessions: list[Any] = []
    calls: list[Any] = []
    recordings: dict[str, dict[str, Any]] = defaultdict(dict)
    answers: dict[str, JsonValue] = {}
    for part in parts:
        sessions += part["sessions"]
        calls += part["calls"]
        answers |= part["answers"]
        for cassette, documents in part["recordings"].items():
            recordings[cassette] |= {each["file"]: each for each in documents}
    forgotten = sum(session["forgotten"] for session in sessions)
    calls.sort(key=lambda call: call["ended"])
    return {
        "events": {"calls": calls, "forgotten": forgotten, "dropped": 0, "sessions": sessions},
        "cassettes": [
            _describe_cassette(name, list(held.values()))
            for name, held in sorted(recordings.items())
        ],
        **{path_of("cassettes", name): list(held.values()) for name, held in recordings.items()},
        **answers,
    }


def _describe_cassette(name: str, documents: list[Any]) -> JsonValue:
    models = sorted({each["model"] for each in documents if each.get("model")})
    return {"name": name, "interactions": len(documents), "models": models}


# -- for tests in another process ------------------------------------------------------------------


def _list_outcomes(request: ApiRequest) -> Reply:
    """Return the number of forgotten calls and the outcomes of the calls, each encoded."""
    calls = request.peek_session().history.calls
    outcomes = tuple(encode_outcome(record.outcome) for record in calls)
    media = (b"Content-Type", b"application/msgpack")
    body = encode((calls.forgotten, outcomes))
    return build_own_reply(200, body, (b"Cache-Control", b"no-store"), first=media)


def _capture(request: ApiRequest) -> JsonValue:
    return capture(request.engine, request.peek_session(), request.query.get("title"))


_S = "/_bedtape/inspector/sessions/{session}"
ROUTES = (
    Route("GET", f"{_S}/outcomes", _list_outcomes, "Returns the outcomes of all calls."),
    Route("GET", f"{_S}/capture", _capture, "Returns what a report shows of the session."),
)
