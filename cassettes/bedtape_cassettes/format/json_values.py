"""JSON values: their leaves, lookup and replacement by path, and differences of two values.

A place is a tuple of member names and item numbers. A path is its spelling. Paths accept `*` for
any member or item, and `messages.*.content[0].text` and `$.messages[*].content.0.text` are the same
path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Final, NamedTuple, TypeVar

from bedtape_cassettes.model import JsonValue, Place, render_path

__all__ = [
    "MISSING",
    "Change",
    "Missing",
    "Place",
    "Plain",
    "at",
    "compare",
    "compare_members",
    "find",
    "find_places",
    "is_within",
    "leaves",
    "map_leaves",
    "parse_path",
    "remove",
    "render_path",
    "same",
    "with_leaf",
]

_K = TypeVar("_K")
_V = TypeVar("_V")
_M = TypeVar("_M")


@dataclass(frozen=True, slots=True)
class Plain:
    """A body that is not JSON: its text, or `None` if the bytes are not UTF-8."""

    text: str | None


# -- paths -----------------------------------------------------------------------------------------


def parse_path(path: str) -> tuple[str, ...]:
    """The parts of a path; () for `$`. Raises ValueError if a part is empty."""
    dotted = path.removeprefix("$").replace("[", ".").replace("]", "").removeprefix(".")
    parts = tuple(dotted.split(".")) if dotted else ()
    if "" in parts:
        raise ValueError(f"expected members joined by dots (messages.*.text), found {path!r}")
    return parts


def is_within(place: Place, parts: Sequence[str]) -> bool:
    """Whether the place is at the parsed path or below it."""
    return len(parts) <= len(place) and all(
        part in ("*", str(own)) for part, own in zip(parts, place, strict=False)
    )


# -- leaves ----------------------------------------------------------------------------------------


def leaves(
    value: JsonValue | Plain,
    place: Place = (),
    *,
    is_leaf: Callable[[Place, JsonValue], bool] | None = None,
) -> list[tuple[Place, JsonValue]]:
    """Every scalar and every empty object or list with its place, in order.

    The text of `Plain` is one leaf.

    is_leaf: returns whether a value counts as a leaf although it has members.
    """
    places: list[tuple[Place, JsonValue]] = []
    if isinstance(value, Plain):
        return [(place, value.text)]

    # A list that grows is faster than nested generators, and the report on a miss reads hundreds of
    # requests.
    def collect(value: JsonValue, place: Place) -> None:
        if (
            not isinstance(value, dict | list)
            or not value
            or (is_leaf is not None and is_leaf(place, value))
        ):
            places.append((place, value))
        else:
            for part, member in _members(value):
                collect(member, (*place, part))

    collect(value, place)
    return places


def _members(value: JsonValue | Plain) -> Iterator[tuple[str | int, JsonValue]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def map_leaves(value: JsonValue, change: Callable[[JsonValue], JsonValue]) -> JsonValue:
    """The value with every scalar replaced by what `change` returns."""
    if isinstance(value, dict):
        return {key: map_leaves(member, change) for key, member in value.items()}
    if isinstance(value, list):
        return [map_leaves(item, change) for item in value]
    return change(value)


# -- lookup ----------------------------------------------------------------------------------------


def at(value: JsonValue | Plain, place: Place) -> JsonValue:
    """The value at a place; `None` if the place does not exist."""
    if isinstance(value, Plain):
        return value.text
    for part in place:
        match value:
            case dict() if isinstance(part, str) and part in value:
                value = value[part]
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                return None
    return value


def find(value: JsonValue, path: str) -> list[JsonValue]:
    """Every value that the path leads to, in order. Raises ValueError for a malformed path."""
    values = [value]
    for part in parse_path(path):
        values = [member for outer in values for _, member in _below(outer, part)]
    return values


def find_places(
    value: JsonValue | Plain, parts: Sequence[str], place: Place = (), *, or_new: bool = False
) -> Iterator[Place]:
    """Yields the places of the parsed path. or_new: the last part may name a new member."""
    if not parts:
        yield place
        return
    below = _below(value, parts[0])
    for part, member in below:
        yield from find_places(member, parts[1:], (*place, part), or_new=or_new)
    if or_new and not below and len(parts) == 1 and isinstance(value, dict) and parts[0] != "*":
        yield (*place, parts[0])


def _below(value: JsonValue | Plain, part: str) -> Sequence[tuple[str | int, JsonValue]]:
    if part == "*":
        return list(_members(value))
    if isinstance(value, dict):
        return [(part, value[part])] if part in value else []
    if isinstance(value, list) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
        return [(int(part), value[int(part)])]
    return []


# -- replacement -----------------------------------------------------------------------------------


def with_leaf(value: JsonValue | Plain, place: Place, leaf: JsonValue) -> JsonValue | Plain:
    """A copy of the value with another value at a place, whose lists and objects exist."""
    if isinstance(value, Plain):
        return Plain(leaf if isinstance(leaf, str) else None)
    if not place:
        return leaf
    changed = deepcopy(value)
    holder: JsonValue = changed
    for part in place[:-1]:
        holder = holder[part]  # type: ignore[index]
    holder[place[-1]] = leaf  # type: ignore[index]
    return changed


def remove(value: JsonValue, parts: Sequence[str]) -> None:
    """Deletes what the parsed path leads to, in place."""
    for part, member in reversed(_below(value, parts[0])):
        if len(parts) > 1:
            remove(member, parts[1:])
        else:
            del value[part]  # type: ignore[union-attr, arg-type]  # a part of the value itself


# -- differences -----------------------------------------------------------------------------------


class Missing(Enum):
    """Stands for a member or item that one of two values lacks, because `None` is JSON's null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Change(NamedTuple):
    """A place where two values differ. A side is `MISSING` if the other has the place alone."""

    place: Place
    before: JsonValue | Missing
    after: JsonValue | Missing


def compare(
    before: JsonValue | Missing, after: JsonValue | Missing, place: Place = ()
) -> Iterator[Change]:
    """Every difference between two values, in order; 1, 1.0 and true differ.

    A subtree that is missing is one change.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key, one, other in compare_members(before, after, MISSING):
            yield from compare(one, other, (*place, key))
    elif isinstance(before, list) and isinstance(after, list):
        for number, (one, other) in enumerate(zip_longest(before, after, fillvalue=MISSING)):
            yield from compare(one, other, (*place, number))
    elif before != after or type(before) is not type(after):
        yield Change(place, before, after)


def compare_members(
    before: Mapping[_K, _V], after: Mapping[_K, _V], missing: _M
) -> Iterator[tuple[_K, _V | _M, _V | _M]]:
    """Yields every key of two mappings with both values. The keys of `before` come first."""
    for key in [*before, *(key for key in after if key not in before)]:
        yield key, before.get(key, missing), after.get(key, missing)


def same(one: JsonValue, other: JsonValue) -> bool:
    """JSON's equality: 1 and 1.0 are the same number, and neither is true."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(
                same(value, other[key]) for key, value in one.items()
            )
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
