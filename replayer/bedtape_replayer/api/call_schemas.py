"""The JSON Schemas of calls: conditions, assertions, the history and events. Data only."""

from __future__ import annotations

from typing import get_args

from bedtape_cassettes.format.json_schema import LARGEST_COUNT, Schema
from bedtape_cassettes.format.schema_parts import (
    ANYTHING,
    NUMBER,
    PAIR,
    TEXT,
    TRUTH,
    WHOLE,
    describe,
    list_of,
    make_count,
    make_object,
    make_optional,
    or_null,
)
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.history.retries.finding import Mistake
from bedtape_replayer.overlay.schema import WHEN

_SOURCE: Schema = {
    "type": "string",
    "enum": list(get_args(Source)),
    "description": "The source of the answer.",
}
_PROTOCOL: Schema = {"type": "string", "enum": ["HTTP/1.1", "HTTP/2"]}
_ABSENT = "null: the request does not contain it."

# Conditions on calls, as `Calls.filter` has them.
_PARAMETER: Schema = {"type": "number", "minimum": -LARGEST_COUNT, "maximum": LARGEST_COUNT}

CONDITIONS: dict[str, Schema] = {
    **WHEN,
    "status": describe(
        "The status of the answer; null if a fault prevented an answer.",
        {"type": ["integer", "null"], "minimum": 100, "maximum": 599},
    ),
    "error": or_null(TEXT, "The name of the error in the answer."),
    "stop_reason": or_null(TEXT, "The stop reason, with the names of Converse."),
    "source": _SOURCE,
    "by": or_null(
        TEXT, "The file of the recording, or the name of the rule or fault that answered."
    ),
    "fault": describe("The name of a fault that applied to the call.", TEXT),
    "simulated": describe("A case-sensitive part of what simulated features did.", TEXT),
    "hung_up": describe("Whether the client closed before the end of the answer.", TRUTH),
    "region": or_null(TEXT, "The region in the signature."),
    "http_version": _PROTOCOL,
    "user_agent_contains": describe("A case-sensitive part of the User-Agent header.", TEXT),
    "invocation_id": or_null(TEXT, "The id of one SDK call, which all its attempts share."),
    "system": describe("The whole system prompt.", TEXT),
    "temperature": or_null(_PARAMETER, _ABSENT),
    "top_p": or_null(_PARAMETER, _ABSENT),
    "max_tokens": or_null({**_PARAMETER, "type": "integer"}, _ABSENT),
    "stop_sequences": list_of(TEXT, "All stop sequences, in order."),
    "tools": list_of(TEXT, "The names of all offered tools, in any order."),
    "attempts": make_count("The number of attempts of an SDK call; selects its last attempt."),
}
CALL_CONDITIONS = make_optional(CONDITIONS, description="A call must meet all conditions.")
_AMOUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}
COUNTED_CONDITIONS = make_optional(
    {
        **CONDITIONS,
        "times": describe(
            "The exact number of calls. Without any number: at least 1 call.", _AMOUNT
        ),
        "at_least": _AMOUNT,
        "at_most": _AMOUNT,
    },
    description="Conditions, and how many calls meet them.",
)
_STEPS: Schema = {"type": "array", "items": CALL_CONDITIONS, "minItems": 1}
ASSERTION = make_optional(
    {
        "called": COUNTED_CONDITIONS,
        "not_called": CALL_CONDITIONS,
        "sequence": describe("Calls that meet these conditions exist in this order.", _STEPS),
        "consecutive": describe(
            "Calls that meet these conditions exist in this order, without other calls between"
            " them.",
            _STEPS,
        ),
        "cached": make_optional(
            {**CONDITIONS, "at_least_tokens": {**_AMOUNT, "minimum": 1}},
            description=(
                "A call that meets the conditions read at least `at_least_tokens` tokens from a"
                " prompt cache."
            ),
        ),
        "all_played": {
            "type": "boolean",
            "enum": [True],
            "description": "Every recording was played.",
        },
        "all_used": {
            "type": "boolean",
            "enum": [True],
            "description": "Every rule and fault acted.",
        },
    },
    description="An assertion about the calls.",
    oneOf=[
        {"required": [name]}
        for name in (
            "called",
            "not_called",
            "sequence",
            "consecutive",
            "cached",
            "all_played",
            "all_used",
        )
    ],
)
ASSERTED = make_object(
    {
        "passed": TRUTH,
        "report": or_null(TEXT, "The failure with the nearest calls; null if the assertion holds."),
    }
)


