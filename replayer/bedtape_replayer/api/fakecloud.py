"""Fakecloud's introspection API, so that fakecloud's SDKs can configure a
session and read its history.

Answers have exactly fakecloud's keys, because its Python client raises an error for an unknown key.
Layers that these routes add have conditions of the class `Exactly`. The routes change and remove
these layers and leave other layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bedtape_cassettes.failures import FAILURES
from bedtape_cassettes.families.content import Content, Message, Text
from bedtape_cassettes.families.family import Family, JsonObject, RenderError
from bedtape_cassettes.families.members import find_places
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.table import family_of, members_of
from bedtape_cassettes.format.bodies import compact, parse, read_value
from bedtape_cassettes.format.json_schema import LARGEST_COUNT, Schema, problems
from bedtape_cassettes.model import Body, Event, JsonValue, Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.service_operations import OPERATION_NAMES
from bedtape_replayer.api.route import VERSION, ApiRequest, NoSuch, Route, RouteError
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import is_failure
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.rule import Given, Rule
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.session_layers import Layers
from bedtape_replayer.overlay.when import When

# The operations that fakecloud lists as invocations.
_INVOKING = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
_SERVICES = ("bedrock", "bedrock-runtime")
_OK: JsonValue = {"status": "ok"}


@dataclass(frozen=True, slots=True)
class Exactly(When):
    """Fakecloud's conditions of a rule or fault.

    The class also marks layers that these routes added.

    model_id: compared with the model id as it was sent, not a glob; `None` matches any model.
    contains: a part of the system prompt or the messages, or of the body if the form of the request
    is unknown. single: the rule is the model's single response, which is tried after all rules.
    """

    model_id: str | None = None
    contains: str = ""
    single: bool = False

    def matches_content(self, call: Call) -> bool:
        return (
            When.matches_content(self, call)  # `super()` fails in a class that `slots` creates
            and self.model_id in (None, call.model)
            and (
                not self.contains
                or self.contains in (call.prompt.text or call.body.decode(errors="replace"))
            )
        )


# -- reading requests ------------------------------------------------------------------------------


def _read_body(request: ApiRequest, schema: Schema) -> Any:
    value = request.json()
    if violations := problems(value, schema):
        raise RouteError(400, {"error": "; ".join(map(str, violations))})
    return value


def _session(request: ApiRequest) -> SessionState:
    """Return the session that the request names, or create it, so that tests configure it."""
    return request.engine.sessions.get(request.session)


def _name(layers: Layers, kind: str) -> str:
    """Return an id that no layer has."""
    while layers.has_layer(name := layers.next_id(f"fakecloud-{kind}")):
        pass
    return name


# -- the server ------------------------------------------------------------------------------------


def _health(request: ApiRequest) -> JsonValue:  # noqa: ARG001 - the same for every request
    return {"status": "ok", "version": VERSION, "services": list(_SERVICES)}


def _reset(request: ApiRequest) -> JsonValue:
    """Reset the request's session. Other sessions stay, because their tests may be running."""
    request.engine.sessions.reset(request.session)
    return _OK


def _reset_service(request: ApiRequest) -> JsonValue:
    service = request.parts["service"]
    if service not in _SERVICES:
        raise NoSuch(f"expected a service among {', '.join(_SERVICES)}, found {service!r}")
    _reset(request)
    return {"reset": service}


# -- responses -------------------------------------------------------------------------------------

_RULE: Schema = {
    "type": "object",
    "properties": {"promptContains": {"type": ["string", "null"]}, "response": {"type": "string"}},
    "required": ["response"],
    "additionalProperties": False,
}
_RULES: Schema = {
    "type": "object",
    "properties": {"rules": {"type": "array", "items": _RULE}},
    "required": ["rules"],
    "additionalProperties": False,
}


def content(model: str, text: str) -> Content:
    """Return the content of a configured response.

    The text may be a whole JSON answer, of Converse or of the model's family. Any other
    text is the answer's text.
    """
    try:
        value = make_json_safe(parse(text.encode()))
    except ValueError:
        value = None
    if isinstance(value, dict):
        response = Response(200, (), Body("json", compact(value)))
        for operation in ("Converse", "InvokeModel"):
            answer = content_of(operation, model, response)
            # JSON for an application may also have a list `content`, but it has no stop reason.
            has_stop = any(find_places(value, members_of(operation, model).stop))
            if answer is not None and (
                has_stop or not isinstance(answer, Message) or answer.blocks
            ):
                return answer
    return Message((Text(text),))


