"""Secrets and personal data of a suite: listed, or replaced, the same value by the same placeholder everywhere. Pure.

Listing and replacing search the same texts in the same way, so that what is listed is what is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Protocol

from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.redaction.engine import Find, Look, Search, Span, find_pattern, find_words
from bedtape_cassettes.redaction.kinds import ACCESS_KEY, PLACEHOLDER, REDACTED, SECRET_HEADER
from bedtape_cassettes.redaction.walk import rewrite
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.assign import with_length
from bedtape_cassettes.suites.selector import Picked, numbers


class Names:
    """Placeholders by value, numbered by kind in the order of their finds, above the numbers that exist.

    fixed: replaces every value instead.
    """

    def __init__(self, fixed: str | None = None) -> None:
        self.fixed = fixed
        self.given: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def reserve(self, text: str) -> None:
        """Reserves the numbers of the placeholders in the text."""
        if REDACTED in text:
            for found in PLACEHOLDER.finditer(text):
                self._last[found[1]] = max(self._last.get(found[1], 0), int(found[2]))

    def learn(self, find: Find) -> None:
        """Remembers a value that is to be replaced everywhere, and its kind."""
        if find.kind != SECRET_HEADER:
            self.kinds.setdefault(find.value, find.kind)

    def name(self, find: Find) -> str:
        """The placeholder of the value."""
        if find.value not in self.given:
            kind = self.kinds.get(find.value, find.kind)
            self._last[kind] = self._last.get(kind, 0) + 1
            self.given[find.value] = self.fixed or f"{REDACTED}-{kind}-{self._last[kind]}"
        return self.given[find.value]


def redact(interaction: Interaction, search: Search, names: Names) -> Interaction:
    """The interaction with everything that the search finds replaced."""
    changed = rewrite(interaction, search, lambda find, _: names.name(find))
    return interaction if changed == interaction else with_length(changed)


def redact_suite(suite: Suite, picked: Picked, search: Search, names: Names) -> Suite:
    """The suite with everything that the search finds in the picked interactions replaced.

    A value that is found in one place is replaced in all of the picked interactions.
    """

    def learn(find: Find, _where: str) -> str:
        names.learn(find)
        return REDACTED

    for interaction in (cassette.interactions[at] for cassette in suite for at in picked.get(cassette.name, ())):
        _reserve_all(interaction, names)
        rewrite(interaction, search, learn)
    everywhere = replace(search, looks=(*search.looks, find_words(names.kinds)))
    return bulk.each(suite, picked, lambda interaction: redact(interaction, everywhere, names))


def _reserve_all(interaction: Interaction, names: Names) -> None:
    def look(text: str) -> Iterator[Span]:
        names.reserve(text)
        return iter(())

    rewrite(interaction, Search(looks=(look,)), lambda *_: REDACTED)


@dataclass(frozen=True, slots=True)
class Found:
    """Something sensitive. shown: enough to recognise the value. how: "in base64", "percent-encoded" or ""."""

    cassette: str
    number: int
    file: str
    where: str
    kind: str
    shown: str
    how: str = ""


def scan(suite: Suite, picked: Picked, search: Search) -> list[Found]:
    """Everything that the search finds in the picked interactions, in order, each once a place."""
    found = [
        one
        for cassette in suite
        for place, number in enumerate(numbers(cassette))
        if place in picked.get(cassette.name, ())
        for one in _scan(cassette.name, number, cassette.interactions[place], search)
    ]
    return list(dict.fromkeys(found))


def _scan(cassette: str, number: int, interaction: Interaction, search: Search) -> list[Found]:
    found: list[Found] = []

    def write(find: Find, where: str) -> str:
        shown = _mask(find.value)
        found.append(Found(cassette, number, interaction.file, where, find.kind, shown, find.how))
        return REDACTED

    rewrite(interaction, search, write)
    return found


def _mask(value: str) -> str:
    kept = min(4, len(value) // 4)
    return f"{value[:kept]}… ({len(value)} characters)"


# -- detect-secrets --------------------------------------------------------------------------------------------

# These find every id and signature in an answer, which are random too.
_TOO_MANY = ("Base64HighEntropyString", "HexHighEntropyString")


class _Plugin(Protocol):
    secret_type: str

    def analyze_string(self, string: str) -> Iterator[str]:
        """Yields the secrets in a line."""


def load_detectors() -> Look | None:
    """A look that finds what the detectors of detect-secrets find. Returns `None` if it is not installed.

    bedtape uses their patterns and verifies nothing, so no host is asked.
    """
    try:
        util = import_module("detect_secrets.core.plugins.util")
    except ImportError:
        return None
    classes = util.get_mapping_from_secret_type_to_class().values()
    plugins: list[_Plugin] = [kind() for kind in classes if kind.__name__ not in _TOO_MANY]

    def look(text: str) -> Iterator[Span]:
        for plugin in plugins:
            for value in dict.fromkeys(plugin.analyze_string(text)):
                if value and value != ACCESS_KEY and REDACTED not in value:
                    kind = "-".join(re.findall("[a-z]+", plugin.secret_type.lower()))
                    yield from find_pattern(re.compile(re.escape(value)), kind)(text)

    return look