def _query_conditions() -> dict[str, Schema]:
    """Returns the conditions whose value fits in a query parameter."""
    schemas: dict[str, Schema] = {"operation": WHEN["operation"]["anyOf"][0]}
    for name, schema in CONDITIONS.items():
        kinds = schema.get("type", [])
        for kind in ("string", "integer", "boolean"):
            if kind in (kinds if isinstance(kinds, list) else [kinds]):
                schemas[name] = {**schema, "type": kind}
    return schemas


QUERY: dict[str, Schema] = {
    **_query_conditions(),
    "since": describe("Only calls with a higher number.", _AMOUNT),
    "limit": describe(
        "The greatest number of calls to return: the latest calls. Default: 100.", _AMOUNT
    ),
}

TOOL_CALL = make_object({"name": TEXT, "input": ANYTHING, "id": or_null(TEXT)})
TOOL_RESULT = make_object({"id": TEXT, "name": or_null(TEXT), "text": TEXT})
TURN = make_object(
    {"role": TEXT, "text": TEXT, "results": list_of(TOOL_RESULT), "calls": list_of(TOOL_CALL)}
)
USAGE = make_object({"input": WHOLE, "output": WHOLE, "cache_read": WHOLE, "cache_write": WHOLE})

CALL = make_object(
    {
        "session": TEXT,
        "number": describe("The number of the call in its session, from 1.", WHOLE),
        "began": describe("The start of the call, in seconds since 1970.", NUMBER),
        "seconds": describe("The duration of the answer, in seconds.", NUMBER),
        "operation": or_null(TEXT),
        "model": or_null(TEXT),
        "method": TEXT,
        "path": describe(
            "The percent-encoded path with the query, without the session prefix.", TEXT
        ),
        "region": or_null(TEXT),
        "access_key_id": or_null(TEXT),
        "user_agent": or_null(TEXT),
        "http_version": _PROTOCOL,
        "invocation_id": or_null(TEXT, "The id of one SDK call, which all its attempts share."),
        "attempt": describe("The number of the attempt, from 1.", WHOLE),
        "headers": list_of(PAIR, "Names and values in wire order, without secrets."),
        "system": TEXT,
        "messages": list_of(TURN),
        "last_prompt": describe("The text of the last user message.", TEXT),
        "tools": list_of(TEXT, "The names of the offered tools."),
        "tool_results": list_of(TOOL_RESULT),
        "temperature": or_null(NUMBER),
        "top_p": or_null(NUMBER),
        "max_tokens": or_null(WHOLE),
        "stop_sequences": list_of(TEXT),
        "source": _SOURCE,
        "by": or_null(
            TEXT, "The file of the recording, or the name of the rule or fault that answered."
        ),
        "faults": list_of(TEXT, "The names of the faults that applied to the call."),
        "simulated": list_of(TEXT, "What simulated features of the service did, in words."),
        "miss": or_null(TEXT, "The report of a miss."),
        "status": WHOLE,
        "error": or_null(
            TEXT, "The name of the error, in an answer or in a stream (with status 200)."
        ),
        "message": or_null(TEXT, "The message of the error."),
        "text": or_null(TEXT, "The text of the answer."),
        "stop_reason": or_null(TEXT, "The stop reason, with the names of Converse."),
        "usage": {"anyOf": [USAGE, {"type": "null"}]},
        "events": describe(
            "The number of sent parts of the body; in a stream, the number of events.", WHOLE
        ),
        "hung_up": describe("Whether the client closed before the end of the answer.", TRUTH),
        "body": or_null(TEXT, "The body of the request, if it is UTF-8."),
        "body_base64": or_null(TEXT, "The body of the request as base64, if it is not UTF-8."),
    }
)
CALLS = make_object(
    {
        "calls": list_of(CALL, "The calls, latest last."),
        "total": describe(
            "The number of calls that meet the conditions, without the limit.", WHOLE
        ),
        "forgotten": describe("The number of older calls that the history has dropped.", WHOLE),
    }
)
_SUMMARY: dict[str, Schema] = {
    "session": TEXT,
    "number": describe("The number of the call in its session, from 1.", WHOLE),
    "began": describe("The start of the call, in seconds since 1970.", NUMBER),
    "operation": describe("The operation; the method and the path, if it is unknown.", TEXT),
    "model": or_null(TEXT),
    "status": or_null(WHOLE, "null: a fault prevented an answer."),
    "source": _SOURCE,
    "by": or_null(
        TEXT, "The file of the recording, or the name of the rule or fault that answered."
    ),
    "faults": describe("The number of faults that applied to the call.", WHOLE),
    "invocation": or_null(TEXT, "The id of one SDK call, which all its attempts share."),
    "attempt": describe("The number of the attempt, from 1.", WHOLE),
    "prompt": describe("The beginning of the last user message.", TEXT),
    "events": or_null(WHOLE, "The number of sent events; null if the answer is not a stream."),
    "marks": list_of(
        NUMBER,
        "Milliseconds from the start of the call to sent events, at most 60 of them, with the first"
        " and the last; empty if the whole answer was sent at once.",
    ),
}
RUNNING = make_object(_SUMMARY, description="A call whose answer is being sent.")
ENDED = make_object(
    {
        **_SUMMARY,
        "ended": describe("The end of the answer, in microseconds since 1970.", WHOLE),
        "seconds": describe("The duration of the answer, in seconds.", NUMBER),
        "error": or_null(
            TEXT, "The name of the error, in an answer or in a stream (with status 200)."
        ),
        "answer": describe(
            "The beginning of the text of the answer, or of the error's message.", TEXT
        ),
        "id": or_null(TEXT, "The request id in the answer."),
        "hung_up": describe("Whether the client closed before the end of the answer.", TRUTH),
    },
    description="A call that is over.",
)
SESSIONS = make_object(
    {
        "sessions": list_of(
            make_object(
                {
                    "name": TEXT,
                    "calls": describe("The number of calls in the history.", WHOLE),
                    "forgotten": describe(
                        "The number of older calls that the history has dropped.", WHOLE
                    ),
                    "oldest": or_null(
                        WHOLE, "The end of the first call in the history; null if there is none."
                    ),
                }
            ),
            "All sessions in the first event; afterwards the sessions that have changed.",
        ),
        "removed": list_of(TEXT, "The names of sessions that were dropped."),
        "forgotten": describe(
            "The number of calls that histories have dropped because of a limit.", WHOLE
        ),
        "dropped": describe("The number of sessions that were dropped because of a limit.", WHOLE),
    }
)
GONE = make_object(
    {"session": TEXT, "number": WHOLE},
    description="A running call is over, and its session was dropped meanwhile.",
)
# The data of an event: of `sessions`, `ended`, `running`, `gone`, and of `ready` and `lost`.
EVENT: Schema = {
    "oneOf": [SESSIONS, ENDED, RUNNING, GONE, {"type": "object", "additionalProperties": False}]
}
FINDING = make_object(
    {
        "kind": {"type": "string", "enum": list(get_args(Mistake))},
        "group": or_null(TEXT, "The invocation id, if the finding concerns one SDK call."),
        "explanation": TEXT,
        "calls": list_of(WHOLE, "The numbers of the calls that show the mistake."),
    }
)
SUMMARY = make_object(
    {
        "text": describe(
            "The calls, one line each, and the rules and faults that never acted.", TEXT
        ),
        "problems": list_of(
            TEXT, "Why a test must fail: the reports of misses, and scripts that did not end."
        ),
    }
)
