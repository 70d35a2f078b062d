"""Makes responses of a rule's `output`, `events` or `state`, for each operation that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.errors import Problem
from bedtape_cassettes.families.rendering import can_render
from bedtape_cassettes.families.shared.service_models import load_operation
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place
from bedtape_cassettes.model import (
    EMPTY,
    Body,
    Event,
    Events,
    Response,
    event_headers,
    exception_headers,
    is_header,
)
from bedtape_cassettes.operations import Operation, read_labels
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.overlay.outputs import foundation_models
from bedtape_replayer.overlay.outputs.output import Output, PreparedResponse
from bedtape_replayer.overlay.outputs.shapes import (
    find_stream,
    get_wire_name,
    list_parts,
    make_default,
)
from bedtape_replayer.overlay.outputs.values import Encoder

_STREAMING_HEADERS = {"content-type": bodies.EVENT_STREAM}
_JSON_HEADERS = {"content-type": "application/json"}
_JSON_11 = {"content-type": "application/x-amz-json-1.1"}


def make_output(
    answer: Mapping[str, Any], operations: tuple[str, ...], path: Place = ()
) -> tuple[Output, list[Problem]]:
    """Return the responses of an answer with `output`, `events` or `state`, and
    every problem of the answer.

    Operations of several services may share a name. The answer must then fit one of them.
    """
    if not operations:
        key = next(key for key in ("output", "events", "state") if key in answer)
        fix = "add operation, such as operation: GetAgent, to the rule's conditions"
        return Output({}), [
            Problem.at((*path, key), "the operation whose answer it is", "a rule for all", fix)
        ]
    responses: dict[tuple[str, str], PreparedResponse] = {}
    wrong: list[Problem] = []
    for name in operations:
        failed: list[list[Problem]] = []
        for known in SERVICE_OPERATIONS:
            if known.name == name:
                prepared, problems = prepare(known, answer, path)
                if prepared is None or problems:
                    failed.append(problems)
                else:
                    responses[known.service, name] = prepared
        if not any(key[1] == name for key in responses):
            wrong += sorted(failed or [[_make_unmodelled(name, path)]], key=len)[0]
    return Output(responses), wrong


def load_models() -> None:
    """Read the service models, so that no request waits for it."""
    for known in SERVICE_OPERATIONS:
        load_operation(known.service, known.name)


def make_default_response(known: Operation, call: Call) -> Response | None:
    """Return the answer with the required members of an operation's output, and the
    models that a table has.

    Returns `None` for an operation that no service model describes.
    """
    query = call.path.partition("?")[2]
    output = foundation_models.make_output(known.name, read_labels(known, call.path), query) or {}
    prepared, _ = prepare(known, {"output": output})
    return None if prepared is None else prepared.build(known, call)


def find_trace_problems(traces: list[Any], path: Place) -> list[Problem]:
    """Return every problem of an agent's traces."""
    model = load_operation("bedrock-agent-runtime", "InvokeAgent")
    stream = find_stream(model) if model else None
    if stream is None:
        return []
    event = stream[1].members["trace"]
    assert isinstance(event, StructureShape)
    encoder = Encoder("bedrock-agent-runtime")
    for number, trace in enumerate(traces):
        encoder.encode(event.members["trace"], trace, (*path, number))
    return encoder.problems


def _make_unmodelled(name: str, path: Place) -> Problem:
    words = "text, json, tool, error or raw" if can_render(name) else "raw or error"
    fix = f"use {words}"
    return Problem.at(path, "an operation that botocore's service models describe", name, fix)