def _find_family(model: str) -> Family | None:
    try:
        return family_of("InvokeModel", model)
    except RenderError:
        return None


def _set_response(request: ApiRequest) -> JsonValue:
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise RouteError(
            400, {"error": f"expected text in UTF-8, found {request.body[:40]!r}"}
        ) from None
    return _configure(request, [("", text)], single=True)


def _set_rules(request: ApiRequest) -> JsonValue:
    rules = _read_body(request, _RULES)["rules"]
    return _configure(
        request,
        [(rule.get("promptContains") or "", rule["response"]) for rule in rules],
        single=False,
    )


def _clear_rules(request: ApiRequest) -> JsonValue:
    return _configure(request, [], single=False)


def _configure(request: ApiRequest, responses: list[tuple[str, str]], *, single: bool) -> JsonValue:
    """Replace the rules or single response of a model. Single responses come after all rules."""
    model, layers = request.parts["model"], _session(request).layers
    kept = [rule for rule in layers.own.rules if _place(rule) != (model, single)]
    for contains, text in responses:
        when = Exactly(operation=_INVOKING, model_id=model, contains=contains, single=single)
        kept += _rules(layers, when, text)
    kept.sort(key=lambda rule: isinstance(rule.when, Exactly) and rule.when.single)
    layers.replace_own(replace(layers.own, rules=tuple(kept)))
    return {"status": "ok", "modelId": model}


def _rules(layers: Layers, when: Exactly, text: str) -> Iterator[Rule]:
    model = when.model_id or ""
    # the form of its bodies is unknown, so the body is the text itself
    if _find_family(model) is None:
        yield _rule(layers, replace(when, operation=("InvokeModel",)), Raw(text.encode()), text)
    yield _rule(layers, when, content(model, text), text)


def _rule(layers: Layers, when: Exactly, given: Given, text: str) -> Rule:
    conditions = {
        "operation": list(when.operation),
        "model": when.model_id,
        "text_contains": when.contains,
    }
    document: JsonObject = {"when": make_json_safe(conditions), "answer": {"text": text}}
    name = _name(layers, "response" if when.single else "rule")
    # fakecloud sends any content
    return Rule(name, (given,), when, document=document, allows_unoffered_tools=True)


def _place(rule: Rule) -> tuple[str | None, bool] | None:
    """Return the rule's model, and whether it is one response; `None` for other APIs."""
    return (rule.when.model_id, rule.when.single) if isinstance(rule.when, Exactly) else None


# -- faults ----------------------------------------------------------------------------------------

_FAULT: Schema = {
    "type": "object",
    "properties": {
        "errorType": {"type": "string"},
        "message": {"type": ["string", "null"]},
        "httpStatus": {"type": ["integer", "null"], "minimum": 400, "maximum": 599},
        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST_COUNT},
        "modelId": {"type": ["string", "null"]},
        "operation": {"enum": [*OPERATION_NAMES, None]},
    },
    "required": ["errorType"],
    "additionalProperties": False,
}


def _queue(request: ApiRequest) -> JsonValue:
    """Add a fault. Remove exhausted faults, so that no call of a long session checks them."""
    members = {
        key: value for key, value in _read_body(request, _FAULT).items() if value is not None
    }
    layers = _session(request).layers
    kept = [
        fault
        for fault in layers.own.faults
        if not _is_queued(fault) or _count_remaining(layers, fault)
    ]
    layers.replace_own(replace(layers.own, faults=(*kept, _fault(_name(layers, "fault"), members))))
    return _OK


def _fault(name: str, members: dict[str, Any]) -> Fault:
    error, operation = members["errorType"], members.get("operation")
    status = members.get("httpStatus") or (FAILURES[error].status if error in FAILURES else None)
    try:
        failure = Failure(
            error, members.get("message", ""), None if status is None else int(status)
        )
    except ValueError as problem:
        raise RouteError(400, {"error": str(problem)}) from None
    when = Exactly(
        operation=(operation,) if operation else _INVOKING, model_id=members.get("modelId")
    )
    times = int(members.get("count", 1))
    document: JsonObject = {
        "error": error,
        "message": failure.message,
        "status": failure.status,
        "times": times,
    }
    conditions: JsonObject = {"operation": list(when.operation)}
    if when.model_id is not None:
        conditions["model"] = when.model_id
    return Fault(
        name,
        Refuse(failure),
        when,
        Schedule(times=times),
        {**document, "when": make_json_safe(conditions)},
    )


