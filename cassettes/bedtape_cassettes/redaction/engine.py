"""The search that everything uses: which pieces of a text are secret, however the
text spells them, as edits.

A text is searched as it is, in the leaves of its JSON, in its base64, and in its
percent-encoding, each inside each.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase, digits
from typing import NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, unquote, unquote_to_bytes

from bedtape_cassettes.format.json_values import Place, is_within, parse_path
from bedtape_cassettes.format.patterns import find_spans
from bedtape_cassettes.redaction.hints import HintIndex
from bedtape_cassettes.redaction.kinds import LONG, PLACEHOLDER, REDACTED, SecretKind
from bedtape_cassettes.redaction.leaves import (
    Edit,
    Leaf,
    apply,
    decode_base64,
    encode_like,
    read_leaves,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Span:
    """Where something of a kind stands in a text."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Find:
    """What was found. how: "in base64", "percent-encoded" or "". place: of the leaf."""

    kind: str
    value: str
    how: str
    place: Place


Look: TypeAlias = Callable[[str], Iterable[Span]]


@dataclass(frozen=True, slots=True)
class HintedLook:
    """A look that finds nothing in texts without hints.

    has_hint: whether a document, which may be JSON, has a hint in one of its texts.
    """

    look: Look
    has_hint: Callable[[bytes], bool]

    def __call__(self, text: str) -> Iterable[Span]:
        return self.look(text)


Writer: TypeAlias = Callable[[Find], str]
"""Returns what replaces a find."""


class _Cues(NamedTuple):
    """The cues of one kind. See `SecretKind`."""

    outlines: Sequence[bytes]
    patterns: Sequence[re.Pattern[bytes]]

    def match(self, lowered: bytes) -> bool:
        if self.outlines:
            outline = lowered.translate(_OUTLINE)
            if not any(text in outline for text in self.outlines):
                return False
        return any(pattern.search(lowered) is not None for pattern in self.patterns)


@dataclass(frozen=True)
class Search:
    """What to search for: kinds, what the functions in `looks` find, and
    everything at the JSON paths.

    across: `looks` also search the spelling of JSON, so that they find what spans several texts.
    """

    kinds: tuple[SecretKind, ...] = ()
    looks: tuple[Look, ...] = ()
    paths: tuple[str, ...] = ()
    across: bool = False

    @cached_property
    def without_paths(self) -> Search:
        """The same search without JSON paths."""
        return Search(self.kinds, self.looks, (), self.across) if self.paths else self

    @cached_property
    def clean(self) -> set[tuple[str, str, int]]:
        """Texts without finds, each with its label and depth, because most texts repeat."""
        return set()

    def is_clean(self, text: str) -> bool:
        """Whether the search has read this document already, and found nothing in it."""
        return len(text) <= _LONGEST_REMEMBERED and ("", text, 0) in self.clean

    @cached_property
    def hints(self) -> HintIndex[SecretKind]:
        """The kinds by their hints."""
        return HintIndex((kind, kind.hints or ("",)) for kind in self.kinds)

    @cached_property
    def _shortest_word(self) -> int:
        """In base64, personal data may have 8 characters, and in a text 12."""
        short = self.looks or any(kind.personal for kind in self.kinds)
        return _SHORTEST_BASE64 if short else LONG

    @cached_property
    def _cues(self) -> tuple[HintIndex[_Cues], ...]:
        """The cues by their kinds' hints: of kinds that a text without long words may contain, and
        of all kinds.
        """
        rows = [
            (kind, _Cues(kind.outlines, [re.compile(cue, re.DOTALL) for cue in kind.cues]))
            for kind in self.kinds
        ]
        short = HintIndex((cues, kind.hints or ("",)) for kind, cues in rows if kind.short)
        return short, HintIndex((cues, kind.hints or ("",)) for kind, cues in rows)

    @cached_property
    def is_hinted(self) -> bool:
        """Whether everything that the search finds has a hint."""
        return (
            bool(self.kinds)
            and all(kind.hints for kind in self.kinds)
            and all(isinstance(look, HintedLook) for look in self.looks)
            and not self.paths
        )

    @cached_property
    def split_paths(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(parse_path, self.paths))

    def may_find(self, data: bytes, depth: int = 0) -> bool:
        """Whether a document might contain one of the kinds; nearly always it does not.

        For a search that `is_hinted`.
        """
        words = _long_words(data, self._shortest_word)
        lowered, (short, every) = data.lower(), self._cues
        for cues in (every if words else short).find(lowered.decode(errors="surrogateescape")):
            if cues.match(lowered):
                return True
        if b"\\" in data and _ESCAPED.search(data) is not None:
            return True
        for look in self.looks:
            if isinstance(look, HintedLook) and look.has_hint(data):
                return True
        if depth == _DEEPEST:
            return False
        if self._shortest_word < LONG and _SHORT_BINARY.search(data) is not None:
            return True
        if (
            b"%" in data
            and _ESCAPED_BYTE.search(data)
            and self.may_find(unquote_to_bytes(data), depth + 1)
        ):
            return True
        for word in words:  # noqa: SIM110 - each prompt gets here: a generator is a function more
            if self._may_find_within(word, depth):
                return True
        return False

    def _may_find_within(self, word: bytes, depth: int) -> bool:
        try:
            inner = b64decode(word.translate(_STANDARD) + b"==")
            inner.decode()
        except ValueError:
            return False
        return self.may_find(inner, depth + 1)