def prepare(
    known: Operation, answer: Mapping[str, Any], path: Place = ()
) -> tuple[PreparedResponse | None, list[Problem]]:
    """Return the response of one operation, or `None` and the problems."""
    model = load_operation(known.service, known.name)
    if model is None:
        return None, [_make_unmodelled(known.name, path)]
    encoder = Encoder(known.service)
    shape = model.output_shape
    if "state" in answer:
        answer = _set_state(model, answer, path, encoder)
    output = answer.get("output", {})
    stream = find_stream(model)
    if "events" in answer and stream is None:
        encoder.problems.append(
            Problem.at(
                (*path, "events"),
                f"output, because {known.name} does not stream",
                "events",
                "use output",
            )
        )
    if not isinstance(shape, StructureShape):
        if output:
            encoder.problems.append(
                Problem.at((*path, "output"), f"{{}}: {known.name} returns nothing", "members")
            )
        status = int(model.http.get("responseCode", 200))
        return _finish(
            encoder, PreparedResponse(Response(status, tuple(_JSON_HEADERS.items()), EMPTY))
        )
    hidden = {stream[0]} if stream else set()
    if stream and isinstance(output, dict) and stream[0] in output:
        fix = f"give the events of {stream[0]} as events: a list of {{type: payload}}"
        encoder.problems.append(
            Problem.at((*path, "output", stream[0]), "members without the stream", "it", fix)
        )
        output = {name: value for name, value in output.items() if name != stream[0]}
    response = _encode_head(model, shape, output, (*path, "output"), encoder, hidden)
    if stream:
        events = answer.get("events", [])
        body = [
            _encode_event(stream[1], event, (*path, "events", number), encoder)
            for number, event in enumerate(events)
        ]
        made = Events.of([event for event in body if event], padded=known.service == RUNTIME)
        response = replace(response, body=made)
    return _finish(encoder, PreparedResponse(response, *_find_repeated(model, shape, output)))


def _finish(
    encoder: Encoder, prepared: PreparedResponse
) -> tuple[PreparedResponse | None, list[Problem]]:
    return (None if encoder.problems else prepared), encoder.problems


def _set_state(
    model: OperationModel, answer: Mapping[str, Any], path: Place, encoder: Encoder
) -> Mapping[str, Any]:
    """Return the answer with the state as the member `status` of its output."""
    status = find_status(model)
    if status is None:
        expected = f"an operation whose answer has a status; {model.name} has none"
        encoder.problems.append(Problem.at((*path, "state"), expected, "state", "use output"))
        return answer
    outer, name, shape = status
    before, output = len(encoder.problems), dict(answer.get("output", {}))
    encoder.encode(shape, answer["state"], (*path, "state"))
    if len(encoder.problems) > before:
        return {}
    given = output.get(outer) if outer else output
    stated = {**(given if isinstance(given, dict) else {}), name: answer["state"]}
    return {"output": {**output, outer: stated} if outer else stated}


def find_status(model: OperationModel) -> tuple[str | None, str, Shape] | None:
    """Return the member for `state`: the output's member around it or None, its name and shape.

    None without a status.
    """
    for outer, shape in list_parts(model.output_shape):
        name = next(
            (name for name in shape.members if name == "status" or name.endswith("Status")), None
        )
        if name is not None:
            return outer, name, shape.members[name]
    return None


def _encode_head(
    model: OperationModel,
    shape: StructureShape,
    output: Any,
    place: Place,
    encoder: Encoder,
    hidden: set[str],
) -> Response:
    """Return the response with status, headers and body of an operation without a stream."""
    if not isinstance(output, dict):
        encoder.encode_structure(shape, (), output, place)
        output = {}
    located = {
        name: member for name, member in shape.members.items() if "location" in member.serialization
    }
    payload = shape.serialization.get("payload")
    in_body = [name for name in shape.members if name not in located and name not in hidden]
    body = encoder.encode_structure(shape, [] if payload else in_body, output, place)
    status = int(model.http.get("responseCode", 200))
    json_headers = _JSON_11 if model.service_model.protocol == "json" else _JSON_HEADERS
    headers = dict(_STREAMING_HEADERS if hidden else json_headers)
    for name, member in located.items():
        value = output.get(name)
        if (
            value is None
            and name in shape.required_members
            and member.serialization["location"] == "header"
        ):
            usual = (
                "application/json"
                if name == "contentType"
                else make_default(member, name, model.service_model.service_name)
            )
            value = headers.get(get_wire_name(name, member).lower(), usual)
        if value is None:
            continue
        if member.serialization["location"] == "statusCode":
            status = encoder.encode(member, value, (*place, name)) or status
            continue
        for header, text in _encode_headers(name, member, value, (*place, name), encoder):
            headers[header] = text
    data = EMPTY
    if payload and payload not in hidden:
        data = _encode_payload(payload, shape.members[payload], output.get(payload), place, encoder)
    elif not hidden:
        data = Body("json", bodies.compact(body)) if not encoder.problems else EMPTY
    return Response(status, tuple(headers.items()), data)


