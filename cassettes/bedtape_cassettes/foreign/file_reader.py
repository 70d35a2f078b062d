"""Parses the bytes of a foreign file: gzip, JSON, JSON Lines, YAML or mitmproxy's flows.

Size and depth are limited, so that a file cannot exhaust memory or the stack.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from bedtape_cassettes.foreign.foreign_yaml import MAX_DEPTH, load_all
from bedtape_cassettes.foreign.tnetstring import read
from bedtape_cassettes.format.bodies import levels

MAX_BYTES = 256 * 2**20  # unpacked: the largest of 1,100 foreign cassettes has 4 MB

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # gzip or zlib, by its head
_FLOW = re.compile(rb"[0-9]{1,10}:[0-9]{1,10}:")


@dataclass(frozen=True, slots=True)
class FileContent:
    """documents: the parsed values, in order. damage: the error that ended them, or `None`."""

    documents: list[Any]
    damage: str | None = None


def inflate(data: bytes, limit: int = MAX_BYTES) -> bytes:
    """Decompresses gzip or zlib. Raises ValueError for other data, or more than `limit` bytes."""
    unpacked = b""
    while data:
        unpacking = zlib.decompressobj(_EITHER)
        try:
            unpacked += unpacking.decompress(data, limit - len(unpacked) + 1)
        except zlib.error as error:
            raise ValueError(f"expected gzip, found something else ({error})") from None
        if len(unpacked) > limit:
            raise ValueError(f"expected at most {limit >> 20} MiB when unpacked, found more")
        if not unpacking.eof:
            raise ValueError("expected whole gzip data, found its end missing")
        data = unpacking.unused_data.lstrip(b"\0")
    return unpacked


def parse_file(data: bytes) -> FileContent:
    """Parses the file. Raises ValueError if no part of it can be read."""
    if data.startswith(_GZIP):
        data = inflate(data)
    if _FLOW.match(data):
        return _flows(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected text, found the byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from None
    if text.lstrip()[:1] not in ("{", "["):
        return FileContent(load_all(text))
    lines = [line for line in text.split("\n") if line.strip()]
    return (
        _json_lines(lines) if len(lines) > 1 and _is_json(lines[0]) else FileContent([_json(text)])
    )


def _is_json(line: str) -> bool:
    try:
        _json(line)
    except ValueError:
        return False
    return True


def _json_lines(lines: list[str]) -> FileContent:
    """Parses a document in each line. A program that was killed leaves the last line truncated."""
    documents: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            documents.append(_json(line))
        except ValueError as error:
            return FileContent(documents, f"the file is damaged at line {number}: {error}")
    return FileContent(documents)


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"JSON that cannot be read: {error}") from None
    if levels(value, MAX_DEPTH) > MAX_DEPTH:
        raise ValueError("JSON that is nested too deeply")
    return value


def _flows(data: bytes) -> FileContent:
    """Parses concatenated flows. A recorder that was killed leaves the last flow truncated."""
    flows: list[Any] = []
    at = 0
    while at < len(data):
        try:
            flow, at = read(data, at)
        except ValueError as error:
            return FileContent(flows, f"the file is damaged: {error}")
        flows.append(flow)
    return FileContent(flows)