# Escapes of characters that secrets and base64 are made of.
_ESCAPED = re.compile(rb"\\(?:/|u00)")
_ESCAPE_LETTERS = re.compile(rb"[bfnrt]|u[0-9A-Fa-f]{4}")
_ESCAPED_BYTE = re.compile(rb"%[0-9A-Fa-f]{2}")
_OUTLINE = bytes.maketrans(ascii_lowercase.encode() + digits.encode(), b"a" * 26 + b"0" * 10)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_ROUNDS = 32  # replacing a find may make another: a placeholder ends where a longer word went on
_DEEPEST = 8
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 512, 20_000  # at most 12 MB for each search
_SHORTEST_BASE64 = 12
_SHORT_BINARY = re.compile(rb'(?:bytes|body|data)\\*"\s*:\s*\\*"[A-Za-z0-9+/_-]{8,11}={0,2}\\*"')
_WORDS = bytes(
    ord("a") if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "+/_-") else 32
    for byte in range(256)
)


def _long_words(data: bytes, least: int) -> set[bytes]:
    """The words of at least so many characters: they may be a secret, or base64 of one.

    The first letters of a word after a backslash may be an escape of JSON: the word
    without them is returned too.
    """
    classes, run = data.translate(_WORDS), b"a" * least
    words, at = set(), classes.find(run)
    while at >= 0:
        end = classes.find(b" ", at)
        word = data[at:] if end < 0 else data[at:end]
        words.add(word)
        if data[at - 1 : at] == b"\\" and (escape := _ESCAPE_LETTERS.match(word)) is not None:
            words.add(word[escape.end() :])
        at = classes.find(run, end) if end >= 0 else -1
    return words


# A word begins where no word is: otherwise a long one would be read again from
# each of its characters.
_PERCENT = re.compile(
    r"(?<![A-Za-z0-9_.~+@:-])[A-Za-z0-9_.~+@:-]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9_.~+@:-]*)+"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/_=-])")
# Members that hold base64 in Bedrock's JSON. A word this long does not decode to text by chance.
BINARY_NAMES = frozenset({"bytes", "body", "data"})
_SURELY_BASE64 = 24


# Where an escape is open. A match that begins or ends there is part of the spelling; an edit
# would break the escape.
_OPEN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_LONGEST_ESCAPES = 64


def find_edits(text: str, search: Search, write: Writer) -> list[Edit]:
    """What of a document is to change, from left to right. write: called for each find."""
    return _Reader(search, write).read(text, "", _At())


def settle(value: _T, change: Callable[[_T], _T]) -> _T:
    """Repeats `change` until it changes nothing, because replacing a find may make another."""
    for _ in range(_ROUNDS):
        before, value = value, change(value)
        if value == before:
            break
    return value


def replace_all(text: str, search: Search, write: Writer) -> str:
    """The document without anything that the search finds."""
    return settle(text, lambda now: apply(now, find_edits(now, search, write)))


def find_edits_in(leaf: Leaf, text: str, place: Place, search: Search, write: Writer) -> list[Edit]:
    """As `find_edits`, of the text that begins in the leaf, which stands at the place."""
    reader = _Reader(search, write)
    if reader.is_named(place):
        return reader.take_whole(text, place)
    return reader.read(text, leaf.label, _At(place, "", 1))


