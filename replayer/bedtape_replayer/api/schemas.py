"""The JSON Schemas of the requests and responses of the control API, by the names that generated clients use.

Data only. Requests are checked with these schemas; tests check the responses.
"""

from __future__ import annotations

from typing import get_args

from bedtape_cassettes.format.json_schema import LARGEST_COUNT, Schema
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.history.retries.finding import Mistake
from bedtape_replayer.overlay.schema import FAULT, RULE, WHEN
from bedtape_replayer.overlay.schema import OVERLAY as OVERLAY_FILE

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
        "cassettes": _describe("The number of cassettes.", _WHOLE),
        "interactions": _describe("The number of interactions that can be played.", _WHOLE),
        "sessions": _describe("The number of sessions.", _WHOLE),
    }
)
CLOCK = _exactly(
    {"now": _describe("Seconds of the virtual clock, which starts with the server and which tests advance.", _NUMBER)}
)
ADVANCE = _some(
    {"advance": {"type": "number", "minimum": 0, "maximum": 1e9, "description": "Seconds."}}, required=["advance"]
)
CASSETTE = _exactly(
    {
        "name": _TEXT,
        "interactions": _describe("The number of interactions.", _WHOLE),
        "partial": _describe("The number of interactions that are incomplete and are not played.", _WHOLE),
        "operations": list_of(_TEXT),
        "models": list_of(_TEXT),
    }
)
INTERACTION: Schema = {
    "type": "object",
    "description": "A recorded exchange, as in its file.",
    "properties": {
        "file": _TEXT,
        "bedtape": _describe("The version of the format.", _WHOLE),
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
        "cassette": _or_null(_TEXT, "The cassette to play; null for the default."),
        "strict": _or_null(_TRUTH, "Play each recording once; null for the server's value."),
    }
)
SESSION = _exactly(
    {
        "name": _TEXT,
        "cassette": _or_null(_TEXT, "The cassette that was set."),
        "strict": _or_null(_TRUTH),
        "seed": _describe("The seed of the session's own overlay.", _WHOLE),
        "calls": _describe("The number of calls in the history.", _WHOLE),
        "forgotten": _describe("The number of older calls that the history has dropped.", _WHOLE),
        "rules": _describe("The number of the session's own rules.", _WHOLE),
        "faults": _describe("The number of the session's own faults.", _WHOLE),
    }
)
# A component of another document has no `$schema`.
OVERLAY: Schema = {key: value for key, value in OVERLAY_FILE.items() if key != "$schema"}
_ANSWER: Schema = RULE["properties"]["answers"]["items"]
_WHEN: Schema = RULE["properties"]["when"]
_FIRED = _describe("The number of calls that the layer answered or changed.", _WHOLE)
_FUNCTION = _exactly({"function": _describe("The name of the Python function that answers.", _TEXT)})


def _add_fired(schema: Schema, **more: Schema) -> Schema:
    """Returns the schema of a layer in a response: it has a name, and the number of calls that it took."""
    properties = {**schema["properties"], "fired": _FIRED, **more}
    return {**schema, "properties": properties, "required": ["fired", "name"]}


LAID_RULE = _add_fired(RULE, answer={"anyOf": [_ANSWER, _FUNCTION]})
LAID_FAULT = _add_fired(FAULT)
LAYERS = _exactly(
    {"seed": _WHOLE, "ids": OVERLAY["properties"]["ids"], "rules": list_of(LAID_RULE), "faults": list_of(LAID_FAULT)}
)

# -- calls -----------------------------------------------------------------------------------------------------

_SOURCE: Schema = {"type": "string", "enum": list(get_args(Source)), "description": "The source of the answer."}
_PROTOCOL: Schema = {"type": "string", "enum": ["HTTP/1.1", "HTTP/2"]}
_NOT_SAID = "null: the request does not contain it."

# Conditions on calls, as `Calls.filter` has them.
_PARAMETER: Schema = {"type": "number", "minimum": -LARGEST_COUNT, "maximum": LARGEST_COUNT}

CONDITIONS: dict[str, Schema] = {
    **WHEN,
    "status": _describe(
        "The status of the answer; null if a fault prevented an answer.",
        {"type": ["integer", "null"], "minimum": 100, "maximum": 599},
    ),
    "error": _or_null(_TEXT, "The name of the error in the answer."),
    "stop_reason": _or_null(_TEXT, "The stop reason, with the names of Converse."),
    "source": _SOURCE,
    "by": _or_null(_TEXT, "The file of the recording, or the name of the rule or fault that answered."),
    "fault": _describe("The name of a fault that applied to the call.", _TEXT),
    "hung_up": _describe("Whether the client closed before the end of the answer.", _TRUTH),
    "region": _or_null(_TEXT, "The region in the signature."),
    "http_version": _PROTOCOL,
    "user_agent_contains": _describe("A case-sensitive part of the User-Agent header.", _TEXT),
    "invocation_id": _or_null(_TEXT, "The id of one SDK call, which all its attempts share."),
    "system": _describe("The whole system prompt.", _TEXT),
    "temperature": _or_null(_PARAMETER, _NOT_SAID),
    "top_p": _or_null(_PARAMETER, _NOT_SAID),
    "max_tokens": _or_null({**_PARAMETER, "type": "integer"}, _NOT_SAID),
    "stop_sequences": list_of(_TEXT, "All stop sequences, in order."),
    "tools": list_of(_TEXT, "The names of all offered tools, in any order."),
    "attempts": {
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST_COUNT,
        "description": "The number of attempts of an SDK call; selects its last attempt.",
    },
}
_CONDITIONS = _some(CONDITIONS, description="A call must meet all conditions.")
_AMOUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}
_COUNTED = _some(
    {
        **CONDITIONS,
        "times": _describe("The exact number of calls. Without any number: at least 1 call.", _AMOUNT),
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
        "sequence": _describe("Calls that meet these conditions exist in this order.", _STEPS),
        "consecutive": _describe(
            "Calls that meet these conditions exist in this order, without other calls between them.", _STEPS
        ),
        "all_played": {"type": "boolean", "enum": [True], "description": "Every recording was played."},
    },
    description="An assertion about the calls.",
    oneOf=[{"required": [name]} for name in ("called", "not_called", "sequence", "consecutive", "all_played")],
)
ASSERTED = _exactly(
    {"passed": _TRUTH, "report": _or_null(_TEXT, "The failure with the nearest calls; null if the assertion holds.")}
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
    "limit": _describe("The greatest number of calls to return: the latest calls. Default: 100.", _AMOUNT),
}

