"""The JSON Schemas of the requests and responses of the control API, by the names
that generated clients use.

Data only. Requests are checked with these schemas; tests check the responses.
"""

from __future__ import annotations

from bedtape_cassettes.format.json_schema import Schema
from bedtape_cassettes.format.schema_parts import (
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    describe,
    list_of,
    make_object,
    make_optional,
    or_null,
)
from bedtape_replayer.api.call_schemas import (
    ASSERTED,
    ASSERTION,
    CALL,
    CALL_CONDITIONS,
    CALLS,
    COUNTED_CONDITIONS,
    ENDED,
    FINDING,
    GONE,
    RUNNING,
    SESSIONS,
    SUMMARY,
    TOOL_CALL,
    TOOL_RESULT,
    TURN,
    USAGE,
)
from bedtape_replayer.overlay.schema import FAULT, RULE
from bedtape_replayer.overlay.schema import OVERLAY as OVERLAY_FILE
from bedtape_replayer.overlay.simulation.schema import SIMULATE

# -- the server ------------------------------------------------------------------------------------

DONE = make_object({"status": {"type": "string", "enum": ["ok"]}})
HEALTH = make_object(
    {
        "status": {"type": "string", "enum": ["ok"]},
        "version": TEXT,
        "cassettes": describe("The number of cassettes.", WHOLE),
        "interactions": describe("The number of interactions that can be played.", WHOLE),
        "editable": describe("Whether the API can change cassettes (`--edit`).", TRUTH),
        "sessions": describe("The number of sessions.", WHOLE),
        "memory_used": describe("The approximate bytes that sessions and caches keep.", WHOLE),
        "memory_limit": describe("The bytes above which the oldest calls are dropped.", WHOLE),
        "forgotten": describe(
            "The number of calls that histories have dropped because of a limit.", WHOLE
        ),
        "dropped_sessions": describe(
            "The number of sessions that were dropped because of a limit.", WHOLE
        ),
    }
)
LIVE = make_object({"status": {"type": "string", "enum": ["live"]}})
READY = make_object({"status": {"type": "string", "enum": ["ready"]}})
CLOCK = make_object(
    {
        "now": describe(
            "Seconds of the virtual clock, which starts with the server and which tests advance.",
            NUMBER,
        )
    }
)
ADVANCE = make_optional(
    {"advance": {"type": "number", "minimum": 0, "maximum": 1e9, "description": "Seconds."}},
    required=["advance"],
)
CASSETTE = make_object(
    {
        "name": TEXT,
        "interactions": describe("The number of interactions.", WHOLE),
        "partial": describe(
            "The number of interactions that are incomplete and are not played.", WHOLE
        ),
        "operations": list_of(TEXT),
        "models": list_of(TEXT),
    }
)
INTERACTION: Schema = {
    "type": "object",
    "description": "A recorded exchange, as in its file.",
    "properties": {
        "file": TEXT,
        "bedtape": describe("The version of the format.", WHOLE),
        "operation": TEXT,
        "model": TEXT,
        "exact": TRUTH,
        "partial": TRUTH,
        "request": {
            "type": "object",
            "properties": {"method": TEXT, "path": TEXT},
            "required": ["method", "path"],
            "additionalProperties": True,
        },
        "response": {
            "type": "object",
            "properties": {
                "status": WHOLE,
                "after_ms": WHOLE,
                "events": list_of({"type": "object"}),
            },
            "required": ["status"],
            "additionalProperties": True,
        },
    },
    "required": ["bedtape", "file", "request", "response"],
    "additionalProperties": False,
}

EDIT = make_object(
    {"text": TEXT, "version": describe("The version of the text that was read.", TEXT)}
)
EDITABLE_TEXT = make_object(
    {
        "file": TEXT,
        "text": describe(
            "The answer, and the whole file, as `bedtape cassette edit` opens them.", TEXT
        ),
        "version": describe("Changes whenever the file changes.", TEXT),
    }
)
KEEP = make_object({"cassette": describe("The cassette to add the recording to.", TEXT)})
KEPT = make_object({"file": describe("The file of the new recording.", TEXT)})

