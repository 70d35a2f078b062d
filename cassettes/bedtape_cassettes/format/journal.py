"""The recorder's journal: what was seen, in the order it was seen, append-only, so that a crash loses nothing.

After a word that says what it is, each record is `length, CRC-32, msgpack`; a torn one at the end is where a crash was,
and what cannot be read before others that can is damage. No disk. Whoever writes scrubs first: a journal is a file like
any other.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias
from zlib import crc32

import msgpack

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.model import Headers

__all__ = ["SUFFIX", "Chunk", "Damaged", "End", "Head", "Opened", "Record", "Sent", "encode", "read"]

SUFFIX = ".journal"
VERSION = 2
_WITHOUT_MODE = 1  # a version that did not say the record mode

_MAGIC = b"bedtape journal\n"  # so that a torn first record is not taken for somebody else's file
_FRAME = struct.Struct(">II")
# The largest body is 25 MB; a record that claims to be longer is a torn or foreign one.
_LONGEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """The first record: the format's version and what the recording was asked to be.

    mode: the record mode (`once`, `new`, `all`), which says how to merge; None where nobody said.
    """

    version: int
    name: str | None
    exact: bool
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole request, as it may be kept. `at` is seconds on the recorder's clock."""

    exchange: int
    at: float
    session: str
    method: str
    path: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The response's head."""

    exchange: int
    at: float
    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the response's body, whole events where it is a stream."""

    exchange: int
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The exchange is over; `error` says why it broke off, None that it is whole."""

    exchange: int
    at: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that cannot be read, from here in the file to the next record. Only read, never written."""

    at: int


Record: TypeAlias = Opened | Sent | Head | Chunk | End | Damaged
_KINDS: tuple[type[Record], ...] = (Opened, Sent, Head, Chunk, End)
_NUMBERS: dict[type[Record], int] = {kind: number for number, kind in enumerate(_KINDS)}
# How what is packed begins, of all but the first: msgpack's short array of so many, and the kind.
_BEGINS = re.compile(
    b"|".join(re.escape(bytes((0x91 + len(fields(kind)), number))) for kind, number in _NUMBERS.items() if number)
)


def encode(record: Record) -> bytes:
    """The record as it is appended. The first of a journal must be `Opened`: it brings the file's beginning along."""
    values = [getattr(record, field.name) for field in fields(record)]
    data: bytes = msgpack.packb([_NUMBERS[type(record)], *values])
    begin = _MAGIC if isinstance(record, Opened) else b""
    return begin + _FRAME.pack(len(data), crc32(data)) + data


def read(data: bytes, file: str) -> Iterator[Record]:
    """The records of a journal that are whole, and `Damaged` wherever there are none in between.

    Raises CassetteInvalid where it is no journal of ours, or holds what no recorder of ours writes.
    """
    if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise _invalid(file, "a journal", "something else", "name the file that `bedtape record` left")
    for number, found in enumerate(_found(data, len(_MAGIC))):
        yield found if isinstance(found, Damaged) else _decode(found, number, file)


def _found(data: bytes, at: int) -> Iterator[bytes | Damaged]:
    """What is packed in each record whose bytes are all there and right."""
    while at < len(data):
        packed = _packed(data, at)
        if packed is not None:
            yield packed
            at += _FRAME.size + len(packed)
            continue
        after = _next(data, at)
        if after is not None or not _is_torn(data, at):
            yield Damaged(at)
        at = len(data) if after is None else after


def _packed(data: bytes, at: int) -> bytes | None:
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    at += _FRAME.size
    if not 0 < length <= min(_LONGEST, len(data) - at):
        return None
    packed = data[at : at + length]
    return packed if crc32(packed) == checksum else None


def _next(data: bytes, damaged: int) -> int | None:
    """Where the next whole record begins: its length may be what is damaged, so it is found by how records begin."""
    for begin in _BEGINS.finditer(data, damaged + 1 + _FRAME.size):
        at = begin.start() - _FRAME.size
        if _packed(data, at) is not None:
            return at
    return None


def _is_torn(data: bytes, at: int) -> bool:
    """Whether writing just stopped here: in the middle of a record, and a disk may leave zeros then."""
    if at + _FRAME.size > len(data) or not data[at:].strip(b"\0"):
        return True
    return bool(_FRAME.unpack_from(data, at)[0] > len(data) - at - _FRAME.size)


def _decode(packed: bytes, number: int, file: str) -> Record:
    """Record `number` of a journal. Its bytes are as they were written: what is wrong now was not written by us."""
    try:
        kind, *values = msgpack.unpackb(packed, use_list=False, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        raise _invalid(file, "records", f"something else in record {number}", _FIX) from None
    if number == 0 and kind == 0 and values[:1] == [_WITHOUT_MODE]:
        values = [VERSION, *values[1:], None]
    if number == 0 and kind == 0 and values and values[0] != VERSION:
        raise _invalid(file, f"a journal of version {VERSION}", f"version {values[0]!r}", _FIX)
    if (number == 0) != (kind == 0) or type(kind) is not int or not _fits(kind, values):
        raise _invalid(file, "records", f"something else in record {number}", _FIX)
    record: Record = _KINDS[kind](*values)
    return record


# -- what a record's fields may hold ---------------------------------------------------------------------------

_FIX = "recover it with the bedtape that wrote it"


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _is_pairs(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in value
    )


# By the field's annotation; bool is no int here.
_CHECKS: dict[str, Callable[[object], bool]] = {
    "int": lambda value: type(value) is int,
    "float": _is_time,
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bytes": lambda value: isinstance(value, bytes),
    "Headers": _is_pairs,
}
_FIELDS = [[_CHECKS[str(field.type)] for field in fields(kind)] for kind in _KINDS]


def _fits(kind: int, values: list[object]) -> bool:
    if not 0 <= kind < len(_KINDS) or len(values) != len(_FIELDS[kind]):
        return False
    return all(check(value) for check, value in zip(_FIELDS[kind], values, strict=True))


def _invalid(file: str, expected: str, found: str, fix: str) -> CassetteInvalid:
    return CassetteInvalid([Problem(file, 0, expected, found, fix)])