_TOOL_CALL = _exactly({"name": _TEXT, "input": _ANYTHING, "id": _or_null(_TEXT)})
_TOOL_RESULT = _exactly({"id": _TEXT, "name": _or_null(_TEXT), "text": _TEXT})
_TURN = _exactly({"role": _TEXT, "text": _TEXT, "results": list_of(_TOOL_RESULT), "calls": list_of(_TOOL_CALL)})
_USAGE = _exactly({"input": _WHOLE, "output": _WHOLE, "cache_read": _WHOLE, "cache_write": _WHOLE})

CALL = _exactly(
    {
        "session": _TEXT,
        "number": _describe("The number of the call in its session, from 1.", _WHOLE),
        "began": _describe("The start of the call, in seconds since 1970.", _NUMBER),
        "seconds": _describe("The duration of the answer, in seconds.", _NUMBER),
        "operation": _or_null(_TEXT),
        "model": _or_null(_TEXT),
        "method": _TEXT,
        "path": _describe("The percent-encoded path with the query, without the session prefix.", _TEXT),
        "region": _or_null(_TEXT),
        "access_key_id": _or_null(_TEXT),
        "user_agent": _or_null(_TEXT),
        "http_version": _PROTOCOL,
        "invocation_id": _or_null(_TEXT, "The id of one SDK call, which all its attempts share."),
        "attempt": _describe("The number of the attempt, from 1.", _WHOLE),
        "headers": list_of(_PAIR, "Names and values in wire order, without secrets."),
        "system": _TEXT,
        "messages": list_of(_TURN),
        "last_prompt": _describe("The text of the last user message.", _TEXT),
        "tools": list_of(_TEXT, "The names of the offered tools."),
        "tool_results": list_of(_TOOL_RESULT),
        "temperature": _or_null(_NUMBER),
        "top_p": _or_null(_NUMBER),
        "max_tokens": _or_null(_WHOLE),
        "stop_sequences": list_of(_TEXT),
        "source": _SOURCE,
        "by": _or_null(_TEXT, "The file of the recording, or the name of the rule or fault that answered."),
        "faults": list_of(_TEXT, "The names of the faults that applied to the call."),
        "miss": _or_null(_TEXT, "The report of a miss."),
        "status": _WHOLE,
        "error": _or_null(_TEXT, "The name of the error, in an answer or in a stream (with status 200)."),
        "message": _or_null(_TEXT, "The message of the error."),
        "text": _or_null(_TEXT, "The text of the answer."),
        "stop_reason": _or_null(_TEXT, "The stop reason, with the names of Converse."),
        "usage": {"anyOf": [_USAGE, {"type": "null"}]},
        "events": _describe("The number of sent parts of the body; in a stream, the number of events.", _WHOLE),
        "hung_up": _describe("Whether the client closed before the end of the answer.", _TRUTH),
        "body": _or_null(_TEXT, "The body of the request, if it is UTF-8."),
        "body_base64": _or_null(_TEXT, "The body of the request as base64, if it is not UTF-8."),
    }
)
CALLS = _exactly(
    {
        "calls": list_of(CALL, "The calls, latest last."),
        "total": _describe("The number of calls that meet the conditions, without the limit.", _WHOLE),
        "forgotten": _describe("The number of older calls that the history has dropped.", _WHOLE),
    }
)
FINDING = _exactly(
    {
        "kind": {"type": "string", "enum": list(get_args(Mistake))},
        "group": _or_null(_TEXT, "The invocation id, if the finding concerns one SDK call."),
        "explanation": _TEXT,
        "calls": list_of(_WHOLE, "The numbers of the calls that show the mistake."),
    }
)

# -- errors ----------------------------------------------------------------------------------------------------

_PROBLEM = _exactly({"where": _describe("rules[0].when.turn", _TEXT), "expected": _TEXT, "found": _TEXT, "fix": _TEXT})
_ERROR = _some(
    {"error": _describe("The expected and the found value.", _TEXT), "problems": list_of(_PROBLEM, "All problems.")},
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
