"""What a text holds that should not be committed: secrets, personal data by pattern, and what a user names; also in base64
or percent-encoded. It says where and what kind; what stands there instead is the caller's business. Pure.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from bedtape_cassettes.redaction.scrub import REDACTED, REFUSALS, SCRUBS

__all__ = [
    "KINDS",
    "PLACEHOLDER",
    "SECRETS",
    "Edit",
    "Look",
    "Span",
    "applied",
    "by_pattern",
    "edits",
    "literal",
    "looking",
]

# What stands for what was taken out: the kind, and a number for each value of that kind.
PLACEHOLDER = re.compile(rf"{REDACTED}-([a-z-]+)-([0-9]+)")


@dataclass(frozen=True, slots=True)
class Span:
    """Where something of a kind is in a text."""

    start: int
    end: int
    kind: str


Look = Callable[[str], Iterable[Span]]


# -- secrets ---------------------------------------------------------------------------------------------------


def _slug(name: str) -> str:
    return re.sub("[^a-z]+", "-", re.sub("^an? ", "", name.lower())).strip("-")


_SECRET = {_slug(kind.name): kind for kind in (*SCRUBS, *REFUSALS)}
SECRETS = tuple(_SECRET)
_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|\Z)", re.DOTALL
)


def _secrets(text: str, kinds: Iterable[str]) -> Iterator[Span]:
    data = text.encode(errors="replace")
    lowered = data.lower()
    for name in kinds:
        kind = _SECRET[name]
        if not kind.hinted(lowered):
            continue
        if name == "private-key":
            yield from (Span(*found.span(), name) for found in _KEY_BLOCK.finditer(text))
            continue
        for match in kind.pattern.finditer(data):
            # A group before the secret is what tells it (`Bearer `): that stays.
            start = match.end(1) if kind.pattern.groups else match.start()
            yield Span(_characters(data[:start]), _characters(data[: match.end()]), name)


def _characters(data: bytes) -> int:
    return len(data.decode(errors="replace"))


# -- personal data ---------------------------------------------------------------------------------------------

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_NOBODYS = re.compile(r"(?i)[@.](?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid|localhost))$")
_PHONE = re.compile(
    r"(?<![\w+.-])(?:\+[1-9][0-9]{0,2}(?:[ .()-]{0,2}[0-9]){7,12}|(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4})(?![\w-])"
)
_FICTION = re.compile(r"555\D{0,2}01[0-9]{2}$")  # numbers that are given to nobody
_CARD = re.compile(r"(?<![\w.-])[3-6][0-9]{3}(?:[ -]?[0-9]{2,6}){2,4}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")


# Card companies publish these for tests, so they are in every second example.
_TEST_CARDS = frozenset({"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"})


def _is_card(text: str) -> bool:
    """By Luhn's check digit."""
    digits = [int(c) for c in text if c.isdigit()]
    if "".join(map(str, digits)) in _TEST_CARDS:
        return False
    doubled = [d if n % 2 == 0 else sum(divmod(2 * d, 10)) for n, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """By ISO 7064's remainder."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


_PERSONAL: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "email": (_EMAIL, lambda text: _NOBODYS.search(text) is None),
    "card": (_CARD, _is_card),
    "iban": (_IBAN, _is_iban),
    "us-ssn": (_SSN, lambda _: True),
    "phone": (_PHONE, lambda text: _FICTION.search(text) is None),
}
KINDS = (*SECRETS, *_PERSONAL)


def _personal(text: str, kinds: Iterable[str]) -> Iterator[Span]:
    for name in kinds:
        pattern, sure = _PERSONAL[name]
        yield from (Span(*found.span(), name) for found in pattern.finditer(text) if sure(found[0]))


# -- looking ---------------------------------------------------------------------------------------------------


def looking(kinds: Iterable[str] = KINDS, more: Iterable[Look] = ()) -> Look:
    """What finds these kinds, and what others find."""
    chosen, others = tuple(kinds), tuple(more)

    def look(text: str) -> Iterator[Span]:
        yield from _secrets(text, [name for name in chosen if name in _SECRET])
        yield from _personal(text, [name for name in chosen if name in _PERSONAL])
        for other in others:
            yield from other(text)

    return look


def by_pattern(pattern: re.Pattern[str], kind: str = "pattern") -> Look:
    """What finds the matches of a user's pattern: of its first group, where it has one."""
    group = 1 if pattern.groups else 0

    def look(text: str) -> Iterator[Span]:
        found = (match.span(group) for match in pattern.finditer(text))
        return (Span(*span, kind) for span in found if span[0] < span[1])

    return look


def literal(values: dict[str, str]) -> Look:
    """What finds the values (each with its kind) wherever they stand as words."""
    words = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])" for word in words) or r"(?!)")
    return lambda text: (Span(*found.span(), values[found[0]]) for found in pattern.finditer(text))


