"""Encodes and decodes the recorder's journal, a log whose complete records
can be read after a crash.

A journal begins with a magic word. Each record is a length, a CRC-32 and msgpack data. An
incomplete record at the end is where a crash happened; an unreadable record before readable records
is damage. The caller of `encode` removes secrets first.
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
from bedtape_cassettes.model import ENDINGS, Headers, is_headers

RESET, CLOSED, MID_FRAME = ENDINGS
SUFFIX = ".journal"
VERSION = 2
_WITHOUT_MODE = 1  # this version does not contain the record mode

_MAGIC = b"bedtape journal\n"  # identifies a journal even if its first record is incomplete
_FRAME = struct.Struct(">II")
# The largest body is 25 MB. A record with a greater length is damaged or foreign.
_LONGEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JournalStart:
    """The first record: the format's version and the options of the recording.

    mode: the record mode (`once`, `new`, `all`), which decides how to merge;
    None if no mode was given.
    """

    version: int
    name: str | None
    exact: bool
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A whole request without secrets.

    `at` is seconds on the recorder's clock. Older journals have no region and no service.
    """

    exchange: int
    at: float
    session: str
    method: str
    path: str
    headers: Headers
    body: bytes
    region: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The response's head."""

    exchange: int
    at: float
    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the response's body. In an event stream, a piece consists of whole events."""

    exchange: int
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class InputChunk:
    """Events of the client in a bidirectional stream: whole frames, without audio and secrets."""

    exchange: int
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of an exchange. error: why it ended early; None if it is complete.

    One of `ENDINGS` means that the service ended it. Every other text means that the
    recording is incomplete.
    """

    exchange: int
    at: float
    error: str | None


@dataclass(frozen=True, slots=True)
class DamagedPart:
    """Unreadable bytes, from the offset `at` to the next record. It cannot be encoded."""

    at: int


Record: TypeAlias = JournalStart | SentRequest | Head | Chunk | End | InputChunk | DamagedPart
_KINDS: tuple[type[Record], ...] = (JournalStart, SentRequest, Head, Chunk, End, InputChunk)
_NUMBERS: dict[type[Record], int] = {kind: number for number, kind in enumerate(_KINDS)}
# The number of fields of records in older journals.
_FEWEST: dict[type[Record], int] = {SentRequest: 7}
# The first bytes of packed records (except `JournalStart`): a msgpack array header with the length,
# and the kind.
_BEGINS = re.compile(
    b"|".join(
        re.escape(bytes((0x91 + length, number)))
        for kind, number in _NUMBERS.items()
        if number
        for length in ({len(fields(kind)), _FEWEST.get(kind, len(fields(kind)))})
    )
)


def encode(record: Record) -> bytes:
    """Returns the bytes to append.

    The first record must be `JournalStart`, because its bytes contain the magic word.
    """
    values = [getattr(record, field.name) for field in fields(record)]
    data: bytes = msgpack.packb([_NUMBERS[type(record)], *values])
    begin = _MAGIC if isinstance(record, JournalStart) else b""
    return begin + _FRAME.pack(len(data), crc32(data)) + data


def read(data: bytes, file: str) -> Iterator[Record]:
    """Yields the whole records of a journal, and `DamagedPart` for unreadable bytes between them.

    Raises CassetteInvalid if the file is not a journal, or if a record is not
    one that `encode` writes.
    """
    if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise _make_error(
            file, "a journal", "something else", "name the file that `bedtape record` left"
        )
    for number, packed in enumerate(_find_records(data, len(_MAGIC))):
        yield packed if isinstance(packed, DamagedPart) else _decode(packed, number, file)


def _find_records(data: bytes, at: int) -> Iterator[bytes | DamagedPart]:
    """Yields the packed data of each record that is complete and has the right CRC."""
    while at < len(data):
        packed = _read_packed(data, at)
        if packed is not None:
            yield packed
            at += _FRAME.size + len(packed)
            continue
        after = _find_next(data, at)
        if after is not None or not _is_torn(data, at):
            yield DamagedPart(at)
        at = len(data) if after is None else after


def _read_packed(data: bytes, at: int) -> bytes | None:
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    at += _FRAME.size
    if not 0 < length <= min(_LONGEST, len(data) - at):
        return None
    packed = data[at : at + length]
    return packed if crc32(packed) == checksum else None


def _find_next(data: bytes, damaged: int) -> int | None:
    """Searches for the next whole record, because the length may be damaged."""
    for begin in _BEGINS.finditer(data, damaged + 1 + _FRAME.size):
        at = begin.start() - _FRAME.size
        if _read_packed(data, at) is not None:
            return at
    return None


def _is_torn(data: bytes, at: int) -> bool:
    """Whether the journal ends in the middle of a record. A disk may leave zeros there."""
    if at + _FRAME.size > len(data) or not data[at:].strip(b"\0"):
        return True
    return bool(_FRAME.unpack_from(data, at)[0] > len(data) - at - _FRAME.size)


def _decode(packed: bytes, number: int, file: str) -> Record:
    """The CRC is right, so another program wrote a record that cannot be decoded."""
    try:
        kind, *values = msgpack.unpackb(packed, use_list=False, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        raise _make_error(file, "records", f"something else in record {number}", _FIX) from None
    if number == 0 and kind == 0 and values[:1] == [_WITHOUT_MODE]:
        values = [VERSION, *values[1:], None]
    if number == 0 and kind == 0 and values and values[0] != VERSION:
        raise _make_error(file, f"a journal of version {VERSION}", f"version {values[0]!r}", _FIX)
    if (number == 0) != (kind == 0) or type(kind) is not int or not _is_record(kind, values):
        raise _make_error(file, "records", f"something else in record {number}", _FIX)
    record: Record = _KINDS[kind](*values)
    return record


# -- what a record's fields may hold ---------------------------------------------------------------

_FIX = "recover it with the bedtape that wrote it"


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


# By the field's annotation. A bool does not count as an int.
_CHECKS: dict[str, Callable[[object], bool]] = {
    "int": lambda value: type(value) is int,
    "float": _is_time,
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bytes": lambda value: isinstance(value, bytes),
    "Headers": is_headers,
}
_FIELDS = [[_CHECKS[str(field.type)] for field in fields(kind)] for kind in _KINDS]


def _is_record(kind: int, values: list[object]) -> bool:
    if not 0 <= kind < len(_KINDS):
        return False
    most = len(_FIELDS[kind])
    if len(values) not in (most, _FEWEST.get(_KINDS[kind], most)):
        return False
    return all(check(value) for check, value in zip(_FIELDS[kind], values, strict=False))


def _make_error(file: str, expected: str, found: str, fix: str) -> CassetteInvalid:
    return CassetteInvalid([Problem(file, 0, expected, found, fix)])