# -- sessions and layers ---------------------------------------------------------------------------

SETTINGS = make_optional(
    {
        "cassette": or_null(
            TEXT, "The cassette to play; null for the default, an empty text for no cassette."
        ),
        "strict": or_null(TRUTH, "Play each recording once; null for the server's value."),
    }
)
SESSION = make_object(
    {
        "name": TEXT,
        "cassette": or_null(TEXT, "The cassette that was set."),
        "strict": or_null(TRUTH),
        "seed": describe("The seed of the session's own overlay.", WHOLE),
        "calls": describe("The number of calls in the history.", WHOLE),
        "forgotten": describe("The number of older calls that the history has dropped.", WHOLE),
        "rules": describe("The number of the session's own rules.", WHOLE),
        "faults": describe("The number of the session's own faults.", WHOLE),
    }
)
# A component of another document has no `$schema`.
OVERLAY: Schema = {
    key: value for key, value in OVERLAY_FILE.items() if key not in ("$schema", "$id")
}
_ANSWER: Schema = RULE["properties"]["answers"]["items"]
_WHEN: Schema = RULE["properties"]["when"]
_FIRED = describe("The number of calls that the layer answered or changed.", WHOLE)
_FUNCTION = make_object(
    {"function": describe("The name of the Python function that answers.", TEXT)}
)


def _add_fired(schema: Schema, **more: Schema) -> Schema:
    """Returns the schema of a layer in a response: with its name and its number of calls."""
    properties = {**schema["properties"], "fired": _FIRED, **more}
    return {**schema, "properties": properties, "required": ["fired", "name"]}


LAID_RULE = _add_fired(RULE, answer={"anyOf": [_ANSWER, _FUNCTION]})
LAID_FAULT = _add_fired(FAULT)
LAYERS = make_object(
    {
        "seed": WHOLE,
        "ids": OVERLAY["properties"]["ids"],
        "simulate": SIMULATE,
        "rules": list_of(LAID_RULE),
        "faults": list_of(LAID_FAULT),
    }
)

# -- errors ----------------------------------------------------------------------------------------

_PROBLEM = make_object(
    {"where": describe("rules[0].when.turn", TEXT), "expected": TEXT, "found": TEXT, "fix": TEXT}
)
_ERROR = make_optional(
    {
        "error": describe("The expected and the found value.", TEXT),
        "problems": list_of(_PROBLEM, "All problems."),
    },
    required=["error"],
)

# The schemas by their names in the OpenAPI document.
NAMED: dict[str, Schema] = {
    "Advance": ADVANCE,
    "Answer": _ANSWER,
    "Asserted": ASSERTED,
    "Assertion": ASSERTION,
    "Call": CALL,
    "Calls": CALLS,
    "Cassette": CASSETTE,
    "Clock": CLOCK,
    "Conditions": CALL_CONDITIONS,
    "Counted": COUNTED_CONDITIONS,
    "Done": DONE,
    "Edit": EDIT,
    "EditableText": EDITABLE_TEXT,
    "EndedCall": ENDED,
    "Error": _ERROR,
    "Fault": FAULT,
    "Finding": FINDING,
    "GoneCall": GONE,
    "Health": HEALTH,
    "Interaction": INTERACTION,
    "Keep": KEEP,
    "Kept": KEPT,
    "LaidFault": LAID_FAULT,
    "LaidRule": LAID_RULE,
    "Layers": LAYERS,
    "Live": LIVE,
    "Overlay": OVERLAY,
    "Problem": _PROBLEM,
    "Ready": READY,
    "Rule": RULE,
    "RunningCall": RUNNING,
    "Session": SESSION,
    "SessionChanges": SESSIONS,
    "Settings": SETTINGS,
    "Summary": SUMMARY,
    "ToolCall": TOOL_CALL,
    "ToolResult": TOOL_RESULT,
    "Turn": TURN,
    "Usage": USAGE,
    "When": _WHEN,
}