def _encode_headers(
    name: str, member: Shape, value: Any, place: Place, encoder: Encoder
) -> list[tuple[str, str]]:
    wire = get_wire_name(name, member).lower()
    if member.serialization["location"] == "headers" and isinstance(value, dict):
        pairs = [(f"{wire}{key.lower()}", str(each)) for key, each in value.items()]
    else:
        pairs = [(wire, encoder.encode_header(member, value, place))]
    encoder.problems += [
        Problem.at(place, "text that a header can hold", repr(text))
        for key, text in pairs
        if not is_header(key, text)
    ]
    return pairs


def _encode_payload(name: str, shape: Shape, value: Any, place: Place, encoder: Encoder) -> Body:
    where = (*place, name)
    if shape.type_name == "blob":
        return bodies.read_body(b"" if value is None else encoder.decode_blob(value, where))
    if shape.type_name == "string":
        return bodies.read_body(str(encoder.encode(shape, value or "", where)).encode())
    encoded = encoder.encode(shape, {} if value is None else value, where)
    return EMPTY if encoder.problems else Body("json", bodies.compact(encoded))


def _encode_event(
    stream: StructureShape, event: Any, place: Place, encoder: Encoder
) -> Event | None:
    """Return one event of a stream, which is an object with one key, the type of the event."""
    if not isinstance(event, dict) or len(event) != 1:
        encoder.encode_structure(stream, (), event if event else "nothing", place)
        return None
    ((name, value),) = event.items()
    encoder.encode_structure(stream, (), {name: {}}, place)  # finds an unknown name
    if name not in stream.members:
        return None
    shape = stream.members[name]
    assert isinstance(shape, StructureShape)
    where = (*place, name)
    is_exception = bool(shape.metadata.get("exception"))
    headers = exception_headers(name) if is_exception else event_headers(name)
    payload = next(
        (
            each
            for each, member in shape.members.items()
            if member.serialization.get("eventpayload")
        ),
        None,
    )
    outside = [
        each for each, member in shape.members.items() if member.serialization.get("eventheader")
    ]
    if isinstance(value, dict):
        more = (
            (each, encoder.encode_header(shape.members[each], value[each], where))
            for each in outside
            if each in value
        )
        headers = (*headers, *more)
    inside = [each for each in shape.members if each not in outside and each != payload]
    encoded = encoder.encode_structure(shape, inside, value, where)
    if payload is None:
        data = b"" if encoder.problems else bodies.compact(encoded)
    else:
        given = value.get(payload) if isinstance(value, dict) else None
        data = _encode_payload(payload, shape.members[payload], given, where, encoder).data
        kind = {"blob": "application/octet-stream", "string": "text/plain"}.get(
            shape.members[payload].type_name
        )
        headers = tuple(
            (key, kind if kind and key == ":content-type" else text) for key, text in headers
        )
    return Event(0, headers, data, bodies.choose_form(data))


def _find_repeated(
    model: OperationModel, shape: StructureShape, output: Mapping[str, Any]
) -> tuple[dict[tuple[str, ...], str], dict[str, str]]:
    """Return the required texts that the answer lacks and the request has, also as headers."""
    sent = model.input_shape.members if isinstance(model.input_shape, StructureShape) else {}
    members: dict[tuple[str, ...], str] = {}
    headers: dict[str, str] = {}
    for outer, part in list_parts(shape):
        given = (
            output.get(outer, {} if outer in shape.required_members else None) if outer else output
        )
        for name in part.required_members if isinstance(given, Mapping) else ():
            member, source = part.members[name], sent.get(name)
            if (
                source is None
                or name in given
                or not member.type_name == "string" == source.type_name
            ):
                continue
            if source.serialization.get("location") not in (None, "uri"):
                continue
            wire, key = get_wire_name(name, member), get_wire_name(name, source)
            if member.serialization.get("location") == "header":
                headers[wire.lower()] = key
            elif "location" not in member.serialization:
                members[
                    (get_wire_name(outer, shape.members[outer]), wire) if outer else (wire,)
                ] = key
    return members, headers
