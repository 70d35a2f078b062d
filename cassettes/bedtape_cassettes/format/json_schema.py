"""Validates JSON against a JSON Schema. Its messages contain a fix.

It implements the keywords of JSON Schema 2020-12 that bedtape's schemas use, and those of schemas
for answers of models. A test compares it with the jsonschema library. An unknown keyword in a
schema raises an error, so that no keyword is ignored. `$comment` beside `enum`, `pattern` or
`format` is the fix of its problem.
"""

from __future__ import annotations

import operator
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address
from math import isfinite
from typing import Any, TypeAlias
from uuid import UUID

from bedtape_cassettes.errors import Problem
from bedtape_cassettes.format.bodies import MAX_LEVELS, compact, levels
from bedtape_cassettes.format.json_values import Place, same
from bedtape_cassettes.format.patterns import compile_pattern, matches
from bedtape_cassettes.model import JsonValue

Schema: TypeAlias = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_SILENT = {
    "contentEncoding",
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "title",
    "description",
    "default",
    "examples",
    "markdownDescription",
}
_MOST_BITS = 1023  # the greatest exponent of a double
# No count of calls, events or tokens is larger. Schemas use it where the field
# has no limit of its own.
LARGEST_COUNT = 10**9
_WIDTH = 60
_LISTED = 12


@dataclass(frozen=True, slots=True)
class _Place:
    """The schema that contains a keyword, the root schema, and the path of the value."""

    schema: Schema
    root: Schema
    path: Place


_Check: TypeAlias = Callable[[JsonValue, Any, _Place], Iterator[Problem]]


def problems(value: JsonValue, schema: Schema) -> list[Problem]:
    """Returns every problem of the value, in the order of the value.

    Values that cannot be sent are problems everywhere, also where the schema accepts any JSON:
    numbers that no double can hold, text that UTF-8 cannot hold, and more than `MAX_LEVELS` levels.
    """
    if deep := list(_find_deep(value)):
        return deep
    return list(_check(value, _Place(schema, schema, ()))) or find_unsendable(value)


def find_unsendable(value: JsonValue) -> list[Problem]:
    """Returns a problem for each part that cannot be sent, as `problems` without a schema."""
    return list(_find_deep(value)) or list(_find_unsendable(value, ()))


def _find_deep(value: JsonValue) -> Iterator[Problem]:
    """Yields the members with too many levels, before the other checks, which are recursive."""
    members = value.items() if isinstance(value, dict) else [((), value)]
    for name, member in members:
        if levels(member) > MAX_LEVELS:
            yield Problem.at(
                (name,) if name else (), f"at most {MAX_LEVELS} levels of objects and lists", "more"
            )


