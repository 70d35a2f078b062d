"""A call of the history as fakecloud's introspection API lists it. Nothing here raises, whatever the client sent."""

from __future__ import annotations

from datetime import UTC, datetime

from bedtape_cassettes.format.bodies import compact, parse, read_value
from bedtape_cassettes.model import Body, Event, JsonValue
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import is_failure

__all__ = ["invocation"]


def invocation(call: Record) -> JsonValue:
    """Exactly that emulator's keys; requestMetadata only where the client sent some."""
    told = {
        "modelId": call.model or "",
        "input": call.body.decode(errors="replace"),
        "output": _output(call),
        "timestamp": datetime.fromtimestamp(call.began, UTC).isoformat(),
        "error": f"{call.error or call.status}: {call.message or ''}" if call.error or is_failure(call) else None,
    }
    metadata = _metadata(call)
    return make_json_safe({**told, "requestMetadata": metadata} if metadata else told)


def _output(call: Record) -> str:
    """The answer's body; of a stream the text that was said, or where none was its values, as a list; of errors nothing."""
    said = call.outcome.answer.response
    if said is None or is_failure(call):
        return ""
    if isinstance(said.body, Body):
        return said.body.data.decode(errors="replace")
    return call.text or compact([make_json_safe(_value(event)) for event in said.body.events]).decode()


def _value(event: Event) -> JsonValue:
    try:
        return read_value(event.form, event.payload)
    except ValueError:
        return event.payload.decode(errors="replace")


def _metadata(call: Record) -> dict[str, str]:
    """What the client says about its request: in Converse's body, in InvokeModel's header; empty where it says nothing."""
    try:
        header = call.call.head.get("x-amzn-bedrock-request-metadata")
        said = call.json.get("requestMetadata") if isinstance(call.json, dict) else None
        said = parse(header.encode("latin-1")) if header is not None else said
    except ValueError:
        return {}
    return {key: value for key, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}
