"""Checks values against botocore's shapes, finds every problem, and encodes values for the wire."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import format_datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_schema import render_value
from bedtape_cassettes.format.json_values import Place
from bedtape_replayer.overlay.outputs.shapes import get_wire_name, is_document, make_default

_TYPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("text", (str,)),
    "character": ("text", (str,)),
    "integer": ("a whole number", (int,)),
    "long": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "double": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
}
# Values that Bedrock sends although the service model lacks them (a recorded list of models,
# and AWS's model cards).
_UNLISTED = {"ModelModality": ("VIDEO", "SPEECH"), "InferenceType": ("INFERENCE_PROFILE",)}
_BLOB = 'base64 (bytes in Python), {"text": …} or {"json": …}'
_TIME = "a time: seconds since 1970, or ISO 8601 such as 2026-01-31T12:00:00Z"


class Encoder:
    """Encodes values of an answer. `problems` collects mistakes. service: for default ARNs."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.problems: list[Problem] = []

    def encode(self, shape: Shape, value: Any, place: Place) -> Any:
        """Return the JSON of a value as the service writes it."""
        if is_document(shape):
            return value
        if isinstance(shape, StructureShape):
            return self.encode_structure(shape, shape.members, value, place)
        if isinstance(shape, ListShape):
            if not isinstance(value, list):
                return self._refuse(place, "a list", value)
            return [self.encode(shape.member, each, (*place, at)) for at, each in enumerate(value)]
        if isinstance(shape, MapShape):
            if not isinstance(value, dict):
                return self._refuse(place, "an object", value)
            return {
                key: self.encode(shape.value, each, (*place, key)) for key, each in value.items()
            }
        if shape.type_name == "blob":
            return b64encode(self.decode_blob(value, place)).decode()
        if shape.type_name == "timestamp":
            return self._encode_time(
                value, place, str(shape.serialization.get("timestampFormat", "unixTimestamp"))
            )
        return self._encode_scalar(shape, value, place)

    def encode_structure(
        self, shape: StructureShape, names: Iterable[str], value: Any, place: Place
    ) -> dict[str, Any]:
        """Return the JSON of a structure's members in `names`, with defaults for required ones."""
        if not isinstance(value, dict):
            self._refuse(place, f"an object with {_list_names(shape.members)}", value)
            return {}
        given = {name: member for name, member in value.items() if member is not None}
        for name in given.keys() - shape.members.keys():
            near = get_close_matches(name, shape.members, 1) or get_close_matches(
                name.lower(), shape.members, 1, 0.5
            )
            fix = f"did you mean {near[0]}?" if near else ""
            self.problems.append(
                Problem.at(
                    (*place, name),
                    f"a member of {shape.name}: {_list_names(shape.members)}",
                    name,
                    fix,
                )
            )
        if shape.is_tagged_union and value and len(given) != 1:
            self._refuse(place, f"exactly one of {_list_names(shape.members)}", value)
        if shape.is_tagged_union and not given:
            given = make_default(shape, shape.name, self._service)
        encoded = {}
        for name in names:
            member = shape.members[name]
            if name in given:
                encoded[get_wire_name(name, member)] = self.encode(
                    member, given[name], (*place, name)
                )
            elif name in shape.required_members:
                default = make_default(member, name, self._service)
                encoded[get_wire_name(name, member)] = self.encode(member, default, (*place, name))
        return encoded

    def decode_blob(self, value: Any, place: Place) -> bytes:
        """Return the bytes of a blob."""
        match value:
            case str():
                try:
                    return b64decode(value, validate=True)
                except (Base64Error, ValueError):
                    pass
            case {"text": str(text)} if len(value) == 1:
                return text.encode()
            case {"json": inner} if len(value) == 1:
                return compact(inner)
        fix = (
            f"write {{text: {render_value(value)}}} for these words"
            if isinstance(value, str)
            else ""
        )
        self.problems.append(Problem.at(place, _BLOB, render_value(value), fix))
        return b""

    def encode_header(self, shape: Shape, value: Any, place: Place) -> str:
        """Return the value of a header."""
        if shape.type_name == "timestamp":
            text = self._encode_time(
                value, place, str(shape.serialization.get("timestampFormat", "rfc822"))
            )
            return str(text)
        if shape.serialization.get("jsonvalue"):
            return b64encode(compact(value)).decode()
        encoded = self._encode_scalar(shape, value, place)
        return encoded if isinstance(encoded, str) else json.dumps(encoded)

    def _encode_scalar(self, shape: Shape, value: Any, place: Place) -> Any:
        expected, types = _TYPES[shape.type_name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            return self._refuse(place, expected, value)
        values: list[str] = [*shape.enum] if isinstance(shape, StringShape) else []
        values += _UNLISTED.get(shape.name, ()) if values else ()
        if values and isinstance(value, str) and value not in values:
            folded = {each.lower(): each for each in values}
            near = get_close_matches(value.lower(), folded, 1)
            fix = f"did you mean {folded[near[0]]}?" if near else ""
            self.problems.append(
                Problem.at(place, f"one of {_list_names(values)}", render_value(value), fix)
            )
        return value

    def _encode_time(self, value: Any, place: Place, form: str) -> Any:
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return self._refuse(place, _TIME, value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**11:
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return self._refuse(place, _TIME, value)
        if form == "iso8601":
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if form == "rfc822":
            return format_datetime(moment.astimezone(UTC), usegmt=True)
        seconds = moment.timestamp()
        return int(seconds) if seconds.is_integer() else seconds

    def _refuse(self, place: Place, expected: str, value: Any) -> Any:
        self.problems.append(Problem.at(place, expected, render_value(value)))


def _list_names(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (
        f" and {len(listed) - most} more" if len(listed) > most else ""
    )
