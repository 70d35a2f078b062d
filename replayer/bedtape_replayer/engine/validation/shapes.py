"""Compiles the inputs of Bedrock's operations in botocore's service models
into checks of parsed JSON.

A service model is loaded for the first check of its service, and kept. Unknown members are ignored,
because the framework of Bedrock ignores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from botocore.model import ListShape, MapShape, Shape, StructureShape

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.families.shared.service_models import load_operation, load_service
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.engine.validation.values import (
    Check,
    Violation,
    bounds_of,
    is_plain,
    make_type_violation,
    scalar,
)
from bedtape_replayer.overlay.outputs.shapes import is_document

# Messages of errors do not repeat values inside these shapes: `Value at 'messages.1.member.role'`.
# They repeat all other values: `Value 'x' at 'toolConfig.tools.1.member.toolSpec.name'`. The source
# is traces of 2025 and 2026, because the service models do not contain this rule.
_HIDDEN = {"Messages"}
_NULL = "Member must not be null"

# Checks by shape, and by whether messages hide its values. A shape may contain itself, as
# filters of retrieval do.
_Known = dict[tuple[str, bool], Check]


@dataclass(frozen=True, slots=True)
class Input:
    """The input of an operation: the checks of its JSON body (`None`: no body), of the URI's
    labels and of the headers.

    Labels have their names of the URI's template; header names are in lower case.
    Queries are not checked.
    """

    body: Check | None
    labels: Mapping[str, Check]
    headers: Mapping[str, Check]


@lru_cache(maxsize=1024)
def input_of(service: str, operation: str) -> Input | None:
    """Return the input of an operation, or `None` if botocore has no model of the operation."""
    model = load_operation(service, operation)
    if model is None:
        return None
    shape = model.input_shape
    if shape is None:
        return Input(None, {}, {})
    members = shape.members.items()
    in_body = [name for name, member in members if "location" not in member.serialization]
    plain = "payload" not in shape.serialization and in_body
    return Input(
        _structure(shape, in_body, False, dict(_list_documents(service))) if plain else None,
        {
            _wire(name, member): _name_check(name, member)
            for name, member in members
            if _location(member) == "uri"
        },
        {
            _wire(name, member).lower(): _name_check(name, member)
            for name, member in members
            if _location(member) == "header" and member.type_name == "string"
        },
    )


@lru_cache(maxsize=8)
def _list_documents(service: str) -> _Known:
    """Return the check of a document: any JSON, but an object in bedrock-runtime."""
    if service == RUNTIME:
        return {}
    model = load_service(service)
    documents = [name for name in model.shape_names if is_document(model.shape_for(name))]
    return {(name, hidden): lambda value: () for name in documents for hidden in (False, True)}  # noqa: ARG005


def _name_check(name: str, member: Shape) -> Check:
    """Return the check of a member outside the body, whose violations have the model's name."""
    check = scalar(member, bool(member.metadata.get("sensitive")))
    return lambda value: [replace(problem, path=(name,)) for problem in check(value)]


def _location(member: Shape) -> object:
    return member.serialization.get("location")


def _wire(name: str, member: Shape) -> str:
    return str(member.serialization.get("name", name))


# -- checks of structures, lists and maps ----------------------------------------------------------


def _check(shape: Shape, hidden: bool, known: _Known) -> Check:
    hidden = hidden or shape.name in _HIDDEN or bool(shape.metadata.get("sensitive"))
    return known.get((shape.name, hidden)) or _compile_shape(shape, hidden, known)


def _compile_shape(shape: Shape, hidden: bool, known: _Known) -> Check:
    if isinstance(shape, StructureShape):
        document = bool(shape.is_document_type)
        return (
            scalar(shape, hidden)
            if document
            else _structure(shape, list(shape.members), hidden, known)
        )
    if isinstance(shape, ListShape):
        return _list(shape, hidden, known)
    if isinstance(shape, MapShape):
        return _map(shape, known)
    return scalar(shape, hidden)


def _structure(shape: StructureShape, names: Iterable[str], hidden: bool, known: _Known) -> Check:
    members: dict[str, Check] = {}
    plain = {_wire(name, shape.members[name]) for name in names if is_plain(shape.members[name])}
    required = [
        _wire(name, shape.members[name]) for name in shape.required_members if name in names
    ]
    union = bool(shape.is_tagged_union)
    null = "" if hidden else " null"

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not dict:
            return (make_type_violation(value, "Expected null"),)
        violations: list[Violation] = []
        chosen = 0
        for name, member in value.items():
            of_member = members.get(name)
            if of_member is None or member is None:
                continue
            chosen += 1
            if type(member) is str and name in plain:
                continue
            for problem in of_member(member):
                violations.append(replace(problem, path=(name, *problem.path)))
        for name in required:
            if value.get(name) is None:
                violations.append(Violation("bounds", _NULL, null, (name,)))
        if union and chosen != 1:
            limit = "one" if chosen == 0 else "only one"
            violations.append(
                Violation(
                    "own",
                    f"{shape.name} object at {{}} must set {limit} of the following keys: {keys}.",
                )
            )
        return violations

    known[shape.name, hidden] = check
    members.update(
        (_wire(n, shape.members[n]), _check(shape.members[n], hidden, known)) for n in names
    )
    keys = ", ".join(members)
    return check


def _list(shape: ListShape, hidden: bool, known: _Known) -> Check:
    of_member = _check(shape.member, hidden, known)
    bounds = bounds_of(shape, "length")
    null = "" if hidden else " null"

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not list:
            return (make_type_violation(value, "Expected list or null"),)
        violations: list[Violation] = []
        for at, member in enumerate(value):
            if member is None:
                violations.append(Violation("bounds", _NULL, null, (at,)))
                continue
            for problem in of_member(member):
                violations.append(replace(problem, path=(at, *problem.path)))
        for text in bounds(len(value)):
            violations.append(
                Violation("bounds", text, "" if hidden else f" '[{', '.join(map(str, value))}]'")
            )
        return violations

    return check


def _map(shape: MapShape, known: _Known) -> Check:
    of_key, of_value = _check(shape.key, True, known), _check(shape.value, True, known)
    bounds = bounds_of(shape, "length")

    def check(value: JsonValue) -> Sequence[Violation]:
        if type(value) is not dict:
            return (make_type_violation(value, "Expected map or null"),)
        violations = [Violation("bounds", text) for text in bounds(len(value))]
        for key, member in value.items():
            # Bedrock's messages name the map, but neither the wrong key nor the wrong value.
            violations.extend(_prefix("keys", problem, key) for problem in of_key(key))
            violations.extend(_prefix("value", problem, key) for problem in of_value(member))
        return violations

    return check


def _prefix(part: str, violation: Violation, key: str) -> Violation:
    if violation.kind != "bounds" or violation.path:
        return replace(violation, path=(key, *violation.path))
    return replace(violation, text=f"Map {part} must satisfy constraint: [{violation.text}]")
