"""Compares requests and answers with botocore's service models, which are on this machine.

It sends no requests.

It uses botocore's own validator on JSON, without cassettes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from botocore import __version__ as botocore_version
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from bedtape_cassettes.families.shared.service_models import load_operation
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.suites.checks import Drift

VERSION = f"botocore {botocore_version}"
_VALIDATOR = ParamValidator()


def find_request_drift(service: str, operation: str, body: JsonValue) -> list[Drift]:
    """Compares a request's body with the model."""
    model = load_operation(service, operation)
    return (
        []
        if model is None or model.input_shape is None
        else _check_body(model.input_shape, body, is_request=True)
    )


def find_answer_drift(service: str, operation: str, body: JsonValue) -> list[Drift]:
    """Compares a whole answer's body with the model."""
    model = load_operation(service, operation)
    return (
        [] if model is None or model.output_shape is None else _check_body(model.output_shape, body)
    )


def find_event_drift(service: str, operation: str, event: str, payload: JsonValue) -> list[Drift]:
    """Compares an event of a stream with the model."""
    shapes = _load_event_shapes(service, operation)
    if shapes is None:
        return []
    if event not in shapes:
        return [Drift(f"the event {event!r} is not known", certain=False)]
    shape = shapes[event]
    return [] if shape is None else list(_check_shape(shape, payload, event))


@lru_cache(maxsize=256)
def _load_event_shapes(service: str, operation: str) -> Mapping[str, Shape | None] | None:
    """Returns the shapes of an operation's events by their names. `None` is the shape of bytes that
    no model describes. Returns `None` for an operation without a stream.
    """
    model = load_operation(service, operation)
    stream = model.get_event_stream_output() if model else None
    if not isinstance(stream, StructureShape):
        return None
    return {name: None if _has_payload(shape) else shape for name, shape in stream.members.items()}


def _has_payload(shape: Shape) -> bool:
    members = shape.members if isinstance(shape, StructureShape) else {}
    return any(member.serialization.get("eventpayload") for member in members.values())


def _check_body(shape: Shape, body: JsonValue, *, is_request: bool = False) -> list[Drift]:
    if not isinstance(shape, StructureShape) or "payload" in shape.serialization:
        return []  # bytes that no model describes
    if not isinstance(body, dict):
        return [Drift(f"expected an object, found {type(body).__name__}", certain=True)]
    names = _map_names(shape)
    located = {name for name, member in shape.members.items() if "location" in member.serialization}
    drift = [Drift(f"{key} is not known", certain=False) for key in body if key not in names]
    for name in shape.required_members:
        wire = _get_wire_name(name, shape.members[name])
        if name not in located and body.get(wire) is None:
            drift.append(Drift(f"{wire} is missing", certain=is_request))
    for key, value in body.items():
        if key in names and value is not None and names[key] not in located:
            drift += _check_shape(shape.members[names[key]], value, key, is_request=is_request)
    return drift


@lru_cache(maxsize=4096)
def _map_names(shape: StructureShape) -> Mapping[str, str]:
    """Returns the model's name of each member by its name in JSON."""
    return {_get_wire_name(name, member): name for name, member in shape.members.items()}


def _get_wire_name(name: str, member: Shape) -> str:
    return str(member.serialization.get("name", name))


def _check_shape(
    shape: Shape, value: JsonValue, where: str, *, is_request: bool = False
) -> Iterator[Drift]:
    """Compares a value with a shape. Answers may lack required members: clients accept them."""
    known: list[str] = []
    clean = _drop_unknown(shape, value, where, known)
    yield from (Drift(f"{path} is not known", certain=False) for path in known)
    report = _VALIDATOR.validate(clean, shape)  # type: ignore[arg-type]  # any shape's value, whatever stubs say
    for line in report.generate_report().splitlines() if report.has_errors() else ():
        yield Drift(
            f"{where}: {line}", certain=is_request or not line.startswith("Missing required")
        )


def _drop_unknown(shape: Shape, value: JsonValue, where: str, unknown: list[str]) -> JsonValue:
    """Returns the value with the model's names, without nulls. `unknown` gets unknown members."""
    match shape, value:
        case StructureShape(), dict() if not shape.is_document_type:
            names = _map_names(shape)
            unknown += [
                f"{where}.{key}"
                for key in value
                if key not in names and f"{where}.{key}" not in unknown
            ]
            return {
                names[key]: _drop_unknown(
                    shape.members[names[key]], member, f"{where}.{key}", unknown
                )
                for key, member in value.items()
                if key in names and member is not None
            }
        case ListShape(), list():
            return [_drop_unknown(shape.member, item, f"{where}[*]", unknown) for item in value]
        case MapShape(), dict():
            return {
                key: _drop_unknown(shape.value, item, f"{where}.{key}", unknown)
                for key, item in value.items()
            }
    whole = (
        shape.type_name in ("integer", "long") and isinstance(value, float) and value.is_integer()
    )
    return int(value) if whole and isinstance(value, float) else value
