"""The recorder's journal: what was seen, in the order it was seen, append-only, so that a crash loses nothing.

Each record is `length, CRC-32, msgpack`; a torn one at the end is where a crash was. No disk: bytes out, bytes in.
Whoever writes scrubs first: a journal is a file like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias
from zlib import crc32

import msgpack

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.model import Headers

__all__ = ["SUFFIX", "Chunk", "End", "Head", "Opened", "Record", "Sent", "encode", "read"]

SUFFIX = ".journal"
VERSION = 1

_FRAME = struct.Struct(">II")
# The largest body is 25 MB; a record that claims to be longer is a torn or foreign one.
_LONGEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """The first record: the format's version and what the recording was asked to be."""

    version: int
    name: str | None
    exact: bool


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


Record: TypeAlias = Opened | Sent | Head | Chunk | End
_KINDS: tuple[type[Record], ...] = (Opened, Sent, Head, Chunk, End)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}


def encode(record: Record) -> bytes:
    """The record as it is appended."""
    values = [getattr(record, field.name) for field in fields(record)]
    data: bytes = msgpack.packb([_NUMBERS[type(record)], *values])
    return _FRAME.pack(len(data), crc32(data)) + data


def read(data: bytes, file: str) -> Iterator[Record]:
    """The records of a journal up to the first that is torn. Raises CassetteInvalid where it is no journal of ours."""
    records = _records(data)
    first = next(records, None)
    if first is None and not data:
        return
    if not isinstance(first, Opened) or first.version != VERSION:
        found = "something else" if not isinstance(first, Opened) else f"version {first.version}"
        raise CassetteInvalid(
            [Problem(file, 0, f"a journal of version {VERSION}", found, "recover it with the bedtape that wrote it")]
        )
    yield first
    yield from records


def _records(data: bytes) -> Iterator[Record]:
    at = 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        packed = data[at : at + length]
        if length > _LONGEST or len(packed) < length or crc32(packed) != checksum:
            return
        record = _decode(packed)
        if record is None:
            return
        yield record
        at += length


def _decode(packed: bytes) -> Record | None:
    try:
        number, *values = msgpack.unpackb(packed, use_list=False, raw=False)
        record: Record = _KINDS[number](*values)
        return record
    except (ValueError, TypeError, IndexError, msgpack.UnpackException):
        return None