_SHORTEST = 4  # shorter ones stand in other words by chance


# -- what is to be put there -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of a text, and what stands there instead."""

    start: int
    end: int
    new: str


_DEEPEST = 3
# A word begins where no word is: else a long one would be read again from each of its characters.
_PERCENT = re.compile(r"(?<![A-Za-z0-9_.~+@:-])[A-Za-z0-9_.~+@:-]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9_.~+@:-]*)+")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/_=-])")


def edits(text: str, look: Look, name: Callable[[str, str, str], str], how: str = "", depth: int = 0) -> list[Edit]:
    """What of the text is to change, from left to right.

    name: called with the kind and the value of each find and how it is written ("", "in base64", …); gives what is to
    stand there.
    """
    found: list[Edit] = []
    spans = sorted((s for s in look(text) if s.start < s.end), key=lambda span: (span.start, -span.end))
    for span in spans:
        value = text[span.start : span.end]
        if (found and span.start < found[-1].end) or value == REDACTED or PLACEHOLDER.fullmatch(value):
            continue
        found.append(Edit(span.start, span.end, name(span.kind, value, how)))
    if depth < _DEEPEST:
        found += [edit for edit in _encoded(text, look, name, depth) if not _overlaps(edit, found)]
    return sorted(found, key=lambda edit: edit.start)


def _overlaps(edit: Edit, others: Iterable[Edit]) -> bool:
    return any(edit.start < other.end and other.start < edit.end for other in others)


def _encoded(text: str, look: Look, name: Callable[[str, str, str], str], depth: int) -> Iterator[Edit]:
    if "%" in text:
        for match in _PERCENT.finditer(text):
            meant = unquote(match[0], errors="replace")
            if within := edits(meant, look, name, "percent-encoded", depth + 1):
                yield Edit(*match.span(), quote(applied(meant, within), safe=""))
    for match in _BASE64.finditer(text):
        inner = _decoded(match[0])
        if inner and (within := edits(inner, look, name, "in base64", depth + 1)):
            yield Edit(*match.span(), _encoded_like(match[0], applied(inner, within)))


def applied(text: str, found: Iterable[Edit]) -> str:
    """The text as the edits make it."""
    made, at = [], 0
    for edit in found:
        made += [text[at : edit.start], edit.new]
        at = edit.end
    return "".join([*made, text[at:]])


def _decoded(word: str) -> str | None:
    """The text in base64, of either alphabet, padded or not; None where it is none."""
    padded = word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4)
    try:
        text = (urlsafe_b64decode if set(word) & {"-", "_"} else b64decode)(padded).decode()
    except ValueError:
        return None
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else None


def _encoded_like(word: str, text: str) -> str:
    made = (urlsafe_b64encode if set(word) & {"-", "_"} else b64encode)(text.encode()).decode()
    return made if word.endswith("=") or len(word) % 4 == 0 else made.rstrip("=")
