"""Writes the YAML dialect of cassettes, with one spelling for each value.

A text that a YAML reader could take for another value is quoted. A character that an editor could
change unseen is escaped. Keys keep their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from bedtape_cassettes.format.yaml_reader import MAX_DEPTH, MAX_DIGITS, Path
from bedtape_cassettes.model import JsonValue

Flow: TypeAlias = Callable[[Path, JsonValue], bool]
Inline: TypeAlias = Callable[[Path, JsonValue], str | None]

MAX_EVENT_COLUMNS = 160  # an event is one line, so that a stream reads as a table
MAX_COLUMNS = 100
MAX_PLAIN_KEY = 1000  # YAML requires the ':' within 1,024 characters, except after `? `

_PLAIN_BEGINS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_($<\\;^")
# Words and numbers of YAML 1.1, of YAML 1.2 and of common readers: 0x1F, 0b1, 0o17, 1_000, 1:20
# (sexagesimal), 1e5, 2024-01-01T00:00:00Z. The pattern also matches similar texts that are not
# numbers.
_NUMERIC = re.compile(r"[0-9][0-9A-Fa-f_xXoOtTzZ.:+\- ]*")
_WORDS = frozenset(
    ("y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity", "<<")
)
_FLOW_SIGNS = re.compile(r"[,\[\]{}:?]")
# Characters that YAML forbids, that some readers take as a line break, or that are invisible.
_HIDDEN = "\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff"
_UNPRINTABLE = re.compile(f"[{_HIDDEN}]")
_ESCAPED = re.compile(f'[{_HIDDEN}\t\n"\\\\]')
_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
# Editors remove blanks at the end of lines, which would change a recording.
_BLANK_AT_END = re.compile(r"[^\S\n](?:\n|\Z)")

# Bedrock's names for prose. A text of one word is written like a text of many words, so that diffs
# stay small.
_PROSE = frozenset(
    (
        "text",
        "content",
        "prompt",
        "description",
        "inputText",
        "outputText",
        "completion",
        "thinking",
    )
)


def dump(value: JsonValue, *, flow: Flow | None = None) -> bytes:
    """Returns the value as a document in UTF-8 that ends in one newline.

    flow: returns whether to write a mapping or sequence on one line, given its path and value. The
    default writes events and small collections of names and numbers on one line. Raises ValueError
    for lone surrogates, NaN, infinities and more than MAX_DEPTH levels.
    """
    writer = _Writer(_by_default if flow is None else _choose_by(flow))
    writer.value(value)
    return writer.text().encode()


def _choose_by(flow: Flow) -> Inline:
    return lambda path, value: _one_line(value, len(path)) if flow(path, value) else None


def _by_default(path: Path, value: JsonValue) -> str | None:
    if not path:
        return None
    if len(path) == 3 and path[0] == "response" and path[1] == "events":
        line = _one_line(value, len(path))
        return line if len(line) <= MAX_EVENT_COLUMNS else None
    if isinstance(value, dict):
        if not _PROSE.isdisjoint(value) or not all(map(_is_name, value.values())):
            return None
    elif not isinstance(value, list) or not all(map(_is_name, value)):
        return None
    line = _one_line(value, len(path))
    if len(line) <= MAX_COLUMNS:
        return line
    return _wrap_numbers(value) if isinstance(value, list) and all(map(_is_number, value)) else None


def _is_name(value: JsonValue) -> bool:
    """Prose is no name. It gets a line of its own, because people read and edit it."""
    if isinstance(value, str):
        return len(value) <= MAX_COLUMNS and " " not in value and "\n" not in value
    return not isinstance(value, dict | list)


def _wrap_numbers(numbers: list[JsonValue]) -> str:
    """Returns numbers on wrapped lines, because an embedding has a thousand numbers."""
    lines = [""]
    for number in numbers:
        spelt = _scalar(number, True)
        if len(lines[-1]) + len(spelt) > MAX_COLUMNS - 4:
            lines.append("")
        lines[-1] += f"{spelt}, "
    return "[" + "\n".join(line[:-1] for line in lines)[:-1] + "]"


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Writer:
    """A piece of the document does not end its line; the next piece continues there."""

    def __init__(self, inline: Inline) -> None:
        self.inline = inline
        self.pieces: list[str] = []
        self.add = self.pieces.append
        self.last_block: tuple[int, str] | None = None

    def value(self, value: JsonValue) -> None:
        if not isinstance(value, dict | list):
            self.add(_scalar(value, False))
        elif (line := self._line((), value)) is not None:
            self.add(line)
        elif isinstance(value, dict):
            self._add_mapping(value, 0, ())
        else:
            self._add_sequence(value, 0, ())

    def text(self) -> str:
        if self.last_block and self.last_block[0] == len(self.pieces):
            # Most editors and pre-commit hooks remove blank lines at the end of a file.
            self.pieces[-1] = " " + _double(self.last_block[1])
        self.add("\n")
        return "".join(self.pieces)

    def _add_mapping(self, mapping: dict[str, JsonValue], indent: int, path: Path) -> None:
        pad = "\n" + " " * indent
        between = ""
        for key, value in mapping.items():
            spelt = _key(key, False)
            if len(spelt) > MAX_PLAIN_KEY:
                spelt = f"? {spelt}{pad}"
            self.add(f"{between}{spelt}:")
            between = pad
            if isinstance(value, dict | list):
                self._add_below(value, indent, (*path, key), dash=False)
            else:
                self._add_leaf(value, indent)

    def _add_below(self, value: JsonValue, indent: int, path: Path, *, dash: bool) -> None:
        """Adds a mapping or sequence after its key or dash.

        Its first entry follows a dash, and is below a key.
        """
        if (line := self._line(path, value)) is not None:
            self.add(" " + line.replace("\n", "\n" + " " * (indent + 2)))
            return
        below = indent + 2 if dash or isinstance(value, dict) else indent
        self.add(" " if dash else "\n" + " " * below)
        if isinstance(value, dict):
            self._add_mapping(value, below, path)
        elif isinstance(value, list):
            self._add_sequence(value, below, path)

    def _add_sequence(self, sequence: list[JsonValue], indent: int, path: Path) -> None:
        between, pad = "-", "\n" + " " * indent + "-"
        for number, value in enumerate(sequence):
            self.add(between)
            between = pad
            if isinstance(value, dict | list):
                self._add_below(value, indent, (*path, number), dash=True)
            else:
                self._add_leaf(value, indent)

    def _add_leaf(self, value: JsonValue, indent: int) -> None:
        if isinstance(value, str) and _is_block(value):
            self.add(_block(value, indent + 2))
            if value.endswith("\n\n"):
                self.last_block = (len(self.pieces), value)
        else:
            self.add(" " + _scalar(value, False))

    def _line(self, path: Path, value: JsonValue) -> str | None:
        _check_depth(len(path))
        if not value:
            return "{}" if isinstance(value, dict) else "[]"
        return self.inline(path, value)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(
            f"a cassette holds at most {MAX_DEPTH} levels of nesting, and this value has more"
        )


def _one_line(value: JsonValue, depth: int) -> str:
    if isinstance(value, dict):
        _check_depth(depth)
        return (
            "{" + ", ".join(_flow_pair(key, below, depth + 1) for key, below in value.items()) + "}"
        )
    if isinstance(value, list):
        _check_depth(depth)
        return "[" + ", ".join([_one_line(below, depth + 1) for below in value]) + "]"
    return _scalar(value, True)


def _flow_pair(key: str, value: JsonValue, depth: int) -> str:
    spelt = _key(key, True)
    return f"{'? ' if len(spelt) > MAX_PLAIN_KEY else ''}{spelt}: {_one_line(value, depth)}"


def _scalar(value: JsonValue, in_flow: bool) -> str:
    if isinstance(value, str):
        return _text(value, in_flow)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        digits = str(value)
        if len(digits.lstrip("-")) > MAX_DIGITS:
            raise ValueError(f"a cassette holds integers of at most {MAX_DIGITS} digits")
        return digits
    if isinstance(value, float):
        return _float(value)
    raise TypeError(f"a cassette holds JSON values, not {type(value).__name__}")


def _float(value: float) -> str:
    spelt = repr(value)
    if spelt in ("nan", "inf", "-inf"):
        raise ValueError(
            f"a cassette cannot hold the number {spelt}: JSON does not have these values"
        )
    # YAML 1.1 reads 1e-05 as a text and 1.0e-05 as a number.
    return spelt if "." in spelt else spelt.replace("e", ".0e")


def _text(text: str, in_flow: bool) -> str:
    """Returns the text on one line: plain if every reader reads it as a text, else in quotes."""
    if not isinstance(text, str):
        raise TypeError(f"a cassette's keys are texts, not {type(text).__name__}")
    if not (
        text.isprintable()
        or ("\n" not in text and "\t" not in text and not _UNPRINTABLE.search(text))
    ):
        return _double(text)
    if _is_plain(text) and not (in_flow and _FLOW_SIGNS.search(text)):
        return text
    return "'" + text.replace("'", "''") + "'"


_key = lru_cache(maxsize=8192)(_text)  # keys repeat; texts do not


def _is_plain(text: str) -> bool:
    return (
        bool(text)
        and (text[0] in _PLAIN_BEGINS or text[0] > "\x7f")
        and ": " not in text
        and " #" not in text
        and text[-1] != ":"
        and not text[-1].isspace()
        and not text[0].isspace()
        and not _NUMERIC.fullmatch(text)
        and not (len(text) <= 8 and text.lower() in _WORDS)
    )


def _double(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(
            f"a cassette cannot hold half of a surrogate pair, U+{code:04X}: it is no character"
        )
    return _ESCAPES.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _is_block(text: str) -> bool:
    return (
        "\n" in text
        and not text.isspace()
        and not _BLANK_AT_END.search(text)
        and not _UNPRINTABLE.search(text)
    )


def _block(text: str, indent: int) -> str:
    """Returns a literal block, which contains each line unchanged, to follow a key or dash."""
    # a reader cannot derive the indentation from such a first line
    hint = "2" if text[0] in " \t\n" else ""
    if not text.endswith("\n"):
        chomp, lines = "-", text
    else:
        chomp, lines = "+" if text.endswith("\n\n") else "", text[:-1]
    pad = " " * indent
    spelt = (pad + lines.replace("\n", "\n" + pad)).replace(pad + "\n", "\n")
    return f" |{hint}{chomp}\n{spelt.removesuffix(pad)}"