class _At(NamedTuple):
    """Where the reader is. place: the leaf of the document, `None` for the document itself."""

    place: Place | None = None
    how: str = ""
    depth: int = 0

    def within(self, place: Place = (), how: str | None = None) -> _At:
        return _At(
            place if self.place is None else self.place,
            self.how if how is None else how,
            self.depth + 1,
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    search: Search
    write: Writer

    def read(self, text: str, label: str, at: _At) -> list[Edit]:
        """The edits of a text. label: the name of the member that holds it."""
        if len(text) > _LONGEST_REMEMBERED:
            return self._read_new(text, label, at)
        key, clean = (label, text, at.depth), self.search.clean
        if key in clean:
            return []
        edits = self._read_new(text, label, at)
        if not edits:
            if len(clean) >= _MOST_REMEMBERED:
                clean.clear()
            clean.add(key)
        return edits

    def _read_new(self, text: str, label: str, at: _At) -> list[Edit]:
        binary = label in BINARY_NAMES
        hinted = self.search.is_hinted and not (binary and len(text) < _SHORTEST_BASE64)
        if hinted and not self.search.may_find(f"{label} {text}".encode(errors="surrogatepass")):
            return []
        if binary and (inner := decode_base64(text)) is not None:
            edits = self._read_inner(text, 0, inner, encode_like, at.within(how="in base64"))
            if edits or len(text) >= _SURELY_BASE64 or inner.startswith("{"):
                return edits
        leaves, whole = read_leaves(text) if at.depth < _DEEPEST else ([], False)
        edits = [edit for leaf in leaves for edit in leaf.outer(self._read_leaf(leaf, at), text)]
        if not whole:
            _add(edits, self._read_plain(text, label, at))
            if at.depth < _DEEPEST:
                _add(edits, self._read_encoded(text, at))
        elif self.search.across and not edits:
            edits = [
                edit for edit in self._read_plain(text, "", at) if not _breaks(edit, text, leaves)
            ]
        return sorted(edits, key=lambda edit: edit.start)

    def _read_leaf(self, leaf: Leaf, at: _At) -> list[Edit]:
        if at.place is None and leaf.form != "name" and self.is_named(leaf.place):
            return self.take_whole(leaf.text, leaf.place)
        if (
            leaf.form == "number"
            and not leaf.text.lstrip("-").isdecimal()
            and not self.search.across
        ):
            return []  # no secret has a fraction, and embeddings have thousands
        return self.read(leaf.text, leaf.label, at.within(leaf.place))

    def is_named(self, place: Place) -> bool:
        """Whether the place is at one of the search's paths, or below it."""
        return any(is_within(place, path) for path in self.search.split_paths)

    def take_whole(self, text: str, place: Place) -> list[Edit]:
        """The edit that replaces a text at one of the search's paths."""
        if not text or PLACEHOLDER.fullmatch(text):
            return []
        return [Edit(0, len(text), self.write(Find("path", text, "", place)))]

    def _read_plain(self, text: str, label: str, at: _At) -> Iterator[Edit]:
        last = 0
        for span in sorted(self._spans(text, label), key=lambda span: (span.start, -span.end)):
            value = text[span.start : span.end]
            if (
                span.start >= last
                and value
                and value != REDACTED
                and not PLACEHOLDER.fullmatch(value)
            ):
                yield Edit(
                    span.start, span.end, self.write(Find(span.kind, value, at.how, at.place or ()))
                )
                last = span.end

    def _spans(self, text: str, label: str) -> Iterator[Span]:
        prefix = f'"{label}":"' if label else ""
        labelled = f'{prefix}{text}"' if label else text
        for kind in self.search.hints.find(labelled.lower()):
            for match in kind.pattern.finditer(labelled):
                # A group before the secret is its label, which stays.
                start = (match.end(1) if kind.pattern.groups else match.start()) - len(prefix)
                end = min(match.end() - len(prefix), len(text))
                if start >= 0 and (kind.accepts is None or kind.accepts(text[start:end])):
                    yield Span(start, end, kind.name)
        for look in self.search.looks:
            yield from look(text)

    def _read_encoded(self, text: str, at: _At) -> Iterator[Edit]:
        for match in _PERCENT.finditer(text) if "%" in text else ():
            inner = unquote(match[0], errors="replace")
            within = at.within(how="percent-encoded")
            yield from self._read_inner(
                match[0], match.start(), inner, lambda _, new: quote(new, safe=""), within
            )
        for match in _BASE64.finditer(text):
            if (decoded := decode_base64(match[0])) is not None:
                yield from self._read_inner(
                    match[0], match.start(), decoded, encode_like, at.within(how="in base64")
                )

    def _read_inner(
        self, word: str, start: int, inner: str, encode: Callable[[str, str], str], at: _At
    ) -> list[Edit]:
        edits = self.read(inner, "", at)
        return [Edit(start, start + len(word), encode(word, apply(inner, edits)))] if edits else []


def _add(edits: list[Edit], more: Iterable[Edit]) -> None:
    """Add the edits that overlap no earlier edit."""
    earlier = list(edits)
    edits += [
        edit
        for edit in more
        if not any(edit.start < old.end and old.start < edit.end for old in earlier)
    ]


def _breaks(edit: Edit, text: str, leaves: Iterable[Leaf]) -> bool:
    """Whether an edit of JSON's spelling would break an escape or base64 that was searched."""
    return any(
        _OPEN_ESCAPE.search(text[max(0, at - _LONGEST_ESCAPES) : at])
        for at in (edit.start, edit.end)
    ) or any(
        leaf.label in BINARY_NAMES
        and edit.start < leaf.end
        and leaf.start < edit.end
        and decode_base64(leaf.text)
        for leaf in leaves
    )


# -- looks -----------------------------------------------------------------------------------------


def find_pattern(pattern: re.Pattern[str], kind: str = "pattern") -> Look:
    """A look that finds the matches of a pattern: of its first group, if it has one."""
    return lambda text: (
        Span(*span, kind)
        for span in find_spans(pattern, text, min(1, pattern.groups))
        if span[0] >= 0
    )


def find_words(values: dict[str, str]) -> Look:
    """A look that finds the values, each with its kind, wherever they stand as words."""
    words = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    pattern = re.compile(
        "|".join(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])" for word in words) or r"(?!)"
    )
    return lambda text: (Span(*match.span(), values[match[0]]) for match in pattern.finditer(text))


_SHORTEST = 4  # shorter values stand in other words by chance