def _find_unsendable(value: JsonValue, path: Place) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _find_unsendable(name, path)
            yield from _find_unsendable(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_unsendable(item, (*path, index))
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        yield Problem.at(path, "a number that a double can hold", render_value(value))
    elif isinstance(value, float) and not isfinite(value):
        yield Problem.at(path, "a finite number", str(value))
    elif isinstance(value, str) and _HALF.search(value):
        yield Problem.at(
            path, "text that UTF-8 can hold", f"half of a surrogate pair in {render_value(value)}"
        )
    elif not isinstance(value, str | int | float | None):
        yield Problem.at(path, "a value of JSON", render_value(value))


# A character beyond U+FFFF is a pair of these in UTF-16; a program that cuts such
# text leaves one of them.
_HALF = re.compile("[\ud800-\udfff]")


def render_value(value: JsonValue) -> str:
    """Returns the value as text for a message, shortened to 60 characters."""
    try:
        text = compact(value).decode(errors="replace")
    except ValueError:  # half of a surrogate pair, or a number that is no JSON
        text = ascii(value)
    except TypeError:  # an argument in Python can be anything
        text = f"an object of the type {type(value).__name__}"
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def find_target(reference: str, root: JsonValue) -> JsonValue | None:
    """Returns the schema that a `$ref` of the root schema names, or None if it names none."""
    target = root
    for name in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ["?"]:
        key = name.replace("~1", "/").replace("~0", "~")
        target = target.get(key) if isinstance(target, dict) else None
    return target


def _check(value: JsonValue, at: _Place) -> Iterator[Problem]:
    schema: Any = at.schema
    if isinstance(schema, bool):
        if not schema:
            yield Problem.at(at.path, "no value", render_value(value))
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not _has_type(value, kinds):
        yield Problem.at(at.path, _name_types(kinds), render_value(value))
        return
    for keyword, wanted in schema.items():
        if keyword in _SILENT or keyword == "type":
            continue
        if keyword not in _KEYWORDS:
            raise NotImplementedError(f"the schema keyword {keyword} is not checked")
        yield from _KEYWORDS[keyword](value, wanted, _Place(schema, at.root, at.path))


def _check_target(value: JsonValue, wanted: str, at: _Place) -> Iterator[Problem]:
    target = find_target(wanted, at.root)
    if target is None:
        raise NotImplementedError(f"the schema has no {wanted}")
    yield from _check(value, _Place(target, at.root, at.path))  # type: ignore[arg-type]  # a schema


def _resolve(schema: Schema, root: Schema) -> Schema:
    """Returns the schema that `$ref` names, merged with the schema's other keywords."""
    target = find_target(schema["$ref"], root) if "$ref" in schema else None
    return {**target, **schema} if isinstance(target, dict) else schema


def _has_type(value: JsonValue, kinds: str | list[str]) -> bool:
    return any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _is(value: JsonValue, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _name_types(kinds: list[str]) -> str:
    article = {
        "integer": "a whole number",
        "object": "an object",
        "array": "a list",
        "null": "null",
    }
    return " or ".join(article.get(kind, f"a {kind}") for kind in kinds)


def _any_of(value: JsonValue, wanted: list[Schema], at: _Place) -> Iterator[Problem]:
    """Yields the problems of the branch with the value's type, else one problem with all types."""
    problems = [list(_check(value, _Place(branch, at.root, at.path))) for branch in wanted]
    if not all(problems):
        return
    branches = [_resolve(each, at.root) if isinstance(each, dict) else {} for each in wanted]
    own = [
        wrong
        for branch, wrong in zip(branches, problems, strict=True)
        if "type" in branch and _has_type(value, branch["type"])
    ]
    if own:
        yield from min(own, key=len)
        return
    yield Problem.at(
        at.path,
        " or ".join(dict.fromkeys(wrong[0].expected for wrong in problems)),
        render_value(value),
    )


def _enum(value: JsonValue, wanted: list[JsonValue], at: _Place) -> Iterator[Problem]:
    if not any(same(value, one) for one in wanted):
        names = [one if isinstance(one, str) else render_value(one) for one in wanted]
        near = get_close_matches(str(value), names, n=1)
        fix = f"did you mean {near[0]}?" if near else at.schema.get("$comment", "")
        known = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
        yield Problem.at(at.path, f"one of {known}", render_value(value), fix)


def _properties(value: JsonValue, wanted: dict[str, Schema], at: _Place) -> Iterator[Problem]:
    for name, member in value.items() if isinstance(value, dict) else ():
        if name in wanted:
            yield from _check(member, _Place(wanted[name], at.root, (*at.path, name)))


def _additional(value: JsonValue, wanted: bool | Schema, at: _Place) -> Iterator[Problem]:
    known = at.schema.get("properties", {})
    for name, member in value.items() if isinstance(value, dict) else ():
        if name in known or wanted is True:
            continue
        if isinstance(wanted, dict):
            yield from _check(member, _Place(wanted, at.root, (*at.path, name)))
            continue
        near = get_close_matches(name, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        yield Problem.at((*at.path, name), f"no key {name!r}", render_value(member), fix)


def _check_names(value: JsonValue, wanted: Schema, at: _Place) -> Iterator[Problem]:
    for name in value if isinstance(value, dict) else ():
        yield from _check(name, _Place(wanted, at.root, at.path))


def _check_required(value: JsonValue, wanted: list[str], at: _Place) -> Iterator[Problem]:
    for name in wanted:
        if isinstance(value, dict) and name not in value:
            yield Problem.at(at.path, f"the key {name!r}", "none", f"add {name}")


def _all_of(value: JsonValue, wanted: list[Schema], at: _Place) -> Iterator[Problem]:
    for branch in wanted:
        yield from _check(value, _Place(branch, at.root, at.path))


def _const(value: JsonValue, wanted: JsonValue, at: _Place) -> Iterator[Problem]:
    yield from _enum(value, [wanted], at)


def _one_of(value: JsonValue, wanted: list[Schema], at: _Place) -> Iterator[Problem]:
    """The branches may contain `required` alone, with one key. The message then names the keys."""
    names = [branch["required"][0] for branch in wanted if _requires_one(branch)]
    if len(names) < len(wanted):
        fitting = sum(not list(_check(value, _Place(each, at.root, at.path))) for each in wanted)
        if fitting != 1:
            words = f"exactly one of {len(wanted)} alternatives"
            yield Problem.at(at.path, words, f"{fitting} for {render_value(value)}")
        return
    there = [name for name in names if isinstance(value, dict) and name in value]
    if isinstance(value, dict) and len(there) != 1:
        yield Problem.at(
            at.path, f"exactly one of {', '.join(names)}", ", ".join(there) or "none of them"
        )


def _requires_one(branch: Schema | bool) -> bool:
    """Whether the schema, which may be a Boolean, requires one key and nothing else."""
    return isinstance(branch, dict) and set(branch) == {"required"} and len(branch["required"]) == 1


def _items(value: JsonValue, wanted: Schema, at: _Place) -> Iterator[Problem]:
    for number, item in enumerate(value) if isinstance(value, list) else ():
        yield from _check(item, _Place(wanted, at.root, (*at.path, number)))


def _min_items(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, list) and len(value) < wanted:
        yield Problem.at(at.path, f"at least {wanted} item{'s' * (wanted != 1)}", f"{len(value)}")


def _max_items(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, list) and len(value) > wanted:
        yield Problem.at(at.path, f"at most {wanted} item{'s' * (wanted != 1)}", f"{len(value)}")


def _unique_items(value: JsonValue, wanted: bool, at: _Place) -> Iterator[Problem]:
    items = value if wanted and isinstance(value, list) else []
    for number, item in enumerate(items):
        if any(same(item, other) for other in items[:number]):
            words = "an item that is not in the list yet"
            yield Problem.at((*at.path, number), words, render_value(item))


def _max_properties(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, dict) and len(value) > wanted:
        yield Problem.at(at.path, f"at most {wanted} member{'s' * (wanted != 1)}", f"{len(value)}")


def _multiple_of(value: JsonValue, wanted: float, at: _Place) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    try:
        rest = value % wanted if isinstance(wanted, int) else (value / wanted) % 1
    except OverflowError:
        rest = 0
    if rest:
        yield Problem.at(at.path, f"a multiple of {wanted}", render_value(value))


def _min_properties(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, dict) and len(value) < wanted:
        known = ", ".join(at.schema.get("properties", {}))
        yield Problem.at(
            at.path,
            f"at least {wanted} of {known}" if known else f"at least {wanted} member",
            "none of them",
        )


def _limit(breaks: Callable[[float, float], bool], words: str) -> _Check:
    def check(value: JsonValue, wanted: float, at: _Place) -> Iterator[Problem]:
        if isinstance(value, int | float) and not isinstance(value, bool) and breaks(value, wanted):
            yield Problem.at(at.path, f"a number {words} {wanted}", render_value(value))

    return check


def _length(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, str) and len(value) < wanted:
        yield Problem.at(
            at.path, f"at least {wanted} character{'s' * (wanted != 1)}", render_value(value)
        )


def _max_length(value: JsonValue, wanted: int, at: _Place) -> Iterator[Problem]:
    if isinstance(value, str) and len(value) > wanted:
        yield Problem.at(
            at.path, f"at most {wanted} character{'s' * (wanted != 1)}", render_value(value)
        )


def _pattern(value: JsonValue, wanted: str, at: _Place) -> Iterator[Problem]:
    if isinstance(value, str) and not matches(compile_pattern(wanted), value):
        fix = at.schema.get("$comment", "")
        yield Problem.at(at.path, f"text of the form {wanted}", render_value(value), fix)


def _format(value: JsonValue, wanted: str, at: _Place) -> Iterator[Problem]:
    if not isinstance(value, str):
        return
    try:
        if wanted == "regex":
            compile_pattern(value)
        elif wanted == "base64":
            b64decode(value, validate=True)
        elif wanted in _FORMATS:
            _FORMATS[wanted](value)
    except ValueError as error:
        yield Problem.at(
            at.path,
            {"regex": "a regular expression"}.get(wanted, wanted),
            f"{render_value(value)} ({error})",
            at.schema.get("$comment", ""),
        )


_FORMATS: dict[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
    "time": time.fromisoformat,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "uuid": UUID,
}
_KEYWORDS: dict[str, _Check] = {
    "$ref": _check_target,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": _const,
    "exclusiveMaximum": _limit(operator.ge, "below"),
    "maxItems": _max_items,
    "maxLength": _max_length,
    "maxProperties": _max_properties,
    "multipleOf": _multiple_of,
    "uniqueItems": _unique_items,
    "enum": _enum,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _check_names,
    "required": _check_required,
    "oneOf": _one_of,
    "items": _items,
    "minItems": _min_items,
    "minProperties": _min_properties,
    "minimum": _limit(operator.lt, "from"),
    "maximum": _limit(operator.gt, "up to"),
    "exclusiveMinimum": _limit(operator.le, "above"),
    "minLength": _length,
    "pattern": _pattern,
    "format": _format,
}
