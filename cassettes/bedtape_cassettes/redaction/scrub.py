"""Replaces secrets, and what a user's own patterns match, in bytes, texts, paths and headers.

Nothing turns this off. Everything that is written is scrubbed, and so is every request before it is
matched, so that a recording with another account's ids still answers. Scrubbing twice changes
nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, reduce
from urllib.parse import quote, unquote

from bedtape_cassettes.errors import ConfigInvalid, Problem
from bedtape_cassettes.format.patterns import compile_pattern, find_spans
from bedtape_cassettes.model import Headers
from bedtape_cassettes.redaction.engine import Find, Search, Span, find_edits, replace_all, settle
from bedtape_cassettes.redaction.kinds import (
    ACCOUNT,
    KINDS,
    PERSONAL,
    REDACTED,
    SECRETS,
    is_secret_header,
    make_own_kind,
)


@dataclass(frozen=True)
class Redaction:
    """What to replace besides every kind of secret, in paths, headers and bodies.

    patterns: what matches them. own: the credentials of this process, wherever they stand.
    keeps_accounts: whether ids of accounts stay.
    """

    patterns: tuple[re.Pattern[str], ...] = ()
    own: frozenset[str] = field(default=frozenset(), repr=False)
    keeps_accounts: bool = False

    @cached_property
    def secrets(self) -> Search:
        """The search for secrets."""
        return Search((make_own_kind(self.own), *self.refused.kinds)) if self.own else self.refused

    @property
    def refused(self) -> Search:
        """The search for secrets that may not be written, whichever process writes."""
        return SCRUB_BUT_ACCOUNTS if self.keeps_accounts else SCRUB

    @cached_property
    def searches(self) -> tuple[Search, ...]:
        """A search for each pattern, because each is applied to what the one before it leaves."""
        return tuple(
            Search(looks=(partial(_spans, pattern),), across=True) for pattern in self.patterns
        )


ALWAYS = Redaction()
SCRUB = Search(SECRETS)
SCRUB_BUT_ACCOUNTS = Search(tuple(kind for kind in SECRETS if kind.placeholder != ACCOUNT))


def write_placeholder(find: Find) -> str:
    """What replaces a secret in a recording."""
    return KINDS[find.kind].placeholder


def scrub(data: bytes, redaction: Redaction = ALWAYS) -> bytes:
    """A body, or an event's payload, as it may be written and is matched.

    Returns the same object if nothing changes.

    The bytes need not be JSON, nor UTF-8.
    """
    suspect = redaction.secrets.may_find(data)
    if not suspect and not redaction.patterns:
        return data
    text = data.decode(errors="surrogateescape")
    clean = replace_all(text, redaction.secrets, write_placeholder) if suspect else text
    if redaction.patterns:
        clean = _redact(clean, redaction)
    return data if clean == text else clean.encode(errors="surrogateescape")


def scrub_text(text: str, redaction: Redaction = ALWAYS) -> str:
    """A header's value, a session's name and the like as they may be written."""
    return scrub(text.encode(errors="replace"), redaction).decode(errors="replace")


def scrub_path(path: str, redaction: Redaction = ALWAYS) -> str:
    """A request's path with its query, percent-encoded, as it may be written."""
    clean = scrub_text(path, replace(redaction, patterns=()))
    return redact_path(clean, redaction) if redaction.patterns else clean


def scrub_headers(headers: Headers, redaction: Redaction = ALWAYS) -> Headers:
    """The headers of a request or response as they may be written."""
    return tuple(
        (name, REDACTED if is_secret_header(name, value) else scrub_text(value, redaction))
        for name, value in headers
    )


def find_secrets(data: bytes) -> list[str]:
    """The titles of the kinds of secret in a body, which may be written if there are none."""
    secrets: list[str] = []

    def write(find: Find) -> str:
        secrets.append(KINDS[find.kind].title)
        return REDACTED

    find_edits(data.decode(errors="surrogateescape"), SCRUB, write)
    return secrets


# -- users' patterns -------------------------------------------------------------------------------


def read_patterns(sources: Iterable[str]) -> Redaction:
    """Return the patterns of `--redact`: regular expressions, `{email}` or `{phone}`.

    Raises ConfigInvalid with a problem for each wrong pattern.
    """
    patterns, problems = [], []
    for source in sources:
        try:
            pattern = PERSONAL.get(source) or compile_pattern(source)
        except ValueError as error:
            fix = "fix it there, or put a backslash before what is meant as it stands"
            problems.append(
                Problem("--redact", 0, "a regular expression", f"{source!r} ({error})", fix)
            )
            continue
        if pattern.fullmatch(""):
            actual = f"{source!r}, which matches nothing at position 0 too"
            problems.append(
                Problem(
                    "--redact", 0, "a pattern that matches something", actual, "use + in place of *"
                )
            )
        patterns.append(pattern)
    if problems:
        raise ConfigInvalid(problems)
    return Redaction(tuple(patterns))


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """A match within a placeholder is skipped, and a match that reaches into a
    placeholder includes it.

    So every round leaves less to match, and the rounds end.
    """
    for start, end in find_spans(pattern, text):
        first, last = _placeholder(text, start), _placeholder(text, end - 1)
        if start < end and (first != last or first < 0):
            yield Span(
                start if first < 0 else first, end if last < 0 else last + len(REDACTED), "pattern"
            )


def _placeholder(text: str, at: int) -> int:
    """Where the placeholder begins that includes this position, or -1."""
    return text.find(REDACTED, max(0, at - len(REDACTED) + 1), at + len(REDACTED))


def _redact(text: str, redaction: Redaction) -> str:
    """A body, a header's value, or an event's payload without what the patterns match."""

    def redact(text: str) -> str:
        return reduce(
            lambda now, search: replace_all(now, search, lambda _: REDACTED),
            redaction.searches,
            text,
        )

    return settle(text, redact)


def redact_path(path: str, redaction: Redaction) -> str:
    """A request's path and query, without what the patterns match once it is percent-decoded."""
    raw, mark, query = path.partition("?")
    return (
        _redact_encoded(raw, redaction, safe="/:")
        + mark
        + "".join(_redact_encoded(part, redaction) for part in re.split("([&=])", query))
    )


def _redact_encoded(text: str, redaction: Redaction, safe: str = "") -> str:
    meant = unquote(text)
    clean = _redact(meant, redaction)
    return text if clean == meant else quote(clean, safe=safe)
