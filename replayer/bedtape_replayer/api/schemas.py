"""The JSON Schemas of what the control API takes and gives, each under the name that generated clients call it by.

Only data. What is taken is checked with these; that what is given is so, tests hold.
"""

from __future__ import annotations

from typing import get_args

from bedtape_cassettes.format.json_schema import Schema
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.history.retries.finding import Mistake
from bedtape_replayer.overlay.schema import FAULT, RULE, WHEN
from bedtape_replayer.overlay.schema import OVERLAY as OVERLAY_FILE

__all__ = [
    "ADVANCE",
    "ASSERTED",
    "ASSERTION",
    "CALL",
    "CALLS",
    "CASSETTE",
    "CLOCK",
    "CONDITIONS",
    "DONE",
    "FINDING",
    "HEALTH",
    "INTERACTION",
    "LAID_FAULT",
    "LAID_RULE",
    "LAYERS",
    "NAMED",
    "OVERLAY",
    "QUERY",
    "SESSION",
    "SETTINGS",
    "list_of",
]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_TRUTH: Schema = {"type": "boolean"}
_ANYTHING: Schema = {}


def list_of(item: Schema, description: str | None = None) -> Schema:
    """A list of such items."""
    schema: Schema = {"type": "array", "items": item}
    return schema if description is None else {**schema, "description": description}


def _or_null(schema: Schema, description: str | None = None) -> Schema:
    told = {} if description is None else {"description": description}
    return {**schema, "type": [schema["type"], "null"], **told}


def _describe(description: str, schema: Schema) -> Schema:
    return {**schema, "description": description}


