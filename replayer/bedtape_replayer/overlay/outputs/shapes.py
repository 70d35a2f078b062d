"""Reads shapes of botocore's service models, and makes default values of shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StringShape, StructureShape

# The time of every default timestamp, 2025-11-01, because equal requests get equal answers.
_TIME = 1_761_955_200
_ACCOUNT = "123456789012"
_UUID = "00000000-0000-4000-8000-000000000000"


def find_stream(operation: OperationModel) -> tuple[str, StructureShape] | None:
    """Return the name and the shape of the output's event stream."""
    shape = operation.output_shape
    members: Mapping[str, Shape] = shape.members if isinstance(shape, StructureShape) else {}
    for name, member in members.items():
        if member.serialization.get("eventstream") and isinstance(member, StructureShape):
            return name, member
    return None


def list_parts(shape: Shape | None) -> list[tuple[str | None, StructureShape]]:
    """Return an output's shape, and its member's if it has one structure: `agent` of GetAgent."""
    if not isinstance(shape, StructureShape):
        return []
    inner = [
        (name, member)
        for name, member in shape.members.items()
        if isinstance(member, StructureShape)
    ]
    return [(None, shape), *(inner if len(inner) == 1 and not is_document(inner[0][1]) else ())]


def is_document(shape: Shape) -> bool:
    """Whether a value of the shape is any JSON."""
    return bool(getattr(shape, "is_document_type", False))


def get_wire_name(name: str, member: Shape) -> str:
    """Return the name of a member in JSON or among the headers."""
    return str(member.serialization.get("name", name))


def make_default(shape: Shape, name: str, service: str, above: tuple[str, ...] = ()) -> Any:
    """Return a value of the shape's required members. name: of the member. above: outer shapes."""
    if is_document(shape):
        return {}
    if isinstance(shape, StructureShape):
        names = list(shape.required_members)
        if shape.is_tagged_union and not names and shape.name not in above:
            names = [min(shape.members, key=lambda member: shape.members[member].name in above)]
        above = (*above, shape.name)
        return {each: make_default(shape.members[each], each, service, above) for each in names}
    if isinstance(shape, ListShape):
        least = int(shape.metadata.get("min", 0)) if shape.name not in above else 0
        return [
            make_default(shape.member, name, service, (*above, shape.name)) for _ in range(least)
        ]
    match shape.type_name:
        case "map":
            return {}
        case "boolean":
            return False
        case "integer" | "long":
            return max(0, int(shape.metadata.get("min", 0)))
        case "float" | "double":
            return max(0.0, float(shape.metadata.get("min", 0)))
        case "timestamp":
            return _TIME
        case "blob":
            return ""
    return _make_text(shape, name, service)


def _make_text(shape: Shape, name: str, service: str) -> str:
    """Return the first enum value, or the first candidate that bounds and pattern accept."""
    if isinstance(shape, StringShape) and shape.enum:
        return str(shape.enum[0])
    least, most = int(shape.metadata.get("min", 0)), int(shape.metadata.get("max", 10**6))
    pattern = shape.metadata.get("pattern")
    signed = "bedrock-agentcore" if "agentcore" in service else "bedrock"
    candidates: tuple[str, ...] = ()
    if name.lower().endswith("arn"):
        kind = name[:-3] or "resource"
        candidates = (f"arn:aws:{signed}:us-east-1:{_ACCOUNT}:{kind}/{kind}",)
    elif "url" in name.lower():
        candidates = ("https://example.com",)
    named = f"{name}-{'A' * max(10, least)}"[: max(most, 1)]
    more = (
        name,
        "A" * 10,
        "1",
        "DRAFT",
        _ACCOUNT,
        _UUID,
        "s3://bucket/key",
        f"{name[:most]}-{'A' * 10}",
        named,
    )
    for text in (*candidates, *more):
        if least <= len(text) <= most and _accepts(pattern, text):
            return text
    return candidates[0] if candidates else name if len(name) >= least else named


def _accepts(pattern: object, text: str) -> bool:
    try:
        return not isinstance(pattern, str) or re.fullmatch(pattern, text) is not None
    except re.error:  # a pattern that Python does not read
        return True
