"""A user's own redaction patterns, and how what they match is taken out of texts, paths and bodies.

In JSON each text and number is looked at as it is meant, not as escapes or base64 spell it; then the whole once more, for
patterns that span several. Taking out twice changes nothing more. Pure; without patterns nothing here is called.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from bedtape_cassettes.errors import ConfigInvalid, Problem

__all__ = ["REDACTED", "Redaction", "in_body", "in_path", "in_text", "inner_text", "redaction_of"]

REDACTED = "REDACTED"


@dataclass(frozen=True, slots=True)
class Redaction:
    """What to take out besides what always is: patterns over the texts of paths, headers and bodies."""

    patterns: tuple[re.Pattern[str], ...] = ()


def redaction_of(sources: Iterable[str]) -> Redaction:
    """The patterns that `--redact` named. Raises ConfigInvalid with a problem for each that is wrong."""
    patterns, problems = [], []
    for source in sources:
        try:
            pattern = re.compile(source)
        except (re.error, RecursionError, OverflowError) as error:
            fix = "fix it there, or put a backslash before what is meant as it stands"
            problems.append(Problem("--redact", 0, "a regular expression", f"{source!r} ({error})", fix))
            continue
        if pattern.fullmatch(""):
            found = f"{source!r}, which matches nothing at position 0 too"
            problems.append(Problem("--redact", 0, "a pattern that matches something", found, "use + in place of *"))
        patterns.append(pattern)
    if problems:
        raise ConfigInvalid(problems)
    return Redaction(tuple(patterns))


_NONE = -1
# A place within an escape: a match that begins or ends there is of the spelling, and taking it out would break the rest.
_WITHIN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_LONGEST_ESCAPES = 64


def _within_escape(text: str, at: int) -> bool:
    return _WITHIN_ESCAPE.search(text[max(0, at - _LONGEST_ESCAPES) : at]) is not None


def in_text(text: str, redaction: Redaction, *, escaped: bool = False) -> str:
    """The text without what the patterns match, again and again until nothing is. escaped: it is JSON's spelling."""
    before = None
    while text != before:
        before = text
        for pattern in redaction.patterns:
            text = _without(text, pattern, escaped=escaped)
    return text


def _without(text: str, pattern: re.Pattern[str], *, escaped: bool) -> str:
    """A match within a placeholder is none, and one that reaches into a placeholder takes it along: so this has an end."""
    clean, at = [], 0
    for found in pattern.finditer(text):
        start, end = found.span()
        first, last = _placeholder(text, start), _placeholder(text, end - 1)
        if start == end or first == last != _NONE:
            continue
        if escaped and (_within_escape(text, start) or _within_escape(text, end)):
            continue
        start = start if first == _NONE else first
        end = end if last == _NONE else last + len(REDACTED)
        clean += [text[at:start], REDACTED] if start >= at else []
        at = max(at, end)
    return "".join([*clean, text[at:]])


def _placeholder(text: str, at: int) -> int:
    """Where the placeholder begins that has this place's character."""
    return text.find(REDACTED, max(0, at - len(REDACTED) + 1), at + len(REDACTED))


def in_path(path: str, redaction: Redaction, *, decoded: bool = False) -> str:
    """A request's path, with its query, without what the patterns match in what is meant by it.

    decoded: before the query it is not percent-encoded, as in `operations.Target`.
    """
    raw, mark, query = path.partition("?")
    meant = raw if decoded else unquote(raw)
    clean = in_text(meant, redaction)
    if clean != meant:
        raw = clean if decoded else quote(clean, safe="/:")
    return raw + mark + "".join(_in_part(part, redaction) for part in re.split("([&=])", query))


def _in_part(part: str, redaction: Redaction) -> str:
    meant = unquote(part)
    clean = in_text(meant, redaction)
    return part if clean == meant else quote(clean, safe="")


# -- bodies ----------------------------------------------------------------------------------------------------

# JSON, or server-sent events, which hold it.
_IS_SPELLED = re.compile(rb'\s*(?:[\[{"]|(?:data|event|id|retry)?:)')
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|(?<=[\[:,\s])-?[0-9][0-9.eE+-]*(?=\s*[,\]}])', re.DOTALL)
# What holds base64 in Bedrock's JSON: `body` in CountTokens, `bytes` and `data` in documents and stream chunks.
_MEMBER = re.compile(rb'("(?:bytes|body|data)"\s*:\s*")([A-Za-z0-9+/]+={0,2})(")')
_ROUNDS = 8  # what a pattern over several texts leaves is read anew, as other texts
_SURELY_BASE64 = 24  # a word that is as long and decodes to text by chance is not to be expected


def inner_text(encoded: bytes) -> bytes | None:
    """The text in base64, or None where it holds something else, such as an image."""
    try:
        text = b64decode(encoded, validate=True)
        text.decode()
    except ValueError:
        return None
    return text


def in_body(data: bytes, redaction: Redaction) -> bytes:
    """A body, or an event's payload, without what the patterns match."""
    for _ in range(_ROUNDS):
        before, data = data, _in_body(data, redaction)
        if data == before:
            break
    return data


def _in_body(data: bytes, redaction: Redaction) -> bytes:
    if _IS_SPELLED.match(data) is None:
        return _in_bytes(data, redaction)
    clean, at = [], 0
    for found in _MEMBER.finditer(data):
        if (encoded := _in_base64(found[2], redaction)) is not None:
            clean += [_in_json(data[at : found.start()], redaction), found[1], encoded, found[3]]
            at = found.end()
    return b"".join([*clean, _in_json(data[at:], redaction)])


def _in_bytes(data: bytes, redaction: Redaction, *, escaped: bool = False) -> bytes:
    text = in_text(data.decode(errors="surrogateescape"), redaction, escaped=escaped)
    return text.encode(errors="surrogateescape")


def _in_base64(encoded: bytes, redaction: Redaction) -> bytes | None:
    """The base64 of what is left of the text within; None where it holds none, or may be a word that only looks so."""
    text = inner_text(encoded)
    if text is None:
        return None
    clean = in_body(text, redaction)
    if clean != text:
        return b64encode(clean)
    return encoded if len(encoded) >= _SURELY_BASE64 or text.startswith(b"{") else None


def _in_json(data: bytes, redaction: Redaction) -> bytes:
    """A piece of JSON, cut between tokens. All that is not matched keeps its spelling."""
    data = _TOKEN.sub(lambda found: _in_token(found[0], redaction), data)
    return _in_bytes(data, redaction, escaped=True)


def _in_token(token: bytes, redaction: Redaction) -> bytes:
    try:
        text = str(json.loads(token, strict=False)) if token.startswith(b'"') else token.decode()
    except ValueError:
        return token
    meant = text.encode(errors="surrogatepass")
    clean = in_body(meant, redaction)
    if clean == meant:
        return token
    kept = clean.decode(errors="surrogatepass")
    return json.dumps(kept, ensure_ascii=token.isascii()).encode(errors="backslashreplace")