def _exactly(properties: dict[str, Schema], **more: object) -> Schema:
    """An object that has all of these and no more."""
    required = sorted(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def _some(properties: dict[str, Schema], **more: object) -> Schema:
    """An object that has any of these and no more."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


_PAIR: Schema = {"type": "array", "prefixItems": [_TEXT, _TEXT], "minItems": 2, "maxItems": 2}

# -- the server ------------------------------------------------------------------------------------------------

DONE = _exactly({"status": {"type": "string", "enum": ["ok"]}})
HEALTH = _exactly(
    {
        "status": {"type": "string", "enum": ["ok"]},
        "version": _TEXT,
        "cassettes": _describe("How many.", _WHOLE),
        "interactions": _describe("How many can be played.", _WHOLE),
        "sessions": _describe("How many.", _WHOLE),
    }
)
CLOCK = _exactly({"now": _describe("Seconds since the server started, as tests have moved it.", _NUMBER)})
ADVANCE = _some(
    {"advance": {"type": "number", "minimum": 0, "maximum": 1e9, "description": "Seconds."}}, required=["advance"]
)
CASSETTE = _exactly(
    {
        "name": _TEXT,
        "interactions": _describe("How many.", _WHOLE),
        "partial": _describe("How many of them were cut when they were recorded, and are never played.", _WHOLE),
        "operations": list_of(_TEXT),
        "models": list_of(_TEXT),
    }
)
INTERACTION: Schema = {
    "type": "object",
    "description": "A recorded exchange, as its file has it.",
    "properties": {
        "file": _TEXT,
        "bedtape": _describe("The format's version.", _WHOLE),
        "operation": _TEXT,
        "model": _TEXT,
        "exact": _TRUTH,
        "partial": _TRUTH,
        "request": {
            "type": "object",
            "properties": {"method": _TEXT, "path": _TEXT},
            "required": ["method", "path"],
            "additionalProperties": True,
        },
        "response": {
            "type": "object",
            "properties": {"status": _WHOLE, "after_ms": _WHOLE, "events": list_of({"type": "object"})},
            "required": ["status"],
            "additionalProperties": True,
        },
    },
    "required": ["bedtape", "file", "request", "response"],
    "additionalProperties": False,
}

# -- sessions and layers ---------------------------------------------------------------------------------------

SETTINGS = _some(
    {
        "cassette": _or_null(_TEXT, "The cassette to play from; null for the usual choice."),
        "strict": _or_null(_TRUTH, "Play each recording once; null for the server's word."),
    }
)
SESSION = _exactly(
    {
        "name": _TEXT,
        "cassette": _or_null(_TEXT, "The cassette that was chosen."),
        "strict": _or_null(_TRUTH),
        "seed": _describe("Of its own overlay.", _WHOLE),
        "calls": _describe("How many its history has.", _WHOLE),
        "forgotten": _describe("How many older ones are gone.", _WHOLE),
        "rules": _describe("How many of its own.", _WHOLE),
        "faults": _describe("How many of its own.", _WHOLE),
    }
)
# A component of another document says no dialect of its own.
OVERLAY: Schema = {key: value for key, value in OVERLAY_FILE.items() if key != "$schema"}
_ANSWER: Schema = RULE["properties"]["answers"]["items"]
_WHEN: Schema = RULE["properties"]["when"]
_FIRED = _describe("How many calls it took.", _WHOLE)
_FUNCTION = _exactly({"function": _describe("The name of the Python function that answers.", _TEXT)})


def _add_fired(schema: Schema, **more: Schema) -> Schema:
    """Returns the schema of a layer in a response: it has a name, and the number of calls that it took."""
    properties = {**schema["properties"], "fired": _FIRED, **more}
    return {**schema, "properties": properties, "required": ["fired", "name"]}


LAID_RULE = _add_fired(RULE, answer={"anyOf": [_ANSWER, _FUNCTION]})
LAID_FAULT = _add_fired(FAULT)
LAYERS = _exactly({"seed": _WHOLE, "rules": list_of(LAID_RULE), "faults": list_of(LAID_FAULT)})

# -- calls -----------------------------------------------------------------------------------------------------

_SOURCE: Schema = {"type": "string", "enum": list(get_args(Source)), "description": "What answered."}
_PROTOCOL: Schema = {"type": "string", "enum": ["HTTP/1.1", "HTTP/2"]}
_NOT_SAID = "null: the request does not say."

# Conditions on calls, as `Calls.filter` has them.
CONDITIONS: dict[str, Schema] = {
    **WHEN,
    "status": _describe(
        "The answer's status; null where a fault kept the client from any.", {"type": ["integer", "null"]}
    ),
    "error": _or_null(_TEXT, "The name of the error that was answered."),
    "stop_reason": _or_null(_TEXT, "In Converse's words."),
    "source": _SOURCE,
    "by": _or_null(_TEXT, "The recording's file, or the name of the rule or fault that answered."),
    "fault": _describe("The name of a fault that happened to it.", _TEXT),
    "hung_up": _describe("Whether the client went before the answer's end.", _TRUTH),
    "region": _or_null(_TEXT, "The signature's."),
    "http_version": _PROTOCOL,
    "user_agent_contains": _describe("A case-sensitive part of it.", _TEXT),
    "invocation_id": _or_null(_TEXT, "What groups the attempts of one SDK call."),
    "system": _describe("The whole system prompt.", _TEXT),
    "temperature": _or_null(_NUMBER, _NOT_SAID),
    "top_p": _or_null(_NUMBER, _NOT_SAID),
    "max_tokens": _or_null(_WHOLE, _NOT_SAID),
    "stop_sequences": list_of(_TEXT, "All, in order."),
    "tools": list_of(_TEXT, "The names of all that are offered, in any order."),
    "attempts": {
        "type": "integer",
        "minimum": 1,
        "description": "The last attempt of each SDK call that took so many.",
    },
}
_CONDITIONS = _some(CONDITIONS, description="All that is named must hold.")
_AMOUNT: Schema = {"type": "integer", "minimum": 0}
_COUNTED = _some(
    {
        **CONDITIONS,
        "times": _describe("Exactly so many; at least 1 call where nothing is said.", _AMOUNT),
        "at_least": _AMOUNT,
        "at_most": _AMOUNT,
    },
    description="Conditions, and how many calls meet them.",
)
_STEPS: Schema = {"type": "array", "items": _CONDITIONS, "minItems": 1}
ASSERTION = _some(
    {
        "called": _COUNTED,
        "not_called": _CONDITIONS,
        "sequence": _describe("There are such calls, in this order.", _STEPS),
        "consecutive": _describe("There are such calls, in this order, and none between them.", _STEPS),
        "all_played": {"type": "boolean", "enum": [True], "description": "Every recording was requested."},
    },
    description="What must be so.",
    oneOf=[{"required": [name]} for name in ("called", "not_called", "sequence", "consecutive", "all_played")],
)
ASSERTED = _exactly(
    {"passed": _TRUTH, "report": _or_null(_TEXT, "What is not so, with the nearest calls; null where all is.")}
)


def _query_conditions() -> dict[str, Schema]:
    """Returns the conditions whose value fits in a query parameter."""
    found: dict[str, Schema] = {"operation": WHEN["operation"]["anyOf"][0]}
    for name, schema in CONDITIONS.items():
        kinds = schema.get("type", [])
        for kind in ("string", "integer", "boolean"):
            if kind in (kinds if isinstance(kinds, list) else [kinds]):
                found[name] = {**schema, "type": kind}
    return found


QUERY: dict[str, Schema] = {
    **_query_conditions(),
    "since": _describe("Only calls with a higher number.", _AMOUNT),
    "limit": _describe("At most so many, the latest; 100 where nothing is said.", _AMOUNT),
}

_TOOL_CALL = _exactly({"name": _TEXT, "input": _ANYTHING, "id": _or_null(_TEXT)})
_TOOL_RESULT = _exactly({"id": _TEXT, "name": _or_null(_TEXT), "text": _TEXT})
_TURN = _exactly({"role": _TEXT, "text": _TEXT, "results": list_of(_TOOL_RESULT), "calls": list_of(_TOOL_CALL)})
_USAGE = _exactly({"input": _WHOLE, "output": _WHOLE, "cache_read": _WHOLE, "cache_write": _WHOLE})

CALL = _exactly(
    {
        "session": _TEXT,
        "number": _describe("Its place among its session's calls, from 1.", _WHOLE),
        "began": _describe("Seconds since 1970.", _NUMBER),
        "seconds": _describe("How long answering took.", _NUMBER),
        "operation": _or_null(_TEXT),
        "model": _or_null(_TEXT),
        "method": _TEXT,
        "path": _describe("Percent-encoded with its query, less the session prefix.", _TEXT),
        "region": _or_null(_TEXT),
        "access_key_id": _or_null(_TEXT),
        "user_agent": _or_null(_TEXT),
        "http_version": _PROTOCOL,
        "invocation_id": _or_null(_TEXT, "What groups the attempts of one SDK call."),
        "attempt": _describe("From 1.", _WHOLE),
        "headers": list_of(_PAIR, "Names and values in wire order, less secrets."),
        "system": _TEXT,
        "messages": list_of(_TURN),
        "last_prompt": _describe("The text of the last user message.", _TEXT),
        "tools": list_of(_TEXT, "The names of those that are offered."),
        "tool_results": list_of(_TOOL_RESULT),
        "temperature": _or_null(_NUMBER),
        "top_p": _or_null(_NUMBER),
        "max_tokens": _or_null(_WHOLE),
        "stop_sequences": list_of(_TEXT),
        "source": _SOURCE,
        "by": _or_null(_TEXT, "The recording's file, or the name of the rule or fault that answered."),
        "faults": list_of(_TEXT, "The names of those that happened to it."),
        "miss": _or_null(_TEXT, "The report of a miss."),
        "status": _WHOLE,
        "error": _or_null(_TEXT, "Its name, of an answer or in the middle of a stream (then the status is 200)."),
        "message": _or_null(_TEXT, "The error's."),
        "text": _or_null(_TEXT, "What was answered."),
        "stop_reason": _or_null(_TEXT, "In Converse's words."),
        "usage": {"anyOf": [_USAGE, {"type": "null"}]},
        "events": _describe("How many pieces of the body went out: events, where it is a stream.", _WHOLE),
        "hung_up": _describe("Whether the client went before the answer's end.", _TRUTH),
        "body": _or_null(_TEXT, "The request's, where it is UTF-8."),
        "body_base64": _or_null(_TEXT, "The request's, where it is not."),
    }
)
CALLS = _exactly(
    {
        "calls": list_of(CALL, "The latest last."),
        "total": _describe("How many meet the conditions, whatever the limit.", _WHOLE),
        "forgotten": _describe("How many older ones the history has let go.", _WHOLE),
    }
)
FINDING = _exactly(
    {
        "kind": {"type": "string", "enum": list(get_args(Mistake))},
        "group": _or_null(_TEXT, "The invocation id, where it is about one SDK call."),
        "explanation": _TEXT,
        "calls": list_of(_WHOLE, "The numbers of those that show it."),
    }
)

# -- errors ----------------------------------------------------------------------------------------------------

_PROBLEM = _exactly({"where": _describe("rules[0].when.turn", _TEXT), "expected": _TEXT, "found": _TEXT, "fix": _TEXT})
_ERROR = _some(
    {
        "error": _describe("What was expected and what was found.", _TEXT),
        "problems": list_of(_PROBLEM, "All, one by one."),
    },
    required=["error"],
)

# By the names under which the OpenAPI document has them.
NAMED: dict[str, Schema] = {
    "Advance": ADVANCE,
    "Answer": _ANSWER,
    "Asserted": ASSERTED,
    "Assertion": ASSERTION,
    "Call": CALL,
    "Calls": CALLS,
    "Cassette": CASSETTE,
    "Clock": CLOCK,
    "Conditions": _CONDITIONS,
    "Counted": _COUNTED,
    "Done": DONE,
    "Error": _ERROR,
    "Fault": FAULT,
    "Finding": FINDING,
    "Health": HEALTH,
    "Interaction": INTERACTION,
    "LaidFault": LAID_FAULT,
    "LaidRule": LAID_RULE,
    "Layers": LAYERS,
    "Overlay": OVERLAY,
    "Problem": _PROBLEM,
    "Rule": RULE,
    "Session": SESSION,
    "Settings": SETTINGS,
    "ToolCall": _TOOL_CALL,
    "ToolResult": _TOOL_RESULT,
    "Turn": _TURN,
    "Usage": _USAGE,
    "When": _WHEN,
}
