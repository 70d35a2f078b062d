"""The kinds of faults by their key in a document, each with its schema and constructor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import Schema
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.corruption import Corrupt, Damage
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.events import Drop, Insert, Repeat, Swap
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.quota import Quota
from bedtape_replayer.overlay.faults.reset import BreakOff
from bedtape_replayer.overlay.faults.semantic import Meaning, Misanswer
from bedtape_replayer.overlay.faults.stall import Silence
from bedtape_replayer.overlay.faults.truncation import Truncate

__all__ = ["BESIDE_ERROR", "KINDS", "FaultSpec"]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """schema: of the value under the key. make: builds the kind from the fault; raises ValueError if invalid."""

    schema: Schema
    make: Callable[[dict[str, Any]], FaultKind]


def _number(description: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": description}


def _object(description: str, *required: str, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    return {**schema, "additionalProperties": False, **({"required": list(required)} if required else {})}


_AFTER = _number("After so many events.")
_MORE = _number("Then so many bytes of the next.")
_NUMBERS: Schema = {"type": "array", "items": _number("An event, from 1.", 1), "minItems": 1, "description": "Which."}
_TYPES: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Which, by type."}

# The keys that a fault may have beside `error`.
BESIDE_ERROR: dict[str, Schema] = {
    "message": {"type": "string", "description": "What the error says; Bedrock's own words where there is none."},
    "status": {"type": "integer", "minimum": 200, "maximum": 599, "description": "The HTTP status, if not its own."},
    "members": {"type": "object", "description": "More members of its body.", "additionalProperties": True},
    "retry_after_ms": _number("What x-amz-retry-after tells, in milliseconds."),
    "after_events": _number("In the middle of an event stream, after so many events, as an exception frame."),
}


def _build_error(fault: dict[str, Any]) -> FaultKind:
    given = {key: fault[key] for key in BESIDE_ERROR if key in fault}
    if "after_events" not in given:
        return Refuse(Failure(fault["error"], **given))
    alone = [key for key in ("status", "retry_after_ms") if key in given]
    if alone:
        raise ValueError(f"{' and '.join(alone)} with after_events: the status went out before the stream")
    return Raise(fault["error"], **given)


def _build_http(fault: dict[str, Any]) -> FaultKind:
    given = fault["http"]
    if "text" in given and "json" in given:
        raise ValueError("text and json: a body is one of them")
    body = given["text"].encode() if "text" in given else compact(given["json"]) if "json" in given else b""
    return Refuse(Failure(status=given["status"], headers=tuple(given.get("headers", {}).items()), body=body))


def _build_from_keywords(key: str, kind: Callable[..., FaultKind]) -> Callable[[dict[str, Any]], FaultKind]:
    def make(fault: dict[str, Any]) -> FaultKind:
        lists = {name: tuple(value) if isinstance(value, list) else value for name, value in fault[key].items()}
        return kind(**lists)

    return make


def _build_misanswer(fault: dict[str, Any]) -> FaultKind:
    given = fault["misanswer"]
    if isinstance(given, dict) and "family" in given:
        family_of("InvokeModel", "", given["family"])
    return Misanswer(given) if isinstance(given, str) else Misanswer(**given)  # type: ignore[arg-type]  # checked by schema


_MEANING: Schema = {"type": "string", "enum": list(get_args(Meaning)), "description": "What goes wrong."}

KINDS: dict[str, FaultSpec] = {
    "error": FaultSpec({"type": "string", "minLength": 1, "description": "An error by its name."}, _build_error),
    "http": FaultSpec(
        _object(
            "Any status with any body, in place of an error of Bedrock's.",
            "status",
            status={"type": "integer", "minimum": 200, "maximum": 599, "description": "The status."},
            text={"type": "string", "description": "The body as text."},
            json={"description": "The body as JSON."},
            headers={"type": "object", "additionalProperties": {"type": "string"}, "description": "More headers."},
        ),
        _build_http,
    ),
    "latency": FaultSpec(
        _object(
            "Waits.",
            first_byte_ms=_number("Before the head."),
            between_ms=_number("Between events."),
            jitter_ms=_number("Up to so much more of each, seeded."),
        ),
        _build_from_keywords("latency", Delay),
    ),
    "stall": FaultSpec(
        _object("Silence until the client goes: before the head, or after events.", after_events=_AFTER),
        _build_from_keywords("stall", Silence),
    ),
    "error_frame": FaultSpec(
        _object(
            "A frame of type `error`, which no model has, in the middle of an event stream.",
            "code",
            code={"type": "string", "description": "Its code."},
            message={"type": "string", "description": "Its message."},
            after_events=_AFTER,
        ),
        _build_from_keywords("error_frame", RaiseUnmodelled),
    ),
    "truncate": FaultSpec(
        _object(
            "An answer that is too short.",
            after_events=_AFTER,
            bytes_more=_MORE,
            in_order={"type": "boolean", "description": "Whether it ends as if that were all (true), or is cut."},
        ),
        _build_from_keywords("truncate", Truncate),
    ),
    "corrupt": FaultSpec(
        _object(
            "Damaged bytes.",
            "what",
            what={"type": "string", "enum": list(get_args(Damage)), "description": "What is wrong."},
            event=_number("In which event, from 1.", 1),
        ),
        _build_from_keywords("corrupt", Corrupt),
    ),
    "drop": FaultSpec(_object("Events left out.", numbers=_NUMBERS, types=_TYPES), _build_from_keywords("drop", Drop)),
    "repeat": FaultSpec(
        _object("Events sent again.", numbers=_NUMBERS, types=_TYPES, times=_number("How often.", 1)),
        _build_from_keywords("repeat", Repeat),
    ),
    "swap": FaultSpec(
        _object("Two events in each other's place.", "first", "second", first=_number("", 1), second=_number("", 1)),
        _build_from_keywords("swap", Swap),
    ),
    "insert": FaultSpec(
        _object(
            "An event that no model has.",
            "type",
            type={"type": "string", "minLength": 1, "description": "Its type."},
            payload={"type": "object", "additionalProperties": True, "description": "Its payload."},
            after_events=_AFTER,
        ),
        _build_from_keywords("insert", Insert),
    ),
    "reset": FaultSpec(
        _object(
            "The connection breaks: before the head, after events, or inside one.",
            after_events=_AFTER,
            bytes_more=_MORE,
            code=_number("An error code of HTTP/2, which then ends this answer alone."),
        ),
        _build_from_keywords("reset", BreakOff),
    ),
    "quota": FaultSpec(
        _object(
            "ThrottlingException past so much in a minute of the virtual clock.",
            requests_per_minute=_number("Requests.", 1),
            tokens_per_minute=_number("Tokens.", 1),
        ),
        _build_from_keywords("quota", Quota),
    ),
    "misanswer": FaultSpec(
        {
            "description": "The model answers, and not as it should.",
            "anyOf": [
                _MEANING,
                _object(
                    "With more about it.",
                    "what",
                    what=_MEANING,
                    text={"type": "string", "description": "What it says then."},
                    family={"type": "string", "description": "The model family, where a model's id does not tell."},
                ),
            ],
        },
        _build_misanswer,
    ),
}
