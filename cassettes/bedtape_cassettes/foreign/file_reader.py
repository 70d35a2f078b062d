"""A foreign file's bytes, opened into the values that it holds: gzip, JSON, YAML or mitmproxy's flows.

Bounded in size and depth, so that no file can take the machine along. Pure.
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

__all__ = ["MAX_BYTES", "FileContent", "inflate", "parse_file"]

MAX_BYTES = 256 * 2**20  # unpacked: the largest of 1,100 foreign cassettes has 4 MB

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # gzip or zlib, by its head
_FLOW = re.compile(rb"[0-9]{1,10}:[0-9]{1,10}:")


@dataclass(frozen=True, slots=True)
class FileContent:
    """documents: the values, in order. damage: what kept the rest of the file from being read, where it ends early."""

    documents: list[Any]
    damage: str | None = None


def inflate(data: bytes, limit: int = MAX_BYTES) -> bytes:
    """Gzip or zlib, unpacked. Raises ValueError for what is neither, is cut, or holds more than `limit` bytes."""
    found = b""
    while data:
        unpacking = zlib.decompressobj(_EITHER)
        try:
            found += unpacking.decompress(data, limit - len(found) + 1)
        except zlib.error as error:
            raise ValueError(f"expected gzip, found something else ({error})") from None
        if len(found) > limit:
            raise ValueError(f"expected at most {limit >> 20} MiB when unpacked, found more")
        if not unpacking.eof:
            raise ValueError("expected whole gzip data, found its end missing")
        data = unpacking.unused_data.lstrip(b"\0")
    return found


def parse_file(data: bytes) -> FileContent:
    """What the file holds. Raises ValueError where nothing of it can be read."""
    if data.startswith(_GZIP):
        data = inflate(data)
    if _FLOW.match(data):
        return _flows(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected text, found the byte 0x{data[error.start]:02x} at offset {error.start}") from None
    return FileContent([_json(text)] if text.lstrip()[:1] in ("{", "[") else load_all(text))


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"JSON that cannot be read: {error}") from None
    if levels(value) > MAX_DEPTH:
        raise ValueError("JSON that is nested too deeply")
    return value


def _flows(data: bytes) -> FileContent:
    """Flows one after another: a recorder that was killed leaves the last one cut."""
    flows: list[Any] = []
    at = 0
    while at < len(data):
        try:
            flow, at = read(data, at)
        except ValueError as error:
            return FileContent(flows, f"the file is damaged: {error}")
        flows.append(flow)
    return FileContent(flows)
