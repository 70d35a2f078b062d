"""Converts bytes in the YAML dialect of cassettes to JSON values and back.

The dialect is the strict part of YAML that all YAML readers interpret in the same way. It has no
tags, no aliases and no implicit types other than JSON's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

from yaml.events import Event, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format.yaml_reader import MAX_PROBLEMS, Path, events, line_of, read
from bedtape_cassettes.format.yaml_writer import dump
from bedtape_cassettes.model import JsonValue

__all__ = ["MAX_BYTES", "dump", "load", "locate"]

MAX_BYTES = 64 * 2**20

# YAML readers disagree about these: a character, a line break, or an error.
_FORBIDDEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)"
)
# The ASCII that is not forbidden, without \r: nearly all files contain nothing else.
_PLAIN = b"\t\n" + bytes(range(0x20, 0x7F))
_BOMS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def load(data: bytes, file: str) -> JsonValue:
    """Returns the value of the file's document. Raises CassetteInvalid with every problem."""
    return read(data, _decode(data, file), file)


def locate(data: bytes) -> dict[Path, int]:
    """Returns the line of each key and each item of a valid document, by path.

    Lines are counted from 1. The line of the path () is 1.
    """
    lines: dict[Path, int] = {(): 1}
    next_event = events(data, data.decode())

    def walk(event: Event, path: Path) -> None:
        if isinstance(event, MappingStartEvent):
            while isinstance(key := next_event(), ScalarEvent):
                below = (*path, key.value)
                lines[below] = line_of(key)
                walk(next_event(), below)
        elif isinstance(event, SequenceStartEvent):
            items = takewhile(
                lambda item: not isinstance(item, SequenceEndEvent), iter(next_event, None)
            )
            for number, item in enumerate(items):
                below = (*path, number)
                lines[below] = line_of(item)
                walk(item, below)

    for _ in ("the stream's start", "the document's start"):
        next_event()
    walk(next_event(), ())
    return lines


def _decode(data: bytes, file: str) -> str:
    """Raises CassetteInvalid if YAML readers would interpret the text differently."""
    if len(data) > MAX_BYTES:
        raise _make_error(
            file, 0, f"at most {MAX_BYTES} bytes", f"{len(data)}", "split the cassette"
        )
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            actual = f"a byte order mark ({encoding})"
            raise _make_error(
                file,
                1,
                "UTF-8 without a byte order mark",
                actual,
                "save the file as UTF-8, without BOM",
            )
    if b"\0" in data:
        fix = "restore the file from version control, or record it again"
        raise _make_error(file, 0, "a YAML text file", "binary data", fix)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        actual = f"the byte 0x{data[error.start]:02x} at offset {error.start}"
        raise _make_error(file, line, "UTF-8", actual, "save the file as UTF-8") from None
    if data.translate(None, _PLAIN) and _FORBIDDEN.search(text):
        raise CassetteInvalid(_find_forbidden(text, file))
    return text


def _find_forbidden(text: str, file: str) -> Iterator[Problem]:
    line, counted = 1, 0
    for _, match in zip(range(MAX_PROBLEMS), _FORBIDDEN.finditer(text), strict=False):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        code = ord(match[0])
        fix = f'remove it, or write it as "\\u{code:04x}" in double quotes'
        yield Problem(file, line, "printable text", f"the character U+{code:04X}", fix)


def _make_error(file: str, line: int, expected: str, found: str, fix: str) -> CassetteInvalid:
    return CassetteInvalid([Problem(file, line, expected, found, fix)])
