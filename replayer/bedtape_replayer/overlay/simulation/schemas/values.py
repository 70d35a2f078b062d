"""Makes a value of a client's JSON Schema: the same value for the same seed.

It knows more keywords than Bedrock supports, because schemas of tools may have them. Each value is
checked before it is returned, so a schema with other keywords gives an error and no wrong value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, cast

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.format.json_schema import find_target, problems
from bedtape_cassettes.format.json_values import same
from bedtape_cassettes.format.patterns import SlowPattern
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.overlay.simulation.schemas.pattern_texts import make_text

# The attempts at a value, each with other choices, and the values inside one attempt.
_ATTEMPTS, _MOST_VALUES = 40, 5_000
# From this depth on, optional members, items and alternatives are left out.
_DEEP = 5
_LONGEST = 100_000
_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "kilo")
_FORMATS: Mapping[str, Callable[[Random], str]] = {
    "date-time": lambda chance: f"2026-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T12:30:00Z",
    "date": lambda chance: f"2026-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
    "time": lambda chance: f"1{chance.randint(0, 9)}:30:00Z",
    "duration": lambda chance: f"PT{chance.randint(1, 59)}M",
    "email": lambda chance: f"{chance.choice(_WORDS)}@example.com",
    "hostname": lambda chance: f"{chance.choice(_WORDS)}.example.com",
    "uri": lambda chance: f"https://example.com/{chance.choice(_WORDS)}",
    "ipv4": lambda chance: f"192.0.2.{chance.randint(1, 254)}",
    "ipv6": lambda chance: f"2001:db8::{chance.randint(1, 999)}",
    "uuid": lambda chance: f"00000000-0000-4000-8000-{chance.getrandbits(48):012x}",
}
_ANNOTATIONS = (
    *("$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "default"),
    *("examples", "deprecated", "readOnly", "writeOnly"),
)


class NoValue(ValueError):
    """No value of the schema was made."""


def generate_value(schema: JsonValue, seed: bytes) -> JsonValue:
    """Return a value of a schema. Raises NoValue if the attempts gave none."""
    for attempt in range(_ATTEMPTS):
        maker = _Maker(schema, Random(b"%b/%d" % (seed, attempt)))  # noqa: S311 - reproducible
        try:
            value = maker.make(schema, 0)
            if not problems(value, cast(dict[str, Any], schema)):
                return value
        except NoValue:
            continue
        except (RecursionError, SlowPattern) as error:
            raise NoValue(f"the schema is too complex ({error})") from None
        except NotImplementedError as error:
            raise NoValue(str(error)) from None
    raise NoValue(f"{_ATTEMPTS} attempts gave no value that matches it")


class _Maker:
    def __init__(self, root: JsonValue, chance: Random) -> None:
        self._root = root
        self._chance = chance
        self._left = _MOST_VALUES

    def make(self, schema: JsonValue, depth: int) -> JsonValue:
        """Return a value that probably matches the schema."""
        self._left -= 1
        if self._left < 0:
            raise NoValue("it wants too many values")
        if schema is True:
            return self._chance.choice(_WORDS)
        if not isinstance(schema, dict):
            raise NoValue("a part of it allows no value")
        flat = self._flatten(schema, depth)
        if "const" in flat:
            return flat["const"]
        if isinstance(values := flat.get("enum"), list):
            if not values:
                raise NoValue("two parts of it allow no common value")
            return self._chance.choice(values)
        match self._choose_type(flat, depth):
            case "object":
                return self._make_object(flat, depth)
            case "array":
                return self._make_array(flat, depth)
            case "string":
                return self._make_string(flat)
            case "integer" | "number" as kind:
                return self._make_number(flat, kind)
            case "boolean":
                return self._chance.random() < 0.5
        return None

    def _flatten(self, schema: JsonObject, depth: int) -> JsonObject:
        """Return the schema without references and alternatives, one of which is chosen."""
        self._left -= 1
        if self._left < 0:
            raise NoValue("it wants too many values")
        own = ("$ref", "allOf", "anyOf", "oneOf", *_ANNOTATIONS)
        flat = {name: value for name, value in schema.items() if name not in own}
        for part in self._list_parts(schema, depth):
            if part is False:
                raise NoValue("a part of it allows no value")
            if isinstance(part, dict):
                flat = _merge(flat, self._flatten(part, depth))
        return flat

    def _list_parts(self, schema: JsonObject, depth: int) -> Iterator[JsonValue]:
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield find_target(reference, self._root)
        parts = schema.get("allOf")
        yield from parts if isinstance(parts, list) else ()
        for name in ("anyOf", "oneOf"):
            branches = schema.get(name)
            if isinstance(branches, list) and branches:
                flat = [each for each in branches if not _is_nested(each)]
                yield self._chance.choice(flat if depth >= _DEEP and flat else branches)

    def _choose_type(self, schema: JsonObject, depth: int) -> str:
        kinds = _list_types(schema)
        if kinds is None:
            for kind, names in (
                ("object", ("properties", "required", "additionalProperties", "minProperties")),
                ("array", ("items", "minItems", "maxItems", "uniqueItems")),
                ("integer", ("minimum", "maximum", "exclusiveMinimum", "multipleOf")),
            ):
                if any(name in schema for name in names):
                    return kind
            return "string"
        if not kinds:
            raise NoValue("two parts of it allow no common type")
        simple = [kind for kind in kinds if kind not in ("object", "array")]
        return self._chance.choice(simple if depth >= _DEEP and simple else kinds)

    def _make_object(self, schema: JsonObject, depth: int) -> JsonValue:
        members = schema.get("properties")
        properties = members if isinstance(members, dict) else {}
        names = schema.get("required")
        required = [str(name) for name in names] if isinstance(names, list) else []
        extra = schema.get("additionalProperties", True)
        least = int(cast(float, schema.get("minProperties", 0)))
        most = int(cast(float, schema.get("maxProperties", len(properties) + least)))
        chosen = [name for name in properties if name in required]
        for name in properties:
            wanted = len(required) < least or (depth < _DEEP and self._chance.random() < 0.7)
            if name not in required and properties[name] is not False and wanted:
                chosen.append(name)
        value: JsonObject = {}
        for name in (*required, *chosen):
            if name not in value and (name in required or len(value) < most):
                value[name] = self.make(properties.get(name, extra), depth + 1)
        number = 0
        while len(value) < least:
            number += 1
            if (name := f"member{number}") not in properties:
                value[name] = self.make(extra, depth + 1)
        return {name: value[name] for name in (*properties, *value) if name in value}

    def _make_array(self, schema: JsonObject, depth: int) -> JsonValue:
        least = int(cast(float, schema.get("minItems", 0)))
        most = int(cast(float, schema.get("maxItems", max(3, least + 1))))
        size = (
            least
            if depth >= _DEEP
            else self._chance.randint(max(least, min(1, most)), max(least, min(most, least + 2)))
        )
        items: list[JsonValue] = []
        for _ in range(10 * size):
            if len(items) == size:
                break
            item = self.make(schema.get("items", True), depth + 1)
            if schema.get("uniqueItems") is not True or not any(same(item, each) for each in items):
                items.append(item)
        return items

    def _make_string(self, schema: JsonObject) -> str:
        least = int(cast(float, schema.get("minLength", 0)))
        most = int(cast(float, schema.get("maxLength", max(40, least))))
        if least > _LONGEST:
            raise NoValue(f"it wants a text of {least} characters")
        pattern, form = schema.get("pattern"), schema.get("format")
        if isinstance(pattern, str):
            return make_text(pattern, self._chance, least)
        if isinstance(form, str) and form in _FORMATS:
            return _FORMATS[form](self._chance)
        text = self._chance.choice(_WORDS)
        while len(text) < least:
            text += " " + self._chance.choice(_WORDS)
        return text[:most] if len(text) > most else text

    def _make_number(self, schema: JsonObject, kind: str) -> JsonValue:
        low = max(_read_number(schema, each, -math.inf) for each in ("minimum", "exclusiveMinimum"))
        high = min(_read_number(schema, each, math.inf) for each in ("maximum", "exclusiveMaximum"))
        if math.isinf(low):
            low = min(0, high - 100) if not math.isinf(high) else 0
        if math.isinf(high):
            high = low + 100
        if low > high:
            raise NoValue("it wants a number above its maximum")
        step = _read_number(schema, "multipleOf", 1 if kind == "integer" else 0)
        if step:
            first, last = math.ceil(low / step), math.floor(high / step)
            if first > last:
                raise NoValue("it allows no whole number")
            value = self._chance.randint(first, last) * step
            return int(value) if float(value).is_integer() else value
        return (
            round(value, 2)
            if low < round(value := self._chance.uniform(low, high), 2) < high
            else value
        )


def _read_number(schema: JsonObject, name: str, default: float) -> float:
    value = schema.get(name, default)
    return value if isinstance(value, int | float) else default


def _is_nested(schema: JsonValue) -> bool:
    """Whether the values of a schema contain other values."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return isinstance(schema, dict)
    kinds = _list_types(schema) or ()
    return "object" in kinds or "array" in kinds or "properties" in schema


