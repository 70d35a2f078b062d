"""The texts in a JSON document or in server-sent events, each with its position
in the spelled document.

Replacing a text at its position keeps the spelling of all others, which parsing and
writing JSON again would not.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bedtape_cassettes.format.json_values import Place


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of a text, and what replaces it."""

    start: int
    end: int
    new: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits, which are sorted and do not overlap, applied."""
    made, at = [], 0
    for edit in edits:
        made += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join([*made, text[at:]])


class Leaf(NamedTuple):
    """One decoded text, its position in the document, and its place: the names and
    numbers that lead to it.

    form: `raw` is part of a document that is not JSON. A name has the place of its member.
    """

    start: int
    end: int
    place: Place
    text: str
    form: Literal["name", "string", "number", "raw"]

    @property
    def label(self) -> str:
        """The name of the member that holds the string; "" for anything else."""
        last = self.place[-1] if self.place and self.form == "string" else ""
        return last if isinstance(last, str) else ""

    def outer(self, edits: list[Edit], spelled: str) -> list[Edit]:
        """Edits of the text as edits of the document. spelled: the whole document."""
        token = spelled[self.start : self.end]
        if self.form == "raw" or (self.form != "number" and token[1:-1] == self.text):
            at = self.start + (self.form != "raw")
            return [
                Edit(
                    at + e.start,
                    at + e.end,
                    e.new if self.form == "raw" else _quote(e.new, token)[1:-1],
                )
                for e in edits
            ]
        return [Edit(self.start, self.end, _quote(apply(self.text, edits), token))] if edits else []


def _quote(text: str, like: str) -> str:
    made = json.dumps(text, ensure_ascii=like.isascii())
    return _SURROGATE.sub(lambda surrogate: f"\\u{ord(surrogate[0]):04x}", made)


_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON = re.compile(r'\s*[\[{"]')
_SSE = re.compile(r"\s*(?:data|event|id|retry)?:")
_DATA = re.compile(r"(?m)^data: ?(.*)$")
# Bytes that are not UTF-8 come as surrogates; JSON does not contain them.
_TOKEN = re.compile(
    r'[\s,]*(?:("[^"\\\udc80-\udcff]*(?:\\.[^"\\\udc80-\udcff]*)*")(\s*:)?'
    r"|(-?[0-9][0-9.eE+-]*)|([\[{])|([\]}])|(?:true|false|null)\b)",
    re.DOTALL,
)
# The last group that a token matches.
_STRING, _NAME, _NUMBER, _OPENING, _CLOSING = range(1, 6)
_DECODER = json.JSONDecoder(strict=False)
_END = re.compile(r"[\s,]*\Z")


def read_leaves(text: str) -> tuple[list[Leaf], bool]:
    """The leaves of a JSON document or of server-sent events, and whether they are all of its text.

    A document that is cut or is not JSON has a text outside the leaves.
    """
    if _JSON.match(text) is not None:
        return _read_json(text)
    if _SSE.match(text) is not None and (
        lines := [match.span(1) for match in _DATA.finditer(text)]
    ):
        return list(_read_lines(text, lines)), True
    return [], False


def _read_lines(text: str, lines: Iterable[tuple[int, int]]) -> Iterator[Leaf]:
    at = 0
    for start, end in (*lines, (len(text), len(text))):
        if text[at:start].strip():
            yield Leaf(at, start, (), text[at:start], "raw")
        line, whole = read_leaves(text[start:end])
        for leaf in line if whole else [Leaf(0, end - start, (), text[start:end], "raw")]:
            yield Leaf(leaf.start + start, leaf.end + start, leaf.place, leaf.text, leaf.form)
        at = end


def _read_json(text: str) -> tuple[list[Leaf], bool]:
    """A document of nothing but tokens is JSON: that is enough here."""
    leaves: list[Leaf] = []
    # for each open object its last name, for each open list its last number
    path: list[str | int] = []
    at = 0
    match_token = _TOKEN.match
    while (match := match_token(text, at)) is not None:
        at, group = match.end(), match.lastindex
        if group == _CLOSING:
            if not path:
                return leaves, False
            path.pop()
            continue
        if group != _NAME and path and isinstance(last := path[-1], int):
            path[-1] = last + 1
        if group == _OPENING:
            path.append(-1)
        elif group == _NUMBER:
            leaves.append(Leaf(*match.span(group), tuple(path), match[group], "number"))
        elif group is not None:
            start, end = match.span(_STRING)
            value = text[start + 1 : end - 1]
            if "\\" in value:
                try:
                    value = _DECODER.decode(text[start:end])
                except ValueError:
                    return leaves, False
            if group == _NAME:
                path[-1:] = [value]
            form: Literal["name", "string"] = "name" if group == _NAME else "string"
            leaves.append(Leaf(start, end, tuple(path), value, form))
    return leaves, not path and _END.match(text, at) is not None


# -- base64 ----------------------------------------------------------------------------------------


_BASE64 = re.compile("[A-Za-z0-9+/_-]+={0,2}")


def decode_base64(word: str) -> str | None:
    """The text in base64 of either alphabet, padded or not; `None` if there is no text."""
    if _BASE64.fullmatch(word) is None:
        return None
    stripped = word.rstrip("=")
    decode = urlsafe_b64decode if "-" in word or "_" in word else b64decode
    try:
        return decode(stripped + "=" * (-len(stripped) % 4)).decode()
    except ValueError:
        return None


def encode_like(word: str, text: str) -> str:
    """The text in base64, with the alphabet and the padding of the word."""
    encode = urlsafe_b64encode if "-" in word or "_" in word else b64encode
    made = encode(text.encode(errors="surrogatepass")).decode()
    return made if word.endswith("=") or len(word) % 4 == 0 else made.rstrip("=")