def _faults(request: ApiRequest) -> JsonValue:
    layers = _session(request).layers
    rows = (_render_fault(layers, fault) for fault in layers.own.faults)
    return {"faults": [row for row in rows if row is not None]}


def _render_fault(layers: Layers, fault: Fault) -> JsonValue:
    """Return the fault as fakecloud lists it; `None` if it is exhausted or of another API."""
    match fault:
        case Fault(kind=Refuse(failure=failure), when=Exactly() as when) if (
            remaining := _count_remaining(layers, fault)
        ):
            return {
                "errorType": failure.error,
                "message": failure.message,
                "httpStatus": failure.status,
                "remaining": remaining,
                "modelId": when.model_id,
                "operation": None if when.operation == _INVOKING else when.operation[0],
            }
    return None


def _clear_faults(request: ApiRequest) -> JsonValue:
    layers = _session(request).layers
    layers.replace_own(
        replace(
            layers.own, faults=tuple(fault for fault in layers.own.faults if not _is_queued(fault))
        )
    )
    return _OK


def _is_queued(fault: Fault) -> bool:
    return isinstance(fault.when, Exactly)


def _count_remaining(layers: Layers, fault: Fault) -> int:
    return (fault.schedule.times or 0) - layers.count_fired(fault.id)


# -- invocations -----------------------------------------------------------------------------------


def _invocations(request: ApiRequest) -> JsonValue:
    calls = _session(request).history.calls
    return {
        "invocations": [render_invocation(call) for call in calls if call.operation in _INVOKING]
    }


def render_invocation(call: Record) -> JsonValue:
    """Return the call with fakecloud's keys, without `requestMetadata` if there is none."""
    members = {
        "modelId": call.model or "",
        "input": call.body.decode(errors="replace"),
        "output": _output(call),
        "timestamp": datetime.fromtimestamp(call.began, UTC).isoformat(),
        "error": f"{call.error or call.status}: {call.message or ''}"
        if call.error or is_failure(call)
        else None,
    }
    metadata = _metadata(call)
    return make_json_safe({**members, "requestMetadata": metadata} if metadata else members)


def _output(call: Record) -> str:
    """Return the answer's body; of a stream its text, or its events; "" of an error."""
    response = call.outcome.answer.response
    if response is None or is_failure(call):
        return ""
    if isinstance(response.body, Body):
        return response.body.data.decode(errors="replace")
    return (
        call.text
        or compact([make_json_safe(_value(event)) for event in response.body.events]).decode()
    )


def _value(event: Event) -> JsonValue:
    try:
        return read_value(event.form, event.payload)
    except ValueError:
        return event.payload.decode(errors="replace")


def _metadata(call: Record) -> dict[str, str]:
    """Return the request metadata, which Converse has in the body and InvokeModel in a header."""
    try:
        header = call.call.head.get("x-amzn-bedrock-request-metadata")
        metadata = call.json.get("requestMetadata") if isinstance(call.json, dict) else None
        metadata = parse(header.encode("latin-1")) if header is not None else metadata
    except ValueError:
        return {}
    members = metadata.items() if isinstance(metadata, dict) else ()
    return {key: value for key, value in members if isinstance(value, str)}


_MODEL = "/_fakecloud/bedrock/models/{model...}"
_FAULTS = "/_fakecloud/bedrock/faults"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/_fakecloud/health", _health, "Returns the version and the services."),
    Route("POST", "/_reset", _reset, "Resets the session."),
    Route(
        "POST",
        "/_fakecloud/reset/{service}",
        _reset_service,
        "Resets the session, for a service of Bedrock.",
    ),
    Route(
        "GET",
        "/_fakecloud/bedrock/invocations",
        _invocations,
        "Returns the session's calls, oldest first.",
    ),
    Route(
        "POST",
        f"{_MODEL}/response",
        _set_response,
        "Sets a model's response to all calls (its body, as text).",
    ),
    Route("POST", f"{_MODEL}/responses", _set_rules, "Replaces a model's rules.", takes=_RULES),
    Route("DELETE", f"{_MODEL}/responses", _clear_rules, "Removes a model's rules."),
    Route("POST", _FAULTS, _queue, "Queues a fault.", takes=_FAULT),
    Route("GET", _FAULTS, _faults, "Returns the faults that are not exhausted."),
    Route("DELETE", _FAULTS, _clear_faults, "Removes the queued faults."),
)
