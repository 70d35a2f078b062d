"""The kinds of faults by their key in a document, each with its schema and constructor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import make_count
from bedtape_cassettes.model import LONGEST_MS
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


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """schema: of the key's value. make: builds the kind; raises ValueError if invalid."""

    schema: Schema
    make: Callable[[dict[str, Any]], FaultKind]


def _ms(description: str) -> Schema:
    return make_count(description, 0, LONGEST_MS)


def _object(description: str, *required: str, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    return {
        **schema,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


_AFTER = make_count("The number of events before it.", 0)
_MORE = make_count("The number of bytes of the next event before it.", 0)
_NUMBERS: Schema = {
    "type": "array",
    "items": make_count("An event, from 1."),
    "minItems": 1,
    "description": "The events, by number.",
}
_TYPES: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "description": "The events, by type.",
}

# The keys that a fault may have beside `error`.
BESIDE_ERROR: dict[str, Schema] = {
    "message": {
        "type": "string",
        "description": "The message of the error. Default: Bedrock's own message.",
    },
    "status": make_count("The HTTP status. Default: the status of the error.", 200, 599),
    "members": {
        "type": "object",
        "description": "Additional members of the error's body.",
        "additionalProperties": True,
    },
    "retry_after_ms": _ms("The value of x-amz-retry-after, in milliseconds."),
    "after_events": make_count(
        "The number of events before the error, which is then sent as an exception frame in the"
        " stream.",
        0,
    ),
}


def _build_error(fault: dict[str, Any]) -> FaultKind:
    given = {key: fault[key] for key in BESIDE_ERROR if key in fault}
    if "after_events" not in given:
        return Refuse(Failure(fault["error"], **given))
    alone = [key for key in ("status", "retry_after_ms") if key in given]
    if alone:
        raise ValueError(
            f"{' and '.join(alone)} with after_events: the status went out before the stream"
        )
    return Raise(fault["error"], **given)


def _build_http(fault: dict[str, Any]) -> FaultKind:
    given = fault["http"]
    if "text" in given and "json" in given:
        raise ValueError("text and json: a body is one of them")
    body = (
        given["text"].encode()
        if "text" in given
        else compact(given["json"])
        if "json" in given
        else b""
    )
    return Refuse(
        Failure(status=given["status"], headers=tuple(given.get("headers", {}).items()), body=body)
    )


def _build_from_keywords(
    key: str, kind: Callable[..., FaultKind]
) -> Callable[[dict[str, Any]], FaultKind]:
    def make(fault: dict[str, Any]) -> FaultKind:
        lists = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fault[key].items()
        }
        return kind(**lists)

    return make


def _build_misanswer(fault: dict[str, Any]) -> FaultKind:
    given = fault["misanswer"]
    if isinstance(given, dict) and "family" in given:
        family_of("InvokeModel", "", given["family"])
    return Misanswer(given) if isinstance(given, str) else Misanswer(**given)  # type: ignore[arg-type]  # checked by schema


_MEANING: Schema = {
    "type": "string",
    "enum": list(get_args(Meaning)),
    "description": "The kind of wrong answer.",
}

KINDS: dict[str, FaultSpec] = {
    "error": FaultSpec(
        {"type": "string", "minLength": 1, "description": "An error by its name."}, _build_error
    ),
    "http": FaultSpec(
        _object(
            "An answer with any status and body.",
            "status",
            status=make_count("The status.", 200, 599),
            text={"type": "string", "description": "The body as text."},
            json={"description": "The body as JSON."},
            headers={
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Additional headers.",
            },
        ),
        _build_http,
    ),
    "latency": FaultSpec(
        _object(
            "Delays in milliseconds.",
            first_byte_ms=_ms("The delay before the response head."),
            between_ms=_ms("The delay between events."),
            jitter_ms=_ms("The greatest random addition to each delay, seeded."),
        ),
        _build_from_keywords("latency", Delay),
    ),
    "stall": FaultSpec(
        _object(
            "No more bytes until the client closes: before the head, or after events.",
            after_events=_AFTER,
        ),
        _build_from_keywords("stall", Silence),
    ),
    "error_frame": FaultSpec(
        _object(
            "A frame of type `error`, which no service model contains, in an event stream.",
            "code",
            code={"type": "string", "description": "Its code."},
            message={"type": "string", "description": "Its message."},
            after_events=_AFTER,
        ),
        _build_from_keywords("error_frame", RaiseUnmodelled),
    ),
    "truncate": FaultSpec(
        _object(
            "An answer that ends early.",
            after_events=_AFTER,
            bytes_more=_MORE,
            in_order={
                "type": "boolean",
                "description": "Whether the answer ends in order (true), or the connection closes.",
            },
        ),
        _build_from_keywords("truncate", Truncate),
    ),
    "corrupt": FaultSpec(
        _object(
            "Damaged bytes.",
            "what",
            what={
                "type": "string",
                "enum": list(get_args(Damage)),
                "description": "The kind of damage.",
            },
            event=make_count("The number of the damaged event, from 1."),
        ),
        _build_from_keywords("corrupt", Corrupt),
    ),
    "drop": FaultSpec(
        _object("Events to leave out.", numbers=_NUMBERS, types=_TYPES),
        _build_from_keywords("drop", Drop),
    ),
    "repeat": FaultSpec(
        _object(
            "Events to send again.",
            numbers=_NUMBERS,
            types=_TYPES,
            times=make_count("The number of repetitions.", 1, 1000),
        ),
        _build_from_keywords("repeat", Repeat),
    ),
    "swap": FaultSpec(
        _object(
            "Two events that change places.",
            "first",
            "second",
            first=make_count("The number of the first event."),
            second=make_count("The number of the second event."),
        ),
        _build_from_keywords("swap", Swap),
    ),
    "insert": FaultSpec(
        _object(
            "An event that no service model contains.",
            "type",
            type={"type": "string", "minLength": 1, "description": "The type of the event."},
            payload={
                "type": "object",
                "additionalProperties": True,
                "description": "The payload of the event.",
            },
            after_events=_AFTER,
        ),
        _build_from_keywords("insert", Insert),
    ),
    "reset": FaultSpec(
        _object(
            "The connection breaks: before the head, after events, or inside an event.",
            after_events=_AFTER,
            bytes_more=_MORE,
            code=make_count(
                "An error code of HTTP/2, which ends this answer but not the connection.",
                0,
                2**32 - 1,
            ),
        ),
        _build_from_keywords("reset", BreakOff),
    ),
    "quota": FaultSpec(
        _object(
            "ThrottlingException above a limit per minute of the virtual clock.",
            requests_per_minute=make_count("The limit of requests."),
            tokens_per_minute=make_count("The limit of tokens."),
        ),
        _build_from_keywords("quota", Quota),
    ),
    "misanswer": FaultSpec(
        {
            "description": "The model answers, but wrongly.",
            "anyOf": [
                _MEANING,
                _object(
                    "The kind with its parameters.",
                    "what",
                    what=_MEANING,
                    text={"type": "string", "description": "The text of the wrong answer."},
                    family={
                        "type": "string",
                        "description": "The model family, if the model id does not determine it.",
                    },
                ),
            ],
        },
        _build_misanswer,
    ),
}