def _list_types(schema: JsonObject) -> list[str] | None:
    kinds = schema.get("type")
    if kinds is None:
        return None
    return [str(kind) for kind in kinds] if isinstance(kinds, list) else [str(kinds)]


def _merge(first: JsonObject, second: JsonObject) -> JsonObject:
    """Return a schema whose values mostly match both schemas."""
    merged = dict(first)
    for name, value in second.items():
        merged[name] = _join(name, first[name], value) if name in first else value
    return merged


def _join(name: str, first: JsonValue, second: JsonValue) -> JsonValue:
    match name, first, second:
        case "type", _, _:
            mine, other = _list_types({"type": first}) or [], _list_types({"type": second}) or []
            common = [kind for kind in mine if kind in other]
            if "number" in mine + other and "integer" in mine + other:
                common.append("integer")
            return list(dict.fromkeys(common))
        case "properties", dict(), dict():
            both: JsonObject = {
                key: {"allOf": [first[key], second[key]]} for key in first if key in second
            }
            return {**first, **second, **both}
        case "required", list(), list():
            return [*first, *(each for each in second if each not in first)]
        case "enum", list(), list():
            return [each for each in first if any(same(each, other) for other in second)]
        case "items", _, _:
            return {"allOf": [first, second]}
        case "additionalProperties", _, _:
            return False if False in (first, second) else {"allOf": [first, second]}
        case (("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties"), _, _):
            return max(cast(float, first), cast(float, second))
        case (("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties"), _, _):
            return min(cast(float, first), cast(float, second))
    return second
