"""Renders one call in detail: the source of its answer, its attempts, its events,
and the nearest recordings.

The route may change with the inspector's page, so tests should use the control API instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from bedtape_cassettes.families.content import Image, Message
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.document import build_document
from bedtape_cassettes.model import Cassette, Interaction, JsonValue
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.operations import DUPLEX
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Miss, Near
from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.api.route import ApiRequest, Route
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.invocations import group_invocations
from bedtape_replayer.history.json_safe import make_json_safe, render_body
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.explain import compare_conditions

# The page draws no more events than this. Further events are counted.
_EVENTS = 2000
# Characters of an event's payload.
_PAYLOAD = 4000
# Rules and faults whose conditions are compared with the call.
_LAYERS = 50


def render_detail(
    record: Record, session: SessionState, library: Library, calls: Iterable[Record] | None = None
) -> dict[str, JsonValue]:
    """Return the call as in the control API, with its answer, attempts, layers, recording and miss.

    library: the recordings that the session plays from. calls: the calls that can be attempts of
    the same SDK call, if they are known; `None` for all calls of the session.
    """
    answer = record.outcome.answer
    recording = find_recording(library, record.by) if record.source == "cassette" else None
    return {
        "call": record.as_json(),
        "answer": _answer(record),
        "attempts": _attempts(record, session.history.calls if calls is None else calls),
        "layers": _layers(record, session),
        "conditions": _conditions(record, session),
        "recording": recording
        and {
            "cassette": recording[0].name,
            "file": recording[1].file,
            "request": make_json_safe(build_document(recording[1])["request"]),
        },
        "miss": None if answer.miss is None else _miss(answer.miss, library),
    }


def find_recording(library: Library, file: str | None) -> tuple[Cassette, Interaction] | None:
    """Return the recording with this file name and its cassette, or `None`."""
    pairs = ((cassette, each) for cassette in library.cassettes for each in cassette.interactions)
    return next((pair for pair in pairs if pair[1].file == file), None)


def _answer(record: Record) -> JsonValue:
    reply = record.outcome.answer.reply
    pieces = reply.pieces
    progress = record.outcome.progress
    times = progress.times if progress is not None else ()
    events = [
        _event(number, piece, record.events, times) for number, piece in enumerate(pieces[:_EVENTS])
    ]
    return {
        "headers": make_json_safe(record.answer_headers),
        "after_ms": reply.after_ms,
        "streamed": reply.streamed,
        # The cassette that could contain the answer; null if the call has none to keep.
        "kept": cassette_name(record.session)
        if record.outcome.answer.response is not None
        else None,
        "cut": record.cut,
        "blocks": _blocks(record),
        "events": events if reply.streamed else [],
        "input": _input(record),
        "more_events": max(0, len(pieces) - _EVENTS) if reply.streamed else 0,
        **(
            {"body": None, "body_base64": None}
            if reply.streamed
            else render_body(b"".join(p.data for p in pieces))
        ),
    }


def _input(record: Record) -> JsonValue:
    """Return the client's events of a conversation: `at_ms`, `name`, `payload`, `count`, `bytes`.

    Events of audio in a row are one item.
    """
    events = record.json.get("events") if isinstance(record.json, dict) else None
    if record.operation not in DUPLEX or not isinstance(events, list):
        return []
    return [_input_event(event) for event in events[:_EVENTS] if isinstance(event, dict)]


def _input_event(item: dict[str, JsonValue]) -> JsonValue:
    event = item.get("event", item.get("value"))
    names = list(event) if isinstance(event, dict) else []
    payload = bodies.compact(make_json_safe(event)).decode()
    return {
        "at_ms": item.get("at_ms", 0),
        "name": make_json_safe(names[0] if len(names) == 1 else "event"),
        "payload": payload[:_PAYLOAD],
        "count": item.get("count", 1),
        "bytes": item.get("bytes", len(payload)),
    }


def _blocks(record: Record) -> JsonValue:
    """Return the blocks of the answer with their kinds, and images as their size in bytes."""
    if not isinstance(record.content, Message):
        return []
    return [
        {"kind": "image", "format": block.format, "bytes": len(block.data)}
        if isinstance(block, Image)
        else make_json_safe({"kind": type(block).__name__.lower(), **asdict(block)})
        for block in record.content.blocks
    ]


def _event(number: int, piece: Piece, sent: int, times: Sequence[float]) -> JsonValue:
    """Return an event. at_ms: recorded. sent_ms: `None` if all events were sent at once."""
    kind, payload = _read_piece(piece.data)
    return {
        "at_ms": piece.at_ms,
        "sent_ms": round(times[number] * 1000, 1) if number < len(times) else None,
        "bytes": len(piece.data),
        "kind": make_json_safe(kind),
        "payload": payload.decode(errors="replace")[:_PAYLOAD],
        "sent": number < sent,
    }


def _read_piece(data: bytes) -> tuple[str, bytes]:
    """Return kind and payload of a piece of a stream. The kind is its type, or `broken`."""
    try:
        frames = eventstream.decode_all(data)
    except eventstream.FrameError:
        is_text = data.startswith((b"data:", b"event:"))
        return ("data" if is_text else "broken"), data
    if not frames:
        return "empty", b""
    headers = dict(frames[0].strings() or ())
    kind = (
        headers.get(":event-type")
        or headers.get(":exception-type")
        or headers.get(":error-code")
        or "event"
    )
    return kind, _read_chunk(frames[0].payload)


def _read_chunk(payload: bytes) -> bytes:
    """Return the JSON inside a chunk of InvokeModel, also with padding, or the payload of any
    other event.
    """
    if not payload.startswith(b'{"bytes"'):
        return payload
    try:
        return bodies.compact(bodies.read_chunk(payload))
    except ValueError:
        return payload


def _attempts(record: Record, calls: Iterable[Record]) -> JsonValue:
    """Return all attempts of the SDK call that the record belongs to, with the record itself."""
    groups = group_invocations(each for each in calls if _may_belong(each, record))
    attempts = next(
        (
            group.attempts
            for group in groups
            if any(r.number == record.number for r in group.attempts)
        ),
        (),
    )
    return [
        {
            "number": each.number,
            "attempt": each.attempt,
            "began": each.began,
            "seconds": each.seconds,
            "status": each.status,
            "error": make_json_safe(each.error),
        }
        for each in attempts
    ]


def _may_belong(one: Record, other: Record) -> bool:
    """Return whether both may be attempts of one call, without grouping a long history."""
    if one.invocation_id is not None or other.invocation_id is not None:
        return one.invocation_id == other.invocation_id
    return one.call.path == other.call.path and one.call.body == other.call.body


def _layers(record: Record, session: SessionState) -> JsonValue:
    """Return the documents of the rule that answered and of the faults, if they exist."""
    ids = {record.by if record.source in ("rule", "fault") else None, *record.faults}
    return [
        make_json_safe({**each.document, "name": each.id})
        for each in session.layers.effective.layers
        if each.id in ids
    ]


def _conditions(record: Record, session: SessionState) -> JsonValue:
    """Return each condition of the session's rules and faults beside the value of the call."""
    return [
        make_json_safe(
            {"layer": each.id, "condition": name, "expected": expected, "found": actual, "met": met}
        )
        for each in session.layers.effective.layers[:_LAYERS]
        for name, expected, actual, met in compare_conditions(each.when, record.call)
    ]


def _miss(miss: Miss, library: Library) -> JsonValue:
    return {
        "request": make_json_safe(miss.request),
        "recordings": miss.recordings,
        "exhausted": miss.exhausted,
        "nearest": [_near(near, library) for near in miss.nearest],
    }


def _near(near: Near, library: Library) -> JsonValue:
    """Return a near recording with its differences, and with its request if it is still loaded."""
    recording = find_recording(library, near.file)
    return {
        "file": make_json_safe(near.file),
        "cassette": None if recording is None else make_json_safe(recording[0].name),
        "differences": [make_json_safe(asdict(each)) for each in near.differences],
        "recorded": None
        if recording is None
        else make_json_safe(build_document(recording[1])["request"]),
    }


def _call(request: ApiRequest) -> JsonValue:
    session = request.peek_session()
    return render_detail(request.find_call(), session, session.library or request.engine.library)


ROUTES = (
    Route(
        "GET",
        "/_bedtape/inspector/sessions/{session}/calls/{call}",
        _call,
        "Returns one call in detail.",
    ),
)
