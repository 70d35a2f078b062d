"""Values to bytes and back, for what servers share: outcomes of calls, and what sessions remember.

A value contains JSON, bytes, tuples, deques, and the classes in a table. No other class is made,
because another program could have written the bytes. Pure.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

import msgpack

from bedtape_cassettes.families.content import Prompt, ToolResult, ToolUse, Turn
from bedtape_cassettes.model import Body, Event, Events, Response
from bedtape_cassettes.redaction.kinds import REDACTED, is_secret_header
from bedtape_replayer.answering.answer import Answer, Outcome, Progress
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.causes import Cause
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.match import FieldDifference, Miss, Near
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.history.record import read_sent_pieces

# A class is written as its place in this table, so that servers of one version read each other.
_CLASSES: tuple[type, ...] = (
    *(Outcome, Answer, Call, Reply, Piece, Progress),
    *(Response, Body, Events, Event, Miss, Near, FieldDifference, Cause),
    *(Prompt, Turn, ToolUse, ToolResult),
)
# The fields of an outcome that only the process of the call can use.
_LOCAL: dict[type, tuple[str, ...]] = {
    Answer: ("edits", "forward", "conversation"),
    Outcome: ("head", "number", "_own"),
}
_NUMBERS: dict[type, int | None] = {}
# The classes whose values msgpack has itself. Most values are of these, so they come first.
_UNCHANGED = frozenset((type(None), bool, float, str, bytes))
_LARGEST_INTEGER = 2**63
# The beginning of an Authorization header of AWS: access key id and scope, which are no secrets.
_SIGNED = re.compile(r"AWS4-[A-Z0-9-]+ Credential=[^,\s]+")


class ValueDamaged(ValueError):
    """The bytes are not those of a value that a server of this version has written."""


def encode(value: object) -> bytes:
    """Return the value as bytes of MessagePack. Raises TypeError for a value of another class."""
    encoded: bytes = msgpack.packb(_to_plain(value))
    return encoded


def decode(data: bytes) -> Any:
    """Return the value of the bytes from `encode`. Raises ValueDamaged for any other bytes."""
    try:
        return _from_plain(msgpack.unpackb(data, strict_map_key=False))
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise ValueDamaged(f"expected a value of this version, found {data[:40]!r}") from error


def encode_outcome(outcome: Outcome) -> bytes:
    """Encode the outcome of a call, with the body as faults left it.

    Headers that contain secrets have placeholders, because other programs can read the bytes.
    """
    answer = outcome.answer
    if answer.edits:
        pieces = tuple(Piece(0, data) for data in read_sent_pieces(outcome))
        answer = replace(answer, reply=replace(answer.reply, pieces=pieces))
    return encode(outcome.with_answer(answer))


def _hide_secrets(head: Head) -> bytes:
    """Return the lines without secrets. The access key id and the region of a signature stay."""
    lines = [
        f"{name}: {_hide_secret(value) if is_secret_header(name, value) else value}\r\n"
        for name, value in head.pairs()
    ]
    return f"\r\n{''.join(lines)}".encode("latin-1")


def _hide_secret(value: str) -> str:
    signed = _SIGNED.match(value)
    return REDACTED if signed is None else f"{signed[0]}, Signature={REDACTED}"


def decode_outcome(data: bytes) -> Outcome:
    """Return the outcome of the bytes from `encode_outcome`. Raises ValueDamaged for any other."""
    outcome = decode(data)
    if not isinstance(outcome, Outcome):
        raise ValueDamaged(f"expected the outcome of a call, found {type(outcome).__name__}")
    return outcome


def _list_fields(kind: Any) -> tuple[str, ...]:
    local = _LOCAL.get(kind, ())
    return tuple(each.name for each in fields(kind) if each.name not in local)


# The fields of each class that are written.
_FIELDS = {kind: _list_fields(kind) for kind in _CLASSES}


# Each returns the values of all these fields. No class has a single one.
_GETTERS = tuple(attrgetter(*_FIELDS[kind]) for kind in _CLASSES)


def _find_class(kind: type) -> int | None:
    """Return the place in the table of a class, or of the class of which it is a kind."""
    if kind not in _NUMBERS:
        numbers = (at for at, each in enumerate(_CLASSES) if issubclass(kind, each))
        _NUMBERS[kind] = next(numbers, None)
    return _NUMBERS[kind]


def _to_plain(value: Any) -> Any:
    """Return the value as msgpack's types. A list begins with the name or number of its class."""
    kind = type(value)
    if kind in _UNCHANGED:
        return value
    if kind is tuple:
        return ["tuple", *map(_to_plain, value)]
    if (number := _find_class(kind)) is not None:
        return [number, *map(_to_plain, _GETTERS[number](value))]
    match value:
        case None | bool() | float() | str() | bytes():
            return value
        case int():
            small = -_LARGEST_INTEGER <= value < _LARGEST_INTEGER
            return value if small else ["int", str(value)]
        case list():
            return ["list", *map(_to_plain, value)]
        case dict():
            return {name: _to_plain(each) for name, each in value.items()}
        case deque():
            return ["deque", *map(_to_plain, value)]
        case array():
            return ["array", value.tobytes()]
        case Head():
            return ["head", _hide_secrets(value), value.version]
    return ["tuple", *map(_to_plain, value)]  # also headers, which are another sequence of pairs


def _from_plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _from_plain(each) for name, each in value.items()}
        case ["int", str(digits)]:
            return int(digits)
        case ["list", *items]:
            return [_from_plain(each) for each in items]
        case ["deque", *items]:
            return deque(map(_from_plain, items))
        case ["tuple", *items]:
            return tuple(map(_from_plain, items))
        case ["array", bytes(data)]:
            return array("d", data)
        case ["head", bytes(raw), "HTTP/1.1" | "HTTP/2" as version]:
            return Head(raw, version)
        case [int(number), *members]:
            kind = _CLASSES[number]
            return kind(**dict(zip(_FIELDS[kind], map(_from_plain, members), strict=True)))
        case list():
            raise ValueDamaged(f"expected the name of a class, found {value[:1]!r}")
    return value
